"""Plain NumPy twin of every numact function: the readable specification, and the oracle of the tests.

Each function has the name and the signature of its native twin, without the ufunc keywords. It is evaluated in the
dtype of its data, which may also be ``np.longdouble``; parameters are cast to that dtype. The formulas are stable in
the tails, not fast. ``f_derivative`` is f'(x); ``f_backward`` multiplies it by ``dy`` and does nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

# Klambauer et al. 2017, with digits enough for any long double.
_SELU_ALPHA = "1.6732632423543772848170429916717"
_SELU_SCALE = "1.0507009873554804934193349852946"
_SELU_SCALE_ALPHA = 1.7580993408473768, 1.4153519380084477e-17  # their product in two words

_SQRT_HALF_PI = "1.2533141373155002512078826424055226265"
# gelu_tanh's factors 2 sqrt(2/pi) and 0.044715 times that, each as a leading part of 24 bits and the rest.
_LINEAR = (1.5957691669464111, "-4.534068042105271576026247e-8")
_CUBIC = (0.07135481387376785, "2.398832395993135627279864e-9")

_quiet = np.errstate(all="ignore")


def _floats(*data: ArrayLike) -> tuple[Array, ...]:
    """Promote the data arrays together as NumPy does: a Python scalar is weak, integers become float64."""
    dtype = np.result_type(*(a if isinstance(a, (int, float)) else np.asarray(a) for a in data))
    if dtype.kind in "biu":
        dtype = np.dtype(np.float64)
    return tuple(np.asarray(a, dtype) for a in data)


def _scaled(x: Array, factor: Array) -> Array:
    """``factor * x``, where factor 0 gives 0 for infinite x too: the limit, not NaN."""
    return np.asarray(factor * np.where((factor == 0) & np.isinf(x), np.copysign(1, x), x))


def _step(x: Array, start: Array) -> Array:
    """1 for x > start, 0 for x <= start, NaN where one of them is."""
    return np.where(np.isnan(x) | np.isnan(start), np.nan, x > start).astype(np.result_type(x, start))


def _summed(terms: Array, like: Array) -> Array:
    """Sum over the axes along which the parameter ``like`` was broadcast."""
    leading = tuple(range(terms.ndim - like.ndim))
    stretched = tuple(i - like.ndim for i, n in enumerate(like.shape) if n == 1)
    terms = terms.sum(axis=leading + stretched, keepdims=True)
    return terms.reshape(like.shape).astype(like.dtype)


def _selu_constants(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    return dtype.type(_SELU_ALPHA), dtype.type(_SELU_SCALE)


# --- relu ---


@_quiet
def relu(x: ArrayLike) -> Array:
    """0 for x < 0, else x; keeps NaN and -0.0."""
    (x,) = _floats(x)
    return np.where(x < 0, 0, x)


@_quiet
def relu_derivative(x: ArrayLike) -> Array:
    """1 for x > 0, else 0, also at 0; NaN at NaN."""
    (x,) = _floats(x)
    return np.where(np.isnan(x), x, x > 0)


@_quiet
def relu_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy relu'(x)."""
    dy, x = _floats(dy, x)
    return dy * relu_derivative(x)


@_quiet
def relu_backward_from_output(dy: ArrayLike, y: ArrayLike) -> Array:
    """dy relu'(y): y > 0 exactly where x > 0, so nothing is lost."""
    return relu_backward(dy, y)


# --- relu6, squared_relu ---


@_quiet
def relu6(x: ArrayLike) -> Array:
    """min(max(x, 0), 6); keeps NaN and -0.0."""
    return hard_tanh(x, 0, 6)


@_quiet
def relu6_derivative(x: ArrayLike) -> Array:
    """1 between 0 and 6, 0 at both and outside; NaN at NaN."""
    return hard_tanh_derivative(x, 0, 6)


@_quiet
def relu6_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy relu6'(x)."""
    dy, x = _floats(dy, x)
    return dy * relu6_derivative(x)


@_quiet
def relu6_backward_from_output(dy: ArrayLike, y: ArrayLike) -> Array:
    """dy relu6'(y): the output tells the side of the input, so nothing is lost."""
    return relu6_backward(dy, y)


@_quiet
def squared_relu(x: ArrayLike) -> Array:
    """relu(x)^2."""
    return np.asarray(relu(x) ** 2)


@_quiet
def squared_relu_derivative(x: ArrayLike) -> Array:
    """2 relu(x)."""
    return np.asarray(2 * relu(x))


@_quiet
def squared_relu_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """2 (dy relu(x)): doubled last, so that nothing overflows before the result does."""
    dy, x = _floats(dy, x)
    return np.asarray(2 * (dy * relu(x)))


# --- leaky_relu ---


@_quiet
def leaky_relu(x: ArrayLike, negative_slope: ArrayLike = 0.01) -> Array:
    """negative_slope x for x < 0, else x."""
    (x,) = _floats(x)
    return np.where(x < 0, _scaled(x, np.asarray(negative_slope, x.dtype)), x)


@_quiet
def leaky_relu_derivative(x: ArrayLike, negative_slope: ArrayLike = 0.01) -> Array:
    """1 for x > 0, else negative_slope, also at 0; NaN at NaN."""
    (x,) = _floats(x)
    return np.where(np.isnan(x), x, np.where(x > 0, 1, np.asarray(negative_slope, x.dtype)))


@_quiet
def leaky_relu_backward(dy: ArrayLike, x: ArrayLike, negative_slope: ArrayLike = 0.01) -> Array:
    """dy leaky_relu'(x)."""
    dy, x = _floats(dy, x)
    return dy * leaky_relu_derivative(x, negative_slope)


@_quiet
def leaky_relu_backward_from_output(dy: ArrayLike, y: ArrayLike, negative_slope: ArrayLike = 0.01) -> Array:
    """dy leaky_relu'(y): for negative_slope >= 0, y > 0 exactly where x > 0."""
    return leaky_relu_backward(dy, y, negative_slope)


# --- prelu ---


@_quiet
def prelu(x: ArrayLike, weight: ArrayLike) -> Array:
    """weight x for x < 0, else x."""
    return leaky_relu(x, weight)


prelu_derivative = leaky_relu_derivative


@_quiet
def prelu_backward(dy: ArrayLike, x: ArrayLike, weight: ArrayLike) -> tuple[Array, Array]:
    """dx = dy (1 for x > 0, else weight); dweight = sum of dy min(x, 0), in float64 at least."""
    dy, x = _floats(dy, x)
    weight = np.asarray(weight, x.dtype)
    wide = np.result_type(x, np.float64)
    terms = dy.astype(wide) * np.where(x > 0, 0, x) * np.ones_like(weight)
    return leaky_relu_backward(dy, x, weight), _summed(terms, weight)


# --- rrelu ---


@_quiet
def rrelu(
    x: ArrayLike, lower: float = 1 / 8, upper: float = 1 / 3, *, training: bool = False, rng: Any = None
) -> tuple[Array, Array]:
    """(leaky_relu with the slope, the slope): drawn from [lower, upper) for every element when training, else the mean.

    A generator or a seed draws the same slopes as numact's: NumPy's uniform numbers of float32 or float64, scaled; what
    rounding takes to ``upper`` becomes ``lower``.
    """
    (x,) = _floats(x)
    low, high = x.dtype.type(lower), x.dtype.type(upper)
    slope: Array = np.asarray(0.5 * float(lower) + 0.5 * float(upper), x.dtype)
    if training:
        drawn = np.random.default_rng(rng).random(x.shape, np.float32 if x.dtype == np.float32 else np.float64)
        slope = np.asarray(low + (high - low) * drawn, x.dtype)
        slope = np.where(slope >= high, low, slope)
    return leaky_relu(x, slope), slope


def rrelu_backward(dy: ArrayLike, x: ArrayLike, slope: ArrayLike) -> Array:
    """dy (1 for x > 0, else slope)."""
    return leaky_relu_backward(dy, x, slope)


# --- threshold ---


@_quiet
def threshold(x: ArrayLike, threshold: ArrayLike = 1.0, value: ArrayLike = 0.0) -> Array:
    """x for x > threshold, else value; keeps NaN."""
    (x,) = _floats(x)
    return np.where(_step(x, np.asarray(threshold, x.dtype)) == 0, np.asarray(value, x.dtype), x)


@_quiet
def threshold_derivative(x: ArrayLike, threshold: ArrayLike = 1.0, value: ArrayLike = 0.0) -> Array:
    """1 for x > threshold, else 0, also at the threshold; NaN at NaN."""
    (x,) = _floats(x)
    return _step(x, np.asarray(threshold, x.dtype))


@_quiet
def threshold_backward(dy: ArrayLike, x: ArrayLike, threshold: ArrayLike = 1.0, value: ArrayLike = 0.0) -> Array:
    """dy threshold'(x)."""
    dy, x = _floats(dy, x)
    return dy * threshold_derivative(x, threshold, value)


@_quiet
def threshold_backward_from_output(
    dy: ArrayLike, y: ArrayLike, threshold: ArrayLike = 1.0, value: ArrayLike = 0.0
) -> Array:
    """dy threshold'(y): for value <= threshold, y > threshold exactly where x > threshold."""
    return threshold_backward(dy, y, threshold, value)


# --- hard_shrink, soft_shrink ---


@_quiet
def hard_shrink(x: ArrayLike, lambd: ArrayLike = 0.5) -> Array:
    """x for |x| > lambd, else a zero of the sign of x; keeps NaN."""
    (x,) = _floats(x)
    return np.where(hard_shrink_derivative(x, lambd) == 0, np.copysign(0, x), x)


@_quiet
def hard_shrink_derivative(x: ArrayLike, lambd: ArrayLike = 0.5) -> Array:
    """1 for |x| > lambd, else 0, also at -lambd and lambd; NaN at NaN."""
    (x,) = _floats(x)
    return _step(np.abs(x), np.asarray(lambd, x.dtype))


@_quiet
def hard_shrink_backward(dy: ArrayLike, x: ArrayLike, lambd: ArrayLike = 0.5) -> Array:
    """dy hard_shrink'(x)."""
    dy, x = _floats(dy, x)
    return dy * hard_shrink_derivative(x, lambd)


@_quiet
def hard_shrink_backward_from_output(dy: ArrayLike, y: ArrayLike, lambd: ArrayLike = 0.5) -> Array:
    """dy hard_shrink'(y): an output that is not 0 is the input."""
    return hard_shrink_backward(dy, y, lambd)


@_quiet
def soft_shrink(x: ArrayLike, lambd: ArrayLike = 0.5) -> Array:
    """sign(x) (|x| - lambd) for |x| > lambd, else a zero of the sign of x."""
    (x,) = _floats(x)
    lambd = np.asarray(lambd, x.dtype)
    size = np.where(soft_shrink_derivative(x, lambd) == 0, 0, np.abs(x) - lambd)
    return np.asarray(np.copysign(size, x))


soft_shrink_derivative = hard_shrink_derivative
soft_shrink_backward = hard_shrink_backward


@_quiet
def soft_shrink_backward_from_output(dy: ArrayLike, y: ArrayLike, lambd: ArrayLike = 0.5) -> Array:
    """dy where y is not 0: it is 0 exactly where the derivative is."""
    dy, y = _floats(dy, y)
    return dy * _step(np.abs(y), np.zeros((), y.dtype))


# --- elu ---


@_quiet
def elu(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """alpha (exp(x) - 1) for x < 0, else x."""
    (x,) = _floats(x)
    return np.where(x < 0, np.asarray(alpha, x.dtype) * np.expm1(x), x)


@_quiet
def elu_derivative(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """1 for x > 0, else alpha exp(x), alpha at 0."""
    (x,) = _floats(x)
    return np.where(x > 0, 1, np.asarray(alpha, x.dtype) * np.exp(x))


@_quiet
def elu_backward(dy: ArrayLike, x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """dy elu'(x)."""
    dy, x = _floats(dy, x)
    return dy * elu_derivative(x, alpha)


@_quiet
def elu_backward_from_output(dy: ArrayLike, y: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """dy (1 for y > 0, else y + alpha), for alpha >= 0; loses its digits where y is close to -alpha."""
    dy, y = _floats(dy, y)
    return dy * np.where(y > 0, 1, y + np.asarray(alpha, y.dtype))


# --- selu ---


@_quiet
def selu(x: ArrayLike) -> Array:
    """scale alpha (exp(x) - 1) for x < 0, else scale x."""
    (x,) = _floats(x)
    alpha, scale = _selu_constants(x.dtype)
    return np.asarray(scale * elu(x, alpha))


@_quiet
def selu_derivative(x: ArrayLike) -> Array:
    """scale for x > 0, else scale alpha exp(x), scale alpha at 0."""
    (x,) = _floats(x)
    alpha, scale = _selu_constants(x.dtype)
    return np.asarray(scale * elu_derivative(x, alpha))


@_quiet
def selu_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy selu'(x)."""
    dy, x = _floats(dy, x)
    return dy * selu_derivative(x)


@_quiet
def selu_backward_from_output(dy: ArrayLike, y: ArrayLike) -> Array:
    """dy (scale for y > 0, else y + scale alpha); loses its digits where y is close to -scale alpha."""
    dy, y = _floats(dy, y)
    _, scale = _selu_constants(y.dtype)
    scale_alpha, rest = map(y.dtype.type, _SELU_SCALE_ALPHA)
    slope: Array = np.where(y > 0, scale, (y + scale_alpha) + rest)
    return dy * slope


# --- celu ---


@_quiet
def celu(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """alpha (exp(x / alpha) - 1) for x < 0, else x; x also where x / alpha is too small to tell, or underflows."""
    (x,) = _floats(x)
    alpha = np.asarray(alpha, x.dtype)
    t = x / alpha
    return np.where((x < 0) & ~(t > -(np.finfo(x.dtype).eps ** 2)), alpha * np.expm1(t), x)


@_quiet
def celu_derivative(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """1 for x > 0, else exp(x / alpha), 1 at 0."""
    (x,) = _floats(x)
    return np.where(x > 0, 1, np.exp(x / np.asarray(alpha, x.dtype)))


@_quiet
def celu_backward(dy: ArrayLike, x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """dy celu'(x)."""
    dy, x = _floats(dy, x)
    return dy * celu_derivative(x, alpha)


@_quiet
def celu_backward_from_output(dy: ArrayLike, y: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    """dy (1 for y > 0, else (y + alpha) / alpha); loses its digits where y is close to -alpha."""
    dy, y = _floats(dy, y)
    alpha = np.asarray(alpha, y.dtype)
    slope: Array = np.where(y > 0, 1, (y + alpha) / alpha)
    return dy * slope


# --- sigmoid ---


@_quiet
def sigmoid(x: ArrayLike) -> Array:
    """1 / (1 + exp(-x)); for negative x as exp(x) / (1 + exp(x)), which cannot overflow."""
    (x,) = _floats(x)
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, e, 1) / (1 + e))


@_quiet
def sigmoid_derivative(x: ArrayLike) -> Array:
    """e / (1 + e)^2 with e = exp(-|x|): sigma(x) sigma(-x) without the difference 1 - sigma."""
    (x,) = _floats(x)
    e = np.exp(-np.abs(x))
    return np.asarray(e / (1 + e) ** 2)


@_quiet
def sigmoid_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy sigma'(x)."""
    dy, x = _floats(dy, x)
    return dy * sigmoid_derivative(x)


@_quiet
def sigmoid_backward_from_output(dy: ArrayLike, y: ArrayLike) -> Array:
    """dy y (1 - y); 1 - y has lost its digits where y is close to 1."""
    dy, y = _floats(dy, y)
    return np.asarray(dy * (y * (1 - y)))


# --- softplus, log_sigmoid ---


@_quiet
def softplus(x: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    """log(1 + exp(beta x)) / beta as max(x, 0) + log1p(exp(-|beta x|)) / beta."""
    (x,) = _floats(x)
    beta = np.asarray(beta, x.dtype)
    return np.asarray(np.where(x > 0, x, 0) + np.log1p(np.exp(-np.abs(beta * x))) / beta)


@_quiet
def softplus_derivative(x: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    """sigma(beta x)."""
    (x,) = _floats(x)
    return sigmoid(np.asarray(beta, x.dtype) * x)


@_quiet
def softplus_backward(dy: ArrayLike, x: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    """dy softplus'(x)."""
    dy, x = _floats(dy, x)
    return dy * softplus_derivative(x, beta)


@_quiet
def softplus_backward_from_output(dy: ArrayLike, y: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    """dy (1 - exp(-beta y)), as expm1."""
    dy, y = _floats(dy, y)
    return np.asarray(dy * -np.expm1(-np.asarray(beta, y.dtype) * y))


@_quiet
def log_sigmoid(x: ArrayLike) -> Array:
    """log(sigma(x)) = -softplus(-x)."""
    (x,) = _floats(x)
    return -softplus(-x)


@_quiet
def log_sigmoid_derivative(x: ArrayLike) -> Array:
    """sigma(-x)."""
    (x,) = _floats(x)
    return sigmoid(-x)


@_quiet
def log_sigmoid_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy log_sigmoid'(x)."""
    dy, x = _floats(dy, x)
    return dy * log_sigmoid_derivative(x)


@_quiet
def log_sigmoid_backward_from_output(dy: ArrayLike, y: ArrayLike) -> Array:
    """dy (1 - exp(y)), as expm1."""
    dy, y = _floats(dy, y)
    return dy * -np.expm1(y)


# --- hard_sigmoid ---


@_quiet
def hard_sigmoid(x: ArrayLike) -> Array:
    """min(max(x + 3, 0), 6) / 6."""
    (x,) = _floats(x)
    return np.asarray(hard_tanh(x + 3, 0, 6) / 6)


@_quiet
def hard_sigmoid_derivative(x: ArrayLike) -> Array:
    """1/6 between -3 and 3, 0 at both and outside; NaN at NaN."""
    return np.asarray(hard_tanh_derivative(x, -3, 3) / 6)


@_quiet
def hard_sigmoid_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy hard_sigmoid'(x)."""
    dy, x = _floats(dy, x)
    return dy * hard_sigmoid_derivative(x)


@_quiet
def hard_sigmoid_backward_from_output(dy: ArrayLike, y: ArrayLike) -> Array:
    """dy / 6 where 0 < y < 1."""
    dy, y = _floats(dy, y)
    return np.asarray(dy * hard_tanh_derivative(y, 0, 1) / 6)


# --- tanh ---


@_quiet
def tanh(x: ArrayLike) -> Array:
    """tanh(x)."""
    (x,) = _floats(x)
    return np.asarray(np.tanh(x))


@_quiet
def tanh_derivative(x: ArrayLike) -> Array:
    """4 e / (1 + e)^2 with e = exp(-2|x|): 1 - tanh^2 without the difference."""
    (x,) = _floats(x)
    e = np.exp(-2 * np.abs(x))
    return np.asarray(4 * e / (1 + e) ** 2)


@_quiet
def tanh_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy tanh'(x)."""
    dy, x = _floats(dy, x)
    return dy * tanh_derivative(x)


@_quiet
def tanh_backward_from_output(dy: ArrayLike, y: ArrayLike) -> Array:
    """dy (1 - y)(1 + y); loses its digits where |y| is close to 1."""
    dy, y = _floats(dy, y)
    return np.asarray(dy * ((1 - y) * (1 + y)))


# --- hard_tanh ---


@_quiet
def hard_tanh(x: ArrayLike, min_val: ArrayLike = -1.0, max_val: ArrayLike = 1.0) -> Array:
    """min(max(x, min_val), max_val); keeps NaN, and x where it is equal to a bound."""
    (x,) = _floats(x)
    low, high = np.asarray(min_val, x.dtype), np.asarray(max_val, x.dtype)
    raised = np.where(x >= low, x, np.maximum(x, low))
    return np.where(raised <= high, raised, np.minimum(raised, high))


@_quiet
def hard_tanh_derivative(x: ArrayLike, min_val: ArrayLike = -1.0, max_val: ArrayLike = 1.0) -> Array:
    """1 between min_val and max_val, 0 at both and outside; NaN at NaN."""
    (x,) = _floats(x)
    return np.asarray(_step(x, np.asarray(min_val, x.dtype)) * _step(np.asarray(max_val, x.dtype), x))


@_quiet
def hard_tanh_backward(dy: ArrayLike, x: ArrayLike, min_val: ArrayLike = -1.0, max_val: ArrayLike = 1.0) -> Array:
    """dy hard_tanh'(x)."""
    dy, x = _floats(dy, x)
    return dy * hard_tanh_derivative(x, min_val, max_val)


@_quiet
def hard_tanh_backward_from_output(
    dy: ArrayLike, y: ArrayLike, min_val: ArrayLike = -1.0, max_val: ArrayLike = 1.0
) -> Array:
    """dy hard_tanh'(y): the output is equal to a bound exactly where the input is there or beyond."""
    return hard_tanh_backward(dy, y, min_val, max_val)


# --- tanh_shrink ---


@_quiet
def tanh_shrink(x: ArrayLike) -> Array:
    """x - tanh(x); for |x| < 2 as x c / (1 + c), where tanh(x) = x / (1 + c) is Lambert's continued fraction."""
    (x,) = _floats(x)
    square, c = x * x, np.zeros_like(x)
    for odd in range(31, 1, -2):
        c = square / (odd + c)
    return np.where(np.abs(x) < 2, x * c / (1 + c), x - np.tanh(x))


@_quiet
def tanh_shrink_derivative(x: ArrayLike) -> Array:
    """tanh(x)^2."""
    (x,) = _floats(x)
    return np.asarray(np.tanh(x) ** 2)


@_quiet
def tanh_shrink_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy tanh_shrink'(x)."""
    dy, x = _floats(dy, x)
    return dy * tanh_shrink_derivative(x)


# --- softsign ---


@_quiet
def softsign(x: ArrayLike) -> Array:
    """x / (1 + |x|), -1 and 1 at the infinities."""
    (x,) = _floats(x)
    return np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x)))


@_quiet
def softsign_derivative(x: ArrayLike) -> Array:
    """1 / (1 + |x|)^2."""
    (x,) = _floats(x)
    return np.asarray((1 / (1 + np.abs(x))) ** 2)


@_quiet
def softsign_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy softsign'(x)."""
    dy, x = _floats(dy, x)
    return dy * softsign_derivative(x)


@_quiet
def softsign_backward_from_output(dy: ArrayLike, y: ArrayLike) -> Array:
    """dy (1 - |y|)^2; loses its digits where |y| is close to 1."""
    dy, y = _floats(dy, y)
    return np.asarray(dy * (1 - np.abs(y)) ** 2)


# --- squareplus ---


@_quiet
def squareplus(x: ArrayLike, b: ArrayLike = 4.0) -> Array:
    """(x + s) / 2 with s = sqrt(x^2 + b); b / 2 / (s + |x|) for x < 0, without the difference."""
    (x,) = _floats(x)
    b = np.asarray(b, x.dtype)
    s = np.hypot(x, np.sqrt(b))
    return np.asarray(np.where(x < 0, b / 2 / (s + np.abs(x)), x / 2 + s / 2))


@_quiet
def squareplus_derivative(x: ArrayLike, b: ArrayLike = 4.0) -> Array:
    """(1 + x / s) / 2; b / 2 / (s + |x|) / s for x < 0; 1/2 at 0, also for b = 0."""
    (x,) = _floats(x)
    b = np.asarray(b, x.dtype)
    s = np.hypot(x, np.sqrt(b))
    q = b / 2 / (s + np.abs(x)) / s
    return np.asarray(np.where(x == 0, x.dtype.type(0.5), np.where(x < 0, q, 1 - q)))


@_quiet
def squareplus_backward(dy: ArrayLike, x: ArrayLike, b: ArrayLike = 4.0) -> Array:
    """dy squareplus'(x)."""
    dy, x = _floats(dy, x)
    return dy * squareplus_derivative(x, b)


# --- gelu ---


def _gaussian(a: Array) -> Array:
    """exp(-a^2/2) with the square taken apart: the exponential would amplify its rounding."""
    near = np.round(a * 16) / 16
    return np.asarray(np.exp(-(near**2) / 2) * np.exp(-(a - near) * (a + near) / 2))


def _mills_ratio(a: Array) -> Array:
    """Phi(-a)/phi(a) for a >= 0: from 1 on Laplace's continued fraction, below the power series of Phi(a) - 1/2."""
    far, near = np.maximum(a, 1), np.minimum(a, 1)
    fraction = (far + np.sqrt(far**2 + 4 * 401)) / 2  # about what the terms from 401 on amount to
    for k in range(400, 0, -1):
        fraction = far + k / fraction
    term = series = near
    for k in range(3, 61, 2):
        term = term * near**2 / k
        series = series + term
    return np.asarray(np.where(a < 1, a.dtype.type(_SQRT_HALF_PI) / _gaussian(near) - series, 1 / fraction))


def _normal(x: Array) -> tuple[Array, Array, Array]:
    """a = |x| limited to where the density has vanished, phi(a), and Phi(-a)/phi(a)."""
    a = np.minimum(np.abs(x), 200)
    return a, _gaussian(a) / (2 * x.dtype.type(_SQRT_HALF_PI)), _mills_ratio(a)


@_quiet
def gelu(x: ArrayLike) -> Array:
    """x Phi(x), Phi from its tail on both sides."""
    (x,) = _floats(x)
    a, density, ratio = _normal(x)
    tail = density * ratio
    return np.asarray(np.where(x < 0, -a * tail, x * (1 - tail)))


@_quiet
def gelu_derivative(x: ArrayLike) -> Array:
    """Phi(x) + x phi(x) = phi(a) (Phi(-a)/phi(a) - a) for x < 0, a = |x|, and 1 minus that for x > 0."""
    (x,) = _floats(x)
    a, density, ratio = _normal(x)
    left = density * (ratio - a)
    return np.asarray(np.where(x < 0, left, 1 - left))


@_quiet
def gelu_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy gelu'(x)."""
    dy, x = _floats(dy, x)
    return dy * gelu_derivative(x)


# --- gelu_tanh ---


def _gelu_tanh_parts(x: Array) -> tuple[Array, Array, Array, Array]:
    """x limited to where the sigmoid is 0 or 1; sigma(t) and sigma(-t), t = 2 sqrt(2/pi) (x + 0.044715 x^3); x t'(x).

    t is taken apart with x = near + rest, so that its leading products are exact: the exponential would amplify their
    rounding.
    """
    x = np.clip(x, -64, 64)
    near = np.round(x * 16) / 16
    rest = x - near
    (linear, linear_rest), (cubic, cubic_rest) = ((hi, x.dtype.type(lo)) for hi, lo in (_LINEAR, _CUBIC))
    small = (linear + linear_rest) * rest + (cubic + cubic_rest) * rest * (3 * near * x + rest**2)
    small = small + (linear_rest * near + cubic_rest * near**3)
    e = np.exp(-np.abs(linear * near)) * np.exp(-np.abs(cubic * near**3)) * np.exp(-np.copysign(1, x) * small)
    above, below = 1 / (1 + e), e / (1 + e)
    slope = (linear + linear_rest) * x + 3 * (cubic + cubic_rest) * x**3
    return x, np.where(x < 0, below, above), np.where(x < 0, above, below), slope


@_quiet
def gelu_tanh(x: ArrayLike) -> Array:
    """x/2 (1 + tanh(t/2)) = x sigma(t), t = 2 sqrt(2/pi) (x + 0.044715 x^3)."""
    (x,) = _floats(x)
    limited, s, _, _ = _gelu_tanh_parts(x)
    return np.asarray(np.where(x < 0, limited, x) * s)


@_quiet
def gelu_tanh_derivative(x: ArrayLike) -> Array:
    """sigma(t) (1 + x t'(x) sigma(-t))."""
    (x,) = _floats(x)
    _, s, opposite, slope = _gelu_tanh_parts(x)
    return np.asarray(s * (1 + slope * opposite))


@_quiet
def gelu_tanh_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy gelu_tanh'(x)."""
    dy, x = _floats(dy, x)
    return dy * gelu_tanh_derivative(x)


# --- quick_gelu ---


@_quiet
def quick_gelu(x: ArrayLike) -> Array:
    """x sigma(1.702 x)."""
    (x,) = _floats(x)
    return swish(x, x.dtype.type("1.702"))


@_quiet
def quick_gelu_derivative(x: ArrayLike) -> Array:
    """sigma(t) (1 + t sigma(-t)) with t = 1.702 x."""
    (x,) = _floats(x)
    return swish_derivative(x, x.dtype.type("1.702"))


@_quiet
def quick_gelu_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy quick_gelu'(x)."""
    dy, x = _floats(dy, x)
    return dy * quick_gelu_derivative(x)


# --- silu, swish ---


@_quiet
def silu(x: ArrayLike) -> Array:
    """x sigma(x)."""
    return swish(x, 1.0)


@_quiet
def silu_derivative(x: ArrayLike) -> Array:
    """sigma(x) (1 + x sigma(-x))."""
    return swish_derivative(x, 1.0)


@_quiet
def silu_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy silu'(x)."""
    dy, x = _floats(dy, x)
    return dy * silu_derivative(x)


@_quiet
def swish(x: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    """x sigma(beta x); a signed zero where sigma has vanished, and x/2 for beta = 0, both also at infinity."""
    (x,) = _floats(x)
    s = sigmoid(_scaled(x, np.asarray(beta, x.dtype)))
    return np.where(s == 0, np.copysign(0, x), x * s)


@_quiet
def swish_derivative(x: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    """sigma(t) (1 + t sigma(-t)) with t = beta x, kept finite so that the limits come out."""
    (x,) = _floats(x)
    limits = np.finfo(x.dtype)
    t = np.clip(_scaled(x, np.asarray(beta, x.dtype)), limits.min, limits.max)
    return np.asarray(sigmoid(t) * (1 + t * sigmoid(-t)))


@_quiet
def swish_backward(dy: ArrayLike, x: ArrayLike, beta: ArrayLike = 1.0) -> tuple[Array, Array]:
    """dx = dy swish'(x); dbeta = sum of dy x^2 sigma'(beta x), in float64 at least."""
    dy, x = _floats(dy, x)
    beta = np.asarray(beta, x.dtype)
    wide = np.result_type(x, np.float64)
    x_wide = x.astype(wide)
    slope = sigmoid_derivative(_scaled(x_wide, beta.astype(wide)))
    terms = dy.astype(wide) * np.where(slope == 0, 0, x_wide * slope * x_wide)
    return dy * swish_derivative(x, beta), _summed(terms, beta)


# --- hard_swish ---


@_quiet
def hard_swish(x: ArrayLike) -> Array:
    """x min(max(x + 3, 0), 6) / 6; a negative zero for x <= -3, x for x >= 3, also at infinity."""
    (x,) = _floats(x)
    return np.where(x <= -3, -0.0, np.where(x >= 3, x, x * ((x + 3) / 6)))


@_quiet
def hard_swish_derivative(x: ArrayLike) -> Array:
    """0 for x <= -3, 1 for x >= 3, (2x + 3)/6 between."""
    (x,) = _floats(x)
    return np.where(x <= -3, 0, np.where(x >= 3, 1, (2 * x + 3) / 6))


@_quiet
def hard_swish_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy hard_swish'(x)."""
    dy, x = _floats(dy, x)
    return dy * hard_swish_derivative(x)


# --- mish ---


@_quiet
def mish(x: ArrayLike) -> Array:
    """x tanh(softplus(x)), rational in e = exp(-|x|); a signed zero where tanh has vanished."""
    (x,) = _floats(x)
    e = np.exp(-np.abs(x))
    n: Array = np.where(x > 0, 1 + 2 * e, e * (e + 2))
    d: Array = np.where(x > 0, 1 + 2 * e * (1 + e), 2 + e * (e + 2))
    return np.where(n == 0, np.copysign(0, x), x * (n / d))


@_quiet
def mish_derivative(x: ArrayLike) -> Array:
    """(n d + 4 x e^2 (1 + e)) / d^2 for x > 0, e ((e + 2) d + 4 x (1 + e)) / d^2 else; x kept finite for the limits."""
    (x,) = _floats(x)
    limit = np.finfo(x.dtype).max / 16
    x = np.clip(x, -limit, limit)
    e = np.exp(-np.abs(x))
    n, d = 1 + 2 * e, 1 + 2 * e * (1 + e)
    right = (n * d + 4 * x * e * e * (1 + e)) / (d * d)
    d = 2 + e * (e + 2)
    return np.asarray(np.where(x > 0, right, e * (((e + 2) * d + 4 * x * (1 + e)) / (d * d))))


@_quiet
def mish_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy mish'(x)."""
    dy, x = _floats(dy, x)
    return dy * mish_derivative(x)


# --- dish ---


@_quiet
def dish(x: ArrayLike) -> Array:
    """x/2 (x / s + 1) with s = sqrt(1 + x^2), as x / (2 s (s + |x|)) for x < 0 and x less that for x > 0."""
    (x,) = _floats(x)
    s = np.hypot(1, x)
    part: Array = np.where(np.isinf(x), np.copysign(0, x), x / s / (2 * (s + np.abs(x))))
    return np.where(x > 0, x - part, part)


@_quiet
def dish_derivative(x: ArrayLike) -> Array:
    """p = q (6 q - 4 q^2 - 1) with q = 1 / (2 s (s + |x|)) for x < 0, 1 - p for x > 0."""
    (x,) = _floats(x)
    s = np.hypot(1, x)
    q = 0.5 / s / (s + np.abs(x))
    p = q * (q * (6 - 4 * q) - 1)
    return np.asarray(np.where(x > 0, 1 - p, p))


@_quiet
def dish_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """dy dish'(x)."""
    dy, x = _floats(dy, x)
    return dy * dish_derivative(x)


# --- glu, reglu, geglu, swiglu ---


@_quiet
def glu(gate: ArrayLike, value: ArrayLike) -> Array:
    """sigma(gate) value."""
    gate, value = _floats(gate, value)
    return sigmoid(gate) * value


@_quiet
def glu_backward(dy: ArrayLike, gate: ArrayLike, value: ArrayLike) -> tuple[Array, Array]:
    """dgate = dy value sigma'(gate), dvalue = dy sigma(gate)."""
    dy, gate, value = _floats(dy, gate, value)
    return dy * sigmoid_derivative(gate) * value, dy * sigmoid(gate)


@_quiet
def reglu(gate: ArrayLike, value: ArrayLike) -> Array:
    """relu(gate) value."""
    gate, value = _floats(gate, value)
    return relu(gate) * value


@_quiet
def reglu_backward(dy: ArrayLike, gate: ArrayLike, value: ArrayLike) -> tuple[Array, Array]:
    """dgate = dy value relu'(gate), dvalue = dy relu(gate)."""
    dy, gate, value = _floats(dy, gate, value)
    return dy * relu_derivative(gate) * value, dy * relu(gate)


@_quiet
def geglu(gate: ArrayLike, value: ArrayLike) -> Array:
    """gelu(gate) value."""
    gate, value = _floats(gate, value)
    return gelu(gate) * value


@_quiet
def geglu_backward(dy: ArrayLike, gate: ArrayLike, value: ArrayLike) -> tuple[Array, Array]:
    """dgate = dy value gelu'(gate), dvalue = dy gelu(gate)."""
    dy, gate, value = _floats(dy, gate, value)
    return dy * gelu_derivative(gate) * value, dy * gelu(gate)


@_quiet
def swiglu(gate: ArrayLike, value: ArrayLike) -> Array:
    """silu(gate) value."""
    gate, value = _floats(gate, value)
    return silu(gate) * value


@_quiet
def swiglu_backward(dy: ArrayLike, gate: ArrayLike, value: ArrayLike) -> tuple[Array, Array]:
    """dgate = dy value silu'(gate), dvalue = dy silu(gate)."""
    dy, gate, value = _floats(dy, gate, value)
    return dy * silu_derivative(gate) * value, dy * silu(gate)


# --- softmax, softmin, log_softmax ---


def _exponentials(x: Array, axis: int) -> tuple[Array, Array]:
    """x less its maximum over the axis, and exp of that."""
    shifted = x - x.max(axis=axis, keepdims=True, initial=-np.inf)
    return shifted, np.exp(shifted)


@_quiet
def softmax(x: ArrayLike, axis: int = -1) -> Array:
    """exp(x) / sum(exp(x)), both less the maximum."""
    (x,) = _floats(x)
    _, e = _exponentials(x, axis)
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


@_quiet
def softmax_backward(dy: ArrayLike, x: ArrayLike, axis: int = -1) -> Array:
    """y (dy - sum(dy y))."""
    return softmax_backward_from_output(dy, softmax(x, axis), axis)


@_quiet
def softmax_backward_from_output(dy: ArrayLike, y: ArrayLike, axis: int = -1) -> Array:
    """y (dy - sum(dy y))."""
    dy, y = _floats(dy, y)
    return np.asarray(y * (dy - (dy * y).sum(axis=axis, keepdims=True)))


@_quiet
def softmin(x: ArrayLike, axis: int = -1) -> Array:
    """softmax(-x)."""
    (x,) = _floats(x)
    return softmax(-x, axis)


@_quiet
def softmin_backward(dy: ArrayLike, x: ArrayLike, axis: int = -1) -> Array:
    """-y (dy - sum(dy y))."""
    return softmin_backward_from_output(dy, softmin(x, axis), axis)


@_quiet
def softmin_backward_from_output(dy: ArrayLike, y: ArrayLike, axis: int = -1) -> Array:
    """-y (dy - sum(dy y))."""
    return -softmax_backward_from_output(dy, y, axis)


@_quiet
def log_softmax(x: ArrayLike, axis: int = -1) -> Array:
    """x - m - log1p(sum of exp(x - m) less one maximum), m the maximum; -inf beside +inf, which gives NaN itself."""
    (x,) = _floats(x)
    shifted, e = _exponentials(x, axis)
    largest = x == x.max(axis=axis, keepdims=True, initial=-np.inf)
    others = np.where(largest, 0, e).sum(axis=axis, keepdims=True) + (largest.sum(axis=axis, keepdims=True) - 1)
    return np.asarray(shifted - np.log1p(np.where(np.isnan(x).any(axis=axis, keepdims=True), np.nan, others)))


@_quiet
def log_softmax_backward(dy: ArrayLike, x: ArrayLike, axis: int = -1) -> Array:
    """dy - softmax(x) sum(dy)."""
    dy, x = _floats(dy, x)
    return np.asarray(dy - softmax(x, axis) * dy.sum(axis=axis, keepdims=True))


@_quiet
def log_softmax_backward_from_output(dy: ArrayLike, y: ArrayLike, axis: int = -1) -> Array:
    """dy - exp(y) sum(dy)."""
    dy, y = _floats(dy, y)
    return np.asarray(dy - np.exp(y) * dy.sum(axis=axis, keepdims=True))


# --- maxout ---


@_quiet
def maxout(x: ArrayLike, axis: int = -1) -> tuple[Array, Array]:
    """(maximum over the pieces along ``axis``, index of the winner): the first on a tie, the first NaN if any."""
    (x,) = _floats(x)
    if not 1 <= x.shape[axis] <= 256:
        raise ValueError(f"maxout takes 1 to 256 pieces, axis {axis} has {x.shape[axis]}")
    which = np.argmax(x, axis=axis, keepdims=True)
    y = np.take_along_axis(x, which, axis)
    return y.squeeze(axis), which.squeeze(axis).astype(np.uint8)


@_quiet
def maxout_backward(dy: ArrayLike, which: ArrayLike, pieces: int, axis: int = -1) -> Array:
    """dy at the winner, 0 at the other pieces."""
    (dy,) = _floats(dy)
    won = np.expand_dims(which, -1) == np.arange(pieces)
    return np.moveaxis(np.where(won, np.expand_dims(dy, -1), 0), -1, axis)


# --- crelu ---


def crelu(x: ArrayLike, axis: int = -1) -> Array:
    """relu(x) and relu(-x), one after the other along ``axis``."""
    (x,) = _floats(x)
    return np.concatenate((relu(x), relu(-x)), axis)


@_quiet
def crelu_backward(dy: ArrayLike, x: ArrayLike, axis: int = -1) -> Array:
    """dy1 relu'(x) - dy2 relu'(-x), where dy1 and dy2 are the halves of dy."""
    dy, x = _floats(dy, x)
    first, second = np.split(dy, 2, axis)
    return np.asarray(relu_backward(first, x) - relu_backward(second, -x))


@_quiet
def crelu_backward_from_output(dy: ArrayLike, y: ArrayLike, axis: int = -1) -> Array:
    """The same from the halves of y, the first of which is not 0 where x > 0, the second where x < 0."""
    dy, y = _floats(dy, y)
    (dy_first, dy_second), (first, second) = np.split(dy, 2, axis), np.split(y, 2, axis)
    return np.asarray(relu_backward(dy_first, first) - relu_backward(dy_second, second))


# --- sgd ---


@_quiet
def sgd_step(
    param: Array,
    grad: Array,
    velocity: Array | None = None,
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
    master: Array | None = None,
) -> None:
    """In place: g = +-grad + weight_decay param; v = momentum v + (1 - dampening) g; param -= lr v.

    Nesterov steps by g + momentum v instead of v. With momentum 0 there is no velocity: param -= lr g. A half-precision
    param is the rounding of its master, which takes the step; where it is not, it was edited and the master takes its
    value.
    """
    stored = param
    if master is not None:
        edited = master.astype(param.dtype).view(np.uint16) != param.view(np.uint16)
        master[edited] = param[edited]
        param, grad = master, grad.astype(master.dtype)
    step = -grad if maximize else grad
    if weight_decay != 0:
        step = step + weight_decay * param
    if momentum != 0:
        if velocity is None:
            raise ValueError("momentum needs a velocity array to keep its state in")
        velocity[...] = momentum * velocity + (1 - dampening) * step
        step = step + momentum * velocity if nesterov else velocity
    param -= lr * step
    if master is not None:
        stored[...] = master


# --- statistics ---


@_quiet
def activation_stats(
    x: ArrayLike,
    axis: int | tuple[int, ...] | None = None,
    *,
    low: float = np.nan,
    high: float = np.nan,
    tolerance: float = 0.01,
) -> tuple[Any, ...]:
    """Mean, deviation, least and largest of the finite elements; fractions of all that are 0, saturated, not finite."""
    (x,) = _floats(x)
    axes = tuple(range(x.ndim)) if axis is None else axis
    finite = np.isfinite(x)
    known = np.where(finite, x, np.nan)
    n = finite.sum(axis=axes, keepdims=True)
    mean = np.nansum(known, axis=axes, keepdims=True) / n
    deviation = np.sqrt(np.nansum((known - mean) ** 2, axis=axes) / n.reshape(np.shape(np.sum(x, axis=axes))))
    ends = [
        np.where(n > 0, end(known, axis=axes, keepdims=True), np.nan).reshape(deviation.shape)
        for end in (np.fmin.reduce, np.fmax.reduce)
    ]
    below, above = (np.asarray(end).astype(x.dtype) for end in (low + tolerance, high - tolerance))
    saturated = (x <= below) | (x >= above)
    fractions = [np.mean(each, axis=axes) for each in (x == 0, saturated, ~finite)]
    return (mean.reshape(deviation.shape), deviation, *ends, *fractions)
