"""Strided, reversed, transposed, packed and broadcast arrays, against a copy and the contiguous kernel."""

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
from .report import Table

import numact as na  # isort: skip

DTYPES = ("float32", "float64")
Shape = tuple[int, ...]
View = Callable[[Any], Any]
# By numact and by PyTorch, whose takes (inputs..., out).
FUNCTIONS: dict[str, tuple[Any, Callable[..., Any]]] = {
    "relu": (na.relu, lambda x, out: torch.clamp_min(x, 0, out=out)),
    "gelu": (na.gelu, lambda x, out: torch.ops.aten.gelu.out(x, out=out)),
    "leaky_relu": (na.leaky_relu, lambda x, out: torch.ops.aten.leaky_relu.out(x, 0.01, out=out)),
    "relu_backward": (
        na.relu_backward,
        lambda dy, x, out: torch.ops.aten.threshold_backward.grad_input(dy, x, 0, grad_input=out),
    ),
    "tanh_backward_from_output": (
        na.tanh_backward_from_output,
        lambda dy, y, out: torch.ops.aten.tanh_backward.grad_input(dy, y, grad_input=out),
    ),
}
ROWS, COLUMNS, PIXELS = 1024, 1024, 1_000_000
# The shape in memory, and the view of it.
STRIDED: dict[str, tuple[Shape, View]] = {
    "transposed": ((COLUMNS, ROWS), lambda a: a.T),
    "[:, ::2]": ((ROWS, 2 * COLUMNS), lambda a: a[:, ::2]),
    "[::2]": ((2 * ROWS, COLUMNS), lambda a: a[::2]),
    "[::-1]": ((ROWS, COLUMNS), lambda a: a[::-1]),
    "[:, ::-1]": ((ROWS, COLUMNS), lambda a: a[:, ::-1]),
    "half of packed": ((ROWS, 2 * COLUMNS), lambda a: a[:, COLUMNS:]),
    "(10**6, 4)[:, :3]": ((PIXELS, 4), lambda a: a[:, :3]),
    "(10**6, 4)[:, ::2]": ((PIXELS, 4), lambda a: a[:, ::2]),
    "NCHW as NHWC": ((8, 32, 64, 64), lambda a: a.transpose(0, 2, 3, 1)),
}
BROADCAST: dict[str, tuple[Shape, View]] = {
    "row broadcast": ((1, COLUMNS), lambda a: np.broadcast_to(a, (ROWS, COLUMNS))),
    "column broadcast": ((ROWS, 1), lambda a: np.broadcast_to(a, (ROWS, COLUMNS))),
    "one number broadcast": ((1, 1), lambda a: np.broadcast_to(a, (ROWS, COLUMNS))),
}
# The shape of the data and of the parameter.
CHANNELS: dict[str, tuple[Shape, Shape]] = {
    "NCHW, C 64": ((16, 64, 32, 32), (64, 1, 1)),
    "NHWC, C 64": ((16, 32, 32, 64), (64,)),
    "NHWC, C 3": ((64, 64, 64, 3), (3,)),
}


def torch_view(x: Any, base: Any) -> Any:
    """The tensor that is to the base's memory as the array is, or None: PyTorch has no negative strides."""
    if torch is None or min(x.strides) < 0:
        return None
    offset = (x.ctypes.data - base.ctypes.data) // x.itemsize
    return torch.as_strided(tensor(base), x.shape, [stride // x.itemsize for stride in x.strides], offset)


def first_input(name: str, dtype: str, layout: str, shape: Shape, view: View) -> Case:
    """The first input in the layout; the second and the output contiguous."""
    function, of_torch = FUNCTIONS[name]
    (base,) = arrays(dtype, shape)
    x = view(base)
    rest = arrays(dtype, x.shape) if "backward" in name else []
    packed = np.array(x, order="C")
    out, other = np.empty_like(packed), np.empty_like(packed)

    def copy_first() -> Any:
        np.copyto(packed, x)
        return function(packed, *rest, out=other)

    peers: dict[str, Call] = {"copy first": copy_first}
    if (tx := torch_view(x, base)) is not None:
        peers["PyTorch"] = partial(of_torch, tx, *map(tensor, rest), tensor(np.empty_like(packed)))
    limits = {"contiguous": partial(function, packed, *rest, out=other)}
    return Case(name, dtype, layout, x.size, partial(function, x, *rest, out=out), peers, limits)


def output(name: str, dtype: str, layout: str, shape: Shape, view: View, both: bool) -> Case:
    """The output in the layout, and the input too or contiguous."""
    function, of_torch = FUNCTIONS[name]
    out, target = view(np.zeros(shape, dtype)), np.zeros(shape, dtype)
    other = view(target)
    (base,) = arrays(dtype, shape if both else out.shape)
    x = view(base) if both else base
    packed = np.array(x, order="C")
    result = np.empty_like(packed)

    def copy_around() -> Any:
        if both:
            np.copyto(packed, x)
        function(packed, out=result)
        np.copyto(other, result)
        return other

    peers: dict[str, Call] = {"copy first": copy_around}
    if (tx := torch_view(x, base)) is not None and (ty := torch_view(other, target)) is not None:
        peers["PyTorch"] = partial(of_torch, tx, ty)
    what = f"{'in and out' if both else 'out'} {layout}"
    limits = {"contiguous": partial(function, packed, out=result)}
    return Case(name, dtype, what, x.size, partial(function, x, out=out), peers, limits)


def per_channel(name: str, dtype: str, layout: str) -> Case:
    """A parameter for each channel."""
    shape, parameter_shape = CHANNELS[layout]
    function = getattr(na, name)
    (x,) = arrays(dtype, shape)
    parameter = np.linspace(0.1, 0.3, max(parameter_shape), dtype=x.dtype).reshape(parameter_shape)
    out, other, whole = (np.empty_like(x) for _ in range(3))

    def copy_first() -> Any:
        np.copyto(whole, parameter)
        return function(x, whole, out=other)

    peers: dict[str, Call] = {"copy first": copy_first}
    if torch is not None:
        tx, tp, ty = map(tensor, (x, parameter, np.empty_like(x)))
        if name == "leaky_relu":
            peers["PyTorch"] = lambda: torch._prelu_kernel(tx, tp)
        else:
            peers["PyTorch"] = lambda: torch.mul(torch.mul(tx, tp, out=ty).sigmoid_(), tx, out=ty)
    limits = {"one parameter": partial(function, x, 0.25, out=other)}
    return Case(name, dtype, layout, x.size, partial(function, x, parameter, out=out), peers, limits)


def inputs() -> Iterator[Case]:
    for dtype, (layout, made), name in product(DTYPES, (STRIDED | BROADCAST).items(), FUNCTIONS):
        yield first_input(name, dtype, layout, *made)


def outputs() -> Iterator[Case]:
    for dtype, (layout, made), name, both in product(DTYPES, STRIDED.items(), ("relu", "gelu"), (False, True)):
        yield output(name, dtype, layout, *made, both)


def channels() -> Iterator[Case]:
    for dtype, layout, name in product(DTYPES, CHANNELS, ("leaky_relu", "swish")):
        yield per_channel(name, dtype, layout)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)


def duration(args: argparse.Namespace) -> float:
    strided, broadcast = len(STRIDED), len(BROADCAST)
    cells = (strided + broadcast) * len(FUNCTIONS) + strided * 4 + len(CHANNELS) * 2
    return estimate(len(DTYPES) * cells, 4, args)


def run(args: argparse.Namespace) -> Iterator[Table]:
    note = "copy first: np.copyto to and from contiguous arrays around the contiguous kernel; / contiguous: at most 3"
    for name, cases in (("inputs", inputs), ("outputs", outputs), ("channels", channels)):
        yield from tables(name, f"Layouts: {name}", measure(cases(), args), [note])
