"""Error bounds at every ISA level and in both tiers, against the reference in extended precision.

The exhaustive comparison over all float32 is ``tests/native/exhaustive.cpp``; here is a sample of it. float64 of the
standard tier, and hard points, are compared with mpmath in ``test_mpmath.py``.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from support import promised
from ulp import LONG, ROOTS, bit_patterns, errors, everyday, worst

import numact as na
from numact import _build, reference

pytestmark = pytest.mark.skipif(np.finfo(LONG).nmant < 63, reason="needs an extended precision long double as oracle")

PARAMETERS = {
    "leaky_relu": (0.01, -2.0),
    "prelu": (0.25,),
    "threshold": ((1.0, 0.0), (-0.7, -2.3)),
    "hard_shrink": (0.5, 1.7, 0.0),
    "soft_shrink": (0.5, 1.7, 0.0),
    "elu": (1.0, 0.7, 3.0),
    "hard_tanh": ((-1.0, 1.0), (-0.7, 3.3)),
    "celu": (1.0, 0.7, 30.0, 1e-30),
    "softplus": (1.0, 0.7, 20.0, 1e-30),
    "squareplus": (4.0, 0.3, 0.0, 1e30),
    "swish": (1.0, 1.702, -0.3, 0.0),
}
CASES = [
    (name, parameter)
    for name, record in na.activations.items()
    if record.kind == "elementwise"
    for parameter in PARAMETERS.get(name, (None,))
]
VARIANTS = [(level, tier, dtype) for level in na.available_isas() for tier in ("standard", "precise") for dtype in "fd"]
# test_mpmath.py compares the rest; the precise tier has the same float64.
COMPARED = [variant for variant in VARIANTS if variant[1:] != ("standard", "d")]


@cache
def functions(level: str, tier: str) -> dict:
    return _build.make(level, tier == "precise", "numact")[0]


def arguments(parameter: float | tuple[float, ...] | None, dtype: str, tier: str) -> tuple[tuple, tuple]:
    """The parameters as passed, and as the exact value is defined with: cast."""
    given = () if parameter is None else parameter if isinstance(parameter, tuple) else (parameter,)
    kind = np.float64 if dtype == "d" or tier == "precise" else np.float32
    return given, tuple(LONG(kind(each)) for each in given)


def inputs(dtype: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([bit_patterns(rng, dtype, 20_000), everyday(rng, dtype, 7_000)])


def bound(name: str, dtype: str, tier: str, direction: str) -> float:
    return na.activations[name].max_ulp["float32" if dtype == "f" else "float64", tier, direction]


@pytest.mark.parametrize(("level", "tier", "dtype"), COMPARED)
@pytest.mark.parametrize(("name", "parameter"), CASES)
def test_forward(name, parameter, level, tier, dtype):
    x = inputs(dtype)
    given, cast = arguments(parameter, dtype, tier)
    exact = getattr(reference, name)(x.astype(LONG), *cast)
    problem = worst(name, x, functions(level, tier)[name](x, *given), exact, bound(name, dtype, tier, "forward"))
    assert problem is None, problem


@pytest.mark.parametrize(("level", "tier", "dtype"), VARIANTS)
@pytest.mark.parametrize("name", ["elu", "celu", "softplus", "squareplus", "swish"])
def test_forward_with_parameters_of_any_mantissa(name, level, tier, dtype):
    """A rounding counts the more, the closer a product with the parameter is below a power of two."""
    rng = np.random.default_rng(5)
    kind = np.float64 if dtype == "d" or tier == "precise" else np.float32
    parameter = np.exp2(rng.uniform(-2, 2, 300_000)).astype(kind)
    x = rng.normal(0, rng.choice([0.3, 1, 10], parameter.size)).astype(dtype)
    x = (x * parameter if name == "celu" else x / parameter if name in ("softplus", "swish") else x).astype(dtype)
    exact = getattr(reference, name)(x.astype(LONG), parameter.astype(LONG))
    problem = worst(
        name, x, functions(level, tier)[name](x, parameter), exact, bound(name, dtype, tier, "forward"), parameter
    )
    assert problem is None, problem


@pytest.mark.parametrize(("level", "tier", "dtype"), COMPARED)
@pytest.mark.parametrize(("name", "parameter"), CASES)
def test_backward(name, parameter, level, tier, dtype):
    x = inputs(dtype, 1)
    rng = np.random.default_rng(2)
    dy = rng.permutation(np.resize(bit_patterns(rng, dtype, x.size), x.size))
    dy = np.where(np.isfinite(dy), dy, dy.dtype.type(1))  # inf * 0 is the reference's business in test_special_values
    dy[::3] = 1
    given, cast = arguments(parameter, dtype, tier)
    got = functions(level, tier)[f"{name}_backward"](dy, x, *given)
    exact = dy.astype(LONG) * getattr(reference, f"{name}_derivative")(x.astype(LONG), *cast)
    limit = bound(name, dtype, tier, "backward")
    root = ROOTS[name](*cast) if name in ROOTS else None
    if root is not None:
        near = np.abs(x.astype(LONG) - root[0]) <= root[1]
        assert near.sum() > 100
        unit = np.abs(dy[near].astype(LONG)) * LONG(2) ** (-51 if dtype == "d" else -24 if tier == "precise" else -22)
        error = np.abs(got[near] - exact[near])
        assert np.all(error <= np.maximum(unit, 4 * LONG(np.finfo(dtype).smallest_subnormal)))
        x, dy, got, exact = x[~near], dy[~near], got[~near], exact[~near]
    problem = worst(f"{name}_backward at x, dy =", x, got, exact, limit, dy)
    assert problem is None, problem


@pytest.mark.parametrize(("level", "tier", "dtype"), VARIANTS)
@pytest.mark.parametrize(("name", "parameter"), [c for c in CASES if na.activations[c[0]].backward_from_output])
def test_backward_from_output(name, parameter, level, tier, dtype):
    """As accurate as any backward for the output that it is given."""
    if isinstance(parameter, float) and parameter < 0:
        pytest.skip("the output does not tell the input's side")
    rng = np.random.default_rng(3)
    x = np.concatenate([everyday(rng, dtype, 5_000)])
    given, cast = arguments(parameter, dtype, tier)
    if name == "hard_tanh":  # the output holds the bounds as it rounded them
        cast = tuple(np.dtype(dtype).type(each).astype(LONG) for each in given)
    y = functions(level, tier)[name](x, *given)
    dy = rng.standard_normal(x.size).astype(dtype)
    got = functions(level, tier)[f"{name}_backward_from_output"](dy, y, *given)
    exact = getattr(reference, f"{name}_backward_from_output")(dy.astype(LONG), y.astype(LONG), *cast)
    problem = worst(
        f"{name}_backward_from_output at y, dy =", y, got, exact, promised("elementwise", dtype, tier, "backward"), dy
    )
    assert problem is None, problem


@pytest.mark.parametrize("direction", ["", "_backward", "_backward_from_output"])
@pytest.mark.parametrize("name", [name for name, _ in CASES])
def test_precise_is_the_same_at_every_level(name, direction):
    if direction and getattr(na.activations[name], "backward" + direction.removeprefix("_backward")) is None:
        pytest.skip("no such function")
    x, dy = inputs("f", 4), np.float32(1.7)
    parameters, _ = arguments(PARAMETERS.get(name, (None,))[0], "f", "precise")
    operands = (x, *parameters) if direction == "" else (dy, x, *parameters)
    results = [functions(level, "precise")[name + direction](*operands) for level in na.available_isas()]
    for result in results[1:]:
        assert np.array_equal(result.view(np.uint32), results[0].view(np.uint32)) or np.array_equal(
            result, results[0], equal_nan=True
        )


def test_errors_see_what_is_wrong():
    """The yardstick itself: one ulp is one, and wrong kinds are infinite."""
    one = np.array([1.0, np.nextafter(1.0, 2), 0.0, -0.0, np.nan, np.inf, 5e-324])
    exact = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0], LONG)
    ulp = errors(one, exact)
    assert ulp[:3].tolist() == [0, 1, 0]
    assert ulp[3] == np.inf
    assert ulp[4] == np.inf
    assert ulp[5] > 2.0**52
    assert ulp[6] == 1
