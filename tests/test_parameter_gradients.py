"""prelu_backward and swish_backward: dx as the ufunc gives it, and the parameter's gradient as an exact sum."""

import itertools
import math

import numpy as np
import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st
from support import LEARNED, Guarded, assert_same_bits

import numact as na

learned = pytest.mark.parametrize("name", LEARNED)

# Shapes of the data, and of parameters for it. The first are longer than one range of the sum.
LARGE = [
    ((70_001,), [(), (1,)]),
    ((300, 5, 47), [(5, 1), (47,), (300, 1, 1), (5, 47), (300, 1, 47)]),
    ((3, 33_000), [(3, 1), (33_000,), (3, 33_000)]),
    ((33_000, 3), [(3,), (33_000, 1)]),
    ((2, 3, 5, 7, 331), [(3, 1, 1, 1), (2, 1, 5, 1, 331), (1, 7, 1)]),
]
SMALL = [
    ((), [()]),
    ((1,), [(), (1,)]),
    ((1, 1, 1), [(), (1,), (1, 1), (1, 1, 1)]),
    ((7,), [(), (1,), (7,)]),
    ((2, 1, 4, 1), [(), (4, 1), (1, 4, 1), (2, 1, 1, 1), (2, 1, 4, 1), (1, 1)]),
    ((5, 1025), [(), (5, 1), (1025,), (5, 1025)]),
    ((3, 4, 5, 6), [(4, 1, 1), (4, 5, 1), (3, 1, 5, 1), (6,), (3, 1, 1, 6)]),
]


def draw(rng, name, dtype, shape, parameter_shape):
    dy, x = (rng.normal(size=shape).astype(dtype) * 10 ** rng.uniform(-2, 2, shape).astype(dtype) for _ in range(2))
    return np.asarray(dy), np.asarray(x), rng.uniform(-1, 1, parameter_shape)


def terms(name, dy, x, parameter):
    """dy * df/dparameter in long double, of data and parameter as the kernel sees them."""
    dy, x, parameter = (np.asarray(each).astype(np.longdouble) for each in (dy, x, parameter))
    if name == "prelu":
        return dy * np.minimum(x, 0) * np.ones_like(parameter)
    e = np.exp(-np.abs(parameter * x))
    return dy * x * x * e / (1 + e) ** 2


def grouped(array, shape):
    """The elements as a table: one row for each element of a parameter of the given shape."""
    full = (1,) * (array.ndim - len(shape)) + tuple(shape)
    kept = [i for i, n in enumerate(full) if n != 1]
    summed = [i for i in range(array.ndim) if i not in kept]
    return array.transpose(kept + summed).reshape(math.prod(shape), -1)


def exact_sums(array, shape):
    """Sums of the groups and of their magnitudes: short ones in long double, long ones by math.fsum."""
    table = grouped(array, shape)
    high = table.astype(np.float64)
    if table.shape[1] <= 64:
        sums = table.sum(axis=1).astype(np.float64)
    else:
        sums = [
            math.fsum(np.concatenate(halves)) for halves in zip(high, (table - high).astype(np.float64), strict=True)
        ]
    return np.reshape(sums, shape), np.abs(high).sum(axis=1).reshape(shape)


wide_enough = pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than double")


def check(built, name, dtype, dy, x, parameter, label):
    dx, dparameter = built.functions[f"{name}_backward"](dy, x, parameter)
    seen = np.asarray(parameter).astype(support.parameter_dtype(dtype, built.tier))
    assert_same_bits(dx, built.ufuncs[f"{name}_backward"](dy, x, seen), f"{label} dx", dy, x, seen)
    shape = np.shape(parameter)
    assert (dparameter.shape, dparameter.dtype) == (shape, dtype), f"{label}: {dparameter.dtype} {dparameter.shape}"
    expected, magnitudes = exact_sums(terms(name, dy, x, seen), shape)
    limit = np.spacing(np.maximum(magnitudes, np.finfo(dtype).tiny).astype(dtype)).astype(np.float64)
    error = np.abs(dparameter - expected)
    worst = np.argmax(error / limit)
    assert (error <= limit).all(), (
        f"{label}: group {worst}, expected {expected.flat[worst]!r}, got {dparameter.flat[worst]!r}, "
        f"error {error.flat[worst] / limit.flat[worst]:.3g} ulp of the magnitudes {magnitudes.flat[worst]!r}"
    )


@wide_enough
@learned
def test_against_exact_sums(built, dtype, name, rng):
    for shape, parameter_shapes in SMALL + (LARGE if built.tier == "standard" else LARGE[:2]):
        for parameter_shape in parameter_shapes:
            dy, x, parameter = draw(rng, name, dtype, shape, parameter_shape)
            label = f"{name}_backward {built.level} {built.tier} {np.dtype(dtype)} {shape} {parameter_shape}"
            check(built, name, dtype, dy, x, parameter, label)


@wide_enough
@learned
def test_cancelling_sums(built, dtype, name, rng):
    """The bound is on the sum of magnitudes, and a compensated sum does better: what cancels leaves nothing."""
    x = -np.abs(rng.normal(size=40_000)).astype(dtype)
    dy = (rng.normal(size=40_000) * 1e6).astype(dtype)
    dy, x = np.concatenate([dy, -dy[::-1]]), np.concatenate([x, x[::-1]])
    gradient = built.functions[f"{name}_backward"](dy, x, 0.5)[1]
    magnitude = float(np.abs(terms(name, dy, x, 0.5)).sum())
    assert abs(gradient) <= np.spacing(dtype(magnitude)), f"{name}: expected 0, got {gradient!r} of {magnitude!r}"
    large = np.full(60_000, 1e15 if dtype is np.float64 else 1e6, dtype)
    dy = np.concatenate([large, np.ones(1, dtype), -large])
    gradient = built.functions["prelu_backward"](dy, -np.ones_like(dy), 0.5)[1]
    assert gradient == -1, f"prelu: expected -1, got {gradient!r}"


@wide_enough
@learned
def test_large_and_small_magnitudes(built, dtype, name, rng):
    limits = np.finfo(dtype)
    for size in (limits.max / 1e7, limits.tiny * 1e7, limits.tiny / 8):
        dy = (rng.uniform(0.5, 1, 3000) * size).astype(dtype)
        x = rng.normal(size=3000).astype(dtype)
        check(built, name, dtype, dy, x, 0.75, f"{name}_backward {built.level} {built.tier} dy {size}")


@wide_enough
@pytest.mark.parametrize("small_x", [False, True])
def test_terms_of_all_exponents(built, dtype, small_x, rng):
    """Each term alone: exp(-|beta x|) and x^2 may be far beyond the format where their product with dy is not."""
    n, limits = 4000, np.finfo(dtype)
    reach = -np.log2(float(limits.tiny)) * 0.9
    x = np.exp2(rng.uniform(-reach, 0, n) if small_x else rng.uniform(-20, 0.4 * reach, n))
    # As far as exp(-|beta x|) is told from 0.
    t = np.exp2(rng.uniform(-6, np.log2(1450.0 if dtype is np.float64 else 170.0), n))
    beta = np.clip(t / x, float(limits.tiny), float(limits.max) / 8)
    dy = np.exp2(rng.uniform(-reach, reach, n))
    dy, x, beta = (each.astype(dtype) * rng.choice([-1, 1], n).astype(dtype) for each in (dy, x, beta))
    expected = np.abs(terms("swish", dy, x, beta))
    kept = expected < float(limits.max)
    dy, x, beta = dy[kept], x[kept], beta[kept]
    assert (expected[kept] > 1e3 * float(limits.tiny)).mean() > 0.2
    check(built, "swish", dtype, dy, x, beta, f"swish_backward {built.level} {built.tier} {np.dtype(dtype)}")


# The same bits however it lies


def layouts(array):
    yield "C", np.ascontiguousarray(array)
    yield "F", np.asfortranarray(array)
    for steps in ((2,) * array.ndim, (-1,) * array.ndim, (1, -3, 2, -1)[: array.ndim]):
        guarded = Guarded(array.shape, array.dtype, steps=steps)
        guarded.array[...] = array
        yield f"steps {steps}", guarded.array
    guarded = Guarded(array.shape, array.dtype.newbyteorder("S"), offset=67)
    guarded.array[...] = array
    yield "swapped and unaligned", guarded.array


@learned
def test_layouts_and_threads(built, dtype, name, rng):
    function = built.functions[f"{name}_backward"]
    for shape, parameter_shape in [
        ((300, 5, 47), (5, 1)),
        ((150, 5, 94), (150, 1, 94)),
        ((2, 40_001), ()),
        ((40_001, 2), (2,)),
        ((3, 9_001), (9_001,)),
    ]:
        dy, x, parameter = draw(rng, name, dtype, shape, parameter_shape)
        with na.num_threads(1):
            expected = function(dy, x, parameter)
        label = f"{name}_backward {built.level} {built.tier} {np.dtype(dtype)} {shape} {parameter_shape}"
        for (how, one), (other_how, other) in zip(layouts(dy), reversed(list(layouts(x))), strict=True):
            weights = dict(layouts(parameter)).get(other_how, parameter) if parameter_shape else parameter
            for threads in (1, 3):
                with na.num_threads(threads):
                    got = function(one, other, weights)
                what = f"{label} dy {how}, x {other_how}, {threads} threads"
                assert_same_bits(got[0], expected[0], f"{what} dx")
                assert_same_bits(got[1], expected[1], f"{what} dparameter")


@learned
def test_transposed_data(built, dtype, name, rng):
    """Elements count in C order of the data's shape, however the transposition came about."""
    function = built.functions[f"{name}_backward"]
    dy, x, parameter = draw(rng, name, dtype, (40, 50, 30), (50, 1))
    expected = function(dy, x, parameter)
    for axes in itertools.permutations(range(3)):
        back = np.argsort(axes)
        views = [np.ascontiguousarray(each.transpose(axes)).transpose(back) for each in (dy, x)]
        for got, want in zip(function(*views, parameter), expected, strict=True):
            assert_same_bits(got, want, f"{name}_backward axes {axes}")


@learned
def test_same_sums_on_every_level(name, rng):
    """In the precise tier the terms have the same bits too."""
    dy, x, parameter = draw(rng, name, np.float32, (300, 5, 47), (5, 1))
    results = [
        support.build(level, "precise").functions[f"{name}_backward"](dy, x, parameter) for level in support.LEVELS
    ]
    for result in results:
        for one, other in zip(result, results[0], strict=True):
            assert_same_bits(one, other, f"{name}_backward precise")


@learned
def test_broadcast_data(built, dtype, name, rng):
    function = built.functions[f"{name}_backward"]
    dy, x, parameter = draw(rng, name, dtype, (6, 5, 4), (5, 1))
    for chosen, other in ((dy[:1], x), (dy, x[0]), (dy[:, :1], x[:, :, :1]), (dy[0, 0, 0], x), (dy, x[0, 0, 0])):
        full = [
            np.array(np.broadcast_to(each, np.broadcast_shapes(chosen.shape, other.shape))) for each in (chosen, other)
        ]
        for got, want in zip(function(chosen, other, parameter), function(*full, parameter), strict=True):
            assert_same_bits(got, want, f"{name}_backward of shapes {chosen.shape} {other.shape}")
    for got, want in zip(function(2, x, parameter), function(np.full_like(x, 2), x, parameter), strict=True):
        assert_same_bits(got, want, f"{name}_backward of a Python scalar")


@learned
def test_empty(built, dtype, name):
    function = built.functions[f"{name}_backward"]
    for shape, parameter_shape in (((0,), ()), ((0, 3), (3,)), ((3, 0), (3, 1)), ((3, 0), (0,)), ((2, 0, 4), (1, 1))):
        dx, dparameter = function(np.ones(shape, dtype), np.ones(shape, dtype), np.ones(parameter_shape))
        assert (dx.shape, dx.dtype) == (shape, dtype)
        assert_same_bits(dparameter, np.zeros(parameter_shape, dtype), f"{name}_backward of nothing")


# out


@learned
def test_out(built, dtype, name, rng):
    function = built.functions[f"{name}_backward"]
    dy, x, parameter = draw(rng, name, dtype, (30, 5, 7), (5, 1))
    expected = function(dy, x, parameter)
    for swapped, steps, kept in itertools.product((False, True), ((1, 1, 1), (-2, 3, -1)), (None, 0, 1)):
        kind = np.dtype(dtype).newbyteorder("S" if swapped else "=")
        outputs = [Guarded(x.shape, kind, steps=steps), Guarded((5, 1), kind, steps=steps[:2], offset=67)]
        given = tuple(None if i == kept else each.array for i, each in enumerate(outputs))
        results = function(dy, x, parameter, out=given)
        for i, (result, want) in enumerate(zip(results, expected, strict=True)):
            assert i == kept or result is outputs[i].array
            assert_same_bits(result, want, f"{name}_backward out {i} {steps} {kind}")
            outputs[i].check(f"{name}_backward")
    wide = function(dy, x, parameter, out=(np.empty(x.shape), np.empty((5, 1))))
    for got, want in zip(wide, expected, strict=True):
        assert_same_bits(got, want.astype(float), f"{name}_backward wider out")


@learned
def test_out_that_overlaps(built, dtype, name, rng):
    function = built.functions[f"{name}_backward"]
    dy, x, parameter = draw(rng, name, dtype, (90, 400), (90, 400))
    parameter = parameter.astype(support.parameter_dtype(dtype, built.tier))
    column = parameter[:, :1].copy()
    expected, summed = function(dy, x, parameter), function(dy, x, column)

    def same(got, want, what):
        for one, other in zip(got, want, strict=True):
            assert_same_bits(one, other, f"{name}_backward {built.level} {built.tier} {what}")

    for threads in (1, 3):
        with na.num_threads(threads):
            for i in range(2):
                arrays = [dy.copy(), x.copy()]
                same(function(*arrays, column, out=(arrays[i], None)), summed, f"dx in place of {i}")
                arrays = [dy.copy(), x.copy()]
                same(function(*arrays, parameter, out=(None, arrays[i])), expected, f"dparameter in place of {i}")
            arrays = [dy.copy(), x.copy()]
            same(function(*arrays, parameter, out=tuple(arrays)), expected, "both in place")
            arrays = [dy.copy(), x.copy()]
            same(function(*arrays, parameter, out=tuple(arrays[::-1])), expected, "both in place, crossed")
            if parameter.dtype == dtype:
                weights = parameter.copy()
                same(function(dy, x, weights, out=(weights, None)), expected, "dx in place of the parameter")
                weights = parameter.copy()
                same(function(dy, x, weights, out=(None, weights)), expected, "dparameter in place of the parameter")
            for read, written in (
                (np.s_[:-1], np.s_[1:]),
                (np.s_[1:], np.s_[:-1]),
                (np.s_[:], np.s_[::-1]),
                (np.s_[::2], np.s_[1::2]),
                (np.s_[:, :-1], np.s_[:, 1:]),
            ):
                for i in range(2):
                    arrays = [dy.copy(), x.copy()]
                    memory, other = arrays[i], arrays[1 - i][read].copy()
                    pair = (memory[read], other) if i == 0 else (other, memory[read])
                    want = function(*(each.copy() for each in pair), column[: len(other)])
                    same(function(*pair, column[: len(other)], out=(memory[written], None)), want, f"{read} {written}")
            memory = np.zeros(90 * 400 + 90, dtype)
            dx, gradient = memory[90:].reshape(90, 400), memory[:90].reshape(90, 1)
            same(function(dy, x, column, out=(dx, gradient)), summed, "neighbours")
    one = x[:1].copy()
    want = function(dy, one.copy(), column)
    if one.shape != dy.shape:
        memory = dy.copy()
        memory[0] = one
        same(function(dy, memory[:1], column, out=(memory, None)), want, "a broadcast row of the output")


@learned
def test_errors_come_before_anything_is_written(built, dtype, name):
    function = built.functions[f"{name}_backward"]
    x = np.ones((4, 3), dtype)
    dx, dparameter = np.full((4, 3), 7, dtype), np.full(3, 7, dtype)
    frozen = np.full(3, 7, dtype)
    frozen.flags.writeable = False
    frozen_dx = np.full((4, 3), 7, dtype)
    frozen_dx.flags.writeable = False
    weights = np.ones(3, dtype)
    for error, arguments, out in (
        (ValueError, (x, x, np.ones(4)), (dx, dparameter)),
        (ValueError, (x, x, np.ones((2, 4, 3))), (dx, dparameter)),
        (ValueError, (x, x, np.ones((1, 4, 3))), (dx, dparameter)),
        (ValueError, (x, x[:3], weights), (dx, dparameter)),
        (ValueError, (x, x, np.nan), (dx, None)),
        (ValueError, (x, x, np.array(np.nan)), (dx, None)),
        (ValueError, (x, x, weights), (dx, dparameter[:2])),
        (ValueError, (x, x, weights), (dx, dparameter[None])),
        (ValueError, (x, x, weights), (dx[:3], dparameter)),
        (ValueError, (x, x, weights), (dx.T, dparameter)),
        (ValueError, (x[:1], x[:1], weights), (dx, dparameter)),
        (ValueError, (x, x, weights), (dx, frozen)),
        (ValueError, (x, x, weights), (frozen_dx, dparameter)),
        (TypeError, (x, x, weights), dx),
        (TypeError, (x, x, weights), (dx,)),
        (TypeError, (x, x, weights), (dx, dparameter, None)),
        (TypeError, (x, x, weights), [dx, dparameter]),
        (TypeError, (x, x, weights), (dx, [7, 7, 7])),
        (TypeError, (x, x, weights), (dx, dparameter.astype(int))),
        (TypeError, (x, x, weights), (dx.astype(int), dparameter)),
        (TypeError, (x, x, weights.astype(complex)), (dx, dparameter)),
        (TypeError, (x.astype(complex), x, weights), (dx, dparameter)),
        (TypeError, (x, x.astype(np.longdouble), weights), (dx, dparameter)),
        (TypeError, (x, x.astype(object), weights), (dx, dparameter)),
        (TypeError, (x, x, None), (dx, dparameter)),
    ):
        with pytest.raises(error, match=f"{name}_backward"):
            function(*arguments, out=out)
        assert (dx == 7).all(), f"{name}_backward{arguments} wrote"
        assert (dparameter == 7).all(), f"{name}_backward{arguments} wrote"


# Infinities and NaN


def test_nonfinite(built, dtype):
    inf, nan = np.inf, np.nan
    table = [
        # name, dy, x, parameter, dparameter
        ("prelu", 1.0, -inf, 0.25, -inf),
        ("prelu", 1.0, inf, 0.25, 0.0),
        ("prelu", -1.0, -inf, 0.25, inf),
        ("prelu", inf, -1.0, 0.25, -inf),
        ("prelu", 0.0, -inf, 0.25, nan),
        ("prelu", nan, -1.0, 0.25, nan),
        ("prelu", 1.0, nan, 0.25, nan),
        ("swish", 1.0, inf, 1.0, 0.0),
        ("swish", 1.0, -inf, 1.0, 0.0),
        ("swish", 1.0, inf, -1.0, 0.0),
        ("swish", 1.0, inf, 0.25, 0.0),
        ("swish", 1.0, inf, 0.0, inf),
        ("swish", -1.0, -inf, 0.0, -inf),
        ("swish", inf, 1.0, 1.0, inf),
        ("swish", -inf, 1.0, 1.0, -inf),
        ("swish", nan, 1.0, 1.0, nan),
        ("swish", 1.0, nan, 1.0, nan),
        ("swish", 1.0, float(np.finfo(dtype).max), 1.0, 0.0),
        ("swish", 1.0, float(np.finfo(dtype).max), 0.0, inf),
        ("swish", 1.0, float(-np.finfo(dtype).max), -2.0, 0.0),
    ]
    wrong = []
    with np.errstate(all="raise"):
        for name, dy, x, parameter, expected in table:
            function = built.functions[f"{name}_backward"]
            for n, place in ((1, 0), (40, 17), (40_000, 39_999)):
                dys, xs = np.ones(n, dtype), np.zeros(n, dtype)
                dys[place], xs[place] = dy, x
                for form in (parameter, np.full(n, parameter)):
                    got = np.atleast_1d(function(dys, xs, form)[1])[place if np.ndim(form) else 0]
                    if not (got == expected or (np.isnan(got) and np.isnan(expected))):
                        wrong.append(f"{name}_backward({dy}, {x}, {parameter}) of {n}: expected {expected}, got {got}")
            channels = np.zeros((3, 5), dtype)
            channels[1, 2] = x
            dys = np.ones((3, 5), dtype)
            dys[1, 2] = dy
            got = function(dys, channels, np.full((3, 1), parameter))[1]
            if not (got[0] == got[2] == 0):
                wrong.append(f"{name}: channel 1 of x = {x}, dy = {dy} changed others: {got.ravel()}")
    assert not wrong, f"{built.level} {built.tier}:\n" + "\n".join(wrong)


def test_more_axes_than_numpy_broadcasts(built, dtype, rng):
    dy, x, parameter = draw(rng, "prelu", dtype, (2, 3), (3,))
    deep = x.reshape((1,) * 40 + x.shape)
    for function in ("prelu_backward", "swish_backward"):
        f = built.functions[function]
        for data in (dy, dy[:1], dy.astype(dy.dtype.newbyteorder("S"))):
            expected = f(np.broadcast_to(data, x.shape), x, parameter)
            for got, plain in zip(f(data, deep, parameter), expected, strict=True):
                assert_same_bits(got.reshape(plain.shape), plain, function)
    assert_same_bits(
        na.rrelu_backward(dy[:1], deep, 0.25).reshape(x.shape), na.rrelu_backward(dy[:1], x, 0.25), "rrelu"
    )
    with pytest.raises(ValueError, match="does not broadcast with x"):
        na.prelu_backward(np.ones(4, dtype), deep, 0.5)


def test_infinities_cancel_to_nan(built, dtype):
    x = np.array([-1, -1, 5], dtype)
    assert np.isnan(built.functions["prelu_backward"](np.array([np.inf, -np.inf, 1], dtype), x, 0.5)[1])
    assert built.functions["prelu_backward"](np.array([np.inf, 3, 1], dtype), x, 0.5)[1] == -np.inf


@wide_enough
@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_any_parameter_shape(data):
    built = support.build(*data.draw(st.sampled_from(support.BUILDS)))
    name, dtype = data.draw(st.sampled_from(LEARNED)), data.draw(st.sampled_from(support.DTYPES))
    shape = tuple(data.draw(st.lists(st.integers(1, 5), max_size=5)))
    parameter_shape = tuple(n if data.draw(st.booleans()) else 1 for n in shape)[
        data.draw(st.integers(0, len(shape))) :
    ]
    dy, x, parameter = draw(np.random.default_rng(3), name, dtype, shape, parameter_shape)
    dy, x = (np.asarray(each, order=data.draw(st.sampled_from("CF"))) for each in (dy, x))
    check(built, name, dtype, dy, x, parameter, f"{name}_backward {shape} {parameter_shape}")


@pytest.mark.parametrize("n", [1, 5, 16, 17, 600])
def test_infinite_beta_at_every_length(n, dtype):
    """swish is relu there: nothing but the elements themselves may enter the sum."""
    _, dbeta = na.swish_backward(np.ones(n, dtype), np.full(n, 2, dtype), np.array([np.inf], dtype))
    assert dbeta == 0
