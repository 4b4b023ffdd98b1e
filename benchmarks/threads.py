"""Threads: scaling with both backends, calls from several Python threads, in turns with a matrix product.

Each is measured in a fresh process, as the backend and the order of imports are settled at import. The loop of product
and activation should take no more than the product alone plus the activation timed right after products, while
OpenBLAS's threads are still awake.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .report import Table, number

BACKENDS = ("openmp", "pool")
FUNCTIONS = ("relu", "tanh", "gelu", "tanh_backward", "relu_backward")
SIZES = (1 << 13, 1 << 15, 1 << 17, 1 << 20, 1 << 24)
TORCH = ("no", "before", "after")
MOST_OVER_SUM, LEAST_SPEEDUP = 1.25, 1.9


def _operands(name: str, n: int) -> tuple[list[Any], Any]:
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(n, np.float32) for _ in range(2 if "backward" in name else 1)]
    return inputs, np.empty_like(inputs[0])


def scaling(na: Any, seconds: float) -> list[list[Any]]:
    """Function, elements, threads, seconds of a call, speed-up over one thread."""
    interleaved = importlib.import_module("numact.cli._timing").interleaved
    rows = []
    most = na.get_num_threads()
    counts = sorted({1, most, *(1 << i for i in range(most.bit_length()))} - {0})
    for name in FUNCTIONS:
        f = getattr(na, name)
        for n in SIZES:
            inputs, y = _operands(name, n)
            times = {}
            for count in (each for each in counts if each <= most):
                # One after the other: threads that another number has left awake would take a core.
                na.set_num_threads(count)
                time.sleep(0.02)
                times[count] = interleaved({"": partial(f, *inputs, out=y)}, seconds)[""].minimum
            rows += [[name, n, count, each, times[1] / each] for count, each in times.items()]
    return rows


def callers(na: Any, seconds: float) -> list[list[Any]]:
    """Function, elements, Python threads, seconds per call of one Python thread and of all of them, and the ratio."""
    rows = []
    for name in ("relu", "gelu"):
        f = getattr(na, name)
        for n in (64, 1 << 13, 1 << 17, 1 << 20):
            single = _at_once(f, name, n, 1, seconds)
            for count in (2, 4):
                several = _at_once(f, name, n, count, seconds)
                rows.append([name, n, count, single, several, single / several])
    return rows


def _at_once(f: Any, name: str, n: int, count: int, seconds: float) -> float:
    """Seconds per call, of all calls that so many Python threads make in that time."""
    calls = [0] * count
    best = np.inf
    for _ in range(5):
        start, stop = threading.Barrier(count + 1), threading.Event()

        def work(i: int, start: Any = start, stop: Any = stop) -> None:
            inputs, y = _operands(name, n)
            f(*inputs, out=y)
            start.wait()
            calls[i] = 0
            while not stop.is_set():
                f(*inputs, out=y)
                calls[i] += 1

        workers = [threading.Thread(target=work, args=(i,)) for i in range(count)]
        for worker in workers:
            worker.start()
        start.wait()
        before = time.perf_counter()
        time.sleep(seconds)
        stop.set()
        for worker in workers:
            worker.join()
        best = min(best, (time.perf_counter() - before) / max(sum(calls), 1))
    return best


def alternate(na: Any, seconds: float) -> list[list[Any]]:
    """Function, elements, seconds of product, activation after it, both in turns, ratio of that to their sum."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((128, 784), np.float32), rng.standard_normal((784, 256), np.float32)
    c = np.empty((128, 256), np.float32)
    rows = []
    for name in ("relu", "elu", "tanh"):
        function = getattr(na, name)
        for n in (1 << 15, 1 << 17, 1 << 20):
            (x,), y = _operands(name, n)

            def act(function: Any = function, x: Any = x, y: Any = y) -> None:
                function(x, out=y)

            def product() -> None:
                np.matmul(a, b, out=c)

            def both(act: Callable[[], None] = act) -> None:
                product()
                act()

            repeats = max(20, int(seconds / 5e-3))
            rounds = []
            for _ in range(7):
                alone = _mean(product, repeats)
                after = 0.0
                for _ in range(repeats):  # timed apart, right after three products
                    for _ in range(3):
                        product()
                    after += _mean(act, 1) / repeats
                loop = _mean(both, repeats)
                rounds.append((alone, after, loop, loop / (alone + after)))
            *times, ratio = map(statistics.median, zip(*rounds, strict=True))
            rows.append([name, n, times, ratio])
    return rows


def _mean(call: Callable[[], None], repeats: int) -> float:
    before = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - before) / repeats


PARTS: dict[str, Callable[[Any, float], list[list[Any]]]] = {
    "scaling": scaling,
    "callers": callers,
    "alternate": alternate,
}


def in_process(part: str, backend: str, torch: str, seconds: float) -> list[list[Any]]:
    """The rows of a part, measured in a fresh process."""
    command = [sys.executable, "-m", __name__, part, torch, str(seconds)]
    environment = os.environ | {"NUMACT_THREADING": backend}
    found = subprocess.run(
        command, check=True, env=environment, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True
    )
    rows: list[list[Any]] = json.loads(found.stdout)
    return rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure (default: all)")


def duration(args: argparse.Namespace) -> float:
    scaled = len(FUNCTIONS) * len(SIZES) * 2 + 8 * 3 * 5
    return len(BACKENDS) * scaled * args.seconds + (len(BACKENDS) + len(TORCH)) * 30


def run(args: argparse.Namespace) -> Iterator[Table]:
    if "scaling" in args.parts:
        rows = [[backend, *row] for backend in BACKENDS for row in in_process("scaling", backend, "no", args.seconds)]
        lines = [[b, f, number(n), count, t * 1e6, s] for b, f, n, count, t, s in rows if count > 1]
        header = ["backend", "function", "elements", "threads", "us", "times one thread"]
        note = f"of transcendental functions at 1 Mi elements at least {LEAST_SPEEDUP} on two cores"
        yield Table("scaling", "Speed-up by threads, float32", header, lines, [note])
    if "callers" in args.parts:
        rows = [[backend, *row] for backend in BACKENDS for row in in_process("callers", backend, "no", args.seconds)]
        lines = [[b, f, number(n), count, one * 1e6, each * 1e6, gain] for b, f, n, count, one, each, gain in rows]
        header = ["backend", "function", "elements", "Python threads", "us alone", "us", "alone / together"]
        note = "us: elapsed time per call of all threads together; alone / together should not be below 1"
        yield Table("callers", "Calls from several Python threads at once, float32", header, lines, [note])
    if "alternate" in args.parts:
        rows = [
            [backend or "chosen", torch, *row]
            for backend in (*BACKENDS, "")
            for torch in (TORCH if not backend else TORCH[:1])
            if torch == "no" or importlib.util.find_spec("torch")
            for row in in_process("alternate", backend, torch, args.seconds)
        ]
        lines = [[*which, number(n), *(each * 1e6 for each in times), ratio] for *which, n, times, ratio in rows]
        header = ["backend", "PyTorch imported", "function", "elements"]
        header += ["product us", "after it us", "loop us", "loop / sum"]
        note = f"medians; loop / sum should be at most {MOST_OVER_SUM}"
        yield Table("alternate", "Matrix product and activation in turns, float32", header, lines, [note])


def main() -> None:
    part, torch, seconds = sys.argv[1:]
    if torch == "before":
        importlib.import_module("torch")
    na = importlib.import_module("numact")
    if torch == "after":
        importlib.import_module("torch")
    json.dump(PARTS[part](na, float(seconds)), sys.stdout)


if __name__ == "__main__":
    main()
