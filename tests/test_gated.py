"""Functions of a gate and a value: accuracy over pairs, both gradients in one pass, dtypes and layouts."""

from __future__ import annotations

import numpy as np
import pytest
import support
from support import GATED, assert_same_bits
from ulp import LONG, ROOTS, bit_patterns, everyday, worst

import numact as na
from numact import reference

NAMES = [case.activation for case in GATED if case.suffix == ""]
ACTIVATION = {"glu": "sigmoid", "reglu": "relu", "geglu": "gelu", "swiglu": "silu"}
long_oracle = pytest.mark.skipif(np.finfo(LONG).nmant < 63, reason="needs an extended precision long double as oracle")


def pairs(rng, dtype, count):
    """`count` arrays of all exponents and of everyday sizes, in an order of their own each."""
    drawn = np.concatenate([bit_patterns(rng, dtype, 20_000), everyday(rng, dtype, 7_000)])
    drawn = drawn[np.isfinite(drawn)]
    return [rng.permutation(drawn) for _ in range(count)]


def check_forward(name, built, gate, value):
    exact = getattr(reference, name)(gate.astype(LONG), value.astype(LONG))
    limit = na.activations[name].max_ulp[gate.dtype.name, built.tier, "forward"]
    problem = worst(name, gate, built.ufuncs[name](gate, value), exact, limit, value)
    assert problem is None, problem


@long_oracle
@pytest.mark.parametrize("name", NAMES)
def test_forward(name, built, dtype, rng):
    gate, value = pairs(rng, dtype, 2)
    check_forward(name, built, gate, value)


@long_oracle
@pytest.mark.parametrize("name", NAMES)
def test_forward_at_the_ends_of_the_format(name, built, dtype, rng):
    """Gates of every size that counts, values near the ends: no product in between leaves the format."""
    info, count = np.finfo(dtype), 30_000
    gate = rng.uniform(-58, 20, count).astype(dtype)
    gate[::2] = rng.uniform(-4, 4, count // 2)
    scale = np.where(rng.random(count) < 0.5, info.max, 64 * info.smallest_subnormal).astype(dtype)
    value = (rng.uniform(0.05, 1, count).astype(dtype) * scale) * rng.choice([-1, 1], count).astype(dtype)
    check_forward(name, built, gate, value)


@long_oracle
@pytest.mark.parametrize("name", NAMES)
def test_backward(name, built, dtype, rng):
    dy, gate, value = pairs(rng, dtype, 3)
    dy[::2], value[::3] = 1, 1
    exact = getattr(reference, f"{name}_backward")(dy.astype(LONG), gate.astype(LONG), value.astype(LONG))
    got = built.ufuncs[f"{name}_backward"](dy, gate, value)
    limit = na.activations[name].max_ulp[np.dtype(dtype).name, built.tier, "backward"]
    roots = ROOTS.get(ACTIVATION[name])
    near = np.zeros(gate.shape, bool) if roots is None else np.abs(gate.astype(LONG) - roots()[0]) <= roots()[1]
    if roots is not None:
        assert near.sum() > 100
        scale = np.abs(dy[near].astype(LONG) * value[near].astype(LONG))
        unit = scale * LONG(2) ** (-51 if dtype == np.float64 else -24 if built.tier == "precise" else -22)
        smallest, largest = LONG(np.finfo(dtype).smallest_subnormal), LONG(np.finfo(dtype).max)
        finite = np.abs(exact[0][near]) < largest
        error = np.abs(got[0][near].astype(LONG) - exact[0][near])
        assert np.all((error <= np.maximum(unit, 4 * smallest))[finite])
    far = ~near
    problem = worst(
        f"{name}_backward, dgate", gate[far], got[0][far], exact[0][far], limit, value[far], dy[far]
    ) or worst(f"{name}_backward, dvalue", gate, got[1], exact[1], limit, value, dy)
    assert problem is None, problem


@long_oracle
@pytest.mark.parametrize("name", NAMES)
def test_backward_of_two_large_factors(name, built, dtype, rng):
    """Gates whose exponential is far below the format count where dy and value are near its end."""
    info, count = np.finfo(dtype), 10_000
    lowest = (-24 if name == "geglu" else -286) if dtype == np.float32 else (-67 if name == "geglu" else -2200)
    gate = rng.uniform(lowest, 0, count).astype(dtype)
    dy, value = (rng.uniform(0.05, 1, count).astype(dtype) * info.max for _ in range(2))
    exact = getattr(reference, f"{name}_backward")(dy.astype(LONG), gate.astype(LONG), value.astype(LONG))[0]
    got = built.ufuncs[f"{name}_backward"](dy, gate, value)[0]
    limit = na.activations[name].max_ulp[np.dtype(dtype).name, built.tier, "backward"]
    far = gate < -1.5  # beside the root
    problem = worst(f"{name}_backward, dgate", gate[far], got[far], exact[far], limit, value[far], dy[far])
    assert problem is None, problem


@pytest.mark.parametrize("name", NAMES)
def test_composition(name, built, dtype, rng):
    """The activation of the gate times the value; either gradient is that of the product."""
    dy, gate, value = (rng.normal(size=1000).astype(dtype) for _ in range(3))
    activation = ACTIVATION[name]
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(built.ufuncs[name](gate, value), built.ufuncs[activation](gate) * value, rtol=8 * eps)
    dgate, dvalue = built.ufuncs[f"{name}_backward"](dy, gate, value)
    expected = built.ufuncs[f"{activation}_backward"](dy * value, gate)
    np.testing.assert_allclose(dgate, expected, rtol=8 * eps, atol=8 * eps)
    np.testing.assert_allclose(dvalue, dy * built.ufuncs[activation](gate), rtol=8 * eps)


@pytest.mark.parametrize("name", NAMES)
def test_two_outputs(name, rng):
    backward = getattr(na, f"{name}_backward")
    assert isinstance(backward, np.ufunc)
    assert (backward.nin, backward.nout) == (3, 2)
    dy, gate, value = (rng.normal(size=(4, 5)).astype(np.float32) for _ in range(3))
    expected = backward(dy, gate, value)
    out = np.empty_like(dy), np.empty_like(dy)
    assert all(one is other for one, other in zip(backward(dy, gate, value, out=out), out, strict=True))
    for one, other in zip(out, expected, strict=True):
        assert_same_bits(one, other, name)
    only_first = backward(dy, gate, value, out=(out[0], None))
    assert only_first[0] is out[0]
    in_place = backward(dy, gate, value, out=(gate, value))
    for one, other in zip(in_place, expected, strict=True):
        assert_same_bits(one, other, f"{name}, in place")
    with pytest.raises(ValueError, match="broadcast"):
        backward(dy, gate, value[:3])


@pytest.mark.parametrize("case", GATED, ids=str)
def test_dtypes(case):
    function = getattr(na, case.name)
    for dtype in (np.float16, np.float32, np.float64):
        data = [np.array([1.5, -2.0], dtype)] * case.arrays
        results = function(*data)
        for result in results if isinstance(results, tuple) else (results,):
            assert result.dtype == dtype
        mixed = function(*data[:-1], 2.0)
        assert (mixed[0] if isinstance(mixed, tuple) else mixed).dtype == dtype
    integers = function(*[np.array([1, -2])] * case.arrays)
    assert (integers[0] if isinstance(integers, tuple) else integers).dtype == np.float64
    with pytest.raises(TypeError, match="expected float16"):
        function(*[np.array([1j])] * case.arrays)
    with pytest.raises(TypeError):
        function(np.ones(2))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("case", GATED, ids=str)
def test_every_length_and_stride(case, dtype, rng):
    ufunc = getattr(na, case.name)
    for n in (0, 1, 3, 15, 16, 17, 40, 300):
        data = [support.values(rng, dtype, n) for _ in range(case.arrays)]
        expected = [np.array([], dtype)] * ufunc.nout
        if n:
            single = [ufunc(*(array[i] for array in data)) for i in range(n)]
            expected = np.array(single, dtype).reshape(n, ufunc.nout).T
        for step in (1, -1, 2):
            strided = []
            for array in data:
                room = np.empty(2 * n, dtype)[: n * abs(step)][::step]
                room[...] = array
                strided.append(room)
            got = ufunc(*strided)
            for one, other in zip(got if ufunc.nout == 2 else (got,), expected, strict=True):
                assert_same_bits(one, other, f"{case.name}, n = {n}, step {step}", *data)
