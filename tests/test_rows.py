"""Arrays made of long rows, such as the halves of a packed array: as inputs and outputs, beside contiguous copies."""

from __future__ import annotations

import numpy as np
import pytest
import support
from support import CASES, GATED, assert_same_bits

import numact as na

ROWS, LENGTH = 37, 101  # neither a whole number of vectors


def packed(rng, dtype, pieces, shape=(ROWS, LENGTH)):
    """One array that holds `pieces` arrays side by side along its last axis, and views of them."""
    whole = support.values(rng, dtype, pieces * int(np.prod(shape))).reshape(*shape[:-1], -1)
    return whole, np.split(whole, pieces, axis=-1)


def views(rng, dtype, count):
    """Arrays of equal shape in layouts that are no single run of elements, by name."""
    yield "halves", packed(rng, dtype, count)[1]
    yield "three dimensions", packed(rng, dtype, count, (3, 13, LENGTH))[1]
    yield "rows in reverse", [each[::-1] for each in packed(rng, dtype, count)[1]]
    yield "transposed", [each.T for each in packed(rng, dtype, count)[1]]
    yield "every other row", [each[::2] for each in packed(rng, dtype, count)[1]]
    yield "swapped axes", [each.swapaxes(0, 1) for each in packed(rng, dtype, count, (12, 5, LENGTH))[1]]
    yield (
        "unlike each other",
        [each if i else np.asfortranarray(each) for i, each in enumerate(packed(rng, dtype, count)[1])],
    )
    yield "every other column", [each[:, ::2] for each in packed(rng, dtype, count, (ROWS, 2 * LENGTH))[1]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("case", CASES + GATED, ids=str)
def test_rows(case, dtype, rng):
    ufunc = getattr(na.ufuncs, case.name)
    outputs = ufunc.nout
    given = [np.array(p, support.parameter_dtype(dtype, "standard")) for p in support.defaults(case)]
    for name, data in views(rng, dtype, case.arrays):
        expected = ufunc(*(np.ascontiguousarray(each) for each in data), *given)
        expected = expected if outputs == 2 else (expected,)
        for threads in (1, 2):
            with na.num_threads(threads):
                got = ufunc(*data, *given)
            for one, other in zip(got if outputs == 2 else (got,), expected, strict=True):
                assert_same_bits(one, other, f"{case.name}, {name}")
        whole = np.full((*data[0].shape[:-1], 3 * data[0].shape[-1]), 7, dtype)
        parts = np.split(whole, 3, axis=-1)
        target = (parts[0], parts[2])[:outputs]
        result = ufunc(*data, *given, out=target)
        assert result is target[0] or (outputs == 2 and result == target)
        for one, other in zip(target, expected, strict=True):
            assert_same_bits(one, other, f"{case.name}, {name}, out")
        assert (parts[1] == 7).all()
        if outputs == 1:
            assert (parts[2] == 7).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES + GATED, ids=str)
def test_outputs_over_inputs(case, dtype, rng):
    """In place, over another input's half, and shifted by a row or an element."""
    ufunc = getattr(na.ufuncs, case.name)
    given = [np.array(p, support.parameter_dtype(dtype, "standard")) for p in support.defaults(case)]
    for shift in ("same", "rolled", "row", "element"):
        whole, data = packed(rng, dtype, case.arrays + 1)
        copies = [each.copy() for each in data[: case.arrays]]
        inputs = data[: case.arrays]
        targets = {
            "same": data[: ufunc.nout],
            "rolled": data[1 : 1 + ufunc.nout],
            "row": [each[1:] for each in data[: ufunc.nout]],
            "element": [whole[:, 1 + i * LENGTH : 1 + (i + 1) * LENGTH] for i in range(ufunc.nout)],
        }[shift]
        if shift == "row":
            inputs, copies = [each[:-1] for each in inputs], [each[:-1] for each in copies]
        expected = ufunc(*copies, *given)
        ufunc(*inputs, *given, out=tuple(targets))
        for one, other in zip(targets, expected if ufunc.nout == 2 else (expected,), strict=True):
            assert_same_bits(one, other, f"{case.name}, {shift}")


def test_what_rows_cannot_take_goes_to_numpy(rng):
    """Broadcasting, casts, other keywords, subclasses, read-only outputs."""
    x = packed(rng, np.float32, 2)[1][0]
    plain = np.ascontiguousarray(x)
    assert_same_bits(na.tanh_backward(x, x[0]), na.tanh_backward(plain, plain[0]), "broadcast")
    assert na.tanh(x, dtype=np.float64).dtype == np.float64
    assert_same_bits(na.tanh(x, out=np.empty(x.shape)), na.tanh(x).astype(np.float64), "wider out")
    assert isinstance(na.tanh(np.ma.masked_array(x)), np.ma.MaskedArray)
    assert na.tanh(x, where=x > 0, out=np.zeros(x.shape, np.float32)).min() == 0
    big_endian = x.astype(">f4")
    assert_same_bits(na.tanh(big_endian), na.tanh(x), "byte order")
    locked = np.empty(x.shape, np.float32)
    locked.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        na.tanh(x, out=locked)
    with pytest.raises(ValueError, match="shape"):
        na.tanh(x, out=np.empty((ROWS + 1, LENGTH), np.float32))
    with pytest.raises(TypeError, match="array"):
        na.tanh(x, out=[1.0])
    with pytest.raises(TypeError):
        na.tanh(x, out=np.empty(x.shape, np.int32))
    assert na.tanh(x).flags.c_contiguous
    assert na.tanh(np.asfortranarray(plain)[:, ::-1]).shape == x.shape


@pytest.mark.parametrize("case", CASES + GATED, ids=str)
def test_broadcast_operands(case, rng):
    """A stride of 0 in any operand, with the memory order that NumPy gives."""
    ufunc = getattr(na.ufuncs, case.name)
    given = [np.array(p, np.float32) for p in support.defaults(case)]
    for which in range(case.arrays):
        data = [support.values(rng, np.float32, ROWS * LENGTH).reshape(ROWS, LENGTH) for _ in range(case.arrays)]
        data[which] = np.broadcast_to(data[which][0], (ROWS, LENGTH))
        expected = ufunc(*(np.ascontiguousarray(each) for each in data), *given)
        into = tuple(np.empty((ROWS, 2 * LENGTH), np.float32)[:, :LENGTH] for _ in range(ufunc.nout))
        for got in (ufunc(*data, *given), ufunc(*data, *given, out=into)):
            pairs = zip(got, expected, strict=True) if ufunc.nout == 2 else [(got, expected)]
            for one, other in pairs:
                assert_same_bits(one, other, f"{case.name}, operand {which} broadcast")
        results = ufunc(*data, *given)
        for result in results if ufunc.nout == 2 else (results,):
            assert result.strides == np.add(data[0], data[-1]).strides


def test_outputs_that_overlap_themselves(rng):
    """Written in order, whatever the threads: the last row or element stays."""
    as_strided = np.lib.stride_tricks.as_strided
    x = rng.normal(size=(64, 8192)).astype(np.float32)
    row, one = np.zeros(8192, np.float32), np.zeros(1, np.float32)
    for _ in range(5):
        na.gelu(x, out=as_strided(row, x.shape, (0, 4)))
        assert_same_bits(row, na.gelu(x[-1]), "rows on each other")
        na.gelu(x.ravel(), out=as_strided(one, (x.size,), (0,)))
        assert_same_bits(one, na.gelu(x[-1, -1:]), "elements on each other")
        na.softmax(x, out=as_strided(row, x.shape, (0, 4)))
        assert_same_bits(row, na.softmax(x[-1]), "rows of softmax on each other")
    shifted = np.ones(8193, np.float32)
    x[:] = 1
    na.swiglu_backward(
        x, as_strided(shifted, x.shape, (0, 4)), x, out=(as_strided(shifted[1:], x.shape, (0, 4)), x.copy())
    )


def test_two_outputs_in_one_array(rng):
    x = rng.normal(size=(100, 256)).astype(np.float32)
    for same in (x, x[0], x.ravel()):
        out = np.zeros_like(same)
        for call in (
            lambda a, o: na.glu_backward(a, a, a, out=(o, o)),
            lambda a, o: na.glu_backward(a, a, a, o, o),
            lambda a, o: na.glu_backward(a, a, a, out=(o, o[::-1])),
        ):
            with pytest.raises(ValueError, match="share memory"):
                call(same, out)
            assert not out.any()
