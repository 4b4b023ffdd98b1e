"""The SGD step: one array of several sizes, and twenty small ones."""

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
from .report import Table, number

import numact as na  # isort: skip

SIZES = (64, 1 << 13, 1 << 20, 1 << 24)
DTYPES = ("float32", "float64")
Shapes = list[tuple[int, ...]]
SMALL: dict[str, Shapes] = {
    "20 of 64": [(64,)] * 20,
    "20 of 4 to 16384": [*[(128, 128), (128,)] * 9, (128, 10), (4,)],
}
OPTIONS: dict[str, dict[str, Any]] = {
    "momentum": {"momentum": 0.9},
    "plain": {"momentum": 0.0},
    "weight decay, nesterov": {"momentum": 0.9, "weight_decay": 1e-4, "nesterov": True},
}
LR = 1e-3


def by_numpy(params: list[Any], grads: list[Any], options: dict[str, Any]) -> Call:
    """What one would write."""
    velocities = [np.zeros_like(p) for p in params]
    momentum, decay, nesterov = options["momentum"], options.get("weight_decay", 0), options.get("nesterov", False)

    def step() -> list[Any]:
        for p, g, v in zip(params, grads, velocities, strict=True):
            if decay:
                g = g + decay * p
            if momentum:
                v *= momentum
                v += g
                g = g + momentum * v if nesterov else v
            p -= LR * g
        return params

    return step


def by_torch(params: list[Any], grads: list[Any], options: dict[str, Any], way: str) -> Call:
    leaves = [tensor(p).requires_grad_() for p in params]
    for leaf, g in zip(leaves, grads, strict=True):
        leaf.grad = tensor(g)
    optimizer = torch.optim.SGD(leaves, lr=LR, **options, **{way: True})

    def step() -> list[Any]:
        optimizer.step()
        return leaves

    return step


def by_optimizer(params: list[Any], grads: list[Any], options: dict[str, Any]) -> Call:
    optimizer = na.SGD(params, lr=LR, **options)

    def step() -> list[Any]:
        optimizer.step(grads)
        return params

    return step


def by_calls(params: list[Any], grads: list[Any], options: dict[str, Any]) -> Call:
    velocities = [np.zeros_like(p) for p in params]

    def step() -> list[Any]:
        for p, g, v in zip(params, grads, velocities, strict=True):
            na.sgd_step(p, g, v, lr=LR, **options)
        return params

    return step


def same_bytes(dtype: str, n: int) -> Call:
    """Three arrays read and two of them written: what a step with momentum cannot do without."""
    a, b, c = arrays(dtype, (n,), (n,), (n,))
    if torch is None:
        return lambda: (np.add(a, b, out=a), np.negative(c, out=c))
    ta, tb, tc = map(tensor, (a, b, c))
    return lambda: (ta.add_(tb), tc.neg_())


def step(
    function: str, dtype: str, what: str, shapes: Shapes, options: dict[str, Any], limits: dict[str, Call]
) -> Case:
    """Each contender has parameters of its own, equal at the start."""
    grads = arrays(dtype, *shapes)
    start = partial(arrays, dtype, *shapes)
    peers: dict[str, Call] = {"NumPy": by_numpy(start(), grads, options)}
    if torch is not None:
        for way in ("fused", "foreach"):
            peers[f"PyTorch {way}"] = by_torch(start(), grads, options, way)
    own = (by_optimizer if function == "SGD.step" else by_calls)(start(), grads, options)
    return Case(function, dtype, what, sum(g.size for g in grads), own, peers, limits)


def one_array() -> Iterator[Case]:
    for dtype, (title, options), n, function in product(DTYPES, OPTIONS.items(), SIZES, ("SGD.step", "sgd_step")):
        limits = {"bytes": same_bytes(dtype, n)} if title == "momentum" and n >= 1 << 20 else {}
        yield step(function, dtype, f"{title}, {number(n)}", [(n,)], options, limits)


def several() -> Iterator[Case]:
    for (title, shapes), function in product(SMALL.items(), ("SGD.step", "sgd_step")):
        total = sum(int(np.prod(shape)) for shape in shapes)
        one = arrays("float32", (total,))
        together = by_optimizer(one, arrays("float32", (total,)), OPTIONS["momentum"])
        yield step(function, "float32", title, shapes, OPTIONS["momentum"], {"one array": together})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)


def duration(args: argparse.Namespace) -> float:
    return estimate(2 * (len(DTYPES) * len(OPTIONS) * len(SIZES) + len(SMALL)), 4.5, args)


def run(args: argparse.Namespace) -> Iterator[Table]:
    note = "bytes: three arrays read and two written, by the plainest passes over them"
    yield from tables("one", "SGD step of one array", measure(one_array(), args), [note])
    note = "at most 3 us more than one array of as many elements"
    yield from tables("several", "SGD step of twenty small arrays", measure(several(), args), [note])
