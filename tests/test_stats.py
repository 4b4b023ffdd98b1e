"""activation_stats against the plain reference: dtypes, layouts, values that are not finite, threads and levels."""

import itertools
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st

import numact as na
from numact import _stats, reference
from numact._runtime import _native

DTYPES = (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)

# Rows shorter and longer than a step, than a group and than a panel of columns; pieces of one unit; short runs.
SHAPES = [
    ((), None),
    ((1,), None),
    ((1,), 0),
    ((17,), None),
    ((70_001,), None),
    ((1, 5), 0),
    *(((211, columns), 0) for columns in (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 257, 300)),
    ((2100, 19), 0),
    ((70_000, 3), 0),
    ((40, 300), 1),
    ((3000, 7), 1),
    ((6, 5, 7, 7), (0, 2, 3)),
    ((6, 5, 70, 7), (0, 2, 3)),
    ((6, 5, 4, 3), (1, 2)),
    ((6, 5, 4, 30), (0, 2)),
    ((6, 5, 4, 3), (0, 1, 2, 3)),
    ((6, 5, 4, 3), ()),
    ((2, 1, 40, 1), 2),
]
shapes = pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)


NAMES = na.ActivationStats._fields


def draw(rng, shape, dtype, special=True):
    x = np.asarray(rng.normal(size=shape))
    if special:
        x = np.where(rng.random(shape) < 0.1, rng.choice([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0], shape), x)
    return x.astype(dtype)


def wide(x):
    return np.asarray(x).astype(np.longdouble)


def check(x, axis=None, *, deviation=1e-13, **options):
    """Equal to the reference in extended precision: fractions and ends exactly, the rest up to rounding."""
    got = na.activation_stats(x, axis, **options)
    # Thresholds as rounded in the arithmetic of the kernel, which the wide reference would not do.
    kind = np.float64 if x.dtype == np.float64 else np.float32
    thresholds = {name: float(kind(end + (0.01 if name == "low" else -0.01))) for name, end in options.items()}
    expected = reference.activation_stats(wide(x), axis, **thresholds, tolerance=0.0)
    scale = np.max(np.abs(np.where(np.isfinite(wide(x)), wide(x), 0)), initial=0)
    for name, one, other in zip(NAMES, got, expected, strict=True):
        assert np.shape(one) == np.shape(other), name
        assert isinstance(one, float) or one.dtype == np.float64
        if name == "mean":
            np.testing.assert_allclose(one, other.astype(float), rtol=1e-14, atol=float(scale) * 1e-15, err_msg=name)
        elif name == "std":
            np.testing.assert_allclose(one, other.astype(float), deviation, float(scale) * 1e-16, err_msg=name)
        else:
            np.testing.assert_array_equal(one, np.asarray(other, float), err_msg=name)
    return got


def assert_same(one, other, label):
    for name, a, b in zip(NAMES, one, other, strict=True):
        support.assert_same_bits(a, b, f"{label}: {name}")


@dtypes
@shapes
def test_matches_the_reference(rng, dtype, shape, axis):
    x = draw(rng, shape, dtype)
    check(x, axis)
    check(x, axis, low=-1.0, high=1.0)
    check(draw(rng, shape, dtype, special=False), axis, low=-1.0)


@dtypes
@pytest.mark.parametrize(("shape", "axis"), [s for s in SHAPES if len(s[0]) > 1 or s[0] == (70_001,)], ids=str)
def test_same_bits_for_every_layout(rng, dtype, shape, axis):
    x = draw(rng, shape, dtype)
    expected = na.activation_stats(x, axis, activation="tanh")
    wider = np.zeros([2 * n for n in shape], dtype)
    every_other = wider[tuple(slice(None, None, 2) for _ in shape)]
    every_other[...] = x
    last = np.zeros((*shape[:-1], shape[-1] + 3), dtype)
    last[..., 1:-2] = x
    unaligned = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(shape)
    unaligned[...] = x
    flipped = np.ascontiguousarray(np.flip(x))[tuple(slice(None, None, -1) for _ in shape)]
    layouts = [np.asfortranarray(x), every_other, last[..., 1:-2], unaligned, flipped, np.flip(x, 0).copy()[::-1]]
    if dtype != ml_dtypes.bfloat16:
        layouts.append(x.astype(x.dtype.newbyteorder("S")))
    read_only = x.copy()
    read_only.flags.writeable = False
    for i, each in enumerate([*layouts, read_only]):
        assert_same(na.activation_stats(each, axis, activation="tanh"), expected, f"layout {i}")


@dtypes
def test_same_bits_for_every_level_and_number_of_threads(rng, dtype, monkeypatch):
    for shape, axis in [((300_007,), None), ((5000, 40), 0), ((5000, 6), 0), ((30, 7, 700), (0, 2)), ((9000, 40), 1)]:
        for mean in (0, 50):
            x = draw(rng, shape, dtype) + dtype(mean)
            expected = na.activation_stats(x, axis, low=-1, high=1)
            for level, threads in itertools.product(support.LEVELS, (1, 3)):
                monkeypatch.setattr(_stats, "_native_stats", _native.make_activation_stats(level))
                with na.num_threads(threads):
                    got = na.activation_stats(x, axis, low=-1, high=1)
                assert_same(got, expected, f"mean {mean}, {level}, {threads} threads")


@pytest.mark.parametrize("n", [50, 5000, 500_000])
def test_small_deviation_about_a_large_mean(rng, n):
    for dtype, mean, deviation in ((np.float32, 1e4, 1e-3), (np.float64, 1e15, 1.0), (np.float64, -1e9, 1e-6)):
        x = (mean + deviation * rng.normal(size=n)).astype(dtype)
        check(x)
        check(x.reshape(-1, 10), 0)


@dtypes
def test_units_that_need_a_pivot_beside_others(rng, dtype):
    """Units near 1, a constant, one whose first rows tell nothing of the rest, one with a few elements far off."""
    n = 20_000
    x = rng.normal(size=(n, 6))
    x[:, 1] = 1 - 1e-2 * np.abs(x[:, 1])
    x[:, 2] = -1.7
    x[:, 3] = 1000 + x[:, 3]
    x[:2000, 3] = 0
    x[:, 4] = -100 + 1e-1 * x[:, 4]
    x[5000::5000, 4] = 3
    x[:, 5] = 3 + 1e-1 * x[:, 5]
    x[100:200, 5] = np.nan
    x = x.astype(dtype)
    together = check(x, 0, low=-1.0, high=1.0)
    assert together.std[2] == 0
    assert together.mean[2] == x[0, 2]
    for j in range(6):
        alone = check(np.ascontiguousarray(x[:, j]).reshape(n, 1), 0, low=-1.0, high=1.0)
        np.testing.assert_allclose(alone.std[0], together.std[j], rtol=1e-13)


def test_one_element_far_from_all_others(rng):
    x = rng.normal(size=100_000)
    x[0] = 1e9
    check(x)
    x[:30_000] = np.nan
    x[30_000] = -1e9
    check(x)


@pytest.mark.parametrize("size", [1e200, 1e300, 1e-200, 5e-324])
def test_squares_beyond_float64(rng, size):
    x = size * np.round(8 * rng.normal(size=(3000, 4)))
    x[:, 2] = rng.normal(size=3000)
    got = na.activation_stats(x, 0)
    exact = [np.std(wide(x[:, j]) / size) * np.longdouble(size) for j in range(4)]
    exact[2] = np.std(wide(x[:, 2]))
    np.testing.assert_allclose(got.std, np.array(exact, float), rtol=1e-12)
    np.testing.assert_allclose(got.mean, x.mean(axis=0), rtol=1e-10)
    largest = np.finfo(float).max
    ends = na.activation_stats([largest, -largest])
    assert (ends.mean, ends.std) == (0, largest)


@dtypes
def test_one_unit_does_not_change_the_others(rng, dtype):
    """Elements that are not finite are noticed after they were added."""
    x = draw(rng, (300, 40), dtype, special=False)
    expected = na.activation_stats(x, 0, activation="tanh")
    for value in (np.nan, np.inf, -np.inf):
        for row in (0, 127, 250):
            y = x.copy()
            y[row, 7] = value
            got = na.activation_stats(y, 0, activation="tanh")
            assert got.nonfinite[7] == 1 / 300
            one, other = (tuple(np.delete(each, 7) for each in stats) for stats in (got, expected))
            assert_same(one, other, f"{value} in row {row}")


def test_only_elements_that_are_not_finite():
    for x in ([np.nan], [np.inf, -np.inf], np.full((3000, 40), np.nan, np.float32)):
        got = na.activation_stats(x)
        assert np.isnan([got.mean, got.std, got.min, got.max]).all()
        assert (got.nonfinite, got.zero) == (1, 0)
    assert na.activation_stats([np.inf, 0.5, -np.inf], low=-1, high=1).saturated == pytest.approx(2 / 3)
    assert na.activation_stats([-1.0, 0.5], high=1).saturated == 0


@pytest.mark.parametrize(
    ("shape", "axis", "kept"), [((0,), None, ()), ((0, 3), 0, (3,)), ((3, 0), 0, (0,)), ((2, 0, 4), (0, 1), (4,))]
)
def test_empty(shape, axis, kept):
    for value in na.activation_stats(np.zeros(shape), axis):
        assert np.shape(value) == kept
        assert np.isnan(value).all()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.data(),
)
def test_any_axes(shape, data):
    axis = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1))))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    check(draw(rng, shape, np.float32), axis, low=-0.5)
    check(draw(rng, shape[::-1], np.float64).T, axis, high=0.5)


def test_ends_come_from_the_catalogue(rng):
    x = 5 * rng.normal(size=20_000)
    told = {
        "relu": (0, None), "relu6": (0, 6), "elu": (-1, None), "sigmoid": (0, 1), "tanh": (-1, 1),
        "log_sigmoid": (None, 0), "leaky_relu": (None, None), "softplus": (0, None),
    }  # fmt: skip
    for name, (low, high) in told.items():
        y = na.activations[name].forward(x)
        near = (np.abs(y - low) <= 0.01 if low is not None else False) | (
            np.abs(y - high) <= 0.01 if high is not None else False
        )
        assert na.activation_stats(y, activation=name).saturated == np.mean(near * np.ones(y.shape)), name
    for name in ("gelu", "silu", "mish", "swiglu", "hard_swish"):
        with pytest.raises(ValueError, match=f"outputs of {name} do not tell"):
            na.activation_stats(x, activation=name)
    assert na.activation_stats(na.softmax(x.reshape(-1, 10)), activation="softmax").saturated > 0.5


def test_ends_of_any_dtype_count_in_full():
    for end in (0, np.float16(0), np.int8(0), np.array(0, np.float32)):
        assert na.activation_stats([0.01], low=end).saturated == 1
        assert na.activation_stats([-0.01], high=end).saturated == 1


def test_wrong_arguments():
    x = np.ones((3, 4))
    for error, match, arguments in (
        (TypeError, "no loop for arrays of complex128", {"x": x + 1j}),
        (TypeError, "mask", {"x": np.ma.array(x)}),
        (TypeError, "either activation or low and high", {"activation": "relu", "low": 0.0}),
        (TypeError, "activation must be a name", {"activation": ["tanh"]}),
        (TypeError, "tolerance must be a real number", {"tolerance": "0.1"}),
        (TypeError, "low must be a real number", {"low": "a"}),
        (TypeError, "axis must be an integer", {"axis": 0.5}),
        (ValueError, "expected low <= high", {"low": 5.0, "high": -5.0}),
        (ValueError, "did you mean 'relu'", {"activation": "rellu"}),
        (ValueError, "low must be a number, not NaN", {"low": np.nan}),
        (ValueError, "tolerance must be at least 0", {"tolerance": -1}),
        (ValueError, "tolerance must be at least 0", {"tolerance": np.nan}),
        (ValueError, "occurs twice", {"axis": (0, -2)}),
        (np.exceptions.AxisError, "axis 2", {"axis": 2}),
    ):
        given = {"x": x, **arguments}
        with pytest.raises(error, match=match):
            na.activation_stats(given.pop("x"), **given)


def test_record():
    stats = na.activation_stats([1.0, 3.0, 0.0, 0.0])
    assert repr(stats) == "ActivationStats(mean=1, std=1.225, min=0, max=3, zero=0.5, saturated=0, nonfinite=0)"
    with pytest.raises(AttributeError):
        stats.mean = 0
    assert repr(na.activation_stats(np.zeros((2, 3)), axis=0)).endswith("nonfinite=0, shape=(3,))")
    assert repr(na.activation_stats(np.zeros((0, 3)), axis=0)).startswith("ActivationStats(mean=nan,")


def test_quiet(rng):
    x = np.array([1e300, -1e300, np.inf, np.nan, 5e-324] * 1000)
    with np.errstate(all="raise"):
        na.activation_stats(x)
        na.activation_stats(x.reshape(-1, 5), axis=0)


def test_the_level_stays_that_of_the_import():
    code = (
        "import os, numact as na; before = na.isa(); os.environ['NUMACT_ISA'] = 'nonsense'; "
        "na.activation_stats([1.0]); assert na.isa() == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
