"""activation_stats, beside NumPy's functions one after the other, and what a read of the array costs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from .cases import Call, Case, add_options, arrays, estimate, measure, tables
from .contenders import tensor
from .peers import torch
from .report import Table

import numact as na  # isort: skip

# Shapes with the axis; the largest are beyond the caches.
SHAPES: tuple[tuple[tuple[int, ...], int | None], ...] = (
    ((128, 10), 0),
    ((128, 256), None),
    ((128, 256), 0),
    ((8192, 128), 0),
    ((1 << 20,), None),
    ((1 << 17, 128), 0),
    ((1 << 24,), None),
)
DTYPES = ("float32", "float64", "float16", "bfloat16")


def by_numpy(x: Any, axis: int | None) -> tuple[Any, ...]:
    """The seven numbers of finite data, the outputs of tanh."""
    mean, deviation = (f(x, axis=axis, dtype=np.float64) for f in (np.mean, np.std))
    least, largest = x.min(axis=axis), x.max(axis=axis)
    parts = (np.mean(each, axis=axis) for each in (x == 0, np.abs(x) >= 0.99, ~np.isfinite(x)))
    return mean, deviation, least, largest, *parts


def by_torch(x: Any, axis: int | None) -> tuple[Any, ...]:
    dim = () if axis is None else (axis,)
    deviation, mean = torch.std_mean(x, dim, correction=0)
    parts = ((each).sum(dim) / (x.numel() // mean.numel()) for each in (x == 0, x.abs() >= 0.99, ~x.isfinite()))
    return mean, deviation, x.amin(dim), x.amax(dim), *parts


def case(dtype: str, shape: tuple[int, ...], axis: int | None) -> Case:
    (x,) = arrays(dtype, shape)
    na.tanh(x, out=x)
    other = np.empty_like(x)
    peers: dict[str, Call] = {}
    limits: dict[str, Call] = {"copy": partial(np.copyto, other, x), "relu": partial(na.relu, x, out=other)}
    if dtype in ("float32", "float64"):
        limits["np.sum"] = partial(np.sum, x, axis=axis)
        limits["np.max"] = partial(np.max, x, axis=axis)
        peers["NumPy"] = partial(by_numpy, x, axis)
        if torch is not None:
            peers["PyTorch"] = partial(by_torch, tensor(x), axis)
    else:
        limits["np.max"] = partial(np.max, x.view(np.uint16), axis=axis)
    own = partial(na.activation_stats, x, axis, activation="tanh")
    what = f"{shape}, {'total' if axis is None else f'axis {axis}'}"
    return Case("activation_stats", dtype, what, x.size, own, peers, limits, tolerance=100)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)


def duration(args: argparse.Namespace) -> float:
    return estimate(len(DTYPES) * len(SHAPES), 6, args)


def run(args: argparse.Namespace) -> Iterator[Table]:
    every = (case(dtype, *shape) for dtype, shape in product(DTYPES, SHAPES))
    note = "copy and relu read and write the array; np.sum and np.max read it, of halves their bits, on one thread"
    yield from tables("all", "Statistics of activations", measure(every, args), [note])
