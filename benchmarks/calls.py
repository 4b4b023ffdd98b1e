"""Call overhead at one element, and an alternating loop of matrix product and activation.

Run ``python benchmarks/calls.py``. ``--torch before`` or ``--torch after`` imports PyTorch before or after numact,
which decides whose OpenMP runtime is in use. The loop should take no more than the product alone plus the activation
timed right after products, while OpenBLAS's threads are still awake.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def shortest(functions: dict[str, Callable[[], Any]], repeats: int = 300, inner: int = 300) -> dict[str, float]:
    """Nanoseconds of one call, the shortest of many interleaved rounds."""
    times = dict.fromkeys(functions, float("inf"))
    for _ in range(repeats):
        for name, function in functions.items():
            before = time.perf_counter()
            for _ in range(inner):
                function()
            times[name] = min(times[name], (time.perf_counter() - before) / inner * 1e9)
    return times


def overhead(na: Any) -> None:
    x = np.ones(1, np.float32)
    y = np.empty_like(x)
    times = shortest(
        {
            "np.tanh(x, out=y)": lambda: np.tanh(x, out=y),
            "na.tanh(x, out=y)": lambda: na.tanh(x, out=y),
            "na.relu(x, out=y)": lambda: na.relu(x, out=y),
            "na.tanh_backward(x, x, out=y)": lambda: na.tanh_backward(x, x, out=y),
            "np.maximum(x, 0.0, out=y)": lambda: np.maximum(x, 0.0, out=y),
            "na.leaky_relu(x, out=y)": lambda: na.leaky_relu(x, out=y),
            "na.leaky_relu(x, 0.1, out=y)": lambda: na.leaky_relu(x, 0.1, out=y),
            "na.swish(x, beta=1.5, out=y)": lambda: na.swish(x, beta=1.5, out=y),
        }
    )
    print("nanoseconds of a call with one float32")
    for name, nanoseconds in times.items():
        print(f"  {name:32}{nanoseconds:8.0f}")


def alternate(na: Any, rounds: int = 9, repeats: int = 60) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((128, 784)).astype("f"), rng.standard_normal((784, 256)).astype("f")
    c = np.empty((128, 256), np.float32)
    print(f"microseconds, threads run by {na.show_config('dicts')['threading']}; medians of {rounds} rounds")
    print(f"  {'':6}{'elements':>10}{'product':>10}{'after it':>10}{'loop':>10}{'loop / sum':>12}")
    for function in (na.relu, na.elu, na.tanh):
        for n in (1 << 15, 1 << 17, 1 << 20):
            x = rng.standard_normal(n).astype(np.float32)
            y = np.empty_like(x)
            products, afters, loops, ratios = [], [], [], []
            for _ in range(rounds):
                before = time.perf_counter()
                for _ in range(repeats):
                    np.matmul(a, b, out=c)
                product = (time.perf_counter() - before) / repeats
                after = 0.0
                for _ in range(repeats):  # timed apart, right after three products
                    for _ in range(3):
                        np.matmul(a, b, out=c)
                    before = time.perf_counter()
                    function(x, out=y)
                    after += (time.perf_counter() - before) / repeats
                before = time.perf_counter()
                for _ in range(repeats):
                    np.matmul(a, b, out=c)
                    function(x, out=y)
                loop = (time.perf_counter() - before) / repeats
                products.append(product)
                afters.append(after)
                loops.append(loop)
                ratios.append(loop / (product + after))
            shown = "".join(f"{np.median(v) * 1e6:10.1f}" for v in (products, afters, loops))
            print(f"  {function.__name__:6}{n:>10}{shown}{np.median(ratios):12.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Call overhead, and matrix product and activation in turns.")
    parser.add_argument("--torch", choices=("before", "after"), help="import PyTorch before or after numact")
    args = parser.parse_args()
    if args.torch == "before":
        importlib.import_module("torch")
    na: Any = importlib.import_module("numact")
    if args.torch == "after":
        importlib.import_module("torch")
    overhead(na)
    alternate(na)


if __name__ == "__main__":
    main()
