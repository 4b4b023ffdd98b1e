"""Half precision: every function in float16 and bfloat16, against PyTorch, NumPy and casts around float32.

"cast" is numact in float32 between casts, "NumPy float16" the NumPy expression in float16 itself. A half should cost
little more than float32 does (/ float32).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from .cases import DTYPES, Call, Case, add_options, estimate, measure, tables
from .contenders import contender
from .peers import torch
from .report import Table, number

import numact as na  # isort: skip
from numact.cli._expressions import EXPRESSIONS, as_tuple, directions, operands, pair

SIZES = (1 << 13, 1 << 20)


def _cast(value: Any, before: Any, after: Any) -> Any:
    return value.astype(after) if isinstance(value, np.ndarray) and value.dtype == before else value


def half(name: str, direction: str, dtype: str, n: int) -> Case:
    kind = np.dtype(DTYPES[dtype])
    data = operands(name, direction, kind, n, np.random.default_rng(0))
    own = pair(name, direction, data)
    wide = pair(name, direction, tuple(_cast(each, kind, np.float32) for each in data))

    def cast() -> Any:
        for into, each in zip(wide.inputs, data, strict=True):
            if isinstance(into, np.ndarray):
                np.copyto(into, each)
        return tuple(_cast(each, np.float32, kind) for each in as_tuple(wide.native()))

    peers: dict[str, Call] = {"cast": cast}
    if torch is not None and (by_torch := contender("PyTorch", name, direction, own)) is not None:
        peers["PyTorch"] = by_torch
    if dtype == "float16":
        peers["NumPy float16"] = partial(getattr(EXPRESSIONS[name], direction), *data)
    function = name if direction == "forward" else f"{name}_{direction}"
    return Case(function, dtype, number(n), n, own.native, peers, {"float32": wide.native})


def cases() -> Iterator[Case]:
    for dtype, n, name in product((each for each in DTYPES if each.endswith("16")), SIZES, na.activations):
        for direction in directions(name):
            yield half(name, direction, dtype, n)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)


def duration(args: argparse.Namespace) -> float:
    return estimate(2 * len(SIZES) * sum(len(directions(name)) for name in na.activations), 4.5, args)


def run(args: argparse.Namespace) -> Iterator[Table]:
    with np.errstate(all="ignore"):
        rows = measure(cases(), args)
    yield from tables("all", "Half precision", rows)
