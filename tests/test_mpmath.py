"""float64 at every ISA level against mpmath: 20,000 points of every function, forward and backward; float32 at a few.

The formulas stand here once more, plainly and in 300 bits, so that no rounding, no cancellation and no range of a
format is shared with the kernels or with ``numact.reference``. Value and slope of a point are evaluated once, for both
directions and all levels. Only finite operands: the others are in ``test_special_values.py``.
"""

from __future__ import annotations

import itertools
import operator
import re
from functools import reduce

import mpmath
import numpy as np
import pytest
from mpmath import exp, ldexp, libmp, mpf, sqrt
from support import ELEMENTWISE, GATED, LEVELS, TIERS, build
from ulp import LONG, ROOTS, bit_patterns, errors, everyday, worst

import numact as na

pytestmark = pytest.mark.skipif(np.finfo(LONG).nmant < 63, reason="needs an extended precision long double as oracle")

POINTS = 20_000
# Share of |dy| that an error may be where f' changes sign.
ABSOLUTE = {("float64", "standard"): 2.0**-51, ("float32", "standard"): 2.0**-22, ("float32", "precise"): 2.0**-24}
BITS = 300
SMALL, LARGE = ldexp(1, -100), ldexp(1, 70)  # beyond them the first terms of a series are exact to 140 bits
ZERO = ldexp(1, -30_000)  # mpmath's own has no sign: this one becomes a zero of its sign, in products too
with mpmath.workprec(BITS):
    SELU_ALPHA = mpf("1.6732632423543772848170429916717")
    SELU_SCALE = mpf("1.0507009873554804934193349852946")
    ROOT_TWO, ROOT_TWO_PI = sqrt(2), sqrt(2 * mpmath.pi)
    LINEAR = 2 * sqrt(2 / mpmath.pi)
    CUBIC = LINEAR * mpf("0.044715")
    QUICK = mpf("1.702")


def clipped(t, limit=5000):
    """exp(-5000) times any two doubles still rounds to 0, and beside 1 it vanishes."""
    return max(-limit, min(t, limit))


def expm1(t, e):
    """e - 1 where e = exp(t)."""
    return e - 1 if abs(t) > SMALL else t + t * t / 2


def log1p(e):
    return mpmath.log(1 + e) if e > SMALL else e - e * e / 2


# The oracles: (f(x), f'(x)).


def between(x, low, high):
    """Clipping, and the derivative 0 at both ends."""
    return max(low, min(x, high)), mpf(low < x < high)


def leaky_relu(x, slope):
    """The slope of the left side also at 0."""
    return (x, mpf(1)) if x > 0 else (slope * x, slope)


def squared_relu(x):
    return (x * x, 2 * x) if x > 0 else (mpf(0), mpf(0))


def threshold(x, threshold, value):
    return (x, mpf(1)) if x > threshold else (value, mpf(0))


def shrink(x, lambd, less):
    """Zeros have the sign of x."""
    if abs(x) > lambd:
        return x - mpmath.sign(x) * less, mpf(1)
    return -ZERO if x < 0 else mpf(0), mpf(0)


def elu(x, alpha):
    if x > 0:
        return x, mpf(1)
    e = exp(clipped(x))
    return alpha * expm1(x, e), alpha * e


def selu(x):
    value, slope = elu(x, SELU_ALPHA)
    return SELU_SCALE * value, SELU_SCALE * slope


def celu(x, alpha):
    value, slope = elu(x / alpha, mpf(1))
    return alpha * value, slope


def sigmoid(x):
    e = exp(clipped(x))
    value = e / (1 + e)
    return value, value / (1 + e)


def softplus(x, beta):
    t = beta * x
    e = exp(clipped(-abs(t)))
    return (max(t, 0) + log1p(e)) / beta, (e if t < 0 else 1) / (1 + e)


def log_sigmoid(x):
    value, slope = softplus(-x, 1)
    return -value, slope


def hard_sigmoid(x):
    value, slope = between(x + 3, mpf(0), mpf(6))
    return value / 6, slope / 6


def tanh(x):
    t = clipped(2 * x)
    e = exp(t)
    d = e + 1
    return expm1(t, e) / d, 4 * e / (d * d)


def tanh_shrink(x):
    if abs(x) < ldexp(1, -40):
        return x**3 / 3 - 2 * x**5 / 15, (x - x**3 / 3) ** 2
    value, _ = tanh(x)
    return x - value, value * value


def softsign(x):
    d = 1 + abs(x)
    return x / d, 1 / (d * d)


def squareplus(x, b):
    if x < 0 and x * x > b * LARGE**2:
        return -b / (4 * x), b / (4 * x * x)
    s = sqrt(x * x + b)
    return (x + s) / 2, (1 + (x / s if x else x)) / 2


def gelu(x):
    a = clipped(x, 100)
    cumulative = mpmath.erfc(-a / ROOT_TWO) / 2
    return x * cumulative, cumulative + x * exp(-a * a / 2) / ROOT_TWO_PI


def times_sigmoid(x, t, x_slope):
    """x sigma(t), and its derivative from x_slope = x t'."""
    value, slope = sigmoid(t)
    return x * value, value + x_slope * slope


def gelu_tanh(x):
    return times_sigmoid(x, LINEAR * x + CUBIC * x**3, LINEAR * x + 3 * CUBIC * x**3)


def swish(x, beta):
    return times_sigmoid(x, beta * x, beta * x)


def hard_swish(x):
    if x >= 3:
        return x, mpf(1)
    return (x * (x + 3) / 6, (2 * x + 3) / 6) if x > -3 else (-ZERO, mpf(0))


def mish(x):
    """tanh(softplus(x)) = (d - 2) / d with d = (1 + e^x)^2 + 1."""
    e = exp(clipped(x))
    square = (1 + e) ** 2
    value = e * (e + 2) / (square + 1)
    return x * value, value + x * (4 * square / (square + 1) ** 2) * (e / (1 + e))


def dish(x):
    if x < -LARGE:
        return 1 / (4 * x), -1 / (4 * x * x)
    s = sqrt(1 + x * x)
    part = (x / s + 1) / 2
    return x * part, part + x / (2 * s**3)


# Oracle, and the parameters at which: each takes its share of the points. The default comes first.
ORACLES = {
    "relu": (lambda x: threshold(x, mpf(0), mpf(0)),),
    "relu6": (lambda x: between(x, mpf(0), mpf(6)),),
    "squared_relu": (squared_relu,),
    "leaky_relu": (leaky_relu, (0.01,), (-2.0,)),
    "prelu": (leaky_relu, (0.25,), (-1.7,)),
    "threshold": (threshold, (1.0, 0.0), (-0.7, -2.3)),
    "hard_shrink": (lambda x, lambd: shrink(x, lambd, 0), (0.5,), (1.7,), (0.0,)),
    "soft_shrink": (lambda x, lambd: shrink(x, lambd, lambd), (0.5,), (1.7,), (0.0,)),
    "elu": (elu, (1.0,), (0.7,), (3.0,)),
    "selu": (selu,),
    "celu": (celu, (1.0,), (0.7,), (30.0,), (1e-30,)),
    "sigmoid": (sigmoid,),
    "log_sigmoid": (log_sigmoid,),
    "hard_sigmoid": (hard_sigmoid,),
    "tanh": (tanh,),
    "hard_tanh": (between, (-1.0, 1.0), (-0.7, 3.3)),
    "tanh_shrink": (tanh_shrink,),
    "softsign": (softsign,),
    "softplus": (softplus, (1.0,), (0.7,), (20.0,), (1e-30,)),
    "squareplus": (squareplus, (4.0,), (0.3,), (0.0,), (1e30,)),
    "gelu": (gelu,),
    "gelu_tanh": (gelu_tanh,),
    "quick_gelu": (lambda x: swish(x, QUICK),),
    "silu": (lambda x: swish(x, 1),),
    "swish": (swish, (1.0,), (1.702,), (-0.3,), (0.0,)),
    "hard_swish": (hard_swish,),
    "mish": (mish,),
    "dish": (dish,),
}
ACTIVATION = {"glu": "sigmoid", "reglu": "relu", "geglu": "gelu", "swiglu": "silu"}
KINKS = (-3.0, -0.7, -0.5, 0.5, 1.7, 3.0, 3.3, 6.0)  # besides those of `everyday`
# Tails, subnormals and the places where other libraries cancel.
HARD = [
    -744.9, -709.1, -103.97, -88.1, -80.0, -40.0, -17.33, -10.0, -3.0, -1.0000000001, -1.0, -0.7, -0.5, -1e-5, -1e-20,
    -1e-310, 0.0, 1e-310, 1e-20, 1e-5, 0.17356, 0.3974, 0.5, 1.0, 1.7, 3.0, 3.3, 6.0, 8.49, 10.0, 17.4, 20.0, 40.0,
    88.0, 709.8,
]  # fmt: skip


def finite(rng, n):
    """n finite numbers of all exponents."""
    drawn = bit_patterns(rng, "d", 2 * n)
    return drawn[np.isfinite(drawn)][:n]


def points(rng, always=(), roots=()):
    """Distinct numbers, in any order: of all exponents, of the everyday range, near kinks and roots."""
    near = rng.choice([*KINKS, *roots], 4_000) * (1 + rng.normal(0, 1, 4_000) * np.exp2(rng.uniform(-53, -1, 4_000)))
    drawn = np.concatenate([finite(rng, 8_000), everyday(rng, "d", 3_000), near])
    drawn = rng.permutation(np.setdiff1d(drawn, always))
    return rng.permutation(np.concatenate([always, drawn[: POINTS - len(always)]]))


def gradients(rng):
    """Of all exponents, a third of them 1."""
    dy = finite(rng, POINTS)
    dy[::3] = 1
    return dy


def exact(array):
    """Every float as it is, whatever the working precision."""
    return [mpmath.mp.make_mpf(libmp.from_float(number)) for number in array.tolist()]


def extended(values):
    """Rounded to long doubles, exactly; what is beyond their range becomes 0 or infinity of its sign."""
    signs, mantissas, exponents, _ = zip(*(libmp.mpf_pos(value._mpf_, 64, "n") for value in values), strict=True)
    magnitude = np.array([int(m) for m in mantissas], np.uint64).astype(LONG)
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.ldexp(magnitude, np.clip(exponents, -40_000, 40_000).astype(np.intc))
    return np.where(np.array(signs, bool), -scaled, scaled)


def products(*factors):
    return extended([reduce(operator.mul, each) for each in zip(*factors, strict=True)])


def evaluated(name, x, parameters=()):
    """f(x) and f'(x) of every element."""
    oracle = ORACLES[name][0]
    given = [mpf(parameter) for parameter in parameters]
    return zip(*([each or ZERO for each in oracle(number, *given)] for number in exact(x)), strict=True)


def root_of(name, parameters=()):
    """Where f' changes sign, and the distance within which the bound of the backward is absolute; None without."""
    return ROOTS[name](*parameters) if name in ROOTS else None


def backward_problem(label, got, correct, limit, root, absolute, x, *more):
    """None within `limit` ulp, and within `absolute` where f' changes sign; else a sentence."""
    near = np.zeros(x.shape, bool) if root is None else np.abs(x.astype(LONG) - root[0]) <= root[1]
    far = ~near
    problem = worst(label, x[far], got[far], correct[far], limit, *(each[far] for each in more))
    if problem is None and near.any():
        unit = np.maximum(absolute[near], 4 * LONG(np.finfo(got.dtype).smallest_subnormal))
        problem = worst(label, x[near], got[near], correct[near], 1, *(each[near] for each in more), unit=unit)
    return problem


def compare(name, parameters, root, tier, x, dy):
    """Both directions of an elementwise function at every level, with one evaluation of the oracle."""
    limits, dtype = na.activations[name].max_ulp, x.dtype
    with mpmath.workprec(BITS):
        values, slopes = evaluated(name, x, parameters)
        value, gradient = extended(values), products(exact(dy), slopes)
    absolute = np.abs(dy.astype(LONG)) * ABSOLUTE[dtype.name, tier]
    for level in LEVELS:
        f = build(level, tier).ufuncs
        label = f"{level}, {tier}: {name}{parameters}"
        problem = worst(label, x, f[name](x, *parameters), value, limits[dtype.name, tier, "forward"])
        problem = problem or backward_problem(
            f"{label} backward at x, dy = ",
            f[f"{name}_backward"](dy, x, *parameters),
            gradient,
            limits[dtype.name, tier, "backward"],
            root,
            absolute,
            x,
            dy,
        )
        assert problem is None, problem


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name, rng):
    given = ORACLES[name][1:] or ((),)
    roots = [root_of(name, parameters) for parameters in given]
    x, dy = points(rng, HARD, [float(root[0]) for root in roots if root]), gradients(rng)
    for i, (parameters, root) in enumerate(zip(given, roots, strict=True)):
        share = slice(i, None, len(given))
        assert root is None or np.sum(np.abs(x[share] - root[0]) <= root[1]) > 100
        compare(name, parameters, root, "standard", x[share], dy[share])


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_float32_at_hard_points(name, tier):
    x = np.unique(np.array(HARD, np.float32) + np.float32(0))  # what underflows becomes one positive zero
    dy = np.array([1, 1e10, -1e-30], np.float32)
    x, dy = np.tile(x, dy.size), np.repeat(dy, x.size)
    for parameters in ORACLES[name][1:] or ((),):
        cast = tuple(np.array(parameters, np.float32).tolist()) if tier == "standard" else parameters
        compare(name, cast, root_of(name, cast), tier, x, dy)


@pytest.mark.parametrize("name", [case.activation for case in GATED if case.suffix == ""])
def test_gated(name, rng):
    max_ulp = na.activations[name].max_ulp
    forward, backward = (max_ulp["float64", "standard", direction] for direction in ("forward", "backward"))
    root = root_of(ACTIVATION[name])
    gate, value, dy = points(rng, HARD, [float(root[0])] if root else []), points(rng), gradients(rng)
    assert root is None or np.sum(np.abs(gate - root[0]) <= root[1]) > 100
    value[1::3] = 1
    with mpmath.workprec(BITS):
        activations, slopes = evaluated(ACTIVATION[name], gate)
        exact_dy, exact_value = exact(dy), exact(value)
        y = products(activations, exact_value)
        dgate = products(exact_dy, exact_value, slopes)
        dvalue = products(exact_dy, activations)
    absolute = np.abs(dy.astype(LONG) * value) * ABSOLUTE["float64", "standard"]
    for level in LEVELS:
        f = build(level, "standard").ufuncs
        label = f"{level}: {name}"
        got_dgate, got_dvalue = f[f"{name}_backward"](dy, gate, value)
        problem = (
            worst(label, gate, f[name](gate, value), y, forward, value)
            or backward_problem(
                f"{label} dgate at gate, value, dy = ", got_dgate, dgate, backward, root, absolute, gate, value, dy
            )
            or worst(f"{label} dvalue at gate, value, dy = ", gate, got_dvalue, dvalue, backward, value, dy)
        )
        assert problem is None, problem


def recorded():
    """(name, dtype, tier, direction, error, input) of every record whose input is one point."""
    tiers = [("float32", "standard"), ("float32", "precise"), ("float64", "standard")]
    for record in na.activations.values():
        if record.kind not in ("elementwise", "gated"):
            continue
        for (dtype, tier), direction in itertools.product(tiers, ("forward", "backward")):
            error, where = record.worst_input[dtype, tier, direction]
            if error > 0:
                yield record.name, dtype, tier, direction, error, where


def numbers(text):
    return [float.fromhex(each) if "x" in each else float(each) for each in text.split()]


@pytest.mark.skipif(len(LEVELS) < 2, reason="the errors are those of levels with and without FMA")
@pytest.mark.parametrize(("name", "dtype", "tier", "direction", "error", "where"), recorded())
def test_worst_input_has_the_error_recorded(name, dtype, tier, direction, error, where):
    given = {key: numbers(text) for key, text in re.findall(r"(x|dy|parameters)(?: =)? ([^,]+)", where)}
    x, *value = np.array(given["x"], dtype).tolist()
    dy = np.array(given.get("dy", []), dtype).tolist()
    parameters = np.array(given.get("parameters", []), dtype if tier == "standard" else np.float64).tolist()
    factors = [exact(np.array([each])) for each in [*value, *dy]]
    with mpmath.workprec(BITS):
        f, slope = evaluated(ACTIVATION.get(name, name), np.array([x]), parameters)
        expected = [products(f if direction == "forward" else slope, *factors)]
        if value and direction == "backward":
            expected.append(products(f, factors[1]))
    data = [np.array([each], dtype) for each in (*dy, x, *value)]
    found = 0.0
    for level in LEVELS:
        function = build(level, tier).ufuncs[name if direction == "forward" else f"{name}_backward"]
        got = function(*data, *parameters)
        got = got if isinstance(got, tuple) else (got,)
        found = max(found, *(float(errors(a, b)[0]) for a, b in zip(got, expected, strict=True)))
    assert found == pytest.approx(error, abs=1e-3), where
