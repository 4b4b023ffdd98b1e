"""softmax, log_softmax, softmin and their gradients: accuracy, special rows, layouts, threads, dtypes and errors."""

from __future__ import annotations

import itertools
import warnings

import mpmath
import numpy as np
import pytest
from support import Guarded, assert_same_bits
from ulp import LONG, bit_patterns, errors, spacing

import numact as na
from numact import reference

NAMES = ("softmax", "log_softmax", "softmin")
SUFFIXES = ("", "_backward", "_backward_from_output")
FUNCTIONS = [name + suffix for name in NAMES for suffix in SUFFIXES]
LENGTHS = (1, 2, 3, 10, 16, 17, 100, 1000, 1024, 1025, 3000)

pytestmark = pytest.mark.skipif(np.finfo(LONG).nmant < 63, reason="needs an extended precision long double as oracle")
each_name = pytest.mark.parametrize("name", NAMES)
each_function = pytest.mark.parametrize("function", FUNCTIONS)


def bound(built, dtype, name, direction):
    # Halves are computed as float32 is, and rounded.
    dtype = "float64" if dtype == np.float64 else "float32"
    return na.activations[name].max_ulp[dtype, built.tier, direction]


def probabilities(name, x):
    return (reference.softmin if name == "softmin" else reference.softmax)(x)


def magnitude(name, dy, y):
    """Sum of the magnitudes of the terms of each dx, y being the probabilities."""
    if name == "log_softmax":
        return np.abs(dy) + y * np.abs(dy).sum(-1, keepdims=True)
    return y * (np.abs(dy) + np.abs(dy * y).sum(-1, keepdims=True))


def check_forward(built, name, x, label):
    got = built.functions[name](x)
    exact = getattr(reference, name)(x.astype(LONG))
    assert got.dtype == x.dtype
    assert got.shape == x.shape
    # A zero's sign is left open: log_softmax underflows to either.
    ulp = errors(np.abs(got), np.abs(exact))
    limit = bound(built, x.dtype, name, "forward")
    place = np.unravel_index(np.argmax(ulp), ulp.shape)
    assert ulp[place] <= limit, (
        f"{name} {label} at {place}: expected {exact[place]}, got {got[place]}, {ulp[place]} ulp"
    )
    return got


def check_backward(built, name, dy, x, label):
    X, DY = x.astype(LONG), dy.astype(LONG)
    y = built.functions[name](x)
    Y = y.astype(LONG)
    for suffix, argument, p, exact in (
        ("_backward", x, probabilities(name, X), getattr(reference, f"{name}_backward")(DY, X)),
        (
            "_backward_from_output",
            y,
            np.exp(Y) if name == "log_softmax" else Y,
            getattr(reference, f"{name}_backward_from_output")(DY, Y),
        ),
    ):
        got = built.functions[name + suffix](dy, argument)
        assert got.dtype == x.dtype
        unit = spacing(np.minimum(magnitude(name, DY, p), LONG(np.finfo(x.dtype).max)), x.dtype)
        ulp = np.abs(got.astype(LONG) - exact) / unit
        place = np.unravel_index(np.argmax(np.where(np.isnan(ulp), np.inf, ulp)), ulp.shape)
        limit = bound(built, x.dtype, name, "backward")
        assert ulp[place] <= limit, (
            f"{name}{suffix} {label} at {place}: expected {exact[place]}, got {got[place]}, {ulp[place]} ulp"
        )


# --- accuracy ---


@each_name
@pytest.mark.parametrize("code", "efd")
def test_everyday_logits(built, name, code, rng):
    for n, scale in itertools.product(LENGTHS, (1e-3, 3, 60)):
        x = (rng.normal(size=(max(2, 600 // n), n)) * scale).astype(code)
        check_forward(built, name, x, f"n = {n}, scale {scale}")
        check_backward(built, name, rng.normal(size=x.shape).astype(code), x, f"n = {n}, scale {scale}")


@each_name
def test_bit_patterns(built, dtype, name, rng):
    """Numbers of all exponents; and such that their differences are of all exponents."""
    with np.errstate(all="ignore"):
        for n in (2, 3, 40):
            x = bit_patterns(rng, dtype, 6000)
            x = x[np.isfinite(x)]
            x = x[: len(x) // n * n].reshape(-1, n)
            check_forward(built, name, x, f"bit patterns, n = {n}")
            dy = np.ldexp(rng.normal(size=x.shape), rng.integers(-20, 20, x.shape)).astype(dtype)
            check_backward(built, name, dy, x, f"bit patterns, n = {n}")
            differences = -np.ldexp(rng.uniform(1, 2, x.shape), rng.integers(-40, 10, x.shape))
            differences[:, 0] = 0
            check_forward(built, name, (differences * rng.choice([1, -1])).astype(dtype), f"differences, n = {n}")


@each_name
def test_tails_against_mpmath(built, dtype, name):
    """Where long double is no judge: subnormal results, many tiny terms, a difference that float rounds."""
    tail = (-87, -95, -100, -103) if dtype == np.float32 else (-700, -720, -735, -744)
    rows = [
        [0, *tail],
        [0] + 999 * [tail[2]],
        [0] + 999 * [tail[3] - 5],
        [1e6, 1e6 - 17.3, 12345.678],
        [1e-30, 0, -1e-30],
        [5, 5, 5, -20],
    ]
    limit = bound(built, dtype, name, "forward")
    sign = -1 if name == "softmin" else 1
    for row in rows:
        x = sign * np.array(row, dtype)
        got = built.functions[name](x)
        with mpmath.workdps(400):
            shifted = [mpmath.mpf(float(sign * v)) - max(map(float, sign * x)) for v in x]
            total = mpmath.fsum(map(mpmath.exp, shifted))
            for i in (0, 1, len(row) - 1):
                log = shifted[i] - mpmath.log(total)
                exact = log if name == "log_softmax" else mpmath.exp(shifted[i]) / total
                unit = mpmath.mpf(float(spacing(LONG(float(exact)), dtype)))
                error = abs(mpmath.mpf(float(got[i])) - exact) / unit
                assert error <= limit, f"{name} of {row[:4]}... at {i}: expected {exact}, got {got[i]!r}, {error} ulp"


@each_name
def test_huge_gradients(built, dtype, name):
    """Nothing overflows before dx does; tiny dy keep their digits."""
    largest = np.finfo(dtype).max
    tail = -180 if dtype == np.float32 else -1350
    x = np.array(
        [[0, 0, 0, 0], [0, -1, -50, 3], [0, 0, tail + 20, tail], [0, tail / 2, tail / 2 - 9, tail + 90]], dtype
    )
    for dy in ([1, 1, 1, 1], [1, -1, 1, -1], [-1, -1, -1, 1], [1, 0, 0, 0]):
        tiny = np.finfo(dtype).smallest_subnormal
        for scale in (largest, largest / 4, dtype(1e-30), 100 * tiny):
            gradient = (np.array(dy) * scale).astype(dtype)
            check = np.broadcast_to(gradient, x.shape)
            if name == "log_softmax" and scale >= largest / 4:
                check = check / 8  # dx itself would be infinite
            check_backward(built, name, check, x, f"dy = {dy} * {scale}")
    # The sum of dy is infinite where dx is not.
    check_backward(
        built, name, (np.array([0.4, 0.35, 0.35, 0]) * largest).astype(dtype), x[3], "sum beyond the largest"
    )
    n = 100_000
    dx = built.functions[f"{name}_backward"](np.full(n, largest if name != "log_softmax" else largest / n), np.zeros(n))
    assert np.all(np.isfinite(dx))
    assert np.all(np.abs(dx) <= 8 * np.finfo(dx.dtype).eps * largest / n)


@each_name
def test_long_rows(built, dtype, name, rng):
    for n in (16_384, 16_385, 1_000_003):
        x = rng.normal(size=n).astype(dtype)
        check_forward(built, name, x, f"n = {n}")
        check_backward(built, name, rng.normal(size=n).astype(dtype), x, f"n = {n}")
    equal = np.full(1 << 20, 3, dtype)
    expected = -20 * np.log(LONG(2)) if name == "log_softmax" else LONG(2) ** -20
    assert np.all(errors(built.functions[name](equal), np.full(equal.shape, expected)) <= 1)


# --- special rows ---


def test_special_rows(built, dtype):
    """What SciPy returns, without its warnings."""
    inf, nan = np.inf, np.nan
    big = float(np.finfo(dtype).max)
    for row, softmax, log_softmax in (
        ([inf, 1], [nan, nan], [nan, -inf]),
        ([inf, inf], [nan, nan], [nan, nan]),
        ([inf, -inf], [nan, nan], [nan, -inf]),
        ([inf, nan], [nan, nan], [nan, nan]),
        ([-inf, -inf], [nan, nan], [nan, nan]),
        ([-inf, 1], [0, 1], [-inf, 0]),
        ([nan, 1], [nan, nan], [nan, nan]),
        ([nan, -inf], [nan, nan], [nan, nan]),
        ([nan, nan], [nan, nan], [nan, nan]),
        ([big, -big], [1, 0], [0, -inf]),
        ([big, big], [0.5, 0.5], [-np.log(2), -np.log(2)]),
        ([-big, -big, -inf], [0.5, 0.5, 0], [-np.log(2), -np.log(2), -inf]),
        ([5], [1], [0]),
        ([inf], [nan], [nan]),
        ([-inf], [nan], [nan]),
        ([-0.0, 0.0], [0.5, 0.5], [-np.log(2), -np.log(2)]),
    ):
        for repeat in (1, 700):
            x = np.array(row * repeat, dtype)
            with warnings.catch_warnings(), np.errstate(all="raise"):
                warnings.simplefilter("error")
                got = {name: built.functions[name](x) for name in NAMES[:2]}
                got["softmin"] = built.functions["softmin"](-x)
            if repeat == 1:
                expected = {"softmax": softmax, "softmin": softmax, "log_softmax": log_softmax}
                for name in NAMES:
                    assert_same_bits(got[name], np.array(expected[name], dtype), f"{name} of {row}")
            else:
                for name, twin in (("softmax", softmax), ("softmin", softmax), ("log_softmax", log_softmax)):
                    zero = np.tile(np.array(twin) == 0, repeat) if "log" not in name else False
                    np.testing.assert_array_equal(np.isnan(got[name]), np.tile(np.isnan(twin), repeat), err_msg=name)
                    assert np.all((got[name] == 0) | ~np.asarray(zero))


@each_name
def test_nan_anywhere(built, dtype, name, rng):
    for n in (5, 16, 40, 1100):
        for place in {0, 1, n // 2, n - 1}:
            x = rng.normal(size=(3, n)).astype(dtype)
            x[1, place] = np.nan
            for got in (
                built.functions[name](x),
                built.functions[f"{name}_backward"](np.ones_like(x), x),
                built.functions[f"{name}_backward"](x, np.ones_like(x)),
            ):
                expected = np.zeros((3, n), bool)
                expected[1] = True
                if name == "log_softmax" and got is not None:
                    assert np.isnan(got[1]).all()
                np.testing.assert_array_equal(np.isnan(got), expected)


@each_function
def test_no_warnings(built, dtype, function, rng):
    arrays = [bit_patterns(rng, dtype, 400)[:300].reshape(30, 10) for _ in range(1 + ("backward" in function))]
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        built.functions[function](*arrays)


@each_function
def test_empty(built, dtype, function):
    for shape, axis in itertools.product(((0,), (3, 0), (0, 3), (2, 0, 4), (0, 0)), (0, -1)):
        x = np.zeros(shape, dtype)
        got = built.functions[function](*(x,) * (1 + ("backward" in function)), axis=axis)
        assert (got.shape, got.dtype) == (shape, dtype)


# --- layout and threads: a result depends on its row's values alone ---


def by_rows(function, arrays, axis):
    """One contiguous row at a time."""
    moved = [np.moveaxis(a, axis, -1) for a in arrays]
    result = np.empty(moved[0].shape, moved[0].dtype)
    for index in np.ndindex(result.shape[:-1]):
        result[index] = function(*(a[index].copy() for a in moved))
    return np.moveaxis(result, -1, axis)


@each_function
@pytest.mark.parametrize("code", "efd")
def test_layouts(built, function, code, rng):
    f = built.functions[function]
    inputs = 1 + ("backward" in function)
    for shape in ((5, 7, 6), (3, 70, 17), (40, 3, 5), (1, 1, 33)):
        base = [rng.normal(size=shape).astype(code) for _ in range(inputs)]
        for axis in range(-3, 3):
            expected = by_rows(f, base, axis)
            assert_same_bits(f(*base, axis=axis), expected, f"{function} {shape} axis {axis}")
            for axes in itertools.permutations(range(3)):
                views = [np.ascontiguousarray(a.transpose(axes)).transpose(np.argsort(axes)) for a in base]
                assert_same_bits(f(*views, axis=axis), expected, f"{function} {shape} axis {axis} order {axes}")
            for steps, offset in (((2, -3, 1), 64), ((-1, -1, -1), 64), ((1, 2, -2), 64), ((1, 1, 1), 67)):
                guarded = [Guarded(shape, code, steps=steps, offset=offset) for _ in range(inputs + 1)]
                for guard, a in zip(guarded, base, strict=False):
                    guard.array[...] = a
                f(*(guard.array for guard in guarded[:-1]), axis=axis, out=guarded[-1].array)
                label = f"{function} {shape} axis {axis} steps {steps}"
                assert_same_bits(guarded[-1].array, expected, label)
                guarded[-1].check(label)
            swapped = [a.astype(a.dtype.newbyteorder("S")) for a in base]
            assert_same_bits(f(*swapped, axis=axis), expected, f"{function} byte order")


@each_function
def test_every_length(built, dtype, function, rng):
    """Columns of a wide array, taken together, against rows."""
    f = built.functions[function]
    for n, columns in itertools.product((1, 2, 15, 16, 17, 63, 64, 65, 129, 1030), (1, 2, 15, 16, 17, 35)):
        arrays = [rng.normal(size=(n, columns)).astype(dtype) for _ in range(1 + ("backward" in function))]
        rows = f(*(np.ascontiguousarray(a.T) for a in arrays))
        assert_same_bits(f(*arrays, axis=0), rows.T, f"{function} columns of {n}")


@each_name
def test_one_huge_gradient_among_columns(built, name, rng):
    """A row whose sums are taken again leaves those beside it alone."""
    x, dy = rng.normal(size=(2, 10, 20))
    dy[:, 3] *= 1e307
    for suffix in SUFFIXES[1:]:
        f = built.functions[name + suffix]
        argument = x if suffix == "_backward" else built.functions[name](x, axis=0)
        for order in "CF":
            got = f(np.array(dy, order=order), argument, axis=0)
            assert_same_bits(got, by_rows(f, [dy, argument], 0), f"{name}{suffix} order {order}")


@each_function
def test_in_place(built, dtype, function, rng):
    f = built.functions[function]
    for shape, axis in (((7,), 0), ((40, 1500), 1), ((1500, 40), 0), ((3, 30_000), -1), ((4, 5, 6), 1)):
        arrays = [rng.normal(size=shape).astype(dtype) for _ in range(1 + ("backward" in function))]
        expected = f(*arrays, axis=axis)
        for i in range(len(arrays)):
            given = [a.copy() for a in arrays]
            result = f(*given, axis=axis, out=given[i])
            assert result is given[i]
            assert_same_bits(result, expected, f"{function} in place of operand {i}")
    memory = rng.normal(size=300).astype(dtype)
    arrays = [memory[:200].reshape(20, 10), memory[100:].reshape(20, 10)][: len(arrays)]
    expected = f(*(a.copy() for a in arrays))
    assert_same_bits(f(*arrays, out=memory[50:250].reshape(20, 10)), expected, f"{function} partial overlap")


@each_function
def test_threads(built, dtype, function, rng):
    """Many rows, few long rows, and columns: the same bits with one thread and with more."""
    f = built.functions[function]
    for shape, axis in (((3000, 100), -1), ((2, 400_001), -1), ((1, 600_000), -1), ((1000, 300), 0), ((400_000, 2), 0)):
        arrays = [rng.normal(size=shape).astype(dtype) for _ in range(1 + ("backward" in function))]
        with na.num_threads(1):
            expected = f(*arrays, axis=axis)
        na._runtime._native._pretend_cpus(7)
        try:
            with na.num_threads(7):
                assert_same_bits(f(*arrays, axis=axis), expected, f"{function} of {shape} on threads")
        finally:
            na._runtime._native._pretend_cpus(0)


@each_function
def test_precise_is_the_same_at_all_levels(function, rng):
    import support

    arrays = [(10 * rng.normal(size=(50, 37))).astype(np.float32) for _ in range(1 + ("backward" in function))]
    results = [support.build(level, "precise").functions[function](*arrays) for level in support.LEVELS]
    for each in results[1:]:
        assert_same_bits(each, results[0], f"{function} precise")


# --- dtypes, calls and errors ---


@each_function
def test_dtypes(built, function):
    f = built.functions[function]
    inputs = 1 + ("backward" in function)
    for code, result in (("?", "d"), ("b", "d"), ("i", "d"), ("Q", "d"), ("e", "e"), ("f", "f"), ("d", "d")):
        assert f(*(np.ones(3, code),) * inputs).dtype == result
    for code in "FDgGOUM":
        with pytest.raises(TypeError, match=r"no loop for arrays of|cannot be promoted|no common|DType"):
            f(*(np.zeros(3, "M8[s]" if code == "M" else code),) * inputs)
    assert f(*([1.0, 2.0],) * inputs).dtype == np.float64
    assert f(*(np.ones(3, "f"),) * inputs, dtype="d").dtype == np.float64
    if inputs == 2:
        assert f(np.ones(3, "f"), np.ones(3, "d")).dtype == np.float64
        assert f(np.ones(3, "e"), np.ones(3, "f")).dtype == np.float32
        assert f(np.ones(3, "i"), np.ones(3, "f")).dtype == np.float64


@each_function
def test_bfloat16(built, function, rng):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    arrays = [rng.normal(size=(6, 50)).astype(ml_dtypes.bfloat16) for _ in range(1 + ("backward" in function))]
    got = built.functions[function](*arrays, axis=0)
    assert got.dtype == ml_dtypes.bfloat16
    wide = na._build.make(built.level, False, "numact")[1][function](*(a.astype(np.float32) for a in arrays), axis=0)
    assert np.array_equal(got, wide.astype(ml_dtypes.bfloat16))


@each_function
def test_calls_that_are_refused(built, function):
    f = built.functions[function]
    inputs = 1 + ("backward" in function)
    x = np.ones((2, 3))
    with pytest.raises(np.exceptions.AxisError):
        f(*(x,) * inputs, axis=2)
    with pytest.raises(ValueError, match="enough dimensions"):
        f(*(np.float64(1),) * inputs)
    for axis in (0.5, True, "0", [0], np.float64(0)):
        message = rf"{function}: axis must be an integer, not (numpy\.)?{type(axis).__name__}"
        with pytest.raises(TypeError, match=message):
            f(*(x,) * inputs, axis=axis)
        with pytest.raises(TypeError, match=message):
            f(*(x,) * inputs, axis)
    with pytest.raises(ValueError, match="mismatch"):
        f(*(x,) * inputs, out=np.empty((2, 4)))
    with pytest.raises(TypeError):
        f(*(x,) * inputs, where=True)
    read_only = x.copy()
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        f(*(x,) * inputs, out=read_only)
    if inputs == 2:
        with pytest.raises(ValueError, match="mismatch"):
            f(x, np.ones((2, 4)))
        assert f(np.ones(3), x).shape == (2, 3)


@each_function
def test_axis_by_position(built, function, rng):
    ufunc = built.functions[function]
    data = [rng.normal(size=(3, 4))] * ufunc.nin
    for axis in (0, np.int64(1), -2):
        np.testing.assert_array_equal(ufunc(*data, axis), ufunc(*data, axis=axis))
    out = np.empty((3, 4))
    assert ufunc(*data, out) is out
    with pytest.raises(np.exceptions.AxisError):
        ufunc(*data, 2)
    with pytest.raises(TypeError, match="axis is given by position and by keyword"):
        ufunc(*data, 0, axis=0)


@each_function
def test_other_libraries_are_told_the_axis(built, function):
    """pandas would take the default for that of its own blocks."""

    class Other:
        def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
            return keywords

    ufunc = built.functions[function]
    data = [Other()] * ufunc.nin
    assert ufunc(*data) == {"axis": -1}
    assert ufunc(*data, axis=0) == ufunc(*data, 0) == {"axis": 0}
    assert ufunc(*data, dtype=float) == {"axis": -1, "dtype": float}
    assert ufunc(*data, axes=[0] * (ufunc.nin + 1)) == {"axes": [0] * (ufunc.nin + 1)}


def test_public_functions_are_gufuncs():
    for function in FUNCTIONS:
        for module in (na, na.precise):
            f = getattr(module, function)
            assert isinstance(f, np.ufunc)
            assert f.signature == ("(n),(n)->(n)" if "backward" in function else "(n)->(n)")
            assert f.__name__ == function


# --- gradients ---


@each_name
def test_gradients(built, name, rng):
    """Against central differences of a random projection of the output."""
    f, backward = built.functions[name], built.functions[f"{name}_backward"]
    from_output = built.functions[f"{name}_backward_from_output"]
    for shape, axis in (((6,), 0), ((3, 5), 0), ((2, 4, 3), 1)):
        x, dy = rng.normal(size=shape), rng.normal(size=shape)
        dx = backward(dy, x, axis=axis)
        np.testing.assert_allclose(from_output(dy, f(x, axis=axis), axis=axis), dx, rtol=1e-12, atol=1e-15)
        for index in np.ndindex(shape):
            step = np.zeros(shape)
            step[index] = 1e-6
            change = ((f(x + step, axis=axis) - f(x - step, axis=axis)) * dy).sum() / 2e-6
            assert abs(change - dx[index]) <= 1e-8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "columns"), [(1, 40), (5, 1100), (16, 2048), (37, 33), (700, 70)])
def test_columns_give_what_rows_give(rng, dtype, n, columns):
    """Strips of columns sum as one row does, also where dy is so large that its sum is taken once more."""
    x, dy = (np.asarray(3 * rng.normal(size=(n, columns)), dtype) for _ in range(2))
    if dtype == np.float64:
        dy[:, ::7] *= 1e307
    for name in NAMES:
        y = getattr(na, name)(x, axis=0)
        for suffix, operands in (("", (x,)), ("_backward", (dy, x)), ("_backward_from_output", (dy, y))):
            function = name + suffix
            f = getattr(na, function)
            expected = f(*(np.ascontiguousarray(operand.T) for operand in operands)).T
            assert_same_bits(f(*operands, axis=0), expected, f"{function} of {n} rows")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_name
def test_distances_and_sizes_where_care_begins(built, dtype, name, rng):
    """Rows one after another need less care where no element is far below the maximum and the sum of dy not extreme."""
    n, rows = 64, 32
    limit, sizes = (62, (1e-36, 1e-18, 1.0, 1e18, 1e36)) if dtype == np.float32 else (660, (1e-300, 1.0, 1e300))
    distances = limit * np.array([0.5, 0.97, 0.99, 1.0, 1.01, 1.03, 1.4, 1.6, 2.2, 3.0])
    for distance, size in itertools.product(distances, sizes):
        x = np.asarray(rng.uniform(-distance, 0, (n, rows)), dtype)
        x[0], x[-1] = 0, -distance
        y = np.asarray(x if name == "log_softmax" else rng.uniform(0, 1, x.shape), dtype)
        dy = np.asarray(size * rng.normal(size=x.shape), dtype)
        for suffix, last in (("_backward", x), ("_backward_from_output", y)):
            f = built.functions[name + suffix]
            expected = f(dy, last, axis=0)
            got = f(np.ascontiguousarray(dy.T), np.ascontiguousarray(last.T)).T
            assert_same_bits(got, expected, f"{name}{suffix}, distance {distance}, dy about {size}")
