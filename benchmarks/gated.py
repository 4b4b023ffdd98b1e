"""Gated linear units on the halves of a packed array, forward and backward.

The value is the first half and the gate the second, as in torch.nn.functional.glu. On two arrays numact should not be
faster (/ two arrays).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from .cases import Call, Case, add_options, arrays, compiled, estimate, measure, tables
from .contenders import tensor
from .peers import jax, torch
from .report import Table

import numact as na  # isort: skip
from numact.cli._expressions import EXPRESSIONS

SHAPES = ((16, 32), (64, 512), (1024, 1024), (2048, 2048))  # of a half
NAMES = [record.name for record in na.activations.values() if record.kind == "gated"]
Packed = Any


def halves(packed: Packed) -> tuple[Any, Any]:
    """The gate and the value."""
    n = packed.shape[1] // 2
    return packed[:, n:], packed[:, :n]


def _torch_act(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """PyTorch's activation of the gate, of (gate, out), and its gradient, of (dy, gate, its output, out)."""
    aten = torch.ops.aten
    return {
        "glu": (
            lambda gate, out: torch.sigmoid(gate, out=out),
            lambda dy, gate, y, out: aten.sigmoid_backward.grad_input(dy, y, grad_input=out),
        ),
        "reglu": (
            lambda gate, out: torch.clamp_min(gate, 0, out=out),
            lambda dy, gate, y, out: aten.threshold_backward.grad_input(dy, gate, 0, grad_input=out),
        ),
        "geglu": (
            lambda gate, out: aten.gelu.out(gate, out=out),
            lambda dy, gate, y, out: aten.gelu_backward.grad_input(dy, gate, grad_input=out),
        ),
        "swiglu": (
            lambda gate, out: aten.silu.out(gate, out=out),
            lambda dy, gate, y, out: aten.silu_backward.grad_input(dy, gate, grad_input=out),
        ),
    }[name]


def by_torch(name: str, dy: Any, packed: Packed) -> tuple[Call, Call]:
    """Forward and backward; without memory of their own but for what was made before."""
    out, kept, upstream, gradient = (torch.empty_like(each) for each in (dy, dy, dy, packed))
    gate, value = halves(packed)
    dgate, dvalue = halves(gradient)
    if name == "glu":
        aten = torch.ops.aten

        def glu_backward() -> Any:
            aten.glu_backward.grad_input(dy, packed, 1, grad_input=gradient)
            return dgate, dvalue

        return partial(aten.glu.out, packed, 1, out=out), glu_backward
    act, act_backward = _torch_act(name)

    def forward() -> Any:
        return torch.mul(act(gate, kept), value, out=out)

    def backward() -> Any:  # the activation was kept by the forward
        torch.mul(dy, kept, out=dvalue)
        torch.mul(dy, value, out=upstream)
        return act_backward(upstream, gate, kept, dgate), dvalue

    act(gate, kept)
    return forward, backward


def by_jax(name: str, dy: Any, packed: Packed) -> tuple[Call, Call]:
    act = {
        "glu": jax.nn.sigmoid,
        "reglu": jax.nn.relu,
        "geglu": partial(jax.nn.gelu, approximate=False),
        "swiglu": jax.nn.silu,
    }[name]

    def function(packed: Packed) -> Any:
        gate, value = halves(packed)
        return act(gate) * value

    gradient = compiled(lambda dy, packed: jax.vjp(function, packed)[1](dy)[0], dy, packed)
    return compiled(function, packed), lambda: halves(np.asarray(gradient()))


def gated(name: str, dtype: str, shape: tuple[int, int]) -> Iterator[Case]:
    rows, n = shape
    dy, packed = arrays(dtype, shape, (rows, 2 * n))
    function, backward = getattr(na, name), getattr(na, f"{name}_backward")
    gate, value = halves(packed)
    out, gradients = np.empty_like(dy), halves(np.empty_like(packed))
    apart, apart_out, apart_gradients = (gate.copy(), value.copy()), np.empty_like(dy), (out.copy(), out.copy())
    forward_peers: dict[str, Call] = {"NumPy": partial(EXPRESSIONS[name].forward, gate, value)}
    backward_peers: dict[str, Call] = {"NumPy": partial(EXPRESSIONS[name].backward, dy, gate, value)}
    for library, module, calls in (("PyTorch", torch, by_torch), ("JAX", jax, by_jax)):
        if module is not None:
            convert = tensor if library == "PyTorch" else np.asarray
            forward_peers[library], backward_peers[library] = calls(name, convert(dy), convert(packed))
    case = partial(Case, dtype=dtype, what=f"halves of {(rows, 2 * n)}", elements=dy.size)
    two = {"two arrays": partial(function, *apart, out=apart_out)}
    yield case(name, own=partial(function, gate, value, out=out), peers=forward_peers, limits=two)
    two = {"two arrays": partial(backward, dy, *apart, out=apart_gradients)}
    own = partial(backward, dy, gate, value, out=gradients)
    yield case(f"{name}_backward", own=own, peers=backward_peers, limits=two)


def cases() -> Iterator[Case]:
    for dtype, shape, name in product(("float32", "float64"), SHAPES, NAMES):
        yield from gated(name, dtype, shape)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)


def duration(args: argparse.Namespace) -> float:
    return estimate(2 * len(SHAPES) * len(NAMES) * 2, 5, args)


def run(args: argparse.Namespace) -> Iterator[Table]:
    yield from tables("all", "Gated linear units on halves of a packed array", measure(cases(), args))
