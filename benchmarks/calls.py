"""Call overhead: every function on 1 and 64 elements, against NumPy's cheapest calls."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import product

import numpy as np

from .cases import OWN, Call, Case, Row, arrays, tables
from .contenders import contender
from .peers import torch
from .report import Table

import numact as na  # isort: skip
from numact.cli._expressions import directions, operands, pair
from numact.cli._timing import interleaved

SIZES = (1, 64)
GIVEN = 0.5  # a parameter that is not the default


def bar(parameters: bool, dtype: str, n: int) -> Call:
    """What a call may take: NumPy's with a Python number for functions with parameters."""
    (x,) = arrays(dtype, (n,))
    y = np.empty_like(x)
    return partial(np.maximum, x, 0.0, out=y) if parameters else partial(np.tanh, x, out=y)


def catalogue(dtype: str, n: int) -> Iterator[Case]:
    for record in na.activations.values():
        for direction in directions(record.name):
            data = operands(record.name, direction, np.dtype(dtype), n, np.random.default_rng(0))
            own = pair(record.name, direction, data)
            peers = {"NumPy's bar": bar(bool(record.parameters), dtype, n)}
            if torch is not None and (by_torch := contender("PyTorch", record.name, direction, own)) is not None:
                peers["PyTorch"] = by_torch
            function = record.name if direction == "forward" else f"{record.name}_{direction}"
            yield Case(function, dtype, str(n), n, own.native, peers)
            if record.parameters and record.parameters[0].default is not None and direction == "forward":
                out = own.outputs[0] if len(own.outputs) == 1 else None
                given = {record.parameters[-1].name: GIVEN}
                call = partial(record.forward, *data, **given, out=out)
                yield Case(
                    f"{function}({record.parameters[-1].name}=)",
                    dtype,
                    str(n),
                    n,
                    call,
                    {"NumPy's bar": peers["NumPy's bar"]},
                )


def timed(cases: Iterable[Case], args: argparse.Namespace) -> list[Row]:
    """With nothing set for the number of threads: asking for it is part of a call."""
    return [Row(case, None, interleaved({OWN: case.own, **case.peers}, args.seconds)) for case in cases]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def duration(args: argparse.Namespace) -> float:
    cases = 2 * len(SIZES) * (sum(len(directions(name)) for name in na.activations) + 15)
    return float(cases * 3 * args.seconds)


def run(args: argparse.Namespace) -> Iterator[Table]:
    rows = [row for dtype, n in product(("float32", "float64"), SIZES) for row in timed(catalogue(dtype, n), args)]
    note = "NumPy's bar: np.maximum(x, 0.0, out=y) for functions with parameters, np.tanh(x, out=y) for the others"
    yield from tables("all", "Calls with few elements", rows, [note])
