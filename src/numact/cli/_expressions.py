"""What one would write with NumPy for each activation, and numact's call on the same arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import numact as na

Array = NDArray[Any]
Function = Callable[..., Any]

DIRECTIONS = ("forward", "backward", "backward_from_output")


@dataclass(frozen=True)
class Expression:
    """Each takes the arrays that numact's function takes, with the default parameters; axes are the last."""

    forward: Function
    backward: Function
    backward_from_output: Function | None = None


WEIGHT = 0.25  # of prelu, which has no default
_RRELU = (1 / 8 + 1 / 3) / 2
_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805
_GELU = math.sqrt(2 / math.pi)
_QUICK = 1.702


def _sigmoid(x: Array) -> Any:
    return 1 / (1 + np.exp(-x))


def _swish(x: Array) -> Any:
    return x / (1 + np.exp(-x))


def _swish_backward(dy: Array, x: Array) -> Any:
    s = _sigmoid(x)
    return dy * s * (1 + x * (1 - s))


def _swish_backward_with_beta(dy: Array, x: Array) -> Any:
    s = _sigmoid(x)
    y = x * s
    return dy * (y + s * (1 - y)), np.sum(dy * y * (x - y))


def _quick_gelu_backward(dy: Array, x: Array) -> Any:
    s = _sigmoid(_QUICK * x)
    return dy * s * (1 + _QUICK * x * (1 - s))


def _phi(x: Array) -> Any:
    """The normal distribution function. NumPy has no erf: Abramowitz and Stegun 7.1.26, wrong by up to 1e-7."""
    t = 1 / (1 + (0.3275911 / math.sqrt(2)) * np.abs(x))
    tail = t * (0.127414796 + t * (-0.142248368 + t * (0.7107068705 + t * (-0.7265760135 + t * 0.5307027145))))
    tail *= np.exp(-0.5 * x * x)
    return np.where(x < 0, tail, 1 - tail)


def _density(x: Array) -> Any:
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _gelu_tanh(x: Array) -> Any:
    return 0.5 * x * (1 + np.tanh(_GELU * (x + 0.044715 * x * x * x)))


def _gelu_tanh_backward(dy: Array, x: Array) -> Any:
    t = np.tanh(_GELU * (x + 0.044715 * x * x * x))
    return dy * 0.5 * (1 + t + x * (1 - t * t) * _GELU * (1 + 3 * 0.044715 * x * x))


def _mish_backward(dy: Array, x: Array) -> Any:
    t = np.tanh(np.log1p(np.exp(x)))
    return dy * (t + x * (1 - t * t) * _sigmoid(x))


def _dish_backward(dy: Array, x: Array) -> Any:
    r = x / np.sqrt(1 + x * x)
    return dy * (0.5 + r - 0.5 * r * r * r)


def _glu_backward(dy: Array, gate: Array, value: Array) -> Any:
    s = _sigmoid(gate)
    return dy * value * s * (1 - s), dy * s


def _geglu_backward(dy: Array, gate: Array, value: Array) -> Any:
    phi = _phi(gate)
    return dy * value * (phi + gate * _density(gate)), dy * gate * phi


def _swiglu_backward(dy: Array, gate: Array, value: Array) -> Any:
    s = _sigmoid(gate)
    return dy * value * s * (1 + gate * (1 - s)), dy * gate * s


def _softmax(x: Array) -> Any:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _softmax_from_output(dy: Array, y: Array) -> Any:
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


def _log_softmax(x: Array) -> Any:
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _crelu_backward(dy: Array, x: Array) -> Any:
    n = x.shape[-1]
    return dy[..., :n] * (x > 0) - dy[..., n:] * (x < 0)


def _crelu_from_output(dy: Array, y: Array) -> Any:
    n = y.shape[-1] // 2
    return dy[..., :n] * (y[..., :n] > 0) - dy[..., n:] * (y[..., n:] > 0)


def _where_positive(dy: Array, x: Array) -> Any:
    return dy * (x > 0)


def _leaky(slope: float) -> Expression:
    def backward(dy: Array, x: Array) -> Any:
        return np.where(x > 0, dy, slope * dy)

    return Expression(lambda x: np.where(x > 0, x, slope * x), backward, backward)


def _exponential(scale: float, alpha: float) -> Expression:
    """scale x for x > 0, else scale alpha (exp(x) - 1)."""
    return Expression(
        lambda x: scale * np.where(x > 0, x, alpha * (np.exp(x) - 1)),
        lambda dy, x: dy * np.where(x > 0, scale, scale * alpha * np.exp(x)),
        lambda dy, y: dy * np.where(y > 0, scale, y + scale * alpha),
    )


_ELU = Expression(
    lambda x: np.where(x > 0, x, np.exp(x) - 1),
    lambda dy, x: dy * np.where(x > 0, 1, np.exp(x)),
    lambda dy, y: dy * np.where(y > 0, 1, y + 1),
)

EXPRESSIONS = {
    "relu": Expression(lambda x: np.maximum(x, 0), _where_positive, _where_positive),
    "relu6": Expression(
        lambda x: np.clip(x, 0, 6),
        lambda dy, x: dy * ((x > 0) & (x < 6)),
        lambda dy, y: dy * ((y > 0) & (y < 6)),
    ),
    "squared_relu": Expression(lambda x: np.maximum(x, 0) ** 2, lambda dy, x: 2 * dy * np.maximum(x, 0)),
    "leaky_relu": _leaky(0.01),
    "prelu": Expression(
        _leaky(WEIGHT).forward,
        lambda dy, x: (np.where(x > 0, dy, WEIGHT * dy), np.sum(dy * np.minimum(x, 0))),
    ),
    "threshold": Expression(lambda x: np.where(x > 1, x, 0), lambda dy, x: dy * (x > 1), lambda dy, y: dy * (y > 1)),
    "hard_shrink": Expression(
        lambda x: np.where(np.abs(x) > 0.5, x, 0),
        lambda dy, x: dy * (np.abs(x) > 0.5),
        lambda dy, y: dy * (y != 0),
    ),
    "soft_shrink": Expression(
        lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
        lambda dy, x: dy * (np.abs(x) > 0.5),
        lambda dy, y: dy * (y != 0),
    ),
    "elu": _ELU,
    "selu": _exponential(_SCALE, _ALPHA),
    "celu": _ELU,  # the same for alpha = 1
    "sigmoid": Expression(
        _sigmoid, lambda dy, x: (lambda s: dy * s * (1 - s))(_sigmoid(x)), lambda dy, y: dy * y * (1 - y)
    ),
    "log_sigmoid": Expression(
        lambda x: -np.log1p(np.exp(-x)), lambda dy, x: dy / (1 + np.exp(x)), lambda dy, y: dy * (1 - np.exp(y))
    ),
    "hard_sigmoid": Expression(
        lambda x: np.clip(x / 6 + 0.5, 0, 1),
        lambda dy, x: dy / 6 * (np.abs(x) < 3),
        lambda dy, y: dy / 6 * ((y > 0) & (y < 1)),
    ),
    "tanh": Expression(np.tanh, lambda dy, x: dy * (1 - np.tanh(x) ** 2), lambda dy, y: dy * (1 - y * y)),
    "hard_tanh": Expression(
        lambda x: np.clip(x, -1, 1), lambda dy, x: dy * (np.abs(x) < 1), lambda dy, y: dy * (np.abs(y) < 1)
    ),
    "tanh_shrink": Expression(lambda x: x - np.tanh(x), lambda dy, x: dy * np.tanh(x) ** 2),
    "softsign": Expression(
        lambda x: x / (1 + np.abs(x)),
        lambda dy, x: dy / (1 + np.abs(x)) ** 2,
        lambda dy, y: dy * (1 - np.abs(y)) ** 2,
    ),
    "softplus": Expression(
        lambda x: np.log1p(np.exp(x)), lambda dy, x: dy / (1 + np.exp(-x)), lambda dy, y: dy * (1 - np.exp(-y))
    ),
    "squareplus": Expression(
        lambda x: (x + np.sqrt(x * x + 4)) / 2, lambda dy, x: dy * (1 + x / np.sqrt(x * x + 4)) / 2
    ),
    "gelu": Expression(lambda x: x * _phi(x), lambda dy, x: dy * (_phi(x) + x * _density(x))),
    "gelu_tanh": Expression(_gelu_tanh, _gelu_tanh_backward),
    "quick_gelu": Expression(lambda x: x / (1 + np.exp(-_QUICK * x)), _quick_gelu_backward),
    "silu": Expression(_swish, _swish_backward),
    "swish": Expression(_swish, _swish_backward_with_beta),
    "hard_swish": Expression(
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
        lambda dy, x: dy * np.where(x <= -3, 0, np.where(x >= 3, 1, (2 * x + 3) / 6)),
    ),
    "mish": Expression(lambda x: x * np.tanh(np.log1p(np.exp(x))), _mish_backward),
    "dish": Expression(lambda x: x / 2 * (x / np.sqrt(1 + x * x) + 1), _dish_backward),
    "glu": Expression(lambda gate, value: _sigmoid(gate) * value, _glu_backward),
    "reglu": Expression(
        lambda gate, value: np.maximum(gate, 0) * value,
        lambda dy, gate, value: (dy * value * (gate > 0), dy * np.maximum(gate, 0)),
    ),
    "geglu": Expression(lambda gate, value: gate * _phi(gate) * value, _geglu_backward),
    "swiglu": Expression(lambda gate, value: _swish(gate) * value, _swiglu_backward),
    "softmax": Expression(_softmax, lambda dy, x: _softmax_from_output(dy, _softmax(x)), _softmax_from_output),
    "log_softmax": Expression(
        _log_softmax,
        lambda dy, x: dy - _softmax(x) * dy.sum(axis=-1, keepdims=True),
        lambda dy, y: dy - np.exp(y) * dy.sum(axis=-1, keepdims=True),
    ),
    "softmin": Expression(
        lambda x: _softmax(-x),
        lambda dy, x: -_softmax_from_output(dy, _softmax(-x)),
        lambda dy, y: -_softmax_from_output(dy, y),
    ),
    "maxout": Expression(
        lambda x: (x.max(axis=-1), x.argmax(axis=-1)),
        lambda dy, which, pieces: np.where(np.arange(pieces) == which[..., None], dy[..., None], 0),
    ),
    "rrelu": Expression(
        lambda x: (np.where(x > 0, x, _RRELU * x), _RRELU), lambda dy, x, slope: np.where(x > 0, dy, slope * dy)
    ),
    "crelu": Expression(
        lambda x: np.concatenate((np.maximum(x, 0), np.maximum(-x, 0)), axis=-1), _crelu_backward, _crelu_from_output
    ),
}


def as_tuple(result: Any) -> tuple[Any, ...]:
    """The outputs of a call, be it one or several."""
    return result if isinstance(result, tuple) else (result,)


def directions(name: str) -> list[str]:
    """The directions that the activation has."""
    return [each for each in DIRECTIONS if getattr(na.activations[name], each) is not None]


def _shape(name: str, elements: int) -> tuple[int, ...]:
    """Rows of up to 1024 for the functions over an axis, 2 pieces for maxout."""
    if name == "maxout":
        return (elements // min(2, elements), min(2, elements))
    if na.activations[name].kind == "axis" and name != "crelu":
        columns = elements if elements <= 1024 else math.gcd(elements, 1024)
        return (elements // columns, columns)
    return (elements,)


def operands(name: str, direction: str, dtype: Any, elements: int, rng: np.random.Generator) -> tuple[Any, ...]:
    """What numact and the expression take; each array of the input has about that many elements.

    The gradients are positive, so that the sums of a parameter's gradient do not cancel.
    """
    record = na.activations[name]

    def draw(shape: tuple[int, ...]) -> Array:
        return np.asarray(2 * rng.standard_normal(shape, np.float32), dtype)

    shape = _shape(name, elements)
    x = tuple(draw(shape) for _ in range(2 if record.kind == "gated" else 1))
    if direction == "forward":
        return x
    outputs = as_tuple(record.forward(*x, *required(name)))
    dy = np.asarray(0.5 + rng.random(outputs[0].shape, np.float32), dtype)
    if name == "maxout":
        return (dy, outputs[1], shape[-1])
    if name == "rrelu":
        return (dy, *x, outputs[1])
    return (dy, *(x if direction == "backward" else outputs))


def required(name: str) -> tuple[float, ...]:
    """Values for the parameters that have no default."""
    return tuple(WEIGHT for parameter in na.activations[name].parameters if parameter.default is None)


@dataclass(frozen=True)
class Pair:
    """numact, which writes into arrays made before, and the NumPy expression, which cannot, on the same arrays."""

    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    native: Callable[[], Any]
    plain: Callable[[], Any]


def pair(name: str, direction: str, inputs: tuple[Any, ...]) -> Pair:
    """The two calls for one activation and direction."""
    function = getattr(na.activations[name], direction)
    outputs = as_tuple(function(*inputs, *required(name)))
    into = tuple(each if np.ndim(each) else None for each in outputs)
    out = into if len(into) > 1 else into[0]
    plain = getattr(EXPRESSIONS[name], direction)
    if outputs[0].dtype.itemsize == 2:
        plain = _through_float32(plain, outputs[0].dtype)
    return Pair(inputs, outputs, partial(function, *inputs, *required(name), out=out), partial(plain, *inputs))


def _through_float32(plain: Function, half: np.dtype[Any]) -> Function:
    """NumPy's own half-precision arithmetic is slower than this, and adds up in half precision."""

    def cast(value: Any, before: Any, after: Any) -> Any:
        return value.astype(after) if isinstance(value, (np.ndarray, np.generic)) and value.dtype == before else value

    def call(*inputs: Any) -> Any:
        results = as_tuple(plain(*(cast(each, half, np.float32) for each in inputs)))
        results = tuple(cast(each, np.float32, half) for each in results)
        return results if len(results) > 1 else results[0]

    return call


# How far apart two right answers may be, relative and a tenth of it absolute: roundings of single steps, cancellation
# among them, and in float64 the approximations that others use.
TOLERANCE = {"float64": 2e-5, "float32": 1e-4, "float16": 0.02, "bfloat16": 0.1}


def agree(ours: Any, theirs: Any, dtype: Any) -> bool:
    """Whether two answers are the same within what such formulas lose."""
    tolerance = TOLERANCE[np.dtype(dtype).name]
    return all(
        np.shape(a) == np.shape(b)
        and np.allclose(np.asarray(a, np.float64), np.asarray(b, np.float64), rtol=tolerance, atol=tolerance / 10)
        for a, b in zip(as_tuple(ours), as_tuple(theirs), strict=True)
    )
