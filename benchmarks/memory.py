"""Peak memory: what a call, or a step of training, needs beyond its arrays.

Run ``python benchmarks/memory.py [ELEMENTS]``, 100 million by default (1.2 GB of float32).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

# A network and batch whose activations outweigh its parameters.
WIDTHS, BATCH = (784, 1024, 1024, 10), 8192


def peak() -> float:
    """Peak resident memory of the process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)


def calls(elements: int) -> None:
    """softmax, and gradients with a learned parameter."""
    import numact as na

    rows = elements // 1000
    x, dy, out = (np.full((rows, 1000), -1, np.float32) for _ in range(3))
    slopes = np.full(1000, 0.25, np.float32)
    each: dict[str, Callable[[], Any]] = {
        "softmax": lambda: na.softmax(x, out=out),
        "softmax, axis 0": lambda: na.softmax(x, axis=0, out=out),
        "softmax of one row": lambda: na.softmax(x.ravel(), out=out.ravel()),
        "softmax_backward": lambda: na.softmax_backward(dy, x, out=out),
        "prelu_backward, one slope": lambda: na.prelu_backward(dy, x, 0.25, out=(out, None)),
        "prelu_backward, a slope per channel": lambda: na.prelu_backward(dy, x, slopes, out=(out, None)),
        "swish_backward": lambda: na.swish_backward(dy, x, 1.0, out=(out, None)),
    }
    print(f"{x.size:,} elements of float32, {x.nbytes / 1e6:.0f} MB an array")
    for name, call in each.items():
        before = peak()
        call()
        print(f"{name:38} {peak() - before:6.1f} MB more than its arrays")


def step_of(library: str, activation: str) -> None:
    """Print what three steps need beyond the network and the batch: activations, gradients, velocities."""
    x, labels = np.full((BATCH, WIDTHS[0]), 0.5, np.float32), np.zeros(BATCH, np.int64)
    step = {"numact": by_numact, "PyTorch": by_torch}[library](activation, x, labels)
    before = peak()
    for _ in range(3):
        step()
    print(peak() - before)


def by_numact(activation: str, x: Any, labels: Any) -> Callable[[], Any]:
    import numact as na
    from numact import nn

    layers: list[nn.Layer] = []
    for inputs, units in pairwise(WIDTHS):
        layers += [nn.Dense(inputs, units), nn.Activate(activation)]
    model = nn.Sequential(*layers[:-1])
    optimizer = na.SGD([p.value for p in model.parameters], lr=0.01, momentum=0.9)
    grads = [p.grad for p in model.parameters]
    nn.softmax_cross_entropy(model.forward(x[:1]), labels[:1])

    def step() -> None:
        _, dlogits = nn.softmax_cross_entropy(model.forward(x, training=True), labels)
        model.backward(dlogits, input_gradient=False)
        optimizer.step(grads)

    return step


def by_torch(activation: str, x: Any, labels: Any) -> Callable[[], Any]:
    import torch

    act = {"relu": torch.nn.ReLU, "gelu": torch.nn.GELU}[activation]
    layers: list[Any] = []
    for inputs, units in pairwise(WIDTHS):
        layers += [torch.nn.Linear(inputs, units), act()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    loss_of = torch.nn.CrossEntropyLoss()
    tx, targets = torch.from_numpy(x), torch.from_numpy(labels)
    loss_of(model(tx[:1]), targets[:1]).backward()

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model(tx), targets).backward()
        optimizer.step()

    return step


def steps() -> None:
    """A step of training by numact and by PyTorch, each in a process of its own."""
    print(f"a step of {'-'.join(map(str, WIDTHS))}, batch {BATCH}, float32:")
    for activation in ("relu", "gelu"):
        for library in ("numact", "PyTorch"):
            command = [sys.executable, __file__, "step", library, activation]
            done = subprocess.run(command, capture_output=True, text=True)
            got = f"{float(done.stdout.split()[-1]):6.1f} MB" if done.returncode == 0 else "not installed"
            print(f"{activation}, {library:10} {got}")


def main() -> None:
    if sys.argv[1:2] == ["step"]:
        step_of(*sys.argv[2:4])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("elements", nargs="?", type=int, default=100_000_000, help="of each array")
    elements = parser.parse_args().elements
    steps()  # first: the peak of a process is handed down to those that it starts
    calls(elements)


if __name__ == "__main__":
    main()
