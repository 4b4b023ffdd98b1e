"""The process that measures cells at one number of threads, started by benchmarks.cells.

XLA can be told its threads only before it starts. Writes a line of CSV for each contender of each cell.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from . import contenders, peers  # before numact

import numact as na  # isort: skip
from numact import _native
from numact.cli._expressions import Pair, agree, as_tuple, directions, operands, pair
from numact.cli._timing import interleaved
from numact.cli.bench import dtype_of

HEADER = (
    "function", "direction", "dtype", "elements", "threads", "contender", "version", "agrees", "minimum", "median"
)  # fmt: skip
COPIES = ("copy", "streaming copy")


def set_threads(threads: int) -> None:
    """Of every library; XLA has as many as processors that it may use when it starts."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    na.set_num_threads(threads)
    if peers.torch is not None:
        peers.torch.set_num_threads(threads)
    if peers.numexpr is not None:
        peers.numexpr.set_num_threads(threads)


def copies(cell: Pair, threads: int) -> dict[str, Callable[[], Any]]:
    """Copies of as many bytes as the function reads and writes: half of them read, half written."""
    arrays = [each for each in (*cell.inputs, *cell.outputs) if isinstance(each, np.ndarray)]
    source, target = (np.ones(max(sum(each.nbytes for each in arrays) // 2, 1), np.uint8) for _ in range(2))
    return {name: partial(_native.copy, source, target, name != "copy", threads) for name in COPIES}


def answer(call: Callable[[], Any]) -> tuple[Any, ...]:
    """What a call gives, as arrays; of large ones every so many rows."""
    results = (contenders.as_array(each) for each in as_tuple(call()))
    return tuple(each if each.size <= 1 << 20 else each[:: each.size >> 18] for each in results)


def cell(name: str, direction: str, dtype: np.dtype[Any], elements: int, args: argparse.Namespace) -> Iterator[Any]:
    """(contender, whether its answer agrees with numact's, its timing) of one cell."""
    data = operands(name, direction, dtype, elements, np.random.default_rng(0))
    ours = pair(name, direction, data)
    calls: dict[str, Callable[[], Any]] = {"numact": ours.native}
    expected = tuple(np.array(each, np.float64) for each in answer(ours.native))
    agrees = {"numact": True}
    for library in args.peers:
        call = contenders.contender(library, name, direction, ours)
        if call is None:
            continue
        theirs = answer(call)
        agrees[library] = agree(expected[: len(theirs)], theirs[: len(expected)], dtype)
        calls[library] = call
    calls |= copies(ours, args.threads)
    for who, timing in interleaved(calls, args.seconds).items():
        yield who, agrees.get(who, True), timing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--functions", "--directions", "--dtypes", "--peers"):
        parser.add_argument(option, type=lambda text: text.split(","))
    parser.add_argument("--sizes", type=lambda text: [int(part) for part in text.split(",")])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--csv", type=Path)
    args = parser.parse_args()
    set_threads(args.threads)
    versions = peers.versions() | {"numact": na.__version__}
    cells = [
        (dtype, elements, name, direction)
        for dtype in args.dtypes
        for elements in args.sizes
        for name in args.functions
        for direction in directions(name)
        if direction in args.directions
    ]
    started = time.perf_counter()
    with args.csv.open("w", newline="") as file, np.errstate(all="ignore"):
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for i, (dtype, elements, name, direction) in enumerate(cells):
            if sys.stderr.isatty() or i % 50 == 0:
                left = (time.perf_counter() - started) / max(i, 1) * (len(cells) - i)
                where = f"{name} {direction} {dtype} {elements}"
                print(f"{i}/{len(cells)} {where}, about {left / 60:.0f} min left", file=sys.stderr, flush=True)
            for who, agrees, timing in cell(name, direction, dtype_of(dtype), elements, args):
                row = (name, direction, dtype, elements, args.threads, who, versions.get(who, ""), agrees)
                writer.writerow((*row, timing.minimum, timing.median))
            file.flush()


if __name__ == "__main__":
    main()
