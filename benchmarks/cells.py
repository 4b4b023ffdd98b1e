"""Every activation, direction, dtype, size and number of threads, beside every library that has it.

The contenders of a cell take turns in one process, on the same data. A ratio is the fastest peer's time over numact's,
both the fastest of many calls; medians are in the CSV. The copies move as many bytes as the function reads and writes.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import peers  # before numact
from .cases import thread_count
from .report import Picture, Table, number

import numact as na  # isort: skip
from numact.cli._common import activation
from numact.cli._expressions import DIRECTIONS, directions
from numact.cli.bench import DTYPES, geometric_mean, size

COPIES = ("copy", "streaming copy")
SIZES = "64,8Ki,1Mi,16Mi"
ALL_SIZES = "1,64,1Ki,8Ki,64Ki,1Mi,16Mi"
IN_CACHE = 1 << 13
LARGE = 1 << 24
# What is aimed at: numact's time over the limit, and the fastest peer's over numact's.
BAR_LARGE, BAR_SMALLER, BAR_PEER = 1.2, 1.15, 0.95


@dataclass(frozen=True, order=True)
class Cell:
    """What was measured; the order is that of the tables."""

    function: str
    direction: str
    dtype: str
    elements: int
    threads: int


@dataclass(frozen=True)
class Measured:
    """One contender of a cell, seconds of a call."""

    minimum: float
    median: float
    version: str
    agrees: bool


Results = dict[Cell, dict[str, Measured]]


def several(choices: Sequence[str]) -> Callable[[str], list[str]]:
    """Some of the choices, separated by commas, or all."""

    def parse(text: str) -> list[str]:
        chosen = list(choices) if text == "all" else text.split(",")
        for each in chosen:
            if each not in choices:
                raise argparse.ArgumentTypeError(f"{each!r} is none of {', '.join(choices)}")
        return chosen

    return parse


def functions(text: str) -> list[str]:
    return list(na.activations) if text == "all" else [activation(part) for part in text.split(",")]


def sizes(text: str) -> list[int]:
    return [size(part) for part in (ALL_SIZES if text == "all" else text).split(",")]


def thread_counts(text: str) -> list[int]:
    """Numbers of threads; "all" is as many as numact may use."""
    counts = [na.get_num_threads() if part == "all" else thread_count(part) for part in text.split(",")]
    return list(dict.fromkeys(counts))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    libraries = ["NumPy", *(name for name, module in peers.LIBRARIES.items() if module is not None)]
    add = parser.add_argument
    shown = "; 'all' (default: %(default)s)"
    add("--functions", type=functions, default="all", metavar="NAME,...", help="activations" + shown)
    add(
        "--directions",
        type=several(DIRECTIONS),
        default="all",
        metavar="...",
        help=f"of {', '.join(DIRECTIONS)}" + shown,
    )
    add(
        "--dtypes",
        type=several(DTYPES),
        default="float32,float64",
        metavar="...",
        help=f"of {', '.join(DTYPES)}" + shown,
    )
    add(
        "--sizes",
        type=sizes,
        default=SIZES,
        metavar="N,...",
        help=f"elements; 'all' is {ALL_SIZES} (default: %(default)s)",
    )
    add(
        "--threads",
        type=thread_counts,
        default="1,all",
        metavar="N,...",
        help="numbers of threads (default: %(default)s)",
    )
    add("--peers", type=several(libraries), default="all", metavar="...", help=f"of {', '.join(libraries)}" + shown)
    add(
        "--read",
        type=Path,
        nargs="+",
        metavar="CSV",
        help="measure nothing, report the cells_measured_*.csv of earlier runs",
    )


def cells_of(args: argparse.Namespace) -> int:
    pairs = sum(direction in args.directions for name in args.functions for direction in directions(name))
    return pairs * len(args.dtypes) * len(args.sizes) * len(args.threads)


def duration(args: argparse.Namespace) -> float:
    """Time asked for, compilation by JAX, and what slow contenders take for their least number of calls."""
    if args.read is not None:
        return 0
    per_cell = args.seconds * (len(args.peers) + 3) + 0.2
    slow = sum(max(0.0, elements * 300e-9 - args.seconds) for elements in args.sizes) / len(args.sizes)
    return float(cells_of(args) * (per_cell + slow))


def measure(args: argparse.Namespace, folder: Path) -> list[Path]:
    """A CSV in the folder for each number of threads, from a process of its own, which fills it as it measures."""
    paths = []
    for threads in args.threads:
        path = folder / f"cells_measured_{threads}.csv"
        command = [sys.executable, "-m", f"{__package__}.measure_cells", "--threads", str(threads)]
        for option in ("functions", "directions", "dtypes", "peers"):
            command += [f"--{option}", ",".join(getattr(args, option))]
        command += ["--sizes", ",".join(map(str, args.sizes)), "--seconds", str(args.seconds), "--csv", str(path)]
        subprocess.run(command, check=True)
        paths.append(path)
    return paths


def read(paths: Sequence[Path]) -> Results:
    """The cells that have a peer."""
    results: Results = defaultdict(dict)
    for path in paths:
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                cell = Cell(row["function"], row["direction"], row["dtype"], int(row["elements"]), int(row["threads"]))
                timing = (float(row["minimum"]), float(row["median"]))
                results[cell][row["contender"]] = Measured(*timing, row["version"], row["agrees"] == "True")
    return {cell: contenders for cell, contenders in results.items() if of_peers(contenders)}


def of_peers(contenders: dict[str, Measured]) -> dict[str, Measured]:
    return {name: each for name, each in contenders.items() if name not in ("numact", *COPIES)}


def ratio(contenders: dict[str, Measured]) -> float:
    """The fastest peer's time over numact's."""
    return min(each.minimum for each in of_peers(contenders).values()) / contenders["numact"].minimum


def where(cell: Cell) -> tuple[Any, ...]:
    return (cell.function, cell.direction.replace("_", " "), cell.dtype, number(cell.elements), cell.threads)


WHERE = ("function", "direction", "dtype", "elements", "threads")


def nanoseconds(cell: Cell, seconds: float) -> float:
    return seconds / cell.elements * 1e9


def ratio_table(results: Results) -> Table:
    """Every cell, the losing ones first."""
    rows = []
    for cell in sorted(results, key=lambda each: ratio(results[each])):
        contenders = results[cell]
        rivals = of_peers(contenders)
        fastest = min(rivals, key=lambda each: rivals[each].minimum)
        ours = contenders["numact"]
        rows.append(
            (
                *where(cell),
                ratio(contenders),
                nanoseconds(cell, ours.minimum),
                nanoseconds(cell, ours.median),
                fastest + ("" if rivals[fastest].agrees else " *"),
                nanoseconds(cell, rivals[fastest].minimum),
            )
        )
    header = (*WHERE, "ratio", "numact ns", "median", "fastest peer", "its ns")
    below = sum(row[len(WHERE)] < BAR_PEER for row in rows)
    notes = (
        f"{below} of {len(rows)} cells below {BAR_PEER}. Nanoseconds per element; ratio: fastest peer / numact.",
        "backward starts from the input. PyTorch's sigmoid, tanh and softmax want the output: both of its steps are "
        "timed there, the second alone under backward from output.",
        "JAX, and PyTorch through autograd, take from what their forward saved where numact takes the output, and "
        "PyTorch's autograd (functions without an operator of their own) everywhere.",
        "* its answer differs from numact's: see the table of disagreements.",
    )
    return Table("ratios", "Fastest peer beside numact", header, rows, notes)


def mean_table(results: Results) -> Table:
    """Geometric means of the ratios, overall and by what the cells have in common."""
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for cell, contenders in results.items():
        function, direction, dtype, elements, threads = where(cell)
        keys = {
            "all cells": "",
            "kind": na.activations[cell.function].kind,
            "direction": direction,
            "dtype": dtype,
            "elements": elements,
            "threads": str(threads),
            "function": function,
        }
        for key in keys.items():
            groups[key].append(ratio(contenders))
        for name, each in of_peers(contenders).items():
            groups["peer", name].append(each.minimum / contenders["numact"].minimum)
    order = ["all cells", "peer", "kind", "direction", "dtype", "elements", "threads", "function"]
    rows = [
        (*key, len(ratios), geometric_mean(ratios), min(ratios), sum(each < BAR_PEER for each in ratios))
        for key, ratios in sorted(groups.items(), key=lambda item: order.index(item[0][0]))
    ]
    header = ("group", "", "cells", "geometric mean", "smallest", f"below {BAR_PEER}")
    note = "Of the fastest peer's time over numact's; in the rows of one peer, of that peer's."
    return Table("means", "Geometric means", header, rows, (note,))


def limit_table(results: Results) -> Table:
    """numact's time over the larger of the best copy of the same bytes and its own time in cache."""
    rows = []
    for cell, contenders in results.items():
        large = cell.elements >= LARGE
        if cell.elements <= IN_CACHE or not (large or cell.threads == 1):
            continue
        copy = min(contenders[name].minimum for name in COPIES)
        cached = results.get(Cell(cell.function, cell.direction, cell.dtype, IN_CACHE, 1))
        compute = 0.0 if cached is None else cached["numact"].minimum * cell.elements / IN_CACHE / cell.threads
        ours = contenders["numact"].minimum
        over = ours / max(copy, compute)
        rows.append(
            (
                *where(cell),
                over,
                BAR_LARGE if large else BAR_SMALLER,
                nanoseconds(cell, ours),
                nanoseconds(cell, copy),
                nanoseconds(cell, compute) if cached else None,
                "copy" if copy > compute else "in cache",
            )
        )
    rows.sort(key=lambda row: -row[len(WHERE)])
    header = (*WHERE, "time / limit", "bar", "numact ns", "copy ns", "in cache ns", "limit")
    notes = (
        f"The limit is the larger of a copy of the same bytes (the faster of plain and streaming stores) and the time "
        f"at {number(IN_CACHE)} elements on one thread, divided by the threads.",
        f"Below {number(LARGE)} elements on one thread only; the copy alone where {number(IN_CACHE)} was not measured.",
    )
    return Table("limits", "Distance to the limit of the machine", header, rows, notes)


def disagreement_table(results: Results) -> Table:
    rows = [
        (*where(cell), name)
        for cell, contenders in results.items()
        for name, each in contenders.items()
        if not each.agrees
    ]
    note = "Half precision: at a kink, or where the library adds up in half precision. They count in the ratios."
    return Table("disagreements", "Answers unlike numact's", (*WHERE, "library"), rows, (note,) if rows else ("None.",))


COLORS = {
    "numact": "#2b6cb0", "NumPy": "#a0aec0", "SciPy": "#38a169", "PyTorch": "#dd6b20", "JAX": "#805ad5",
    "thinc": "#b7791f", "numexpr": "#d53f8c", "copy": "#1a202c", "streaming copy": "#718096",
}  # fmt: skip
ROWS = 5  # functions on a page


def page(results: Results, names: Sequence[str], dtype: str, threads: int) -> Any:
    """Nanoseconds per element against size: a row for each function, a column for each direction."""
    from matplotlib.figure import Figure  # without pyplot: draws into a file whatever the display

    columns = [each for each in DIRECTIONS if any(cell.direction == each for cell in results)]
    figure: Any = Figure(figsize=(4.2 * len(columns), 1 + 2.9 * len(names)), dpi=100, layout="constrained")
    figure.suptitle(f"nanoseconds per element, {dtype}, {threads} thread{'s' if threads > 1 else ''}")
    panels = figure.subplots(len(names), len(columns), squeeze=False, sharex=True)
    handles: dict[str, Any] = {}
    for row, name in zip(panels, names, strict=True):
        for axes, direction in zip(row, columns, strict=True):
            chosen = sorted(
                cell for cell in results if (cell.function, cell.direction, cell.dtype, cell.threads)
                == (name, direction, dtype, threads)
            )  # fmt: skip
            if not chosen:
                axes.remove()
                continue
            for contender, color in COLORS.items():
                points = [
                    (cell.elements, nanoseconds(cell, results[cell][contender].minimum))
                    for cell in chosen
                    if contender in results[cell]
                ]
                if points:
                    style = "--" if contender in COPIES else "-"
                    width = 2.4 if contender == "numact" else 1.2
                    (handles[contender],) = axes.plot(*zip(*points, strict=True), style, color=color, linewidth=width,
                                                      marker="." if style == "-" else None)  # fmt: skip
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.set_title(f"{name}, {direction.replace('_', ' ')}", fontsize=10)
            axes.minorticks_off()
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def pictures(results: Results) -> Iterator[Picture]:
    """Pages of a few functions of one kind, for each dtype and number of threads."""
    measured = dict.fromkeys(cell.function for cell in results)
    for dtype, threads in dict.fromkeys((cell.dtype, cell.threads) for cell in results):
        for kind, group in itertools.groupby(measured, key=lambda name: na.activations[name].kind):
            members = list(group)
            for i in range(0, len(members), ROWS):
                names = members[i : i + ROWS]
                name = f"{kind}_{names[0]}_{dtype}_{threads}"
                yield Picture(name, page(results, names, dtype, threads))


def run(args: argparse.Namespace) -> Iterator[Table | Picture]:
    with tempfile.TemporaryDirectory() as folder:
        results = read(args.read or measure(args, args.output or Path(folder)))
    used = {name: each.version for contenders in results.values() for name, each in contenders.items() if each.version}
    versions = ", ".join(f"{name} {version}" for name, version in used.items())
    means = mean_table(results)
    yield Table(means.name, means.title, means.header, means.rows, (*means.notes, f"{versions}; numact at {na.isa()}."))
    yield ratio_table(results)
    yield limit_table(results)
    yield disagreement_table(results)
    if args.output is not None and peers.HAS_MATPLOTLIB:
        yield from pictures(results)
