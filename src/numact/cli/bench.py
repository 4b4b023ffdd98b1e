"""``numact bench``: every activation against the NumPy expression one would write."""

from __future__ import annotations

import argparse
import csv
import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import numact as na

from ._common import CommandError, activation, check_writable, new_figure, picture, positive_int, require
from ._expressions import agree, directions, operands, pair
from ._timing import Timing, interleaved
from .plot import BLUE, GREY, ORANGE

DTYPES = ("float32", "float64", "float16", "bfloat16")
_COLORS = {"forward": BLUE, "backward": ORANGE, "backward_from_output": "#38a169"}
_UNITS = {"Ki": 1 << 10, "Mi": 1 << 20}


@dataclass(frozen=True)
class _Row:
    """One cell: times are seconds of a call."""

    name: str
    direction: str
    elements: int
    native: Timing
    plain: Timing

    @property
    def ratio(self) -> float:
        return self.plain.minimum / self.native.minimum

    def nanoseconds(self) -> list[float]:
        """Per element: minimum and median of numact, of NumPy."""
        return [
            seconds / self.elements * 1e9
            for timing in (self.native, self.plain)
            for seconds in (timing.minimum, timing.median)
        ]


def size(text: str) -> int:
    """A number of elements such as 1000, 8Ki or 1Mi, as an argument."""
    digits, unit = (text[:-2], _UNITS[text[-2:]]) if text[-2:] in _UNITS else (text, 1)
    elements = int(digits) * unit if digits.isdecimal() else 0
    if elements < 1:
        raise argparse.ArgumentTypeError(f"must be a number of elements such as 1000, 8Ki or 1Mi, got {text!r}")
    return elements


def sizes(text: str) -> list[int]:
    """Several of them, separated by commas."""
    return list(dict.fromkeys(size(part.strip()) for part in text.split(",")))


def seconds(text: str) -> float:
    """A duration, as an argument."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, got {text!r}")
    return value


def dtype_of(name: str) -> np.dtype[Any]:
    """One of ``DTYPES``; bfloat16 is ml_dtypes'."""
    if name == "bfloat16":
        require({"ml_dtypes": "ml_dtypes"}, "bf16")
        name = importlib.import_module("ml_dtypes").bfloat16
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype


def geometric_mean(ratios: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def measure(name: str, direction: str, elements: int, dtype: np.dtype[Any], seconds: float) -> dict[str, Timing]:
    """Times of "numact" and "NumPy" for ``seconds`` each, once their answers agree."""
    calls = pair(name, direction, operands(name, direction, dtype, elements, np.random.default_rng(0)))
    if not agree(calls.native(), calls.plain(), dtype):
        raise CommandError(f"numact and NumPy disagree on {name}, {direction}; please report this")
    return interleaved({"numact": calls.native, "NumPy": calls.plain}, seconds)


def _draw(rows: Sequence[_Row], path: Any, title: str) -> None:
    """Speed-up of each function, a panel for each size."""
    names = list(dict.fromkeys(row.name for row in rows))
    sizes = list(dict.fromkeys(row.elements for row in rows))
    figure: Any = new_figure(figsize=(2 + 3.5 * len(sizes), 1.5 + 0.28 * len(names)), dpi=120, layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for axes, elements in zip(panels, sizes, strict=True):
        for direction, color in _COLORS.items():
            chosen = [row for row in rows if (row.elements, row.direction) == (elements, direction)]
            places = [names.index(row.name) for row in chosen]
            axes.plot([row.ratio for row in chosen], places, "o", color=color, label=direction.replace("_", " "))
        axes.axvline(1, color=GREY, linewidth=0.8)
        axes.set_xscale("log")
        axes.set(xlabel="time of NumPy / time of numact", title=f"{elements:,} elements")
        axes.set_yticks(range(len(names)), names)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    try:
        figure.savefig(path)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from None
    print(f"picture: {path}")


def _bench(args: argparse.Namespace) -> None:
    if args.output is not None:
        require({"matplotlib": "matplotlib"}, "plot")
    for path in (args.csv, args.output):
        if path is not None and (problem := check_writable(path)):
            raise CommandError(problem, status=2)
    dtype = dtype_of(args.dtype)
    with na.num_threads(args.threads or na.get_num_threads()):
        threads = na.get_num_threads()  # no more than there are
    title = (
        f"numact {na.__version__} ({na.isa()}, {threads} thread{'s' if threads > 1 else ''}) "
        f"against NumPy {np.__version__}, {args.dtype}"
    )
    print(f"{title}\nNanoseconds per element: the fastest of many calls in turns, and the median.\n")
    print(f"{'':35} {'':>11}  {'numact':^16}  {'NumPy':^16}".rstrip())
    print(
        f"{'function':35} {'elements':>11}  {'fastest':>7}  {'median':>7}  {'fastest':>7}  {'median':>7}  {'ratio':>7}"
    )
    rows = []
    with na.num_threads(threads), np.errstate(all="ignore"):
        for name in dict.fromkeys(args.names or na.activations):
            for direction in directions(name):
                for elements in args.size:
                    try:
                        times = measure(name, direction, elements, dtype, args.seconds)
                    except MemoryError:
                        raise CommandError(f"{elements:,} elements of {args.dtype} do not fit into memory") from None
                    row = _Row(name, direction, elements, times["numact"], times["NumPy"])
                    rows.append(row)
                    label = name + ("" if direction == "forward" else f"_{direction}")
                    cells = "  ".join(f"{value:7.3f}" for value in row.nanoseconds())
                    print(f"{label:35} {elements:>11,}  {cells}  {row.ratio:6.1f}x", flush=True)
    print(f"\ngeometric mean of {len(rows)} ratios: {geometric_mean([row.ratio for row in rows]):.2f}x")
    if args.csv is not None:
        header = ["function", "direction", "dtype", "elements", "threads"]
        header += [f"{who}_{what}_ns" for who in ("numact", "numpy") for what in ("minimum", "median")]
        with args.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*header, "ratio"])
            for row in rows:
                where = (row.name, row.direction, args.dtype, row.elements, threads)
                writer.writerow([*where, *row.nanoseconds(), row.ratio])
        print(f"table: {args.csv}")
    if args.output is not None:
        _draw(rows, args.output, title)


def add_commands(commands: Any) -> None:
    """``bench``."""
    parser = commands.add_parser(
        "bench",
        help="time the activations against NumPy expressions",
        description="Time each activation, forward and backward (from the input, and from the output where it tells), "
        "against the NumPy expression one would write, which gives the same answer and needs temporary arrays. "
        "Half precision: the expression in float32, cast before and after. gelu: erf by Abramowitz and Stegun 7.1.26, "
        "as NumPy has none.",
    )
    add = parser.add_argument
    shown = " (default: %(default)s)"
    add("names", nargs="*", type=activation, metavar="NAME", help="activations; all unless told")
    add("--dtype", choices=DTYPES, default="float32", metavar="DTYPE", help="one of %(choices)s" + shown)
    add("--size", type=sizes, default="8Ki,1Mi", metavar="N,N,...", help="elements of the arrays" + shown)
    add("--threads", type=positive_int, metavar="N", help="threads of numact; NumPy has one (default: all)")
    add("--seconds", type=seconds, default=0.05, metavar="S", help="seconds for each of the two in a row" + shown)
    add("--csv", type=Path, metavar="FILE", help="write the table to FILE too")
    add("-o", "--output", type=picture, metavar="FILE", help="picture of the ratios to write: .png, .pdf or .svg")
    parser.set_defaults(run=_bench)
