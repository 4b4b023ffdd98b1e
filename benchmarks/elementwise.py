"""The elementwise activations of the lecture against the NumPy expression: nanoseconds per element, one thread and all.

Run ``python benchmarks/elementwise.py``; ``--csv FILE`` writes the table too. Each pair runs in one process,
interleaved; numact writes into arrays made before; the figure is the minimum of many repeats. The NumPy expressions are
those of ``numact demo``: what one would write, backward from the saved output.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import numact as na
from numact.cli.demo import CONTENDERS

SIZES = (8192, 1 << 20)
PARAMETERS = {"prelu": (0.25,)}
EXPRESSIONS = {c.name: c for c in CONTENDERS}


def best(functions: list[Callable[[], Any]], seconds: float) -> list[float]:
    """Shortest time of each function in seconds, measured in turns until the time is up."""
    times = [float("inf")] * len(functions)
    for function in functions:
        function()
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        for i, function in enumerate(functions):
            before = time.perf_counter()
            function()
            times[i] = min(times[i], time.perf_counter() - before)
    return times


def calls(name: str, suffix: str, dy: Any, x: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """numact and NumPy on the same data."""
    parameters = PARAMETERS.get(name, ())
    native = getattr(na, name + suffix)
    plain = EXPRESSIONS["swish" if name == "silu" else name]
    y = na.activations[name].forward(x, *parameters)
    out: Any = np.empty_like(x)
    if suffix == "":
        return (lambda: native(x, *parameters, out=out)), (lambda: plain.numpy_forward(x))
    if suffix == "_backward" and len(na.activations[name].returns[1]) == 2:
        out = (out, None)
    saved = y if suffix == "_backward_from_output" else x
    return (lambda: native(dy, saved, *parameters, out=out)), (lambda: plain.numpy_backward(dy, x, y))


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the lecture's activations against the NumPy expression.")
    parser.add_argument("--seconds", type=float, default=0.3, help="per row (default: %(default)s)")
    parser.add_argument("--csv", metavar="FILE", help="write the table to FILE too")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    threads = na.get_num_threads()
    print(f"numact {na.__version__}, NumPy {np.__version__}, {na.isa()}, {threads} threads; nanoseconds per element")
    header = ("function", "dtype", "elements", "1 thread", f"{threads} threads", "NumPy", "NumPy / numact")
    print(f"{header[0]:32}{header[1]:>9}" + "".join(f"{h:>16}" for h in header[2:]))
    rows = []
    for name in [*EXPRESSIONS, "silu"]:
        if na.activations[name].kind != "elementwise":
            continue
        for suffix in ("", "_backward", "_backward_from_output"):
            if not hasattr(na, name + suffix):
                continue
            for dtype in (np.float32, np.float64):
                for n in SIZES:
                    dy, x = (rng.standard_normal(n).astype(dtype) for _ in range(2))
                    native, plain = calls(name, suffix, dy, x)
                    with na.num_threads(1):
                        one, numpy_time = (t / n * 1e9 for t in best([native, plain], args.seconds))
                    many = best([native], args.seconds)[0] / n * 1e9
                    row = (name + suffix, np.dtype(dtype).name, n, one, many, numpy_time, numpy_time / min(one, many))
                    rows.append(row)
                    print(f"{row[0]:32}{row[1]:>9}{row[2]:>16}" + "".join(f"{v:>16.3f}" for v in row[3:]), flush=True)
    print(f"geometric mean of NumPy / numact: {np.exp(np.mean([np.log(r[-1]) for r in rows])):.2f}")
    if args.csv:
        with open(args.csv, "w", newline="") as file:
            csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    main()
