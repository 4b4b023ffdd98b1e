"""maxout and maxout_backward against plain NumPy."""

import itertools

import numpy as np
import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st
from support import Guarded, assert_same_bits

import numact as na


def expected_maxout(x, axis=-1):
    """First maximum, or first NaN, along the axis."""
    which = np.argmax(x, axis=axis, keepdims=True)
    return np.take_along_axis(x, which, axis).squeeze(axis), which.squeeze(axis).astype(np.uint8)


def expected_backward(dy, which, pieces, axis=-1):
    won = np.expand_dims(which, -1) == np.arange(pieces)
    return np.moveaxis(np.where(won, np.expand_dims(dy, -1), dy.dtype.type(0)), -1, axis)


def check(built, x, axis, label):
    label = f"{label} {x.dtype} {x.shape} axis {axis} {built.level}"
    for got, want, what in zip(
        built.functions["maxout"](x, axis), expected_maxout(x, axis), ("y", "which"), strict=True
    ):
        want = want.astype(want.dtype.newbyteorder("="))
        assert_same_bits(got, want, f"maxout {what} {label}")


def with_ties(rng, dtype, shape):
    """Few distinct values, among them zeros of both signs, NaN and infinities."""
    return rng.choice(np.array([-np.inf, -1, -0.0, 0.0, 1, 2, 3, np.inf, np.nan], dtype), shape)


def test_axes(built, dtype, rng):
    for shape in ((5,), (1,), (3, 4), (4, 1), (1, 7), (2, 3, 4), (3, 1, 5), (2, 3, 2, 3), (40, 3), (3, 300), (300, 3)):
        for axis in (axis for axis in range(-len(shape), len(shape)) if shape[axis] <= 256):
            check(built, rng.normal(size=shape).astype(dtype), axis, "random")
            check(built, with_ties(rng, dtype, shape), axis, "ties")
    assert_same_bits(built.functions["maxout"](np.array([1, 3, 2], dtype))[0], dtype(3), "maxout of one axis")


def test_every_length(built, dtype, rng):
    for n in (*range(1, 70), 255, 256, 257, 513, 16_384, 16_389):
        x = with_ties(rng, dtype, (n, 3))
        check(built, x, 1, "length")
        check(built, np.ascontiguousarray(x.T), 0, "length")


def test_number_of_pieces(built, dtype, rng):
    for pieces in (1, 2, 3, 17, 128, 255, 256):
        for axis in (0, 1):
            x = with_ties(rng, dtype, (pieces, 37) if axis == 0 else (37, pieces))
            check(built, x, axis, "pieces")
            check(built, np.sort(rng.normal(size=x.shape).astype(dtype), axis), axis, "last")
    for axis, shape in ((0, (257, 3)), (1, (3, 257)), (0, (0, 3)), (-1, (3, 0)), (1, (0, 0, 2)), (0, (300,))):
        with pytest.raises(ValueError, match=f"maxout.*{shape[axis]} pieces"):
            built.functions["maxout"](np.zeros(shape, dtype), axis)


def test_ties_and_nan(built, dtype):
    inf, nan = np.inf, np.nan
    for row, y, which in (
        ([2, 2, 2], 2, 0),
        ([1, 2, 2], 2, 1),
        ([-0.0, 0.0], -0.0, 0),
        ([0.0, -0.0], 0.0, 0),
        ([-inf, -inf], -inf, 0),
        ([-inf, inf, inf], inf, 1),
        ([nan, 1, inf], nan, 0),
        ([inf, 1, nan], nan, 2),
        ([1, nan, nan], nan, 1),
        ([nan], nan, 0),
        ([-5e-324, -1e-310], -5e-324 if dtype is np.float64 else -0.0, 0),
    ):
        for n in (1, 40):
            got = built.functions["maxout"](np.tile(np.array(row, dtype), (n, 1)))
            assert_same_bits(got[0], np.full(n, y, dtype), f"maxout of {row}")
            assert_same_bits(got[1], np.full(n, which, np.uint8), f"which of {row}")


def test_layouts(built, dtype, rng):
    base = with_ties(rng, dtype, (6, 5, 7))
    for axis in range(3):
        expected = expected_maxout(base, axis)
        views = [np.asfortranarray(base), base.astype(base.dtype.newbyteorder("S"))]
        views += [
            np.ascontiguousarray(base.transpose(axes)).transpose(np.argsort(axes))
            for axes in itertools.permutations(range(3))
        ]
        for steps, offset in (((2, -3, 1), 64), ((-1, -1, -1), 67), ((1, 2, -2), 65)):
            guarded = Guarded(base.shape, dtype, steps=steps, offset=offset)
            guarded.array[...] = base
            views.append(guarded.array)
        for i, view in enumerate(views):
            for got, want in zip(built.functions["maxout"](view, axis), expected, strict=True):
                assert_same_bits(got, want, f"maxout axis {axis} of view {i} with strides {view.strides}")
    for view in (np.broadcast_to(base[0], base.shape), np.broadcast_to(base[:, :1], base.shape), base[::-1, ::2, ::-3]):
        for axis in range(3):
            check(built, view, axis, f"strides {view.strides}")
    frozen = base.copy()
    frozen.flags.writeable = False
    check(built, frozen, 1, "read-only")


def test_empty(built, dtype):
    for shape, axis, result in (((0, 3), 1, (0,)), ((3, 0, 2), 2, (3, 0)), ((2, 3, 0), 0, (3, 0)), ((1, 0), 0, (0,))):
        y, which = built.functions["maxout"](np.zeros(shape, dtype), axis)
        assert (y.shape, y.dtype, which.shape, which.dtype) == (result, dtype, result, np.uint8)
        dx = built.functions["maxout_backward"](y, which, shape[axis], axis)
        assert (dx.shape, dx.dtype) == (shape, dtype)


def test_scalar_results(built, dtype):
    y, which = built.functions["maxout"](np.array([1, 5, 3], dtype))
    assert isinstance(y, dtype)
    assert isinstance(which, np.uint8)
    dx = built.functions["maxout_backward"](dtype(2), which, 3)
    assert_same_bits(dx, np.array([0, 2, 0], dtype), "maxout_backward of scalars")


def test_dtypes(built):
    maxout, backward = built.functions["maxout"], built.functions["maxout_backward"]
    for data in ([[1, 2], [4, 3]], np.array([[1, 2], [4, 3]], np.int16), [[True, False]], np.eye(2, dtype=bool)):
        assert maxout(data)[0].dtype == np.float64
    assert backward([1, 2], [0, 1], 2).dtype == np.float64
    for kind in (np.int8, np.uint16, np.int64, np.uint64, ">i4"):
        which = np.array([0, 1, 2], kind)
        got = backward(np.ones(3, np.float32), which, 3)
        assert_same_bits(got, np.eye(3, dtype=np.float32), f"which of {np.dtype(kind)}")
    assert backward(np.ones(3, np.float32), [0, 1, 2], np.int64(3)).dtype == np.float32


def test_threads(dtype, rng):
    built = support.build(na.isa(), "standard")
    for shape, axis in (((3, 1 << 20), 0), ((1 << 19, 5), 1), ((512, 4, 1024), 1)):
        x = with_ties(rng, dtype, shape)
        expected = expected_maxout(x, axis)
        for threads in (1, 2, 3):
            with na.num_threads(threads):
                y, which = built.functions["maxout"](x, axis)
                dx = built.functions["maxout_backward"](y, which, shape[axis], axis)
            assert_same_bits(y, expected[0], f"maxout {shape} on {threads} threads")
            assert_same_bits(which, expected[1], f"maxout {shape} on {threads} threads")
            want = expected_backward(y, which, shape[axis], axis)
            assert_same_bits(dx, want, f"maxout_backward {shape} on {threads} threads")


# Backward


def test_round_trip(built, dtype, rng):
    for shape in ((5,), (3, 4), (4, 1), (40, 3), (2, 3, 4), (3, 300), (17, 256), (256, 17)):
        for axis in (axis for axis in range(-len(shape), len(shape)) if shape[axis] <= 256):
            x = with_ties(rng, dtype, shape)
            y, which = built.functions["maxout"](x, axis)
            dy = support.values(rng, dtype, 40)
            dy = np.resize(dy, np.shape(y))
            dx = built.functions["maxout_backward"](dy, which, shape[axis], axis)
            want = expected_backward(dy, which, shape[axis], axis)
            assert_same_bits(dx, want, f"maxout_backward {shape} axis {axis}")
            taken = np.take_along_axis(x, np.expand_dims(which, axis).astype(int), axis).squeeze(axis)
            assert_same_bits(taken, y, f"maxout {shape} axis {axis}: which names another piece than y")


def test_backward_layouts(built, dtype, rng):
    dy = rng.normal(size=(6, 7)).astype(dtype)
    which = rng.integers(0, 5, (6, 7)).astype(np.uint8)
    for steps, kind, axis in itertools.product(((1, 1), (-2, 3), (1, -1)), "=S", range(3)):
        guarded = Guarded(dy.shape, np.dtype(dtype).newbyteorder(kind), steps=steps, offset=67)
        guarded.array[...] = dy
        pieces = Guarded(which.shape, np.uint8, steps=steps)
        pieces.array[...] = which
        expected = expected_backward(dy, which, 5, axis)
        for given_dy, given_which in ((guarded.array, which), (dy, pieces.array), (guarded.array, pieces.array)):
            got = built.functions["maxout_backward"](given_dy, given_which, 5, axis)
            assert_same_bits(got, expected, f"maxout_backward steps {steps} axis {axis}")
            got = built.functions["maxout_backward"](given_dy.T, given_which.T, 5, axis)
            assert_same_bits(got, expected_backward(dy.T, which.T, 5, axis), f"transposed, steps {steps} axis {axis}")


# out


def test_out(built, dtype, rng):
    x = with_ties(rng, dtype, (6, 5, 7))
    function = built.functions["maxout"]
    for axis, steps, kind, kept in itertools.product(range(3), ((1, 1), (-2, 3)), "=S", (None, 0, 1)):
        expected = expected_maxout(x, axis)
        shape = expected[0].shape
        outputs = [
            Guarded(shape, np.dtype(dtype).newbyteorder(kind), steps=steps, offset=65),
            Guarded(shape, np.uint8, steps=steps, offset=65),
        ]
        results = function(x, axis, out=tuple(None if i == kept else each.array for i, each in enumerate(outputs)))
        for i, (result, want) in enumerate(zip(results, expected, strict=True)):
            assert i == kept or result is outputs[i].array
            assert_same_bits(result, want, f"maxout out {i} axis {axis} steps {steps}")
            outputs[i].check("maxout")
    y, which = np.empty((6, 5)), np.empty((6, 5), np.int64)
    function(x, out=(y, which))
    assert_same_bits(y, expected_maxout(x)[0].astype(float), "maxout wider out")
    assert (which == expected_maxout(x)[1]).all()


def test_out_of_backward(built, dtype, rng):
    dy = rng.normal(size=(6, 7)).astype(dtype)
    which = rng.integers(0, 5, (6, 7)).astype(np.uint8)
    for axis, steps, kind in itertools.product(range(3), ((1, 1, 1), (-2, 3, -1)), "=S"):
        expected = expected_backward(dy, which, 5, axis)
        out = Guarded(expected.shape, np.dtype(dtype).newbyteorder(kind), steps=steps, offset=65)
        assert built.functions["maxout_backward"](dy, which, 5, axis, out=out.array) is out.array
        assert_same_bits(out.array, expected, f"maxout_backward out axis {axis} steps {steps}")
        out.check("maxout_backward")


def test_out_that_overlaps(built, dtype, rng):
    function, backward = built.functions["maxout"], built.functions["maxout_backward"]
    base = with_ties(rng, dtype, (40, 5, 41))
    for axis in range(3):
        expected = expected_maxout(base, axis)
        for piece in (0, 1, -1):
            memory = base.copy()
            place = (slice(None),) * axis + (piece,)
            y, which = function(memory, axis, out=(memory[place], None))
            assert_same_bits(y, expected[0], f"maxout axis {axis} into its piece {piece}")
            assert_same_bits(which, expected[1], f"maxout axis {axis} into its piece {piece}")
        memory = base.copy()
        bytes_of = memory.view(np.uint8).reshape(-1)[: expected[1].size].reshape(expected[1].shape)
        y, which = function(memory, axis, out=(None, bytes_of))
        assert_same_bits(y, expected[0], f"maxout axis {axis}, which into x")
        assert_same_bits(which, expected[1], f"maxout axis {axis}, which into x")
        memory = base.copy()
        y, which = function(memory[:, ::-1], axis, out=(memory[(slice(None),) * axis + (0,)], None))
        want = expected_maxout(base[:, ::-1], axis)
        assert_same_bits(y, want[0], f"maxout axis {axis} of reversed pieces")
        assert_same_bits(which, want[1], f"maxout axis {axis} of reversed pieces")

        dy, which = expected[0].copy(), expected[1]
        want = expected_backward(dy, which, base.shape[axis], axis)
        for piece in (0, 2, -1):
            memory = base.copy()
            place = (slice(None),) * axis + (piece,)
            memory[place] = dy
            got = backward(memory[place], which, base.shape[axis], axis, out=memory)
            assert_same_bits(got, want, f"maxout_backward axis {axis} onto dy, its piece {piece}")
        memory = base.copy()
        bytes_of = memory.view(np.uint8).reshape(-1)[: which.size].reshape(which.shape)
        bytes_of[...] = which
        got = backward(dy, bytes_of, base.shape[axis], axis, out=memory)
        assert_same_bits(got, want, f"maxout_backward axis {axis} onto which")


# Refused


def test_refused(built, dtype):
    x = np.ones((4, 3), dtype)
    y, which = np.full(4, 7, dtype), np.full(4, 7, np.uint8)
    frozen = y.copy()
    frozen.flags.writeable = False
    for error, match, arguments, keywords in (
        (np.exceptions.AxisError, "axis 2", (x, 2), {}),
        (np.exceptions.AxisError, "axis -3", (x,), {"axis": -3}),
        (np.exceptions.AxisError, "axis", (dtype(1),), {}),
        (TypeError, "axis", (x, 1.0), {}),
        (TypeError, "axis", (x, None), {}),
        (TypeError, "axis", (x, (0, 1)), {}),
        (TypeError, "argument", (), {}),
        (TypeError, "argument", (), {"x": x}),
        (TypeError, "argument", (x,), {"pieces": 3}),
        (TypeError, "tuple of two", (x,), {"out": y}),
        (TypeError, "tuple of two", (x,), {"out": (y,)}),
        (TypeError, "tuple of two", (x,), {"out": [y, which]}),
        (TypeError, "out", (x,), {"out": (y, [0] * 4)}),
        (TypeError, "cast", (x,), {"out": (y.astype(int), which)}),
        (TypeError, "cast", (x,), {"out": (y, which.astype(bool))}),
        (TypeError, "int8 cannot hold", (np.ones((4, 129), dtype),), {"out": (y, which.astype(np.int8))}),
        (ValueError, "shape", (x,), {"out": (y, which[:3])}),
        (ValueError, "shape", (x,), {"out": (y[:3], which)}),
        (ValueError, "shape", (x, 0), {"out": (y, which)}),
        (ValueError, "read-only", (x,), {"out": (frozen, which)}),
        (TypeError, "complex", (x.astype(complex),), {"out": (y, which)}),
        (TypeError, "longdouble|float128", (x.astype(np.longdouble),), {"out": (y, which)}),
        (TypeError, "object", (x.astype(object),), {"out": (y, which)}),
    ):
        with pytest.raises(error, match=match) as caught:
            built.functions["maxout"](*arguments, **keywords)
        assert "maxout" in str(caught.value), str(caught.value)
        assert (y == 7).all(), f"{caught.value}: after writing"
        assert (which == 7).all(), f"{caught.value}: after writing"


def test_refused_by_backward(built, dtype):
    dy, which = np.ones((4, 3), dtype), np.zeros((4, 3), np.uint8)
    dx = np.full((4, 3, 2), 7, dtype)
    too_large, negative = which.copy(), which.astype(int)
    too_large[3, 2], negative[3, 2] = 2, -1
    strided = np.zeros((8, 6), np.uint8)[::2, ::2]
    strided[3, 2] = 2
    frozen = dx.copy()
    frozen.flags.writeable = False
    for error, match, arguments, out in (
        (ValueError, "outside", (dy, too_large, 2), dx),
        (ValueError, "outside", (dy, strided, 2), dx),
        (ValueError, "outside", (dy, negative, 2), dx),
        (ValueError, "outside", (dy, negative + 256, 2), dx),
        (ValueError, "pieces", (dy, which, 0), dx),
        (ValueError, "pieces", (dy, which, 257), dx),
        (ValueError, "pieces", (dy, which, -1), dx),
        (TypeError, "pieces", (dy, which, 2.0), dx),
        (TypeError, "pieces", (dy, which, None), dx),
        (TypeError, "argument", (dy, which), dx),
        (TypeError, "mask", (dy, np.ma.masked_array(which), 2), dx),
        (TypeError, "integers", (dy, which.astype(float), 2), dx),
        (TypeError, "integers", (dy, which.astype(bool), 2), dx),
        (ValueError, "shape", (dy, which[0], 2), dx),
        (ValueError, "shape", (dy[0], which, 2), dx),
        (np.exceptions.AxisError, "axis", (dy, which, 2, 3), dx),
        (np.exceptions.AxisError, "axis", (dy, which, 2, -4), dx),
        (ValueError, "shape", (dy, which, 2, 0), dx),
        (ValueError, "shape", (dy, which, 3), dx),
        (ValueError, "read-only", (dy, which, 2), frozen),
        (TypeError, "out", (dy, which, 2), (dx,)),
        (TypeError, "cast", (dy, which, 2), dx.astype(int)),
        (TypeError, "complex", (dy.astype(complex), which, 2), dx),
    ):
        with pytest.raises(error, match=match) as caught:
            built.functions["maxout_backward"](*arguments, out=out)
        assert "maxout_backward" in str(caught.value), str(caught.value)
        assert (dx == 7).all(), f"{caught.value}: after writing"


class Rows(np.ndarray):
    """A subclass that keeps two dimensions whatever is taken from it, as np.matrix does."""

    def __getitem__(self, index):
        result = super().__getitem__(index)
        return result if getattr(result, "ndim", 2) == 2 else np.asarray(result).reshape(1, -1).view(Rows)


def test_subclasses_are_taken_as_arrays(built, dtype, rng):
    x = rng.normal(size=(4, 3)).astype(dtype)
    for axis in (0, 1):
        expected = built.functions["maxout"](x, axis)
        for got, want in zip(built.functions["maxout"](x.view(Rows), axis), expected, strict=True):
            assert_same_bits(got, want, f"maxout of a subclass, axis {axis}")
    y, which = x.view(Rows), np.zeros((4, 3), np.uint8).view(Rows)
    got = built.functions["maxout_backward"](y, which, 2)
    assert_same_bits(got, expected_backward(x, np.zeros((4, 3), np.uint8), 2), "maxout_backward of a subclass")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_any_array(data):
    built = support.build(*data.draw(st.sampled_from(support.BUILDS)))
    dtype = data.draw(st.sampled_from(support.DTYPES))
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=5)))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    steps = data.draw(st.lists(st.sampled_from([1, 2, -1, -3]), min_size=len(shape), max_size=len(shape)))
    guarded = Guarded(shape, dtype, steps=steps, offset=64 + data.draw(st.integers(0, 8)))
    guarded.array[...] = with_ties(np.random.default_rng(data.draw(st.integers(0, 50))), dtype, shape)
    axes = data.draw(st.permutations(range(len(shape))))
    x = guarded.array.transpose(axes)
    check(built, x, axis, f"steps {steps} axes {axes}")
    y, which = built.functions["maxout"](x, axis)
    got = built.functions["maxout_backward"](y, which, x.shape[axis], axis)
    assert_same_bits(got, expected_backward(np.asarray(y), which, x.shape[axis], axis), f"maxout_backward {shape}")
