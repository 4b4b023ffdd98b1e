"""The value of an element decides its result: not its position, nor how the arrays lie in memory, nor the threads."""

import itertools

import numpy as np
import pytest
import support
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support import BUILDS, BY_NAME, CASES, DTYPES, GATED, TWO_INPUTS, Guarded, assert_same_bits, one_by_one

import numact as na

N = 67
all_cases = pytest.mark.parametrize("case", CASES, ids=str)


def prepared(built, case, dtype, rng, n=N):
    """(label, ufunc, operands, results element by element)."""
    ufunc = built.ufuncs[case.name]
    inputs = support.operands(rng, case, dtype, built.tier, n)
    label = f"{case.name} {np.dtype(dtype)} {built.level} {built.tier}"
    return label, ufunc, inputs, one_by_one(ufunc, *inputs)


def placed(array, **how):
    """A copy of the array somewhere in memory."""
    guarded = Guarded(array.shape, how.pop("dtype", array.dtype), **how)
    guarded.array[...] = array
    return guarded.array


# One array beside others


@all_cases
def test_every_length_and_position(built, case, dtype, rng):
    label, ufunc, inputs, expected = prepared(built, case, dtype, rng)
    for n in range(1, N + 1):
        begin = (7 * n) % (N - n + 1)
        part = slice(begin, begin + n)
        out = Guarded(n, dtype)
        result = ufunc(*(x[part] for x in inputs), out=out.array)
        assert result is out.array
        assert_same_bits(result, expected[part], f"{label} length {n} from {begin}", *(x[part] for x in inputs))
        out.check(label)


@all_cases
def test_long_arrays(built, case, dtype, rng):
    label, ufunc, inputs, expected = prepared(built, case, dtype, rng)
    for n in (127, 128, 255, 256, 257, 511, 513, 1000, 8191, 8193, 16384 + 5, 33000):
        out = Guarded(n, dtype)
        long = [np.resize(x, n) for x in inputs]
        assert_same_bits(ufunc(*long, out=out.array), np.resize(expected, n), f"{label} length {n}", *long)
        out.check(label)


AT_EVERY_PLACE = ("relu", "sigmoid", "swish", "swish_backward", "tanh_backward_from_output", "glu_backward")


@pytest.mark.parametrize("n", [1024, 1500])
@pytest.mark.parametrize("case", [case for case in (*CASES, *GATED) if case.name in AT_EVERY_PLACE], ids=str)
def test_long_arrays_at_every_place_of_a_cache_line(built, case, n, dtype, rng):
    label, ufunc = f"{case} {np.dtype(dtype)} {built.level} {built.tier}", built.ufuncs[case.name]
    inputs = support.operands(rng, case, dtype, built.tier, N)
    short = ufunc(*inputs)
    long = [np.resize(x, n) for x in inputs]
    expected = [np.resize(each, n) for each in (short if ufunc.nout > 1 else (short,))]
    size = np.dtype(dtype).itemsize
    for place in range(0, 64, size):
        where = f"{label} length {n} from byte {place}"
        results = [Guarded(n, dtype, offset=place) for _ in expected]
        ufunc(*long, out=tuple(each.array for each in results))
        for got, wanted in zip(results, expected, strict=True):
            assert_same_bits(got.array, wanted, where, *long)
            got.check(where)
        for i in [i for i, x in enumerate(long) if x.dtype == dtype]:
            arrays = list(long)
            arrays[i] = placed(long[i], offset=place)
            other = [np.empty_like(each) for each in expected[1:]]
            ufunc(*arrays, out=(arrays[i], *other))
            for got, wanted in zip((arrays[i], *other), expected, strict=True):
                assert_same_bits(got, wanted, f"{where} in place of {i}", *long)


@all_cases
def test_neighbours_change_nothing(built, case, dtype, rng):
    """A loop may take a shorter way where all arguments of a block allow it."""
    label, ufunc, n = f"{case} {np.dtype(dtype)} {built.level} {built.tier}", built.ufuncs[case.name], 1 << 14
    exponents = np.finfo(dtype).minexp - 20, np.finfo(dtype).maxexp
    sign = rng.choice([-1.0, 1.0], n)
    parameters = [0.25 if p.default is None else p.default for p in case.record.parameters]
    for limit in (0.5, 2, 9, 36, 79, 690):
        x = (sign * limit * rng.uniform(0, 1, n) ** rng.choice([1, 8], n)).astype(dtype)
        dy = np.ldexp(rng.uniform(-2, 2, n), rng.integers(*exponents, n)).astype(dtype)
        far = x.copy()
        far[::16] = rng.choice([-np.inf, np.inf, np.nan, -1e30, 1e30], n // 16)
        others = np.arange(n) % 16 != 0
        alone, beside = (ufunc(*([dy, data][-case.arrays :]), *parameters) for data in (x, far))
        assert_same_bits(beside[others], alone[others], f"{label} up to {limit}", dy[others], x[others])


@all_cases
def test_steps(built, case, dtype, rng):
    label, ufunc, inputs, expected = prepared(built, case, dtype, rng)
    for step in (2, 3, -1, -2, 5):
        for moved in (*range(len(inputs)), None, "all"):
            arrays = [placed(x, steps=[step]) if moved in (i, "all") else x for i, x in enumerate(inputs)]
            out = Guarded(N, dtype, steps=[step if moved in (None, "all") else 1])
            assert_same_bits(ufunc(*arrays, out=out.array), expected, f"{label} step {step} of {moved}", *inputs)
            out.check(label)


@all_cases
def test_step_zero(built, case, dtype, rng):
    label, ufunc, inputs, _ = prepared(built, case, dtype, rng)
    for chosen in itertools.product((False, True), repeat=len(inputs)):
        arrays = [np.broadcast_to(x[3], N) if fixed else x for x, fixed in zip(inputs, chosen, strict=True)]
        assert_same_bits(ufunc(*arrays), one_by_one(ufunc, *arrays), f"{label} step 0 {chosen}", *arrays)


@all_cases
def test_unaligned_and_byte_order(built, case, dtype, rng):
    label, ufunc, inputs, expected = prepared(built, case, dtype, rng)
    for offset, order, step in itertools.product((64, 65, 68, 71), "=S", (1, -2)):
        arrays = [placed(x, dtype=x.dtype.newbyteorder(order), offset=offset, steps=[step]) for x in inputs]
        out = Guarded(N, np.dtype(dtype).newbyteorder(order), offset=offset, steps=[step])
        what = f"{label} offset {offset} order {order} step {step}"
        assert_same_bits(ufunc(*arrays), expected, what, *inputs)
        assert_same_bits(ufunc(*arrays, out=out.array), expected, what + " out", *inputs)
        out.check(what)


@all_cases
def test_axes_and_order(built, case, dtype, rng):
    label, ufunc, inputs, expected = prepared(built, case, dtype, rng, 60)
    shape = (3, 4, 5)
    inputs, expected = [x.reshape(shape) for x in inputs], expected.reshape(shape)
    for axes in itertools.permutations(range(3)):
        views = [placed(x.transpose(axes)).transpose(np.argsort(axes)) for x in inputs]
        assert_same_bits(ufunc(*views), expected, f"{label} axes {axes}", *inputs)
        assert_same_bits(ufunc(*inputs[:-1], views[-1]), expected, f"{label} axes {axes} last", *inputs)
        for order in "CFAK":
            result = ufunc(*views, order=order)
            assert_same_bits(result, expected, f"{label} axes {axes} order {order}", *inputs)
            strides = np.multiply(np.logical_or(views[0], views[-1], order=order).strides, result.itemsize)
            assert result.strides == tuple(strides), f"{label} axes {axes} order {order}"
    part = (slice(None, None, -1), slice(1, None, 2), slice(None, None, -3))
    assert_same_bits(ufunc(*(x[part] for x in inputs)), expected[part], f"{label} slices")
    out = Guarded(shape, dtype, steps=(2, -1, 3))
    assert_same_bits(ufunc(*inputs, out=out.array), expected, f"{label} strided out", *inputs)
    out.check(label)


@all_cases
def test_broadcasting(built, case, dtype, rng):
    label, ufunc, inputs, _ = prepared(built, case, dtype, rng, 12)
    shapes = [(4, 3), (3,), (4, 1), (1, 1), (2, 1, 3), ()]
    for chosen in itertools.product(shapes, repeat=len(inputs)):
        if len(inputs) == 3 and rng.random() > 0.2:
            continue
        arrays = [np.resize(x, shape) for x, shape in zip(inputs, chosen, strict=True)]
        assert_same_bits(ufunc(*arrays), one_by_one(ufunc, *arrays), f"{label} shapes {chosen}")


@all_cases
def test_scalars_and_empty(built, case, dtype, rng):
    label, ufunc, inputs, expected = prepared(built, case, dtype, rng)
    scalar = ufunc(*(x[5] for x in inputs))
    assert isinstance(scalar, dtype), f"{label}: {type(scalar)}"
    assert_same_bits(scalar, expected[5], label, *(x[5] for x in inputs))
    assert_same_bits(ufunc(*(np.array(x[5]) for x in inputs)), expected[5], label)
    out = Guarded((), dtype)
    assert ufunc(*(x[5] for x in inputs), out=out.array) is out.array
    assert_same_bits(out.array, expected[5], label)
    out.check(label)
    for shape in ((0,), (3, 0), (0, 3), (2, 0, 4)):
        result = ufunc(*(np.resize(x, shape) for x in inputs))
        assert (result.shape, result.dtype) == (shape, dtype), label
        out = Guarded(shape, dtype)
        ufunc(*(np.resize(x, shape) for x in inputs), out=out.array)
        out.check(label)


@all_cases
def test_mixed_dtypes_in_long_arrays(built, case, dtype, rng):
    """NumPy casts through buffers of its own: every piece of them comes right."""
    label, ufunc, inputs, _ = prepared(built, case, dtype, rng)
    n = 20011
    integers = rng.integers(-5, 6, n)
    arrays = [integers, *(np.resize(x, n) for x in inputs[1:])]
    expected = ufunc(integers.astype(float), *(x.astype(float) for x in arrays[1:]))
    if case.arrays == 2 or built.tier == "precise" or dtype is np.float64:
        assert_same_bits(ufunc(*arrays), expected, f"{label} integers", *arrays)
    with np.errstate(over="ignore", invalid="ignore"):
        out = ufunc(*(np.resize(x, n) for x in inputs), out=np.empty(n, np.float64))
    assert_same_bits(out, np.resize(ufunc(*inputs).astype(np.float64), n), f"{label} wider out")


# Rows: arrays of two dimensions and more against contiguous copies


def arranged(array, how):
    """A copy of an array of two dimensions in another layout."""
    layouts = {
        "plain": {},
        "apart": {"steps": (2, 1)},
        "every other": {"steps": (1, 2)},
        "third": {"steps": (1, 3)},
        "reversed": {"steps": (1, -1)},
        "upwards": {"steps": (-1, 1)},
    }
    if how in layouts:
        return placed(array, **layouts[how])
    return placed(array.T, steps=(2, 1) if how == "across, apart" else (1, 1)).T


LAYOUTS = ("plain", "apart", "every other", "third", "reversed", "upwards", "across", "across, apart")


@all_cases
def test_short_rows(built, case, dtype, rng):
    ufunc = built.ufuncs[case.name]
    for _ in range(4):
        rows, length = rng.choice([3, 40, 70, 130]), rng.choice([2, 3, 4, 5, 7, 8, 13, 16, 17, 24, 31, 33, 64, 65, 129])
        inputs = support.operands(rng, case, dtype, built.tier, rows * length)
        inputs = [x.reshape(rows, length) for x in inputs]
        parts = [x[rng.choice([slice(None), slice(1)]), rng.choice([slice(None), slice(1)])] for x in inputs]
        parts[0] = inputs[0]
        expected = ufunc(*(np.ascontiguousarray(np.broadcast_to(x, (rows, length))).ravel() for x in parts))
        expected = expected.reshape(rows, length)
        for _ in range(4):
            arrays = [arranged(x, rng.choice(LAYOUTS)) for x in parts]
            label = f"{case.name} {np.dtype(dtype)} {built.level} {built.tier} {[(x.shape, x.strides) for x in arrays]}"
            assert_same_bits(ufunc(*arrays), expected, label, *arrays)
            steps = [(1, 1), (2, 1), (1, 2), (-2, 3)][rng.integers(4)]
            out = Guarded((rows, length), dtype, steps=steps)
            ufunc(*arrays, out=out.array)
            assert_same_bits(out.array, expected, f"{label} into steps {steps}", *arrays)
            out.check(label)
            out = Guarded((length, rows), dtype, steps=steps)
            ufunc(*arrays, out=out.array.T)
            assert_same_bits(out.array.T, expected, f"{label} across steps {steps}", *arrays)
            out.check(label)
            if arrays[0].base is not None:
                ufunc(*arrays, out=arrays[0])
                assert_same_bits(arrays[0], expected, f"{label} in place", *parts)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("name", ["gelu", "prelu", "swish_backward", "hard_tanh"])
def test_short_rows_of_halves_and_more_dimensions(name, dtype, rng):
    """Channels anywhere, with a parameter for each."""
    case, ufunc = BY_NAME[name], getattr(na.ufuncs, name)
    shape = (5, 6, 7, 9)
    for axes in itertools.permutations(range(4)):
        inputs = [support.values(rng, dtype, 1890).reshape(shape).transpose(axes) for _ in range(case.arrays)]
        shapes = [[n if k == axis else 1 for k, n in enumerate(inputs[0].shape)] for axis in range(4)]
        for channels in shapes:
            given = [rng.uniform(0, 2, channels).astype(np.float32) for _ in range(case.parameters)]
            whole = [np.ascontiguousarray(x) for x in (*inputs, *(np.broadcast_to(p, inputs[0].shape) for p in given))]
            expected = ufunc(*whole)
            for threads in (1, 2):
                with na.num_threads(threads):
                    got = ufunc(*inputs, *given)
                assert_same_bits(got, expected, f"{name} {np.dtype(dtype)} axes {axes} channels {channels}")
            out = Guarded(inputs[0].shape, dtype, steps=(1, 2, 1, -1))
            ufunc(*(x[::-1] for x in inputs), *(p[::-1] for p in given), out=out.array[::-1])
            assert_same_bits(out.array, expected, f"{name} {np.dtype(dtype)} axes {axes} channels {channels} out")
            out.check(name)


def test_results_are_laid_out_as_by_numpy(rng):
    as_strided = np.lib.stride_tricks.as_strided
    memory = rng.normal(size=4000)
    for _ in range(500):
        axes = rng.integers(1, 5)
        shape = tuple(int(n) for n in rng.integers(1, 5, axes))
        arrays = [
            as_strided(memory[2000:], shape, tuple(8 * int(s) for s in rng.choice([-40, -8, -1, 0, 1, 2, 8, 40], axes)))
            for _ in range(2)
        ]
        for got, expected in (
            (na.relu_backward(*arrays), np.multiply(*arrays)),
            (na.relu(arrays[0]), np.negative(arrays[0])),
        ):
            assert got.shape == expected.shape
            assert got.strides == expected.strides, [(x.shape, x.strides) for x in arrays]


def test_given_results_of_any_strides(rng):
    """Axes in any order; elements that lie on each other end as NumPy leaves them."""
    as_strided = np.lib.stride_tricks.as_strided
    for _ in range(500):
        axes = rng.integers(1, 5)
        shape = tuple(int(n) for n in rng.integers(1, 6, axes))
        x = rng.normal(size=shape).transpose(rng.permutation(axes))
        strides = tuple(8 * int(s) for s in rng.choice([-125, -25, -5, -1, 1, 2, 5, 6, 25, 125], axes))
        got, expected = np.zeros(5000), np.zeros(5000)
        na.relu(x, out=as_strided(got[2500:], x.shape, strides))
        np.maximum(x, 0, out=as_strided(expected[2500:], x.shape, strides))
        assert_same_bits(got, expected, f"shape {x.shape}, strides {x.strides}, of the output {strides}")


def test_large_arrays_across(rng):
    """Several chunks of rows and columns, on any number of threads."""
    x = rng.normal(size=(300, 500)).astype(np.float32)
    dy = rng.normal(size=(500, 300)).astype(np.float32)
    expected = na.gelu_backward(dy, np.ascontiguousarray(x.T))
    for threads in (1, 2, 3):
        with na.num_threads(threads):
            assert_same_bits(na.gelu_backward(dy, x.T), expected, "input across")
            out = np.zeros((300, 1000), np.float32)
            na.gelu_backward(dy, np.ascontiguousarray(x.T), out=out[:, ::2].T)
            assert_same_bits(out[:, ::2].T, expected, "output across")
            assert not out[:, 1::2].any()


@pytest.mark.parametrize("shape", [(64,), (40, 3), (64, 50)])
def test_parameter_inside_the_output(shape, rng):
    """A view of an element or a row of the output: read before it is written."""
    whole = rng.normal(size=(*shape[:-1], 2 * shape[-1])).astype(np.float32)
    first = (0,) * (len(shape) - 1)
    for make in (lambda y: y[(*first, 5 % shape[-1])].reshape(()), lambda y: y[(*first, ...)], lambda y: y[..., :1]):
        for function in (na.leaky_relu, na.ufuncs.leaky_relu):
            memory = whole.copy()
            x, out = memory[..., : shape[-1]], memory[..., shape[-1] :]
            for target in (out, x):
                view = make(target) if target is out else np.lib.stride_tricks.as_strided(x, (), ())
                expected = function(x.copy(), view.copy())
                function(x, view, out=target)
                assert_same_bits(target, expected, f"{function.__name__} {shape}")


# Output


@all_cases
def test_in_place(built, case, dtype, rng):
    label, ufunc, inputs, expected = prepared(built, case, dtype, rng)
    for i, step in itertools.product(range(len(inputs)), (1, 2, -1, -3)):
        arrays = [placed(x, steps=[step]) for x in inputs]
        if arrays[i].dtype != dtype:
            continue
        assert ufunc(*arrays, out=arrays[i]) is arrays[i]
        assert_same_bits(arrays[i], expected, f"{label} in place of {i} step {step}", *inputs)
        arrays = [x.copy() for x in inputs]
        ufunc(*arrays, arrays[i])
        assert_same_bits(arrays[i], expected, f"{label} in place of {i}", *inputs)
    if case.arrays == 2:  # the same array as every operand
        x = inputs[0].copy()
        expected = one_by_one(ufunc, x, x, *inputs[2:])
        assert_same_bits(ufunc(x, x, *inputs[2:], out=x), expected, f"{label} all the same", inputs[0])


@all_cases
def test_overlap(built, case, dtype, rng):
    label, ufunc, inputs, _ = prepared(built, case, dtype, rng)
    views = {
        "shifted up": (slice(0, 40), slice(1, 41)),
        "shifted down": (slice(1, 41), slice(0, 40)),
        "shifted far": (slice(0, 40), slice(17, 57)),
        "reversed": (slice(0, 40), slice(39, None, -1)),
        "interleaved": (slice(0, 60, 2), slice(1, 60, 2)),
        "interleaved backwards": (slice(0, 60, 2), slice(59, 0, -2)),
        "steps 2 and 3": (slice(0, 40, 2), slice(0, 60, 3)),
        "step 2 onto 1": (slice(0, 60, 2), slice(0, 30)),
    }
    for (name, (read, written)), i in itertools.product(views.items(), range(len(inputs))):
        if inputs[i].dtype != dtype:
            continue
        memory = inputs[i].copy()
        n = len(memory[read])
        arrays = [x[:n] for x in inputs]
        arrays[i] = memory[read]
        expected = memory.copy()
        expected[written] = one_by_one(ufunc, *arrays)
        ufunc(*arrays, out=memory[written])
        assert_same_bits(memory, expected, f"{label} operand {i} {name}", inputs[i])


@all_cases
def test_overlap_at_an_odd_number_of_bytes(built, case, dtype, rng):
    label, ufunc, inputs, _ = prepared(built, case, dtype, rng)
    size = np.dtype(dtype).itemsize
    for shift in (1, size // 2, size + 1):
        memory = np.zeros(N * size + 64, np.uint8)
        read, written = np.ndarray(N, dtype, memory, 16), np.ndarray(N, dtype, memory, 16 + shift)
        read[...] = inputs[0]
        expected = one_by_one(ufunc, *inputs)
        ufunc(read, *inputs[1:], out=written)
        assert_same_bits(written, expected, f"{label} {shift} bytes on", *inputs)


@all_cases
def test_where(built, case, dtype, rng):
    label, ufunc, inputs, expected = prepared(built, case, dtype, rng)
    for mask in (rng.random(N) < 0.5, np.zeros(N, bool), np.ones(N, bool), np.array(True), np.array(False)):
        out = Guarded(N, dtype, steps=[2])
        out.array[...] = 7
        ufunc(*inputs, out=out.array, where=mask)
        assert_same_bits(out.array, np.where(mask, expected, dtype(7)), f"{label} where", *inputs)
        out.check(label)
    memory = inputs[0].copy()
    mask = rng.random(N - 1) < 0.5
    result = np.where(mask, one_by_one(ufunc, memory[1:], *(x[1:] for x in inputs[1:])), memory[:-1])
    ufunc(memory[1:], *(x[1:] for x in inputs[1:]), out=memory[:-1], where=mask)
    assert_same_bits(memory[:-1], result, f"{label} where, overlapping")


@all_cases
def test_read_only(built, case, dtype, rng):
    label, ufunc, inputs, expected = prepared(built, case, dtype, rng)
    for x in inputs:
        x.flags.writeable = False
    assert_same_bits(ufunc(*inputs), expected, label, *inputs)
    out = Guarded(N, dtype)
    out.array.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        ufunc(*inputs, out=out.array)
    assert (out.memory == out.pattern).all(), f"{label}: a read-only output was written"


@all_cases
def test_refused_before_anything_is_written(built, case, dtype, rng):
    label, ufunc, inputs, _ = prepared(built, case, dtype, rng)
    out = Guarded(N - 1, dtype)
    with pytest.raises(ValueError, match="broadcast"):
        ufunc(*inputs, out=out.array)
    with pytest.raises(TypeError):
        ufunc(*inputs, out=np.empty(N, np.int64))
    with pytest.raises(TypeError):
        ufunc(*inputs, out=out.array.tobytes())
    if case.arrays == 2:
        with pytest.raises(ValueError, match="broadcast"):
            ufunc(inputs[0], *(x[:-1] for x in inputs[1:]), out=np.empty(N, dtype))
    assert (out.memory == out.pattern).all(), label


class Tagged(np.ndarray):
    pass


@all_cases
def test_subclass(built, case, dtype, rng):
    label, ufunc, inputs, expected = prepared(built, case, dtype, rng)
    result = ufunc(inputs[0].view(Tagged), *inputs[1:])
    assert type(result) is Tagged, label
    assert_same_bits(result.view(np.ndarray), expected, label, *inputs)
    assert type(ufunc(inputs[0].view(Tagged), *inputs[1:], subok=False)) is np.ndarray, label
    out = np.empty(N, dtype).view(Tagged)
    assert ufunc(*inputs, out=out) is out


class Recorder:
    """A duck array that says what it was asked."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return ufunc.__name__, method, len(inputs), sorted(kwargs)


@all_cases
def test_array_ufunc_dispatch(built, case):
    function = built.functions[case.name]
    arguments = [Recorder(), *([1.0] * (case.arrays - 1)), *support.defaults(case)]
    count = case.arrays + case.parameters
    if case.activation in support.LEARNED and case.suffix == "_backward":
        function = built.ufuncs[case.name]
    assert function(*arguments) == (case.name, "__call__", count, [])
    assert function(*arguments, where=True) == (case.name, "__call__", count, ["where"])
    assert function(1.0, *arguments[1:], out=Recorder()) == (case.name, "__call__", count, ["out"])


class ErrorHandling:
    """A duck array that answers with how its caller wants errors handled."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return np.geterr()


def test_array_ufunc_sees_the_error_handling_of_its_caller():
    duck = ErrorHandling()
    with np.errstate(all="raise"):
        expected = np.geterr()
        assert na.gelu(duck) == na.gelu(1.0, out=duck) == na.gelu(1.0, out=(duck,)) == expected
        assert na.leaky_relu(duck, 0.5) == na.softmax(duck) == na.ufuncs.elu(1.0, duck) == expected


# Threads


@all_cases
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
def test_number_of_threads(case, dtype, rng):
    n = (1 << 20) + 77
    for tier in support.TIERS:
        built = support.build(na.isa(), tier)
        label, ufunc, inputs, expected = prepared(built, case, dtype, rng)
        long = [np.resize(x, n) for x in inputs[: case.arrays]]
        long += [np.resize(x, n) if tier == "precise" else x[3] for x in inputs[case.arrays :]]
        if tier == "standard" and case.parameters:
            expected = one_by_one(ufunc, *inputs[: case.arrays], *(x[3] for x in inputs[case.arrays :]))
        expected = np.resize(expected, n)
        for threads in (1, 2, 3):
            out = Guarded(n, dtype)
            with na.num_threads(threads):
                ufunc(*long, out=out.array)
            assert_same_bits(out.array, expected, f"{label} {threads} threads", *long)
            out.check(label)


# Methods of ufuncs of two inputs


@pytest.mark.parametrize("case", TWO_INPUTS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("tier", support.TIERS)
class TestMethods:
    """Against loops over single elements."""

    def fold(self, ufunc, x):
        results = [x[0]]
        for each in x[1:]:
            results.append(ufunc(results[-1], each))
        return np.array(results, x.dtype)

    def setup_case(self, case, dtype, tier, rng):
        ufunc = support.build(na.isa(), tier).ufuncs[case.name]
        x = rng.normal(size=40).astype(dtype)
        if tier == "precise" and case.parameters and dtype is np.float32:
            pytest.skip("operands of two dtypes: refused by NumPy in some methods")
        return f"{case.name} {np.dtype(dtype)} {tier}", ufunc, x

    def test_reduce(self, case, dtype, tier, rng):
        label, ufunc, x = self.setup_case(case, dtype, tier, rng)
        for view in (x, x[::-1], x[::3], x[:1], x[:2]):
            assert_same_bits(ufunc.reduce(view), self.fold(ufunc, view)[-1], f"{label} reduce")
        table = x.reshape(5, 8)
        for axis, order in itertools.product((0, 1), "CF"):
            expected = [self.fold(ufunc, row)[-1] for row in np.moveaxis(table, axis, -1)]
            got = ufunc.reduce(np.asarray(table, order=order), axis=axis)
            assert_same_bits(got, np.array(expected, dtype), f"{label} reduce axis {axis} order {order}")
        out = Guarded(5, dtype, steps=[2])
        ufunc.reduce(table, axis=1, out=out.array)
        assert_same_bits(
            out.array, np.array([self.fold(ufunc, row)[-1] for row in table], dtype), f"{label} reduce out"
        )
        out.check(label)
        memory = table.copy()
        ufunc.reduce(memory, axis=1, out=memory[:, 0])
        assert_same_bits(memory[:, 0], out.array.copy(), f"{label} reduce into its input")
        long = np.resize(x, 20011)
        assert_same_bits(ufunc.reduce(long), self.fold(ufunc, long)[-1], f"{label} long reduce")

    def test_accumulate(self, case, dtype, tier, rng):
        label, ufunc, x = self.setup_case(case, dtype, tier, rng)
        for view in (x, x[::-1], x[::3], x[:1], x[:2]):
            assert_same_bits(ufunc.accumulate(view), self.fold(ufunc, view), f"{label} accumulate", view)
        table = x.reshape(5, 8)
        expected = np.array([self.fold(ufunc, row) for row in table.T], dtype).T
        assert_same_bits(ufunc.accumulate(table, axis=0), expected, f"{label} accumulate axis 0", table)
        for step in (1, 2, -1):
            memory = placed(x, steps=[step])
            ufunc.accumulate(memory, out=memory)
            assert_same_bits(memory, self.fold(ufunc, x), f"{label} accumulate in place, step {step}", x)
        memory = x.copy()
        ufunc.accumulate(memory[:-1], out=memory[1:])
        assert_same_bits(memory[1:], self.fold(ufunc, x[:-1]), f"{label} accumulate shifted", x[:-1])

    def test_reduceat(self, case, dtype, tier, rng):
        label, ufunc, x = self.setup_case(case, dtype, tier, rng)
        places = [0, 5, 3, 39, 10, 11, 0]
        ends = [*places[1:], len(x)]
        expected = [self.fold(ufunc, x[i:j] if i < j else x[i : i + 1])[-1] for i, j in zip(places, ends, strict=True)]
        for view in (x, placed(x, steps=[-2])):
            assert_same_bits(ufunc.reduceat(view, places), np.array(expected, dtype), f"{label} reduceat")

    def test_outer(self, case, dtype, tier, rng):
        label, ufunc, x = self.setup_case(case, dtype, tier, rng)
        got = ufunc.outer(x, x[:7])
        assert_same_bits(got, one_by_one(ufunc, x[:, None], x[None, :7]), f"{label} outer")

    def test_at(self, case, dtype, tier, rng):
        label, ufunc, x = self.setup_case(case, dtype, tier, rng)
        places = rng.integers(0, 10, 60)
        for other in (rng.normal(size=60).astype(dtype), np.array(0.5, dtype)):
            expected, got = x.copy(), x.copy()
            for i, each in zip(places, np.broadcast_to(other, 60), strict=True):
                expected[i] = ufunc(expected[i], each)
            ufunc.at(got, places, other)
            assert_same_bits(got, expected, f"{label} at", x)
        view = placed(x, steps=[-2])
        ufunc.at(view, places, other)
        assert_same_bits(view, expected, f"{label} at, step -2", x)


@pytest.mark.parametrize("case", [c for c in TWO_INPUTS if c.parameters], ids=str)
def test_methods_of_precise_float32_are_right_or_refused(case, rng):
    ufunc = support.build(na.isa(), "precise").ufuncs[case.name]
    x = rng.normal(size=9).astype(np.float32)
    folded = [x[0]]
    for each in x[1:]:
        folded.append(ufunc(folded[-1], each))
    folded = np.array(folded)
    table = one_by_one(ufunc, x[:, None], x)
    changed = x.copy()
    changed[2] = ufunc(ufunc(x[2], x[0]), x[0])
    target = x.copy()
    for call, expected in (
        (lambda: ufunc.reduce(x), folded[-1]),
        (lambda: ufunc.accumulate(x), folded),
        (lambda: ufunc.reduceat(x, [0]), folded[-1:]),
        (lambda: ufunc.outer(x, x), table),
        (lambda: ufunc.at(target, [2, 2], x[0]) or target, changed),
    ):
        try:
            got = call()
        except TypeError:
            continue
        assert_same_bits(got, expected, f"{case.name} precise", x)


@all_cases
def test_methods_refused_for_other_numbers_of_inputs(case):
    ufunc = support.build(na.isa(), "standard").ufuncs[case.name]
    if ufunc.nin == 2:
        return
    x = np.ones(3)
    for method in ("reduce", "accumulate"):
        with pytest.raises(ValueError, match="binary"):
            getattr(ufunc, method)(x)


# Anything at all


def everything(*names):
    return st.sampled_from([(build, BY_NAME[name], dtype) for build in BUILDS for name in names for dtype in DTYPES])


ANY = everything(
    "relu", "leaky_relu", "elu", "sigmoid", "sigmoid_backward", "swish", "swish_backward", "prelu_backward"
)
SLICES = st.slices(24).filter(lambda s: s.step != 0)
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@quick
@given(ANY, st.data())
def test_any_shapes(chosen, data):
    build, case, dtype = chosen
    built = support.build(*build)
    ufunc = built.ufuncs[case.name]
    count = case.arrays + case.parameters
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=4, max_side=5, min_side=0))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    inputs = support.operands(rng, case, dtype, built.tier, 40)
    arrays = [np.resize(x, shape) for x, shape in zip(inputs, shapes.input_shapes, strict=True)]
    arrays = [np.asarray(x, order=data.draw(st.sampled_from("CF"))) for x in arrays]
    expected = one_by_one(ufunc, *arrays)
    assert expected.shape == shapes.result_shape
    order = data.draw(st.sampled_from("CFAK"))
    assert_same_bits(ufunc(*arrays, order=order), expected, f"{case.name} {build} {shapes} {order}", *arrays)


@quick
@given(ANY, st.lists(st.integers(-3, 3), min_size=4, max_size=4), st.lists(st.integers(0, 9), min_size=4, max_size=4))
def test_any_steps_and_offsets(chosen, steps, offsets):
    build, case, dtype = chosen
    built = support.build(*build)
    ufunc = built.ufuncs[case.name]
    inputs = support.operands(np.random.default_rng(1), case, dtype, built.tier, 45)
    arrays = []
    for x, step, offset in zip(inputs, steps, offsets, strict=False):
        arrays.append(np.broadcast_to(x[offset], 45) if step == 0 else placed(x, steps=[step], offset=64 + offset))
    out = Guarded(45, dtype, steps=[steps[3] or 1], offset=64 + offsets[3])
    ufunc(*arrays, out=out.array)
    label = f"{case.name} {build} steps {steps} offsets {offsets}"
    assert_same_bits(out.array, one_by_one(ufunc, *arrays), label, *arrays)
    out.check(label)


@quick
@given(ANY, SLICES, SLICES, SLICES)
def test_any_overlap(chosen, first, second, written):
    build, case, dtype = chosen
    built = support.build(*build)
    ufunc = built.ufuncs[case.name]
    inputs = support.operands(np.random.default_rng(2), case, dtype, built.tier, 24)
    memory = inputs[0].copy()
    views = [memory[first], memory[second]][: case.arrays]
    n = min(len(each) for each in (*views, memory[written]))
    arrays = [*(view[:n] for view in views), *(x[:n] for x in inputs[case.arrays :])]
    expected = memory.copy()
    expected[written][:n] = one_by_one(ufunc, *arrays)
    ufunc(*arrays, out=memory[written][:n])
    assert_same_bits(memory, expected, f"{case.name} {build} {first} {second} to {written}", inputs[0])


def test_as_many_axes_as_numpy_has(rng):
    x = rng.normal(size=4096).astype(np.float32)
    y = np.tanh(x.astype(float)).astype(np.float32)
    for dimensions in (64, 63):
        order = rng.permutation(dimensions)
        many = x.reshape((2,) * 12 + (1,) * (dimensions - 12)).transpose(order)
        axis = int(np.argmax(order == 3))

        def back(result, order=order):
            return result.transpose(np.argsort(order)).reshape(-1)

        assert np.allclose(back(na.tanh(many)), y, rtol=1e-6)
        assert_same_bits(back(na.leaky_relu(many, 0.1)), na.leaky_relu(x, 0.1), "leaky_relu")
        assert_same_bits(
            back(na.softmax(many, axis=axis)), na.softmax(x.reshape(8, 2, 256), axis=1).reshape(-1), "softmax"
        )
        pieces = x.reshape(8, 2, 256)
        assert_same_bits(
            np.moveaxis(na.crelu(many, axis), axis, -1).reshape(many.size // 2, 4),
            np.moveaxis(na.crelu(np.moveaxis(many, axis, -1).reshape(-1, 2)), 1, -1),
            "crelu",
        )
        got, which = na.maxout(many, axis)
        assert np.array_equal(np.sort(got.reshape(-1)), np.sort(pieces.max(1).reshape(-1)))
        assert na.maxout_backward(got, which, 2, axis).shape == many.shape
