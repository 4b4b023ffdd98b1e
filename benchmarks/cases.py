"""What a section compares: calls that give the same answer, checked against each other, then timed in turns."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .contenders import as_array
from .peers import jax, ml_dtypes, torch
from .report import Table

import numact as na  # isort: skip
from numact.cli._common import positive_int
from numact.cli._expressions import TOLERANCE
from numact.cli._timing import Timing, interleaved

Call = Callable[[], Any]
OWN = "numact"
DTYPES: dict[str, Any] = {"float32": np.float32, "float64": np.float64, "float16": np.float16}
if ml_dtypes is not None:
    DTYPES["bfloat16"] = ml_dtypes.bfloat16
CHECKED = 1 << 17  # elements, about
CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Case:
    """Calls that do the same thing and return what they computed.

    ``peers`` are what one would use instead. ``limits`` give the time that numact's is held against, such as a copy of
    the same bytes; they may compute something else.
    """

    function: str
    dtype: str
    what: str
    elements: int
    own: Call
    peers: Mapping[str, Call] = field(default_factory=dict)
    limits: Mapping[str, Call] = field(default_factory=dict)
    tolerance: float = 1  # times the usual one of the dtype


@dataclass(frozen=True)
class Row:
    """The times of one case with a number of threads."""

    case: Case
    threads: int | None  # None: nobody said
    timings: Mapping[str, Timing]
    unlike: Sequence[str] = ()  # what the answers of others differ in

    def ratio(self, name: str) -> float | None:
        """A contender's time over numact's."""
        return self.timings[name].minimum / self.timings[OWN].minimum if name in self.timings else None

    @property
    def lead(self) -> float | None:
        """The fastest peer's time over numact's."""
        return min((ratio for name in self.case.peers if (ratio := self.ratio(name)) is not None), default=None)


def arrays(dtype: str, *shapes: Any) -> list[Any]:
    """Normally distributed numbers, the same in every run."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape, np.float32).astype(DTYPES[dtype]) for shape in shapes]


def compiled(function: Callable[..., Any], *operands: Any) -> Call:
    """The function as JAX compiles it, with operands that it has already."""
    held = [jax.numpy.asarray(operand) for operand in operands]
    fast = jax.jit(function)
    return lambda: jax.block_until_ready(fast(*held))


def unlike(case: Case) -> list[str]:
    """The peers whose answer is not numact's; of large arrays one element in so many is looked at."""
    expected = _outputs(case.own())
    limit = case.tolerance * TOLERANCE[case.dtype]
    return [
        f"{case.function}, {case.dtype}, {case.what}: {name} gives another answer"
        for name, call in case.peers.items()
        if not all(
            np.all(np.abs(got - right) <= limit * np.maximum(np.abs(right), 1))
            for got, right in zip(_outputs(call()), expected, strict=False)  # some give less
        )
    ]


def _outputs(result: Any) -> list[Any]:
    """What a contender returned, in float64 and flat."""
    flat = [as_array(part).reshape(-1) for part in (result if isinstance(result, (tuple, list)) else [result])]
    return [part[:: part.size // CHECKED | 1].astype(np.float64) for part in flat]


@contextlib.contextmanager
def using(threads: int) -> Iterator[None]:
    """Let numact and PyTorch use so many threads."""
    na.set_num_threads(threads)
    before = torch.get_num_threads() if torch is not None else 1
    try:
        if torch is not None:
            torch.set_num_threads(threads)
        yield
    finally:
        na.set_num_threads(None)
        if torch is not None:
            torch.set_num_threads(before)


def thread_count(text: str) -> int:
    count = positive_int(text)
    if count > CPUS:
        raise argparse.ArgumentTypeError(f"must be at most {CPUS}, the number of processors, got {text!r}")
    return count


def add_options(parser: argparse.ArgumentParser) -> None:
    default = sorted({1, CPUS})
    parser.add_argument(
        "--threads",
        type=thread_count,
        nargs="+",
        default=default,
        metavar="N",
        help="numbers of threads (default: 1 and all)",
    )
    parser.add_argument("--functions", nargs="+", default=[""], metavar="NAME", help="those whose name starts so")


def estimate(cases: int, contenders: float, args: argparse.Namespace) -> float:
    """Seconds that the cases take: the timing, and a second for each to make, compile and compare."""
    return float(cases * (1 + len(args.threads) * contenders * args.seconds))


def measure(cases: Iterable[Case], args: argparse.Namespace) -> list[Row]:
    """Compare the answers, and time the cases with each number of threads."""
    rows = []
    for case in cases:
        if not case.function.startswith(tuple(args.functions)):
            continue
        differences = unlike(case)
        for threads in args.threads:
            contenders = {OWN: case.own, **case.peers, **case.limits}
            if threads != CPUS:
                contenders.pop("JAX", None)  # it always uses all
            with using(threads):
                rows.append(Row(case, threads, interleaved(contenders, args.seconds), differences))
    return rows


def tables(name: str, title: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> Iterator[Table]:
    """The ratios, the losing cells first, and all times for the CSV; nothing where there are no rows."""
    if not rows:
        return
    peers = list(dict.fromkeys(peer for row in rows for peer in row.case.peers))
    limits = list(dict.fromkeys(limit for row in rows for limit in row.case.limits))
    ranked = sorted(rows, key=lambda row: np.inf if row.lead is None else row.lead)
    header = ["function", "dtype", "what", "threads", "us", "lead", *peers, *(f"/ {limit}" for limit in limits)]
    lines = []
    for row in ranked:
        of_limits = [None if (ratio := row.ratio(limit)) is None else 1 / ratio for limit in limits]
        first = [row.case.function, row.case.dtype, row.case.what, row.threads, row.timings[OWN].minimum * 1e6]
        lines.append([*first, row.lead, *map(row.ratio, peers), *of_limits])
    explained = "us: numact's time; the peers' times over it, and the smallest of them as lead"
    explained += "; it over limits" if limits else ""
    differences = dict.fromkeys(difference for row in rows for difference in row.unlike)
    yield Table(name, title, header, lines, [explained, *notes, *differences])
    yield Table(
        f"{name}_times",
        title,
        ["function", "dtype", "what", "elements", "threads", "contender", "minimum", "median"],
        [
            [c.function, c.dtype, c.what, c.elements, row.threads, contender, timing.minimum, timing.median]
            for row in rows
            for c in [row.case]
            for contender, timing in row.timings.items()
        ],
        printed=False,
    )
