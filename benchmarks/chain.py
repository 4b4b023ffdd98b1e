"""Producer, activation, consumer at sizes beyond the cache: whether how results are stored helps what comes next."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from .cases import Call, Case, add_options, arrays, estimate, measure, tables
from .contenders import tensor
from .peers import torch
from .report import Table, number

import numact as na  # isort: skip

SIZES = (1 << 20, 1 << 22, 1 << 23, 1 << 24, 1 << 25)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "relu": lambda x, out: torch.clamp_min(x, 0, out=out),
    "leaky_relu": lambda x, out: torch.ops.aten.leaky_relu.out(x, 0.01, out=out),
    "hard_swish": lambda x, out: torch.ops.aten.hardswish.out(x, out=out),
    "gelu": lambda x, out: torch.ops.aten.gelu.out(x, out=out),
}


def chain(name: str, n: int, alone: bool) -> Case:
    """x = a + b, y = f(x), z = y + c with NumPy around the activation; or the activation alone."""
    a, b, c = arrays("float32", (n,), (n,), (n,))
    x, y, z = (np.zeros_like(a) for _ in range(3))

    def around(activation: Call, result: Any = y) -> Call:
        def call() -> Any:
            np.add(a, b, out=x)
            activation()
            return np.add(result, c, out=z)

        return activation if alone else call

    function = getattr(na, name)
    np.add(a, b, out=x)
    peers: dict[str, Call] = {}
    if torch is not None:
        peers["PyTorch"] = around(partial(FUNCTIONS[name], tensor(x), out=tensor(y)))
    limits = {
        "in place": around(partial(function, x, out=x), x),
        "np.copyto": around(partial(np.copyto, y, x)),
    }
    what = f"{number(n)}, {'alone' if alone else 'in a chain'}"
    return Case(name, "float32", what, n, around(partial(function, x, out=y)), peers, limits)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)


def duration(args: argparse.Namespace) -> float:
    return estimate(len(SIZES) * len(FUNCTIONS) * 2, 4, args)


def run(args: argparse.Namespace) -> Iterator[Table]:
    rows = measure((chain(*each) for each in product(FUNCTIONS, SIZES, (False, True))), args)
    note = "in a chain: a + b before and + c after it; a kernel that bypasses the cache must gain there too"
    yield from tables("all", "Chain of producer, activation and consumer", rows, [note])
