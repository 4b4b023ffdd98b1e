"""Functions over an axis: softmax and its kin, maxout, crelu; forward and backward."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from .cases import Call, Case, add_options, arrays, compiled, estimate, measure, tables
from .contenders import tensor
from .peers import jax, special, thinc, torch
from .report import Table

import numact as na  # isort: skip

DTYPES = ("float32", "float64")
Shape = tuple[int, ...]
# Shapes with the axis.
SOFTMAX: tuple[tuple[Shape, int], ...] = (
    ((64, 10), -1),
    ((8192, 10), -1),
    ((1024, 1000), -1),
    ((16, 1 << 16), -1),
    ((8192, 1000), -1),
    ((1000, 1024), 0),
    ((16, 21, 64, 64), 1),
)
MAXOUT: tuple[tuple[Shape, int], ...] = (
    ((128, 2, 256), -2),
    ((32768, 2, 16), -2),
    ((1 << 19, 2), -1),
    ((1 << 18, 4), -1),
    ((4096, 5, 1024), -2),
)
CRELU = ((64, 128), (1024, 512), (8192, 1024))


def _softmax(x: Any, axis: int) -> Any:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    e /= e.sum(axis=axis, keepdims=True)
    return e


def _log_softmax(x: Any, axis: int) -> Any:
    d = x - x.max(axis=axis, keepdims=True)
    d -= np.log(np.exp(d).sum(axis=axis, keepdims=True))
    return d


def _softmax_gradient(dy: Any, y: Any, axis: int) -> Any:
    dx = y * dy
    dx -= y * dx.sum(axis=axis, keepdims=True)
    return dx


def _log_softmax_gradient(dy: Any, y: Any, axis: int) -> Any:
    return dy - np.exp(y) * dy.sum(axis=axis, keepdims=True)


# NumPy's forward, and its backward from the output.
PLAIN: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "softmax": (_softmax, _softmax_gradient),
    "softmin": (lambda x, axis: _softmax(-x, axis), lambda dy, y, axis: -_softmax_gradient(dy, y, axis)),
    "log_softmax": (_log_softmax, _log_softmax_gradient),
}


def _torch_softmax(name: str, axis: int, dy: Any, x: Any, y: Any, out: Any) -> tuple[Call, Call]:
    """PyTorch's forward and backward from the output."""
    aten = torch.ops.aten
    if name == "log_softmax":
        backward = partial(aten._log_softmax_backward_data.out, dy, y, axis, x.dtype, out=out)
        return partial(aten._log_softmax.out, x, axis, False, out=out), backward
    backward = partial(aten._softmax_backward_data.out, dy, y, axis, x.dtype, grad_input=out)
    if name == "softmax":
        return partial(aten._softmax.out, x, axis, False, out=out), backward
    return partial(torch.nn.functional.softmin, x, axis), lambda: backward().neg_()


def softmax(name: str, dtype: str, shape: Shape, axis: int) -> Iterator[Case]:
    """One of the softmax family: forward, backward, backward from the output."""
    x, dy = arrays(dtype, shape, shape)
    function, backward = getattr(na, name), getattr(na, f"{name}_backward")
    from_output = getattr(na, f"{name}_backward_from_output")
    y, out, other = function(x, axis=axis), np.empty_like(x), np.empty_like(x)
    plain, plain_gradient = PLAIN[name]
    forward_peers: dict[str, Call] = {"NumPy": partial(plain, x, axis)}
    output_peers: dict[str, Call] = {"NumPy": partial(plain_gradient, dy, y, axis)}
    input_peers: dict[str, Call] = {"NumPy": lambda: plain_gradient(dy, plain(x, axis), axis)}
    if special is not None and name != "softmin":
        forward_peers["SciPy"] = partial(getattr(special, name), x, axis=axis)
    if torch is not None:
        forward, gradient = _torch_softmax(name, axis, *map(tensor, (dy, x, y, other)))
        forward_peers["PyTorch"], output_peers["PyTorch"] = forward, gradient
        # The gradient starts from an output that was made: this one, by a forward of its own.
        first, second = _torch_softmax(name, axis, *map(tensor, (dy, x, y, np.empty_like(x))))
        input_peers["PyTorch"] = lambda: (first(), second())[1]
    if jax is not None:
        of_jax = {
            "softmax": jax.nn.softmax,
            "log_softmax": jax.nn.log_softmax,
            "softmin": lambda x, axis: jax.nn.softmax(-x, axis),
        }[name]
        forward_peers["JAX"] = compiled(lambda x: of_jax(x, axis), x)
        input_peers["JAX"] = compiled(lambda dy, x: jax.vjp(lambda x: of_jax(x, axis), x)[1](dy)[0], dy, x)
    if thinc is not None and (name, dtype, axis) == ("softmax", "float32", -1):
        ops = thinc.NumpyOps()
        forward_peers["thinc"] = partial(ops.softmax, x, axis=axis)
        output_peers["thinc"] = partial(ops.backprop_softmax, y, dy, axis=axis)
    case = partial(Case, dtype=dtype, what=f"{shape}, axis {axis}", elements=x.size)
    one, two = {"copy": partial(np.copyto, other, x)}, {"add": partial(np.add, dy, x, out=other)}
    yield case(name, own=partial(function, x, axis=axis, out=out), peers=forward_peers, limits=one)
    yield case(f"{name}_backward", own=partial(backward, dy, x, axis=axis, out=out), peers=input_peers, limits=two)
    own = partial(from_output, dy, y, axis=axis, out=out)
    yield case(f"{name}_backward_from_output", own=own, peers=output_peers, limits=two)


def maxout(dtype: str, shape: Shape, axis: int) -> Iterator[Case]:
    (x,) = arrays(dtype, shape)
    pieces = shape[axis]
    y, which = na.maxout(x, axis=axis)
    (dy,) = arrays(dtype, y.shape)
    dx, other = np.empty_like(x), np.empty_like(x)
    dy_apart, places = np.expand_dims(dy, axis), np.expand_dims(which.astype(np.intp), axis)

    def scatter() -> Any:
        other[...] = 0
        np.put_along_axis(other, places, dy_apart, axis)
        return other

    forward: dict[str, Call] = {"NumPy": lambda: (x.max(axis=axis), x.argmax(axis=axis))}
    gradient: dict[str, Call] = {"NumPy": scatter}
    if torch is not None:
        tx, tdy, tdx = map(tensor, (x, dy_apart, np.empty_like(x)))
        top, index = torch.max(tx, axis)
        winners = tensor(places)
        forward["PyTorch"] = lambda: torch.max(tx, axis, out=(top, index))
        gradient["PyTorch"] = lambda: tdx.zero_().scatter_(axis, winners, tdy)
    if jax is not None:
        numbers = np.arange(pieces).reshape(-1, *[1] * (-1 - axis))
        forward["JAX"] = compiled(lambda x: (x.max(axis), x.argmax(axis)), x)
        gradient["JAX"] = compiled(lambda dy, which: jax.numpy.where(numbers == which, dy, 0), dy_apart, places)
    if thinc is not None and dtype == "float32" and axis == -1:
        ops, winners_of_thinc = thinc.NumpyOps(), which[None].astype(np.int32)
        forward["thinc"] = lambda: ops.maxout(x[None])
        gradient["thinc"] = lambda: ops.backprop_maxout(dy[None], winners_of_thinc, pieces)
    case = partial(Case, dtype=dtype, what=f"{shape}, axis {axis}", elements=x.size)
    copy = {"copy": partial(np.copyto, other, x)}
    yield case("maxout", own=partial(na.maxout, x, axis=axis, out=(y, which)), peers=forward, limits=copy)
    own = partial(na.maxout_backward, dy, which, pieces, axis=axis, out=dx)
    yield case("maxout_backward", own=own, peers=gradient, limits=copy)


def crelu(dtype: str, shape: Shape) -> Iterator[Case]:
    n = shape[1]
    x, dy = arrays(dtype, shape, (shape[0], 2 * n))
    out, other, dx, dx_other = np.empty_like(dy), np.empty_like(dy), np.empty_like(x), np.empty_like(x)

    def plain() -> Any:
        np.maximum(x, 0, out=other[:, :n])
        np.maximum(-x, 0, out=other[:, n:])
        return other

    forward: dict[str, Call] = {"NumPy": plain}
    gradient: dict[str, Call] = {"NumPy": lambda: dy[:, :n] * (x > 0) - dy[:, n:] * (x < 0)}
    if torch is not None:
        tx, tdy, ty, tdx = map(tensor, (x, dy, np.empty_like(dy), np.empty_like(x)))
        forward["PyTorch"] = lambda: torch.clamp_min(torch.cat((tx, -tx), 1, out=ty), 0, out=ty)
        gradient["PyTorch"] = lambda: torch.where(tx > 0, tdy[:, :n], torch.where(tx < 0, -tdy[:, n:], 0), out=tdx)
    if jax is not None:

        def of_jax(x: Any) -> Any:
            return jax.nn.relu(jax.numpy.concatenate((x, -x), 1))

        forward["JAX"] = compiled(of_jax, x)
        gradient["JAX"] = compiled(lambda dy, x: jax.vjp(of_jax, x)[1](dy)[0], dy, x)
    case = partial(Case, dtype=dtype, what=str(shape), elements=x.size)
    copy = {"copy": partial(np.copyto, other, dy)}
    yield case("crelu", own=partial(na.crelu, x, out=out), peers=forward, limits=copy)
    add = {"add": lambda: np.add(dy[:, :n], x, out=dx_other)}
    yield case("crelu_backward", own=partial(na.crelu_backward, dy, x, out=dx), peers=gradient, limits=add)


def softmax_cases() -> Iterator[Case]:
    for dtype, (shape, axis), name in product(DTYPES, SOFTMAX, PLAIN):
        yield from softmax(name, dtype, shape, axis)


def maxout_cases() -> Iterator[Case]:
    for dtype, (shape, axis) in product(DTYPES, MAXOUT):
        yield from maxout(dtype, shape, axis)


def crelu_cases() -> Iterator[Case]:
    for dtype, shape in product(DTYPES, CRELU):
        yield from crelu(dtype, shape)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)


def duration(args: argparse.Namespace) -> float:
    cases = len(DTYPES) * (len(SOFTMAX) * 9 + len(MAXOUT) * 2 + len(CRELU) * 2)
    return estimate(cases, 5, args)


def run(args: argparse.Namespace) -> Iterator[Table]:
    for name, cases in (("softmax", softmax_cases), ("maxout", maxout_cases), ("crelu", crelu_cases)):
        yield from tables(name, f"Over an axis: {name}", measure(cases(), args))
