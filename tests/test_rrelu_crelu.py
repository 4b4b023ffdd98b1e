"""rrelu and crelu: values, gradients, slopes, dtypes, layouts, overlapping outputs, refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from support import Guarded, assert_same_bits, special_values

import numact as na
from numact import precise, reference

try:
    from ml_dtypes import bfloat16
except ImportError:
    bfloat16 = None

DTYPES = [np.float16, np.float32, np.float64, *([bfloat16] if bfloat16 else [])]
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
both = pytest.mark.parametrize("module", [na, precise], ids=lambda module: module.__name__)
SHAPES = [(), (1,), (0,), (7,), (3, 5), (4, 0, 2), (2, 3, 4, 5)]


def data(rng, dtype, shape):
    """Normal numbers, with special values where they fit."""
    x = rng.normal(scale=3, size=shape).astype(dtype)
    if x.size > 60 and np.dtype(dtype).name in ("float32", "float64"):
        special = special_values(dtype)
        x.reshape(-1)[: special.size] = special
    return x


# rrelu


@both
@every_dtype
@pytest.mark.parametrize("shape", SHAPES)
def test_rrelu_training(module, dtype, shape, rng):
    x = data(rng, dtype, shape)
    y, slope = module.rrelu(x, training=True, rng=5)
    assert (y.dtype, slope.dtype) == (dtype, dtype)
    assert np.shape(y) == np.shape(slope) == shape
    assert np.all(slope >= dtype(1 / 8))
    assert np.all(slope < dtype(1 / 3))
    assert_same_bits(y, module.ufuncs.prelu(x, slope) if module is na else precise.prelu(x, slope), "rrelu", x, slope)
    dy = data(rng, dtype, shape)
    dx = module.rrelu_backward(dy, x, slope)
    assert_same_bits(dx, module.leaky_relu_backward(dy, x, np.asarray(slope)), "rrelu_backward", dy, x, slope)


@both
@every_dtype
@pytest.mark.parametrize("shape", SHAPES)
def test_rrelu_not_training(module, dtype, shape, rng):
    x = data(rng, dtype, shape)
    y, slope = module.rrelu(x, 0.1, 0.4)
    assert isinstance(slope, dtype)
    assert slope == dtype(0.25)
    assert_same_bits(y, module.leaky_relu(x, float(slope)), "rrelu", x)
    assert_same_bits(module.rrelu_backward(x, x, slope), module.leaky_relu_backward(x, x, float(slope)), "backward", x)
    y, slope = module.rrelu(x, lower=-1.0, upper=-1.0)
    assert slope == -1
    assert_same_bits(y, module.leaky_relu(x, -1.0), "rrelu", x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("training", [False, True])
def test_rrelu_is_its_reference(dtype, training, rng):
    x = rng.normal(size=(50, 40)).astype(dtype)
    y, slope = na.rrelu(x, -0.5, 0.75, training=training, rng=11)
    expected_y, expected_slope = reference.rrelu(x, -0.5, 0.75, training=training, rng=11)
    assert_same_bits(slope, expected_slope, "slope")
    assert_same_bits(y, expected_y, "y", x)
    assert_same_bits(na.rrelu_backward(y, x, slope), reference.rrelu_backward(y, x, slope), "dx", y, x)


@every_dtype
def test_slopes_are_uniform(dtype):
    """Mean, variance and every tenth of the range, within five standard errors."""
    n = 200_000
    for lower, upper in ((1 / 8, 1 / 3), (-2.0, 1.0)):
        _, slope = na.rrelu(np.zeros(n, dtype), lower, upper, training=True, rng=3)
        u = (slope.astype(float) - lower) / (upper - lower)
        step = 2.0 ** (-7 if np.dtype(dtype).name == "bfloat16" else -10) if np.dtype(dtype).itemsize == 2 else 0
        assert abs(u.mean() - 0.5) < 5 * np.sqrt(1 / 12 / n) + step
        assert abs(u.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / n) + step
        counts, _ = np.histogram(u, 10, (0, 1))
        tolerance = 5 * np.sqrt(0.09 / n) + 2 * step / (upper - lower)
        assert np.all(np.abs(counts / n - 0.1) < tolerance), counts
        if step == 0:
            assert np.unique(slope).size > 0.9 * n


def test_upper_end_is_never_drawn():
    """Where the range holds a few numbers only, so that rounding would reach its end; each has the same share."""
    lower, upper = np.float32(1), np.float32(1) + 4 * np.finfo(np.float32).eps
    _, slope = na.rrelu(np.zeros(100_000, np.float32), lower, upper, training=True, rng=0)
    found, counts = np.unique(slope, return_counts=True)
    assert found.tolist() == [float(lower + k * np.finfo(np.float32).eps) for k in range(4)]
    assert np.all(np.abs(counts - 25_000) < 5 * np.sqrt(100_000 * 3 / 16))
    _, slope = na.rrelu(np.zeros(1000, np.float16), 1.0, 1.0 + 2**-9, training=True, rng=0)
    assert set(slope.tolist()) == {1.0, 1.0 + 2**-10}


def test_seeds_and_generators():
    x = -np.ones((40, 30), np.float32)
    first, again, other = (na.rrelu(x, training=True, rng=seed)[1] for seed in (1, 1, 2))
    assert_same_bits(again, first, "the same seed")
    assert not np.array_equal(other, first)
    generator = np.random.default_rng(1)
    assert_same_bits(na.rrelu(x, training=True, rng=generator)[1], first, "a generator")
    assert not np.array_equal(na.rrelu(x, training=True, rng=generator)[1], first)
    assert not np.array_equal(na.rrelu(x, training=True)[1], na.rrelu(x, training=True)[1])
    assert_same_bits(precise.rrelu(x, training=True, rng=1)[1], first, "precise")
    # The order of the elements, not of memory, is that of the draws.
    assert_same_bits(na.rrelu(np.asfortranarray(x), training=True, rng=1)[1], first, "Fortran order")
    slope = np.empty((30, 40), np.float32).T
    na.rrelu(x, training=True, rng=1, out=(None, slope))
    assert_same_bits(slope, first, "transposed out")


@both
def test_rrelu_layouts_and_out(module, rng):
    for dtype, steps, order in itertools.product((np.float32, np.float64), ((1, 1), (-2, 3), (2, -1)), "=S"):
        x = rng.normal(size=(6, 7)).astype(dtype)
        expected = module.rrelu(x, training=True, rng=7)
        given = Guarded(x.shape, np.dtype(dtype).newbyteorder(order), steps=steps)
        given.array[...] = x
        outs = [Guarded(x.shape, np.dtype(dtype).newbyteorder(order), steps=steps) for _ in range(2)]
        result = module.rrelu(given.array, training=True, rng=7, out=tuple(out.array for out in outs))
        for got, out, want in zip(result, outs, expected, strict=True):
            assert got is out.array
            assert_same_bits(got, want, f"rrelu steps {steps} order {order}", x)
            out.check("rrelu")
    y, slope = np.empty((6, 7)), np.empty(())
    x = x.astype(np.float32)
    result = module.rrelu(x, out=(y, slope))
    assert result[0] is y
    assert result[1] is slope
    assert_same_bits(y.astype(np.float32), module.rrelu(x)[0], "wider out", x)
    assert slope == np.float32((1 / 8 + 1 / 3) / 2)


@both
def test_rrelu_out_that_overlaps(module, rng):
    base = rng.normal(size=101).astype(np.float32)
    y, slope = module.rrelu(base[:100], training=True, rng=9)
    for read, written in (
        (slice(0, 100), slice(0, 100)),
        (slice(0, 100), slice(1, 101)),
        (slice(1, 101), slice(0, 100)),
        (slice(0, 100), slice(99, None, -1)),
    ):
        memory = np.zeros(101, np.float32)
        memory[read] = base[:100]
        module.rrelu(memory[read], training=True, rng=9, out=(memory[written], None))
        assert_same_bits(memory[written], y, f"y at {written}")
        memory[read] = base[:100]
        got, _ = module.rrelu(memory[read], training=True, rng=9, out=(None, memory[written]))
        assert_same_bits(got, y, f"slope at {written}")
        assert_same_bits(memory[written], slope, f"slope at {written}")
        dy = base[1:].copy()
        expected = module.rrelu_backward(dy, base[:100], slope)
        memory[read] = base[:100]
        assert_same_bits(
            module.rrelu_backward(dy, memory[read], slope, out=memory[written]), expected, f"dx at {written}"
        )


@both
def test_rrelu_other_data(module):
    for given in ([-1, 2], np.array([True, False]), np.array([-1, 2], np.int8), 3, -0.5):
        y, slope = module.rrelu(given)
        assert y.dtype == slope.dtype == np.float64
        assert_same_bits(y, module.leaky_relu(np.asarray(given, float), float(slope)), "rrelu")
    assert module.rrelu_backward(1.0, np.ones(3, np.float32), np.full(3, 0.25)).dtype == np.float32
    dx = module.rrelu_backward(np.ones((4, 1)), -np.ones(3), np.full((2, 1, 1), 0.5))
    assert dx.shape == (2, 4, 3)
    assert np.all(dx == 0.5)


@both
def test_rrelu_refused(module):
    x, out = np.ones(3, np.float32), np.full(3, 7, np.float32)
    frozen = out.copy()
    frozen.flags.writeable = False
    generator = np.random.default_rng(0)
    for error, match, arguments, keywords in (
        (ValueError, "lower <= upper", (x, 0.5, 0.25), {}),
        (ValueError, "lower <= upper", (x, 0.0, np.inf), {}),
        (ValueError, "lower <= upper", (x, -np.inf, 0.0), {}),
        (ValueError, "finite in float32", (x, 0.0, 1e300), {}),
        (ValueError, "finite in float32", (x, -3e38, 3e38), {}),
        (ValueError, "lower must be a number, not NaN", (x, np.nan, 0.5), {}),
        (ValueError, "upper must be a number, not NaN", (x, 0.5, np.nan), {}),
        (TypeError, "lower must be real", (x, 1j, 0.5), {}),
        (TypeError, "upper must be real", (x, 0.0, "1"), {}),
        (TypeError, "upper must be real", (x, 0.0, None), {}),
        (TypeError, "must be scalars", (x, np.zeros(3), 0.5), {}),
        (TypeError, "complex", (x.astype(complex),), {}),
        (TypeError, "longdouble|float128", (x.astype(np.longdouble),), {}),
        (TypeError, "mask", (np.ma.masked_array(x, x > 0),), {}),
        (TypeError, "tuple of two", (x,), {"out": out}),
        (ValueError, "shape", (x,), {"out": (out[:2], None)}),
        (ValueError, "shape", (x,), {"out": (out, out[:2].copy())}),
        (ValueError, "shape", (x,), {"out": (None, out)}),
        (ValueError, "read-only", (x,), {"out": (frozen, None), "training": True}),
        (ValueError, "share memory", (x,), {"out": (out, out), "training": True}),
        (TypeError, "cast", (x,), {"out": (out, np.zeros(3, int)), "training": True}),
        (TypeError, "argument", (x, 0.0, 1.0, True), {}),
        (TypeError, "argument", (), {"x": x}),
    ):
        if keywords.get("training"):
            keywords = {**keywords, "rng": generator}
        with pytest.raises(error, match=match) as caught:
            module.rrelu(*arguments, **keywords)
        assert "rrelu" in str(caught.value)
        assert np.all(out == 7)
    assert generator.random() == np.random.default_rng(0).random(), "nothing was drawn"
    with pytest.raises((TypeError, ValueError)):
        module.rrelu(x, training=True, rng="seed")
    for error, match, arguments, keywords in (
        (ValueError, "do not broadcast", (x, x[:2], 0.5), {}),
        (ValueError, "do not broadcast", (x, x, np.ones(2)), {}),
        (ValueError, "slope must be a number", (x, x, np.nan), {}),
        (TypeError, "slope must be real", (x, x, 1j), {}),
        (TypeError, "slope", (x, x), {}),
        (TypeError, "complex", (x, x * 1j, 0.5), {}),
        (ValueError, "shape", (x, x, 0.5), {"out": out[:2]}),
        (TypeError, "out must be an array", (x, x, 0.5), {"out": (out,)}),
        (TypeError, "cast", (x, x, 0.5), {"out": np.zeros(3, int)}),
    ):
        with pytest.raises(error, match=match) as caught:
            module.rrelu_backward(*arguments, **keywords)
        assert "rrelu_backward" in str(caught.value)
        assert np.all(out == 7)


# crelu


def axes(shape):
    return range(-len(shape), len(shape))


@both
@every_dtype
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_crelu(module, dtype, shape, rng):
    x = data(rng, dtype, shape)
    for axis in axes(shape):
        y = module.crelu(x, axis)
        assert y.dtype == dtype
        assert_same_bits(y, np.concatenate((na.relu(x), na.relu(-x)), axis), f"crelu axis {axis}", x)
        dy = data(rng, dtype, y.shape)
        dy[~np.isfinite(dy)] = 2
        first, second = np.split(dy, 2, axis)
        with np.errstate(all="ignore"):
            expected = na.relu_backward(first, x) - na.relu_backward(second, -x)
        assert_same_bits(module.crelu_backward(dy, x, axis), expected, f"crelu_backward axis {axis}", x)
        got = module.crelu_backward_from_output(dy, y, axis=axis)
        assert_same_bits(got, expected, f"crelu_backward_from_output axis {axis}", x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_crelu_is_its_reference(dtype, rng):
    x, dy = data(rng, dtype, (9, 20)), data(rng, dtype, (9, 40))
    y = na.crelu(x)
    assert_same_bits(y, reference.crelu(x), "crelu", x)
    assert_same_bits(na.crelu_backward(dy, x), reference.crelu_backward(dy, x), "crelu_backward", x)
    assert_same_bits(
        na.crelu_backward_from_output(dy, y), reference.crelu_backward_from_output(dy, y), "crelu_backward_from_output"
    )


def test_crelu_values():
    y = na.crelu(np.array([-2.0, -0.0, 0.0, 3.0, np.inf, -np.inf, np.nan]))
    assert_same_bits(y, np.array([0, -0.0, 0, 3, np.inf, 0, np.nan, 2, 0, -0.0, 0, 0, np.inf, np.nan]), "crelu")
    dx = na.crelu_backward(np.arange(1.0, 9), np.array([-2.0, 0.0, 3.0, np.nan]))
    assert_same_bits(dx, np.array([-5, 0, 3, np.nan]), "crelu_backward")


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_crelu_layouts_and_out(module, dtype, rng):
    for steps, order, axis in itertools.product(((1, 1, 1), (-2, 3, -1), (2, -1, 1)), "=S", range(3)):
        kind = np.dtype(dtype).newbyteorder(order)
        x = rng.normal(size=(4, 5, 6)).astype(dtype)
        y = np.concatenate((na.relu(x), na.relu(-x)), axis)
        dy = rng.normal(size=y.shape).astype(dtype)
        dx = reference.crelu_backward(dy, x, axis)

        def placed(array, steps=steps, kind=kind):
            guarded = Guarded(array.shape, kind, steps=steps)
            guarded.array[...] = array
            return guarded.array

        label = f"steps {steps} order {order} axis {axis}"
        for function, arguments, expected in (
            (module.crelu, (x,), y),
            (module.crelu_backward, (dy, x), dx),
            (module.crelu_backward_from_output, (dy, y), dx),
        ):
            assert_same_bits(function(*map(placed, arguments), axis), expected, f"{function.__name__} {label}")
            out = Guarded(expected.shape, kind, steps=steps, offset=65)
            assert function(*arguments, axis, out=out.array) is out.array
            assert_same_bits(out.array, expected, f"{function.__name__} out {label}")
            out.check(function.__name__)
    wide = np.empty((4, 10, 6), np.float64)
    assert module.crelu(x, 1, out=wide) is wide
    assert_same_bits(wide.astype(dtype), module.crelu(x, 1), "wider out")


@both
def test_crelu_out_that_overlaps(module, rng):
    base = rng.normal(size=(6, 8)).astype(np.float32)
    for place in (slice(0, 4), slice(4, 8), slice(2, 6), slice(None, None, 2)):
        x = base[:, place].copy()
        memory = base.copy()
        assert_same_bits(module.crelu(memory[:, place], out=memory), na.crelu(x), f"crelu of its own {place}", x)
        memory = base.copy()
        dx = reference.crelu_backward(base, x)
        assert_same_bits(module.crelu_backward(memory, x, out=memory[:, place]), dx, f"dx onto dy {place}", x)
        assert_same_bits(module.crelu_backward(base, x, out=x), dx, f"dx onto x {place}")
        y = na.crelu(base[:, place])
        assert_same_bits(module.crelu_backward_from_output(base, y, out=y[:, place]), dx, f"dx onto y {place}")


@both
def test_crelu_other_data(module):
    for given in ([-1, 2], np.array([-128, 127], np.int8), np.array([0, 255], np.uint8), np.array([True, False])):
        y = module.crelu(given)
        assert y.dtype == np.float64
        assert_same_bits(y, reference.crelu(np.asarray(given, float)), "crelu")
        dy = np.arange(1, 5)
        assert_same_bits(module.crelu_backward(dy, given), reference.crelu_backward(dy, np.asarray(given, float)), "dx")
        assert module.crelu_backward_from_output(dy.astype(np.float32), y).dtype == np.float64


def test_crelu_on_threads(rng):
    x, dy = rng.normal(size=(300, 1000)).astype(np.float32), rng.normal(size=(300, 2000)).astype(np.float32)
    results = []
    for threads in (1, 3):
        with na.num_threads(threads):
            y = na.crelu(x)
            results.append((y, na.crelu_backward(dy, x), na.crelu_backward_from_output(dy, y)))
    for one, other in zip(*results, strict=True):
        assert_same_bits(other, one, "crelu on threads")


@both
def test_crelu_refused(module):
    x, dy = np.ones((2, 3)), np.ones((2, 6))
    y, out = dy.copy(), np.full((2, 3), 7.0)
    for error, match, name, arguments, keywords in (
        (np.exceptions.AxisError, "axis 2", "crelu", (x, 2), {}),
        (np.exceptions.AxisError, "axis", "crelu", (1.0,), {}),
        (TypeError, "axis must be an integer", "crelu", (x, 1.0), {}),
        (TypeError, "complex", "crelu", (x * 1j,), {}),
        (TypeError, "mask", "crelu", (np.ma.masked_array(x),), {}),
        (ValueError, r"out has shape \(2, 3\), expected \(2, 6\)", "crelu", (x,), {"out": out}),
        (TypeError, "out must be an array", "crelu", (x,), {"out": (out,)}),
        (ValueError, r"expected \(2, 6\)", "crelu_backward", (x, x), {"out": out}),
        (ValueError, r"expected \(4, 3\)", "crelu_backward", (dy, x, 0), {"out": out}),
        (ValueError, r"expected \(2, 6\)", "crelu_backward", (1.0, x), {"out": out}),
        (np.exceptions.AxisError, "axis", "crelu_backward", (dy, x, -3), {"out": out}),
        (ValueError, "out has shape", "crelu_backward", (dy, x), {"out": out[:1]}),
        (ValueError, "length 3 along axis 1", "crelu_backward_from_output", (x, x), {"out": out}),
        (ValueError, "does not match", "crelu_backward_from_output", (x, y), {"out": out}),
        (TypeError, "cast", "crelu_backward_from_output", (dy, y), {"out": out.astype(int)}),
    ):
        with pytest.raises(error, match=match) as caught:
            getattr(module, name)(*arguments, **keywords)
        assert name in str(caught.value)
        assert np.all(out == 7)


def test_no_warnings(rng):
    x = np.concatenate([special_values(np.float32)] * 2)
    with np.errstate(all="raise"):
        na.rrelu(x, training=True)
        na.rrelu(special_values(np.float16), -1e-7, 1e-7, training=True)
        na.rrelu_backward(x, x, x)
        y = na.crelu(x)
        na.crelu_backward(y, x)
        na.crelu_backward_from_output(y, y)


def test_records():
    rrelu, crelu = na.activations["rrelu"], na.activations["crelu"]
    assert (rrelu.kind, rrelu.returns) == ("random", (("y", "slope"), ("dx",)))
    assert [(p.name, p.default, p.domain) for p in rrelu.parameters] == [
        ("lower", 1 / 8, "any"),
        ("upper", 1 / 3, "at least lower"),
    ]
    assert rrelu.backward_from_output is None
    assert (crelu.kind, crelu.returns, crelu.parameters) == ("axis", (("y",), ("dx",)), ())


# Outputs and arrays that are refused by the native calls


X = np.arange(6.0).reshape(3, 2) - 2
TO_ARRAY = {
    "rrelu": lambda out: na.rrelu(X, out=(out, None))[0],
    "rrelu slope": lambda out: na.rrelu(X, training=True, rng=np.random.default_rng(1), out=(None, out))[1],
    "rrelu_backward": lambda out: na.rrelu_backward(X, -X, 0.5, out=out),
    "crelu": lambda out: na.crelu(X[:, :1], out=out),
    "crelu_backward": lambda out: na.crelu_backward(np.ones((3, 4)), X, out=out),
    "crelu_backward_from_output": lambda out: na.crelu_backward_from_output(np.ones((3, 4)), na.crelu(X), out=out),
    "maxout": lambda out: na.maxout(np.stack([X, -X]), axis=0, out=(out, None))[0],
    "maxout_backward": lambda out: na.maxout_backward(np.ones(3), np.array([0, 1, 1], np.uint8), 2, out=out),
    "prelu_backward": lambda out: na.prelu_backward(X, X, 0.25, out=(out, None))[0],
    "swish_backward": lambda out: na.swish_backward(X, X, out=(out, None))[0],
}


@pytest.mark.parametrize("name", TO_ARRAY)
def test_outputs_whose_axes_do_not_nest(name):
    """No axis lies within the next larger one, though no two elements have a byte in common."""
    expected = TO_ARRAY[name](None)
    memory = np.full(16, 7.0)
    out = np.lib.stride_tricks.as_strided(memory, (3, 2), (16, 24))
    assert TO_ARRAY[name](out) is out
    assert_same_bits(out, expected, name)


@pytest.mark.parametrize("name", TO_ARRAY)
def test_elements_of_an_output_on_each_other(name):
    """The last one written stays, as NumPy's copies do; the same with any number of threads."""
    memory = np.full(3, 7.0)
    out = np.lib.stride_tricks.as_strided(memory, (3, 2), (8, 0))
    TO_ARRAY[name](out)
    assert_same_bits(memory, TO_ARRAY[name](None)[:, 1], name)


@both
@every_dtype
def test_rrelu_of_nothing(module, dtype):
    mean = np.dtype(dtype).type(0.5 / 8 + 0.5 / 3)
    for x in (np.zeros(0, dtype), np.zeros((3, 0), dtype), np.zeros(0, dtype)[::-1]):
        slope = np.full((), 7, dtype)
        assert module.rrelu(x)[1] == mean
        assert module.rrelu(x, out=(x.copy(), slope))[1] is slope
        assert slope == mean
    assert na.rrelu([], 0, 2)[1] == 1


def test_parameter_gradient_of_nothing():
    packed = np.full(8, 7.0)
    dx, dweight, x = packed[2:][:0].reshape(0, 4), packed[:4], np.zeros((0, 4))
    na.prelu_backward(x, x, np.full(4, 0.25), out=(dx, dweight))
    np.testing.assert_array_equal(dweight, 0)


@pytest.mark.parametrize("axis", [True, np.True_, 1.0, None])
def test_axes_that_are_no_integers(axis):
    for call in (na.maxout, na.crelu, na.softmax, na.activation_stats):
        if call is not na.activation_stats or axis is not None:
            with pytest.raises(TypeError, match="integer"):
                call(X, axis=axis)
