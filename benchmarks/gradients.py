"""Gradients of learned parameters: PReLU's slope and swish's beta, one for all or one for each channel."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from .cases import Call, Case, add_options, arrays, compiled, estimate, measure, tables
from .contenders import tensor
from .peers import jax, torch
from .report import Table

import numact as na  # isort: skip

Shape = tuple[int, ...]
# Of the data and of the parameter.
SHAPES: tuple[tuple[Shape, Shape], ...] = (
    ((64,), (1,)),
    ((128, 256), (1,)),
    ((128, 256), (256,)),
    ((1 << 20,), (1,)),
    ((4096, 256), (256,)),
    ((16, 64, 32, 32), (64, 1, 1)),
    ((1 << 18, 3), (3,)),
)
NAMES = ("prelu", "swish")
VALUE = 0.25


def by_numpy(name: str, dy: Any, x: Any, parameter: Any) -> tuple[Any, Any]:
    if name == "prelu":
        dx, terms = np.where(x > 0, dy, parameter * dy), dy * np.minimum(x, 0)
    else:
        s = 1 / (1 + np.exp(-parameter * x))
        y = x * s
        dx, terms = dy * (parameter * y * (1 - s) + s), dy * y * (x - y)
    shape = (1,) * (x.ndim - parameter.ndim) + parameter.shape
    axes = tuple(i for i, length in enumerate(shape) if length == 1)
    return dx, terms.sum(axis=axes).reshape(parameter.shape)


def by_torch(name: str, dy: Any, x: Any, parameter: Any) -> Call:
    """What autograd does after the forward; PyTorch has channels on the second axis, others by broadcasting."""
    with torch.enable_grad():
        leaves = x.requires_grad_(), parameter.requires_grad_()
        y = torch._prelu_kernel(*leaves) if name == "prelu" else x * torch.sigmoid(parameter * x)
    return lambda: torch.autograd.grad(y, leaves, dy, retain_graph=True)


def by_jax(name: str, dy: Any, x: Any, parameter: Any) -> Call:
    def prelu(x: Any, weight: Any) -> Any:
        return jax.numpy.where(x > 0, x, weight * x)

    def swish(x: Any, beta: Any) -> Any:
        return x * jax.nn.sigmoid(beta * x)

    function = prelu if name == "prelu" else swish
    return compiled(lambda dy, x, parameter: jax.vjp(function, x, parameter)[1](dy), dy, x, parameter)


def gradient(name: str, dtype: str, shape: Shape, parameter_shape: Shape) -> Case:
    dy, x = arrays(dtype, shape, shape)
    np.abs(dy, out=dy)  # a sum that does not cancel
    parameter = np.full(parameter_shape, VALUE, x.dtype)
    out, other = (np.empty_like(x), np.empty_like(parameter)), np.empty_like(x)
    peers: dict[str, Call] = {"NumPy": partial(by_numpy, name, dy, x, parameter)}
    if torch is not None:
        peers["PyTorch"] = by_torch(name, *map(tensor, (dy, x.copy(), parameter)))
    if jax is not None:
        peers["JAX"] = by_jax(name, dy, x, parameter)
    alone = partial(na.leaky_relu_backward, dy, x, VALUE) if name == "prelu" else partial(na.silu_backward, dy, x)
    own = partial(getattr(na, f"{name}_backward"), dy, x, parameter, out=out)
    what = f"{shape}, parameter {parameter_shape}"
    limits = {"dx alone": partial(alone, out=other)}
    return Case(f"{name}_backward", dtype, what, x.size, own, peers, limits, tolerance=10)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)


def duration(args: argparse.Namespace) -> float:
    return estimate(2 * len(SHAPES) * len(NAMES), 5, args)


def run(args: argparse.Namespace) -> Iterator[Table]:
    every = (gradient(name, dtype, *shapes) for dtype, shapes, name in product(("float32", "float64"), SHAPES, NAMES))
    note = "dx alone: leaky_relu_backward, silu_backward"
    yield from tables("all", "Gradients with that of the parameter", measure(every, args), [note])
