"""Losses of numact.nn: values, gradients, extremes, weights of samples, memory, and every message."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

import numact as na
from numact import nn


def test_softmax_cross_entropy():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (6, 4))
    labels = rng.integers(0, 4, 6)
    loss, dlogits = nn.softmax_cross_entropy(logits, labels)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert isinstance(loss, float)
    assert loss == pytest.approx(-np.log(softmax[np.arange(6), labels]).mean(), rel=1e-13)
    np.testing.assert_allclose(dlogits, (softmax - np.eye(4)[labels]) / 6, rtol=1e-12)


def test_softmax_cross_entropy_is_stable():
    with np.errstate(all="raise"):
        loss, dlogits = nn.softmax_cross_entropy(np.array([[1e4, 0, -1e4], [0, 1e4, 3e38]], np.float32), [0, 1])
        assert loss == pytest.approx((3e38 - 1e4) / 2, rel=1e-6)
        np.testing.assert_array_equal(dlogits, np.array([[0, 0, 0], [0, -0.5, 0.5]], np.float32))
        assert dlogits.dtype == np.float32
        # Sure and right: exp(-30), where 1 - softmax would be 0 in float32.
        loss, dlogits = nn.softmax_cross_entropy(np.array([[30, 0]], np.float32), [0])
        assert loss == pytest.approx(math.exp(-30), rel=1e-5)
        np.testing.assert_allclose(dlogits, [[-math.exp(-30), math.exp(-30)]], rtol=1e-5)
        loss, dlogits = nn.softmax_cross_entropy([[0.0, -np.inf]], [0])
        assert loss == 0
        assert np.all(dlogits == 0)
        assert math.isnan(nn.softmax_cross_entropy([[0.0, np.nan]], [0])[0])
        assert math.isnan(nn.softmax_cross_entropy([[0.0, np.inf]], [1])[0])


def test_bool_labels_are_0_and_1(rng):
    logits, labels = rng.normal(size=(20, 2)), np.arange(20) % 3 == 0
    loss, gradient = nn.softmax_cross_entropy(logits, labels)
    expected, expected_gradient = nn.softmax_cross_entropy(logits, labels.astype(int))
    assert loss == expected
    np.testing.assert_array_equal(gradient, expected_gradient)


@pytest.mark.parametrize(
    ("logits", "labels", "error", "message"),
    [
        (np.zeros((2, 3), int), [0, 1], TypeError, "logits must be float16, float32 or float64, got dtype int64"),
        (
            np.zeros(3),
            [0],
            ValueError,
            r"logits must have shape \(rows, classes\) with at least one of each, got \(3,\)",
        ),
        (np.zeros((0, 3)), np.zeros(0, int), ValueError, r"at least one of each, got \(0, 3\)"),
        (
            np.zeros((2, 3)),
            [0.0, 1.0],
            TypeError,
            r"labels must be integers, .*, got dtype float64; for whole numbers pass labels\.astype\(int\)",
        ),
        (
            np.zeros((2, 3)),
            [0, 1, 2],
            ValueError,
            r"labels must have shape \(2,\), one class number per row, got \(3,\)",
        ),
        (np.zeros((2, 3)), np.eye(2, 3, dtype=int), ValueError, r"for one-hot rows pass labels.argmax\(axis=1\)"),
        (np.zeros((2, 3)), [2, 3], ValueError, r"labels must lie in 0..2, .*; label 1 is 3"),
        (np.zeros((2, 3)), [-1, 0], ValueError, "label 0 is -1"),
    ],
)
def test_softmax_cross_entropy_refuses(logits, labels, error, message):
    with pytest.raises(error, match=message):
        nn.softmax_cross_entropy(logits, labels)


def test_softmax_cross_entropy_takes_labels_of_any_integer_type():
    logits = np.random.default_rng(0).normal(size=(4, 3))
    expected = nn.softmax_cross_entropy(logits, [2, 0, 1, 2])
    for dtype in (np.uint8, np.int16, np.uint64, ">i4"):
        loss, dlogits = nn.softmax_cross_entropy(logits, np.array([2, 0, 1, 2], dtype))
        assert loss == expected[0]
        np.testing.assert_array_equal(dlogits, expected[1])
    with pytest.raises(ValueError, match=r"label 1 is 18446744073709551615"):
        nn.softmax_cross_entropy(logits[:2], np.array([0, 2**64 - 1], np.uint64))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_cross_entropy_where_p_of_the_label_is_small(dtype):
    """From 1/2 to far below what the dtype holds, also beside classes as likely as the largest."""
    for distance in (0.0, 0.5, 10.0, 80.0, 100.0, 700.0, 2000.0):
        logits = np.array([[3 - distance, 3, 3, -7]], dtype)
        exact = np.float64(logits[0])
        others = np.log(np.exp(exact - 3).sum())
        loss, dlogits = nn.softmax_cross_entropy(logits, [0])
        assert loss == pytest.approx(float(distance + others), rel=4e-7 if dtype == np.float32 else 1e-15)
        np.testing.assert_allclose(dlogits[0, 0], np.expm1(-distance - others), rtol=5e-7)


@pytest.mark.parametrize("dtype", [np.float16, ">f4", ">f8"])
def test_softmax_cross_entropy_takes_other_floating_point_dtypes(dtype):
    logits = np.random.default_rng(0).normal(0, 2, (5, 3)).astype(dtype)
    wide = logits.astype(np.float64 if logits.itemsize == 8 else np.float32)
    loss, dlogits = nn.softmax_cross_entropy(logits, [0, 1, 2, 0, 1])
    expected, exact = nn.softmax_cross_entropy(wide, [0, 1, 2, 0, 1])
    assert (loss, dlogits.dtype) == (expected, np.dtype(dtype))
    np.testing.assert_array_equal(dlogits, exact.astype(dtype))
    if np.dtype(np.longdouble).itemsize > 8:
        with pytest.raises(TypeError, match="logits must be float16, float32 or float64, got dtype"):
            nn.softmax_cross_entropy(logits.astype(np.longdouble), [0, 1, 2, 0, 1])


@pytest.mark.parametrize("classes", [1, 2, 17, 1000, 300_000])
def test_softmax_cross_entropy_takes_any_layout_and_number_of_threads(classes):
    rows = 2_000_000 // classes if classes < 1000 else 40
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(classes, rows)).astype(np.float32).T, rng.integers(0, classes, rows)
    with na.num_threads(1):
        loss, dlogits = nn.softmax_cross_entropy(np.ascontiguousarray(logits), labels)
    other, gradient = nn.softmax_cross_entropy(logits, np.repeat(labels, 2)[::2])
    assert loss == other
    np.testing.assert_array_equal(dlogits, gradient)
    share = na.softmax(np.ascontiguousarray(logits[:5]))
    share[np.arange(5), labels[:5]] -= 1
    np.testing.assert_allclose(dlogits[:5], share / rows, rtol=1e-5, atol=1e-12)


def test_labels_in_the_memory_of_out(rng):
    logits, memory = rng.normal(size=(64, 8)), np.zeros((64, 8))
    labels = memory.view(np.int64).reshape(-1)[-64:]
    labels[:] = np.arange(64) % 8
    loss, dlogits = nn.softmax_cross_entropy(logits, labels.copy())
    assert nn.softmax_cross_entropy(logits, labels, out=memory)[0] == loss
    np.testing.assert_array_equal(memory, dlogits)


def test_wrong_labels_leave_out_alone():
    out = np.full((2, 3), 7.0)
    for labels in ([0, 3], [0, -1], np.array([0, 2**63], np.uint64)):
        with pytest.raises(ValueError, match=r"labels must lie in 0\.\.2"):
            nn.softmax_cross_entropy(np.zeros((2, 3)), labels, out=out)
        assert np.all(out == 7)


# --- all three ---


def binary(logits, targets, **options):
    return nn.binary_cross_entropy_with_logits(logits, targets, **options)


SHAPES = {"softmax": (6, 4), "binary": (6, 2), "binary, one column": (6,), "squared": (6, 3, 2)}


def case(name, dtype=np.float64, rows=6):
    """A loss, predictions and targets."""
    rng = np.random.default_rng(5)
    shape = (rows, *SHAPES[name][1:])
    values = rng.normal(0, 2, shape).astype(dtype)
    if name == "softmax":
        return nn.softmax_cross_entropy, values, rng.integers(0, shape[1], rows)
    if name == "squared":
        return nn.mean_squared_error, values, rng.normal(size=shape)
    return binary, values, rng.uniform(0, 1, shape)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_against_differences(name, weighted):
    loss, values, targets = case(name)
    weight = np.array([0, 1, 2.5, 1e3, 3, 0.1]) if weighted else None
    value, gradient = loss(values, targets, sample_weight=weight)
    assert isinstance(value, float)
    assert gradient.shape == values.shape
    h = 1e-6
    for index in np.ndindex(*values.shape):
        kept = values[index]
        values[index] = kept + h
        above = loss(values, targets, sample_weight=weight)[0]
        values[index] = kept - h
        below = loss(values, targets, sample_weight=weight)[0]
        values[index] = kept
        assert gradient[index] == pytest.approx((above - below) / (2 * h), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", SHAPES)
def test_float32_against_float64(name):
    loss, values, targets = case(name, np.float32)
    value, gradient = loss(values, targets)
    expected, exact = loss(values.astype(np.float64), targets)
    assert gradient.dtype == np.float32
    assert value == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(gradient, exact, rtol=3e-6)


@pytest.mark.parametrize("name", SHAPES)
def test_sample_weights_count_like_repeated_rows(name):
    loss, values, targets = case(name)
    counts = [3, 1, 0, 2, 1, 1]
    value, gradient = loss(values, targets, sample_weight=counts)
    repeated, of_each = loss(np.repeat(values, counts, axis=0), np.repeat(targets, counts, axis=0))
    assert value == pytest.approx(repeated, rel=1e-13)
    first = np.cumsum([0, *counts[:-1]])
    for row, count in enumerate(counts):
        expected = of_each[first[row]] * count if count else np.zeros_like(values[0])
        np.testing.assert_allclose(gradient[row], expected, rtol=1e-12)
    even = loss(values, targets, sample_weight=np.full(6, 1e308))
    assert even[0] == pytest.approx(loss(values, targets)[0], rel=1e-13)
    value, gradient = loss(values, targets, sample_weight=np.zeros(6))
    assert value == 0
    assert np.all(gradient == 0)


@pytest.mark.parametrize("name", SHAPES)
def test_byte_order(name):
    loss, values, targets = case(name)
    expected, gradient = loss(values, targets)
    value, swapped = loss(values.astype(values.dtype.newbyteorder()), targets)
    assert value == expected
    np.testing.assert_array_equal(swapped, gradient)


@pytest.mark.parametrize("name", SHAPES)
def test_out(name):
    loss, values, targets = case(name)
    kept = values.copy()
    expected = loss(values, targets)
    out = np.full_like(values, np.nan)
    value, gradient = loss(values, targets, out=out)
    assert gradient is out
    assert value == expected[0]
    np.testing.assert_array_equal(out, expected[1])
    np.testing.assert_array_equal(values, kept)
    assert loss(values, targets, out=values) == (expected[0], values)
    np.testing.assert_array_equal(values, expected[1])


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_nothing_of_the_size_of_the_data_is_allocated(name, weighted):
    rows = 200_000
    loss, values, targets = case(name, np.float32, rows)
    values = np.ascontiguousarray(np.repeat(values[..., np.newaxis], 8, axis=-1)) if name == "squared" else values
    targets = np.repeat(targets[..., np.newaxis], 8, axis=-1) if name == "squared" else targets
    weight = np.ones(rows) if weighted else None
    out = np.empty_like(values)
    loss(values, targets, sample_weight=weight, out=out)
    tracemalloc.start()
    try:
        loss(values, targets, sample_weight=weight, out=out)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A few numbers for each row, and blocks of fixed size.
    assert peak < 32 * rows + (1 << 20)


def test_binary_cross_entropy():
    _, logits, targets = case("binary")
    p = 1 / (1 + np.exp(-logits))
    loss, dlogits = binary(logits, targets)
    assert loss == pytest.approx(-np.mean(targets * np.log(p) + (1 - targets) * np.log1p(-p)), rel=1e-13)
    np.testing.assert_allclose(dlogits, (p - targets) / logits.size, rtol=1e-12)
    for dtype in (bool, np.int8, np.int64, np.float32):
        value, gradient = binary(np.float32([[1, -2], [3, 4]]), np.array([[1, 0], [0, 1]], dtype))
        assert gradient.dtype == np.float32
        assert value == pytest.approx(np.mean(np.log1p(np.exp([-1, -2, 3, -4]))), rel=1e-6)


def test_binary_cross_entropy_is_stable():
    with np.errstate(all="raise"):
        loss, dlogits = binary(np.float32([60, -60, 1e38, -1e38]), [1, 0, 0, 1])
        assert loss == pytest.approx(5e37, rel=1e-6)
        expected = np.array([-math.exp(-60) / 4, math.exp(-60) / 4, 0.25, -0.25], np.float32)
        np.testing.assert_allclose(dlogits, expected, rtol=1e-6)
        assert binary(np.float32([60]), [1])[0] == pytest.approx(math.exp(-60), rel=1e-6)
    assert math.isnan(binary([0.0, np.nan], [0, 1])[0])


def test_binary_cross_entropy_in_blocks():
    """Blocks of rows give what one by one gives."""
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(40_000, 3)), rng.integers(0, 2, (40_000, 3))
    loss, dlogits = binary(logits, targets)
    parts = [binary(logits[i : i + 1000], targets[i : i + 1000]) for i in range(0, 40_000, 1000)]
    assert loss == pytest.approx(np.mean([part for part, _ in parts]), rel=1e-13)
    np.testing.assert_allclose(dlogits, np.concatenate([gradient for _, gradient in parts]) / 40, rtol=1e-12)


def test_mean_squared_error():
    _, prediction, targets = case("squared")
    loss, gradient = nn.mean_squared_error(prediction, targets)
    assert loss == pytest.approx(np.mean((prediction - targets) ** 2), rel=1e-13)
    np.testing.assert_allclose(gradient, 2 * (prediction - targets) / prediction.size, rtol=1e-13)
    with np.errstate(all="raise"):  # the square is no float32
        loss, gradient = nn.mean_squared_error(np.float32([1e25, 0]), [0, 0])
        assert loss == pytest.approx(5e49, rel=1e-6)
        np.testing.assert_allclose(gradient, [1e25, 0], rtol=1e-6)
    assert math.isnan(nn.mean_squared_error([1.0, np.nan], [1, 1])[0])
    assert math.isnan(nn.mean_squared_error([1.0, 1.0], [1, np.nan])[0])


ONE = np.ones(2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: binary([1, 2], [0, 1]), TypeError, "logits must be float16, float32 or float64, got dtype int64"),
        (lambda: binary(1.0, 1), ValueError, r"logits must have shape \(rows, ...\) with at least one of each"),
        (lambda: binary(np.ones((0, 2)), np.ones((0, 2))), ValueError, r"at least one of each, got \(0, 2\)"),
        (lambda: binary(ONE, [[0, 1]]), ValueError, r"targets must have the shape .*, \(2,\), got \(1, 2\)"),
        (lambda: binary(ONE, [0, 1.5]), ValueError, "targets must lie between 0 and 1"),
        (lambda: binary(ONE, [0, np.nan]), ValueError, "targets must lie between 0 and 1"),
        (lambda: binary(ONE, ["a", "b"]), TypeError, "targets must be real numbers"),
        (lambda: nn.mean_squared_error(np.ones((3, 1)), np.ones(3)), ValueError, r"\(3, 1\), got \(3,\)"),
        (lambda: nn.mean_squared_error(ONE, [1j, 0]), TypeError, "real numbers, got dtype complex128"),
        (lambda: binary(ONE, ONE, sample_weight=[1]), ValueError, r"must have shape \(2,\), .*got \(1,\)"),
        (lambda: binary(ONE, ONE, sample_weight=[1, -1]), ValueError, "sample_weight must be finite and at least 0"),
        (lambda: binary(ONE, ONE, sample_weight=[1, np.nan]), ValueError, "sample_weight must be finite"),
        (lambda: binary(ONE, ONE, sample_weight=[1, np.inf]), ValueError, "sample_weight must be finite"),
        (lambda: binary(ONE, ONE, sample_weight=["a", "b"]), TypeError, "sample_weight must be real numbers"),
        (lambda: binary(ONE, ONE, out=np.ones(2, np.float32)), TypeError, "dtype float64, got dtype float32"),
        (lambda: binary(ONE, ONE, out=[0.0, 0.0]), TypeError, "out must be an array of dtype float64, got list"),
        (lambda: binary(ONE, ONE, out=np.ones(3)), ValueError, r"C-contiguous array of shape \(2,\), got shape \(3,\)"),
        (lambda: binary(ONE, ONE, out=np.ones(4)[::2]), ValueError, "C-contiguous array of shape"),
    ],
)
def test_losses_refuse(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("weighted", [False, True])
def test_float16_gradient_of_many_elements(weighted):
    """Their number is no float16."""
    ones = np.ones((1000, 100), np.float16)
    weight = {"sample_weight": np.ones(1000)} if weighted else {}
    assert nn.mean_squared_error(ones, 0 * ones, **weight)[1][0, 0] == np.float16(2e-5)
    assert nn.binary_cross_entropy_with_logits(ones, ones, **weight)[1][0, 0] == pytest.approx(-2.7e-6, abs=6e-8)


def test_squared_error_near_the_ends():
    for dtype, large in ((np.float16, 4e4), (np.float32, 2e38), (np.float64, 1e308)):
        x = np.zeros((4, 1), dtype)
        x[0] = large
        assert nn.mean_squared_error(x, np.zeros_like(x))[1][0] == dtype(large) / 2
        loss, gradient = nn.mean_squared_error(x, np.zeros_like(x), sample_weight=np.zeros(4))
        assert loss == 0
        np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("loss", [nn.softmax_cross_entropy, nn.binary_cross_entropy_with_logits, nn.mean_squared_error])
def test_losses_are_quiet(loss):
    """Also what becomes of tiny weights and gradients."""
    logits = np.array([[9.0, -20.0], [3.0, 1.0]], np.float16)
    targets = [0, 0] if loss is nn.softmax_cross_entropy else [[0, 1], [1, 0]]
    with np.errstate(all="raise"):
        loss(logits, targets, sample_weight=[1e-300, 1e300])
