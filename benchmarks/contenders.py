"""What each library has for an activation: calls on the same data as numact's, one table for each library.

A call returns what the library gives, for the check of answers; where it can write into an array made before, it does.
A gradient starts from what numact's starts from: the input, or the output (or what the library saved in its place).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from numact.cli._expressions import WEIGHT, Pair

from .peers import jax, numexpr, special, thinc, torch

Call = Callable[[], Any]

WIDE = ("float32", "float64")
_MEAN = (1 / 8 + 1 / 3) / 2  # of rrelu's slopes
_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805
_QUICK = 1.702


# --- NumPy, where the whole function is one ufunc call ---

NUMPY: dict[str, Callable[..., Call]] = {
    "relu": lambda x, y: partial(np.maximum, x, 0, out=y),
    "relu6": lambda x, y: partial(np.clip, x, 0, 6, out=y),
    "tanh": lambda x, y: partial(np.tanh, x, out=y),
    "hard_tanh": lambda x, y: partial(np.clip, x, -1, 1, out=y),
}


def numpy_call(name: str, direction: str, pair: Pair) -> Call:
    if direction == "forward" and name in NUMPY and pair.outputs[0].dtype.name in WIDE:
        return NUMPY[name](*pair.inputs, np.empty_like(pair.outputs[0]))
    return pair.plain


# --- scipy.special ---


def _times(function: Any, x: Any, y: Any, factor: float = 1) -> Call:
    """x function(factor x)."""
    if factor == 1:
        return lambda: np.multiply(x, function(x, out=y), out=y)
    return lambda: np.multiply(x, function(np.multiply(x, factor, out=y), out=y), out=y)


def _scipy() -> dict[str, Callable[..., Call]]:
    return {
        "sigmoid": lambda x, y: partial(special.expit, x, out=y),
        "log_sigmoid": lambda x, y: partial(special.log_expit, x, out=y),
        "softplus": lambda x, y: partial(special.softplus, x, out=y),
        "gelu": lambda x, y: _times(special.ndtr, x, y),
        "quick_gelu": lambda x, y: _times(special.expit, x, y, _QUICK),
        "silu": lambda x, y: _times(special.expit, x, y),
        "swish": lambda x, y: _times(special.expit, x, y),
        "glu": lambda gate, value, y: lambda: np.multiply(special.expit(gate, out=y), value, out=y),
        "softmax": lambda x, y: partial(special.softmax, x, axis=-1),
        "log_softmax": lambda x, y: partial(special.log_softmax, x, axis=-1),
    }


def scipy_call(name: str, direction: str, pair: Pair) -> Call | None:
    table = _scipy()
    if direction != "forward" or name not in table:
        return None
    return table[name](*pair.inputs, np.empty_like(pair.outputs[0]))


# --- PyTorch: out= forms, aten's backward operators, compositions and autograd where it has neither ---


def tensor(array: Any) -> Any:
    """A tensor on the memory of an array; PyTorch does not know NumPy's bfloat16."""
    if not isinstance(array, np.ndarray):
        return array
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def from_tensor(result: Any) -> Any:
    """An array with the values of a tensor."""
    return (result.float() if result.dtype == torch.bfloat16 else result).numpy()


def _torch_forward() -> dict[str, Callable[..., Call]]:
    """Functions that write into y."""
    a = torch.ops.aten
    return {
        "relu": lambda x, y: partial(torch.clamp_min, x, 0, out=y),
        "relu6": lambda x, y: partial(a.hardtanh.out, x, 0, 6, out=y),
        "leaky_relu": lambda x, y: partial(a.leaky_relu.out, x, 0.01, out=y),
        "rrelu": lambda x, y: partial(a.leaky_relu.out, x, _MEAN, out=y),
        "threshold": lambda x, y: partial(a.threshold.out, x, 1, 0, out=y),
        "hard_shrink": lambda x, y: partial(a.hardshrink.out, x, 0.5, out=y),
        "soft_shrink": lambda x, y: partial(a.softshrink.out, x, 0.5, out=y),
        "elu": lambda x, y: partial(a.elu.out, x, out=y),
        "selu": lambda x, y: partial(a.elu.out, x, _ALPHA, _SCALE, 1, out=y),
        "celu": lambda x, y: partial(a.elu.out, x, 1, 1, 1, out=y),
        "sigmoid": lambda x, y: partial(torch.sigmoid, x, out=y),
        "log_sigmoid": lambda x, y: partial(a.log_sigmoid.out, x, out=y),
        "hard_sigmoid": lambda x, y: partial(a.hardsigmoid.out, x, out=y),
        "tanh": lambda x, y: partial(torch.tanh, x, out=y),
        "hard_tanh": lambda x, y: partial(a.hardtanh.out, x, -1, 1, out=y),
        "softplus": lambda x, y: partial(a.softplus.out, x, 1, 20, out=y),
        "gelu": lambda x, y: partial(a.gelu.out, x, approximate="none", out=y),
        "gelu_tanh": lambda x, y: partial(a.gelu.out, x, approximate="tanh", out=y),
        "silu": lambda x, y: partial(a.silu.out, x, out=y),
        "swish": lambda x, y: partial(a.silu.out, x, out=y),
        "hard_swish": lambda x, y: partial(a.hardswish.out, x, out=y),
        "mish": lambda x, y: partial(a.mish.out, x, out=y),
        "softmax": lambda x, y: partial(a._softmax.out, x, -1, False, out=y),
        "log_softmax": lambda x, y: partial(a._log_softmax.out, x, -1, False, out=y),
        "glu": lambda gate, value, y: partial(a.glu.out, torch.cat((value, gate)), 0, out=y),
    }


def _torch_composed() -> dict[str, Callable[..., Any]]:
    """Functions that return a new tensor, and whose gradient autograd finds."""
    f = torch.nn.functional
    return {
        "squared_relu": lambda x: torch.relu(x).square(),
        "prelu": f.prelu,
        "tanh_shrink": f.tanhshrink,
        "softsign": f.softsign,
        "squareplus": lambda x: (x + torch.sqrt(x * x + 4)) / 2,
        "quick_gelu": lambda x: x * torch.sigmoid(_QUICK * x),
        "swish": lambda x, beta: x * torch.sigmoid(beta * x),
        "dish": lambda x: x / 2 * (x * torch.rsqrt(1 + x * x) + 1),
        "reglu": lambda gate, value: torch.relu(gate) * value,
        "geglu": lambda gate, value: f.gelu(gate) * value,
        "swiglu": lambda gate, value: f.silu(gate) * value,
        "softmin": lambda x: f.softmin(x, -1),
        "maxout": lambda x: tuple(torch.max(x, -1)),
        "crelu": lambda x: torch.cat((torch.relu(x), torch.relu(-x)), -1),
    }


def _after(first: Call, then: Call) -> Call:
    """Both, one after the other: what is needed to come from the input where the operator takes the output."""

    def call() -> Any:
        first()
        return then()

    return call


def _torch_backward() -> dict[str, Callable[..., Call]]:
    """From the input, into d."""
    a = torch.ops.aten
    empty = torch.empty_like

    def sigmoid(g: Any, x: Any, d: Any) -> Call:
        y = empty(x)
        return _after(partial(torch.sigmoid, x, out=y), partial(a.sigmoid_backward.grad_input, g, y, grad_input=d))

    def tanh(g: Any, x: Any, d: Any) -> Call:
        y = empty(x)
        return _after(partial(torch.tanh, x, out=y), partial(a.tanh_backward.grad_input, g, y, grad_input=d))

    def log_sigmoid(g: Any, x: Any, d: Any) -> Call:
        y, buffer = empty(x), empty(x)
        forward = partial(a.log_sigmoid_forward.output, x, output=y, buffer=buffer)
        return _after(forward, partial(a.log_sigmoid_backward.grad_input, g, x, buffer, grad_input=d))

    def softmax(g: Any, x: Any, d: Any) -> Call:
        y = empty(x)
        backward = partial(a._softmax_backward_data.out, g, y, -1, x.dtype, grad_input=d)
        return _after(partial(a._softmax.out, x, -1, False, out=y), backward)

    def log_softmax(g: Any, x: Any, d: Any) -> Call:
        y = empty(x)
        backward = partial(a._log_softmax_backward_data.out, g, y, -1, x.dtype, out=d)
        return _after(partial(a._log_softmax.out, x, -1, False, out=y), backward)

    def glu(g: Any, gate: Any, value: Any, d: Any) -> Call:
        packed = torch.cat((value, gate))
        into, n = empty(packed), len(gate)

        def call() -> Any:
            a.glu_backward.grad_input(g, packed, 0, grad_input=into)
            return into[n:], into[:n]

        return call

    def maxout(g: Any, which: Any, pieces: int, d: Any) -> Call:
        index = which.long()[..., None]
        return lambda: torch.zeros_like(d).scatter_(-1, index, g[..., None])

    def elu(alpha: float, scale: float) -> Callable[..., Call]:
        return lambda g, x, d: partial(a.elu_backward.grad_input, g, alpha, scale, 1, False, x, grad_input=d)

    def leaky(g: Any, x: Any, slope: float, d: Any) -> Call:
        return partial(a.leaky_relu_backward.grad_input, g, x, slope, False, grad_input=d)

    return {
        "relu": lambda g, x, d: partial(a.threshold_backward.grad_input, g, x, 0, grad_input=d),
        "relu6": lambda g, x, d: partial(a.hardtanh_backward.grad_input, g, x, 0, 6, grad_input=d),
        "leaky_relu": lambda g, x, d: leaky(g, x, 0.01, d),
        "rrelu": lambda g, x, slope, d: leaky(g, x, float(slope), d),
        "threshold": lambda g, x, d: partial(a.threshold_backward.grad_input, g, x, 1, grad_input=d),
        "hard_shrink": lambda g, x, d: partial(a.hardshrink_backward.grad_input, g, x, 0.5, grad_input=d),
        "soft_shrink": lambda g, x, d: partial(a.softshrink_backward.grad_input, g, x, 0.5, grad_input=d),
        "elu": elu(1, 1),
        "selu": elu(_ALPHA, _SCALE),
        "celu": elu(1, 1),
        "sigmoid": sigmoid,
        "log_sigmoid": log_sigmoid,
        "hard_sigmoid": lambda g, x, d: partial(a.hardsigmoid_backward.grad_input, g, x, grad_input=d),
        "tanh": tanh,
        "hard_tanh": lambda g, x, d: partial(a.hardtanh_backward.grad_input, g, x, -1, 1, grad_input=d),
        "softplus": lambda g, x, d: partial(a.softplus_backward.grad_input, g, x, 1, 20, grad_input=d),
        "gelu": lambda g, x, d: partial(a.gelu_backward.grad_input, g, x, approximate="none", grad_input=d),
        "gelu_tanh": lambda g, x, d: partial(a.gelu_backward.grad_input, g, x, approximate="tanh", grad_input=d),
        "silu": lambda g, x, d: partial(a.silu_backward.grad_input, g, x, grad_input=d),
        "hard_swish": lambda g, x, d: partial(a.hardswish_backward.out, g, x, out=d),
        "mish": lambda g, x, d: partial(a.mish_backward, g, x),
        "softmax": softmax,
        "log_softmax": log_softmax,
        "glu": glu,
        "maxout": maxout,
    }


def _torch_from_output() -> dict[str, Callable[..., Call]]:
    """From the output, into d; from the input that belongs to it where the operator saves that."""
    a = torch.ops.aten

    def elu(alpha: float, scale: float) -> Callable[..., Call]:
        return lambda g, y, d: partial(a.elu_backward.grad_input, g, alpha, scale, 1, True, y, grad_input=d)

    def hard_sigmoid(g: Any, y: Any, d: Any) -> Call:
        return partial(a.hardsigmoid_backward.grad_input, g, 6 * y - 3, grad_input=d)

    def softplus(g: Any, y: Any, d: Any) -> Call:
        x = y + torch.log(-torch.expm1(-y))
        return partial(a.softplus_backward.grad_input, g, x, 1, 20, grad_input=d)

    def crelu(g: Any, y: Any, d: Any) -> Call:
        (g1, g2), (y1, y2) = g.chunk(2, -1), y.chunk(2, -1)
        return lambda: g1 * (y1 > 0) - g2 * (y2 > 0)

    def softmax(g: Any, y: Any, d: Any) -> Call:
        return partial(a._softmax_backward_data.out, g, y, -1, y.dtype, grad_input=d)

    return {
        "relu": lambda g, y, d: partial(a.threshold_backward.grad_input, g, y, 0, grad_input=d),
        "relu6": lambda g, y, d: partial(a.hardtanh_backward.grad_input, g, y, 0, 6, grad_input=d),
        "leaky_relu": lambda g, y, d: partial(a.leaky_relu_backward.grad_input, g, y, 0.01, True, grad_input=d),
        "threshold": lambda g, y, d: partial(a.threshold_backward.grad_input, g, y, 1, grad_input=d),
        "hard_shrink": lambda g, y, d: partial(a.hardshrink_backward.grad_input, g, y, 0.5, grad_input=d),
        "soft_shrink": lambda g, y, d: partial(a.softshrink_backward.grad_input, g, y, 0, grad_input=d),
        "elu": elu(1, 1),
        "selu": elu(_ALPHA, _SCALE),
        "celu": elu(1, 1),
        "sigmoid": lambda g, y, d: partial(a.sigmoid_backward.grad_input, g, y, grad_input=d),
        "log_sigmoid": lambda g, y, d: lambda: torch.expm1(y, out=d).neg_().mul_(g),
        "hard_sigmoid": hard_sigmoid,
        "tanh": lambda g, y, d: partial(a.tanh_backward.grad_input, g, y, grad_input=d),
        "hard_tanh": lambda g, y, d: partial(a.hardtanh_backward.grad_input, g, y, -1, 1, grad_input=d),
        "softsign": lambda g, y, d: lambda: (1 - torch.abs(y, out=d)).square_().mul_(g),
        "softplus": softplus,
        "softmax": softmax,
        "log_softmax": lambda g, y, d: partial(a._log_softmax_backward_data.out, g, y, -1, y.dtype, out=d),
        "softmin": lambda g, y, d: _after(softmax(g, y, d), d.neg_),
        "crelu": crelu,
    }


_LEARNED = {"prelu": WEIGHT, "swish": 1.0}


def torch_call(name: str, direction: str, pair: Pair) -> Call | None:
    inputs = [tensor(each) for each in pair.inputs]
    into = tensor(np.empty_like(pair.outputs[0]))
    composed = _torch_composed()
    if direction == "forward":
        if name in (table := _torch_forward()):
            return table[name](*inputs, into)
        learned = [torch.tensor([_LEARNED[name]], dtype=inputs[0].dtype)] if name in _LEARNED else []
        return partial(composed[name], *inputs, *learned)
    if direction == "backward_from_output":
        return _torch_from_output()[name](*inputs, into)
    if name in (table := _torch_backward()):
        return table[name](*inputs, into)
    dy, *data = inputs
    if name in _LEARNED:
        data.append(torch.tensor([_LEARNED[name]], dtype=dy.dtype))
    with torch.enable_grad():
        leaves = [each.requires_grad_() for each in data]
        y = composed[name](*leaves)

    def call() -> Any:
        gradients = torch.autograd.grad(y, leaves, dy, retain_graph=True)
        return (gradients[0], gradients[1][0]) if name in _LEARNED else gradients

    return call


# --- JAX: compiled by jit; gradients by vjp, from the output as from what vjp saved ---


def _jax() -> dict[str, Callable[..., Any]]:
    nn, jnp = jax.nn, jax.numpy

    def maxout(x: Any) -> Any:
        return jnp.max(x, -1), jnp.argmax(x, -1)

    def dish(x: Any) -> Any:
        return x / 2 * (x * jax.lax.rsqrt(1 + x * x) + 1)

    return {
        "relu": nn.relu,
        "relu6": nn.relu6,
        "squared_relu": lambda x: jnp.square(nn.relu(x)),
        "leaky_relu": nn.leaky_relu,
        "prelu": lambda x, weight: jnp.where(x > 0, x, weight * x),
        "rrelu": lambda x: jnp.where(x > 0, x, _MEAN * x),
        "threshold": lambda x: jnp.where(x > 1, x, 0),
        "hard_shrink": lambda x: jnp.where(jnp.abs(x) > 0.5, x, 0),
        "soft_shrink": lambda x: jnp.where(jnp.abs(x) > 0.5, x - 0.5 * jnp.sign(x), 0),
        "elu": nn.elu,
        "selu": nn.selu,
        "celu": nn.celu,
        "sigmoid": nn.sigmoid,
        "log_sigmoid": nn.log_sigmoid,
        "hard_sigmoid": nn.hard_sigmoid,
        "tanh": jnp.tanh,
        "hard_tanh": nn.hard_tanh,
        "tanh_shrink": lambda x: x - jnp.tanh(x),
        "softsign": nn.soft_sign,
        "softplus": nn.softplus,
        "squareplus": nn.squareplus,
        "gelu": partial(nn.gelu, approximate=False),
        "gelu_tanh": partial(nn.gelu, approximate=True),
        "quick_gelu": lambda x: x * nn.sigmoid(_QUICK * x),
        "silu": nn.silu,
        "swish": lambda x, beta: x * nn.sigmoid(beta * x),
        "hard_swish": nn.hard_swish,
        "mish": nn.mish,
        "dish": dish,
        "glu": lambda gate, value: nn.sigmoid(gate) * value,
        "reglu": lambda gate, value: nn.relu(gate) * value,
        "geglu": lambda gate, value: nn.gelu(gate, approximate=False) * value,
        "swiglu": lambda gate, value: nn.silu(gate) * value,
        "softmax": nn.softmax,
        "log_softmax": nn.log_softmax,
        "softmin": lambda x: nn.softmax(-x),
        "maxout": maxout,
        "crelu": lambda x: jnp.concatenate((nn.relu(x), nn.relu(-x)), -1),
    }


def _jax_from_output() -> dict[str, Callable[[Any], Any]]:
    """An input that belongs to an output, where it is not the output itself."""
    jnp = jax.numpy
    return {
        "elu": lambda y: jnp.where(y > 0, y, jnp.log1p(y)),
        "celu": lambda y: jnp.where(y > 0, y, jnp.log1p(y)),
        "selu": lambda y: jnp.where(y > 0, y / _SCALE, jnp.log1p(y / (_SCALE * _ALPHA))),
        "leaky_relu": lambda y: jnp.where(y > 0, y, y / 0.01),
        "soft_shrink": lambda y: y + 0.5 * jnp.sign(y),
        "sigmoid": lambda y: jnp.log(y) - jnp.log1p(-y),
        "log_sigmoid": lambda y: -jnp.log(jnp.expm1(-y)),
        "hard_sigmoid": lambda y: 6 * y - 3,
        "tanh": jnp.arctanh,
        "hard_tanh": lambda y: jnp.where(jnp.abs(y) < 1, y, 2 * y),
        "softsign": lambda y: y / (1 - jnp.abs(y)),
        "softplus": lambda y: y + jnp.log(-jnp.expm1(-y)),
        "softmax": jnp.log,
        "softmin": lambda y: -jnp.log(y),
        "crelu": lambda y: y[: len(y) // 2] - y[len(y) // 2 :],
    }


def jax_call(name: str, direction: str, pair: Pair) -> Call | None:
    function = _jax()[name]
    if name == "maxout" and direction == "backward":
        dy, which, pieces = pair.inputs
        inputs: list[Any] = [jax.device_put(dy), jax.device_put(which)]
        run = jax.jit(lambda dy, which: jax.numpy.where(jax.numpy.arange(pieces) == which[..., None], dy[..., None], 0))
    elif direction == "backward_from_output":
        dy, y = (jax.device_put(each) for each in pair.inputs)
        x = _jax_from_output().get(name, lambda y: y)(y)
        inputs = [jax.vjp(function, x)[1], dy]
        run = jax.jit(lambda pull, dy: pull(dy)[0])
    else:
        data = [jax.device_put(each) for each in pair.inputs if np.ndim(each)]
        if name in _LEARNED:
            data.append(jax.numpy.asarray(_LEARNED[name], data[0].dtype))
        inputs = data
        run = jax.jit(function if direction == "forward" else lambda dy, *x: jax.vjp(function, *x)[1](dy))
    return lambda: jax.block_until_ready(run(*inputs))


# --- thinc: as its layers call it, with new arrays; it can also overwrite its argument ---


def _thinc() -> dict[tuple[str, str], Callable[..., Any]]:
    ops = thinc.NumpyOps()

    def hard_sigmoid(function: Any) -> Callable[..., Any]:
        return partial(function, slope=1 / 6, offset=0.5)

    return {
        ("relu", "forward"): ops.relu,
        ("relu", "backward"): ops.backprop_relu,
        ("relu", "backward_from_output"): ops.backprop_relu,
        ("relu6", "forward"): ops.relu_k,
        ("relu6", "backward"): ops.backprop_relu_k,
        ("sigmoid", "forward"): ops.sigmoid,
        ("sigmoid", "backward"): lambda dy, x: ops.backprop_sigmoid(dy, ops.sigmoid(x)),
        ("sigmoid", "backward_from_output"): ops.backprop_sigmoid,
        ("tanh", "backward_from_output"): lambda dy, y: dy * ops.dtanh(y),
        ("hard_sigmoid", "forward"): hard_sigmoid(ops.clipped_linear),
        ("hard_sigmoid", "backward"): hard_sigmoid(ops.backprop_clipped_linear),
        ("hard_tanh", "forward"): ops.hard_tanh,
        ("hard_tanh", "backward"): ops.backprop_hard_tanh,
        ("gelu", "forward"): ops.gelu,
        ("gelu", "backward"): ops.backprop_gelu,
        ("gelu_tanh", "forward"): ops.gelu_approx,
        ("gelu_tanh", "backward"): ops.backprop_gelu_approx,
        ("silu", "forward"): ops.swish,
        ("silu", "backward"): lambda dy, x: ops.backprop_swish(dy, x, ops.swish(x)),
        ("swish", "forward"): ops.swish,
        ("hard_swish", "forward"): ops.hard_swish_mobilenet,
        ("hard_swish", "backward"): ops.backprop_hard_swish_mobilenet,
        ("mish", "forward"): ops.mish,
        ("mish", "backward"): ops.backprop_mish,
        ("dish", "forward"): ops.dish,
        ("dish", "backward"): ops.backprop_dish,
        ("softmax", "forward"): ops.softmax,
        ("softmax", "backward"): lambda dy, x: ops.backprop_softmax(ops.softmax(x), dy),
        ("softmax", "backward_from_output"): lambda dy, y: ops.backprop_softmax(y, dy),
        ("maxout", "forward"): lambda x: tuple(each[0] for each in ops.maxout(x[None])),
        ("maxout", "backward"): lambda dy, which, pieces: ops.backprop_maxout(dy[None], which, pieces)[0],
    }


def thinc_call(name: str, direction: str, pair: Pair) -> Call | None:
    function = _thinc().get((name, direction))
    if function is None:
        return None
    inputs = pair.inputs
    if name == "maxout" and direction == "backward":  # it takes the winners as it gave them
        inputs = (inputs[0], inputs[1][None].astype(np.int32), inputs[2])
    return partial(function, *inputs)


# --- numexpr ---

# In float32 a constant with a fraction must be a float32 variable, or everything becomes float64.
_CONSTANTS = {
    "slope": 0.01, "weight": WEIGHT, "mean": _MEAN, "half": 0.5, "alpha": _ALPHA, "scale": _SCALE, "quick": _QUICK,
    "root": math.sqrt(2 / math.pi), "cubic": 0.044715,
}  # fmt: skip
_TANH = "tanh(root * (x + cubic * x * x * x))"
# forward, backward, from the output; of x (g and v for gate and value), dy, y.
_NUMEXPR: dict[str, tuple[Any, Any, Any]] = {
    "relu": ("where(x > 0, x, 0)", "where(x > 0, dy, 0)", "where(y > 0, dy, 0)"),
    "relu6": (
        "where(x > 0, where(x < 6, x, 6), 0)",
        "where((x > 0) & (x < 6), dy, 0)",
        "where((y > 0) & (y < 6), dy, 0)",
    ),
    "squared_relu": ("where(x > 0, x * x, 0)", "where(x > 0, 2 * dy * x, 0)", None),
    "leaky_relu": ("where(x > 0, x, slope * x)", "where(x > 0, dy, slope * dy)", "where(y > 0, dy, slope * dy)"),
    "prelu": ("where(x > 0, x, weight * x)", ("where(x > 0, dy, weight * dy)", "sum(where(x > 0, 0, dy * x))"), None),
    "rrelu": ("where(x > 0, x, mean * x)", "where(x > 0, dy, mean * dy)", None),
    "threshold": ("where(x > 1, x, 0)", "where(x > 1, dy, 0)", "where(y > 1, dy, 0)"),
    "hard_shrink": ("where(abs(x) > half, x, 0)", "where(abs(x) > half, dy, 0)", "where(abs(y) > half, dy, 0)"),
    "soft_shrink": (
        "where(x > half, x - half, where(x < -half, x + half, 0))",
        "where(abs(x) > half, dy, 0)",
        "where(abs(y) > 0, dy, 0)",
    ),
    "elu": ("where(x > 0, x, expm1(x))", "where(x > 0, dy, dy * exp(x))", "where(y > 0, dy, dy * (y + 1))"),
    "selu": (
        "scale * where(x > 0, x, alpha * expm1(x))",
        "scale * dy * where(x > 0, 1, alpha * exp(x))",
        "dy * where(y > 0, scale, y + scale * alpha)",
    ),
    "celu": ("where(x > 0, x, expm1(x))", "where(x > 0, dy, dy * exp(x))", "where(y > 0, dy, dy * (y + 1))"),
    "sigmoid": ("1 / (1 + exp(-x))", "dy * exp(-x) / (1 + exp(-x)) ** 2", "dy * y * (1 - y)"),
    "log_sigmoid": ("-log1p(exp(-x))", "dy / (1 + exp(x))", "-dy * expm1(y)"),
    "hard_sigmoid": (
        "where(x > -3, where(x < 3, x / 6 + half, 1), 0)",
        "where(abs(x) < 3, dy / 6, 0)",
        "where((y > 0) & (y < 1), dy / 6, 0)",
    ),
    "tanh": ("tanh(x)", "dy * (1 - tanh(x) ** 2)", "dy * (1 - y * y)"),
    "hard_tanh": (
        "where(x > -1, where(x < 1, x, 1), -1)",
        "where(abs(x) < 1, dy, 0)",
        "where(abs(y) < 1, dy, 0)",
    ),
    "tanh_shrink": ("x - tanh(x)", "dy * tanh(x) ** 2", None),
    "softsign": ("x / (1 + abs(x))", "dy / (1 + abs(x)) ** 2", "dy * (1 - abs(y)) ** 2"),
    "softplus": ("log1p(exp(x))", "dy / (1 + exp(-x))", "-dy * expm1(-y)"),
    "squareplus": ("(x + sqrt(x * x + 4)) / 2", "dy * (1 + x / sqrt(x * x + 4)) / 2", None),
    "gelu_tanh": (
        f"half * x * (1 + {_TANH})",
        f"half * dy * (1 + {_TANH} + x * (1 - {_TANH} ** 2) * root * (1 + 3 * cubic * x * x))",
        None,
    ),
    "quick_gelu": (
        "x / (1 + exp(-quick * x))",
        "dy / (1 + exp(-quick * x)) * (1 + quick * x / (1 + exp(quick * x)))",
        None,
    ),
    "silu": ("x / (1 + exp(-x))", "dy / (1 + exp(-x)) * (1 + x / (1 + exp(x)))", None),
    "swish": (
        "x / (1 + exp(-x))",
        ("dy / (1 + exp(-x)) * (1 + x / (1 + exp(x)))", "sum(dy * x * x / ((1 + exp(-x)) * (1 + exp(x))))"),
        None,
    ),
    "hard_swish": (
        "where(x > -3, where(x < 3, x * (x + 3) / 6, x), 0)",
        "dy * where(x > -3, where(x < 3, (2 * x + 3) / 6, 1), 0)",
        None,
    ),
    "mish": (
        "x * tanh(log1p(exp(x)))",
        "dy * (tanh(log1p(exp(x))) + x * (1 - tanh(log1p(exp(x))) ** 2) / (1 + exp(-x)))",
        None,
    ),
    "dish": (
        "x / 2 * (x / sqrt(1 + x * x) + 1)",
        "dy * (half + x / sqrt(1 + x * x) * (1 - x * x / (2 + 2 * x * x)))",
        None,
    ),
    "glu": ("v / (1 + exp(-g))", ("dy * v * exp(-g) / (1 + exp(-g)) ** 2", "dy / (1 + exp(-g))"), None),
    "reglu": ("where(g > 0, g * v, 0)", ("where(g > 0, dy * v, 0)", "where(g > 0, dy * g, 0)"), None),
    "swiglu": (
        "g * v / (1 + exp(-g))",
        ("dy * v / (1 + exp(-g)) * (1 + g / (1 + exp(g)))", "dy * g / (1 + exp(-g))"),
        None,
    ),
}


def _evaluate(expressions: Sequence[str], names: dict[str, Any], into: Sequence[Any]) -> Any:
    return tuple(
        numexpr.evaluate(each, names, {}, out=out) if out is not None else numexpr.evaluate(each, names, {})
        for each, out in zip(expressions, into, strict=True)
    )


def numexpr_call(name: str, direction: str, pair: Pair) -> Call | None:
    if name not in _NUMEXPR:
        return None
    index = ("forward", "backward", "backward_from_output").index(direction)
    expressions = _NUMEXPR[name][index]
    of = ("g", "v") if name in ("glu", "reglu", "swiglu") else ("x", "slope")
    labels = (of, ("dy", *of), ("dy", "y"))[index]
    dtype = pair.outputs[0].dtype
    names: dict[str, Any] = {key: dtype.type(value) for key, value in _CONSTANTS.items()}
    names |= dict(zip(labels, pair.inputs, strict=False))
    into = [np.empty_like(each) if np.ndim(each) else None for each in pair.outputs]
    if isinstance(expressions, str):
        return partial(numexpr.evaluate, expressions, names, {}, out=into[0])
    return partial(_evaluate, expressions, names, into)


# --- all of them ---

MAKERS: dict[str, Callable[[str, str, Pair], Call | None]] = {
    "SciPy": scipy_call,
    "PyTorch": torch_call,
    "JAX": jax_call,
    "thinc": thinc_call,
    "numexpr": numexpr_call,
}
HALVES = ("PyTorch", "JAX")


def as_array(result: Any) -> Any:
    """What a library gave, as NumPy knows it."""
    if torch is not None and isinstance(result, torch.Tensor):
        return from_tensor(result)
    return np.asarray(result)


def contender(library: str, name: str, direction: str, pair: Pair) -> Call | None:
    """The call of a library, None where it has none."""
    if library == "NumPy":
        return numpy_call(name, direction, pair)
    if pair.outputs[0].dtype.name not in WIDE and library not in HALVES:
        return None
    return MAKERS[library](name, direction, pair)
