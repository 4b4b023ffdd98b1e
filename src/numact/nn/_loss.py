"""Losses: each gives the mean over the samples and its gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import numact as na
from numact._runtime import _native
from numact.nn._checks import as_array
from numact.nn._layer import Array

# What the native loss computes in; float16 goes through float32.
_DTYPES = (np.float32, np.float64)

# Elements taken at a time where intermediate results need memory: the second-level cache holds them.
_BLOCK = 1 << 14


def softmax_cross_entropy(
    logits: ArrayLike, labels: ArrayLike, *, sample_weight: ArrayLike | None = None, out: Array | None = None
) -> tuple[float, Array]:
    """Mean over the rows of -log softmax(logits)[label], with its gradient.

    NaN among the logits, or +inf, makes the loss NaN.

    Parameters
    ----------
    logits : array_like, shape (rows, classes)
        float16, float32 or float64, not yet normalised.
    labels : array_like, shape (rows,)
        The right class of each row, integers from 0 to classes - 1, or bool for 0 and 1.
    sample_weight : array_like, shape (rows,), optional
        Weights of the rows in the mean, at least 0; where all are 0, so are loss and gradient.
    out : ndarray, optional
        Where to write the gradient: C-contiguous, of the shape and dtype of ``logits``, which it may be.

    Returns
    -------
    loss : float
    dlogits : ndarray, shape (rows, classes)
        (softmax(logits) - onehot(labels)) / rows, in the dtype of ``logits``; with weights times their part of the sum
        in place of 1 / rows.

    Raises
    ------
    TypeError
        If the logits have another dtype, the labels are not integers, the weights not real, or ``out`` is no array of
        that dtype.
    ValueError
        If the shapes do not fit, there is no row, a label is out of range, a weight negative or not finite, or ``out``
        not C-contiguous or read-only.

    Examples
    --------
    >>> from numact import nn
    >>> loss, dlogits = nn.softmax_cross_entropy([[0.0, 0.0], [0.0, 0.0]], [0, 1])
    >>> round(loss, 4)
    0.6931
    >>> dlogits
    array([[-0.25,  0.25],
           [ 0.25, -0.25]])
    """
    logits, labels = _predictions("logits", logits, "(rows, classes)", 2), as_array("labels", labels)
    rows = (len(logits),)
    labels = class_numbers("labels", labels)
    if labels.shape != rows:
        hint = "; for one-hot rows pass labels.argmax(axis=1)" if labels.shape == logits.shape else ""
        raise ValueError(f"labels must have shape {rows}, one class number per row, got {labels.shape}{hint}")
    share = _shares(sample_weight, len(logits))
    logits, dlogits = _gradient_array(logits, out)
    if dlogits.dtype in _DTYPES and dlogits.flags.carray:
        return _native.softmax_cross_entropy(logits, labels, share, dlogits), dlogits
    if dlogits.itemsize > 8:
        raise TypeError(f"logits must be float16, float32 or float64, got dtype {dlogits.dtype}")
    wide = np.empty(dlogits.shape, np.float64 if dlogits.itemsize == 8 else np.float32)
    loss = _native.softmax_cross_entropy(logits, labels, share, wide)
    with np.errstate(all="ignore"):
        np.copyto(dlogits, wide, casting="same_kind")
    return loss, dlogits


def binary_cross_entropy_with_logits(
    logits: ArrayLike, targets: ArrayLike, *, sample_weight: ArrayLike | None = None, out: Array | None = None
) -> tuple[float, Array]:
    """Mean of -t log(p) - (1 - t) log(1 - p), where p = sigmoid(logits), with its gradient.

    NaN among the logits makes the loss NaN, and so does an infinity that the target agrees with; another makes it
    infinite.

    Parameters
    ----------
    logits : array_like, shape (rows, ...)
        float16, float32 or float64.
    targets : array_like, of the shape of ``logits``
        Probabilities from 0 to 1, or bool.
    sample_weight : array_like, shape (rows,), optional
        Weights of the rows in the mean, at least 0; where all are 0, so are loss and gradient.
    out : ndarray, optional
        Where to write the gradient: C-contiguous, of the shape and dtype of ``logits``, which it may be.

    Returns
    -------
    loss : float
    dlogits : ndarray
        (sigmoid(logits) - targets) / size, in the dtype of ``logits``; with weights times their part of the sum in
        place of 1 / rows.

    Raises
    ------
    TypeError
        If the logits have another dtype, targets or weights are not real, or ``out`` is no array of that dtype.
    ValueError
        If the shapes do not fit, there is no element, a target is not from 0 to 1, a weight negative or not finite, or
        ``out`` not C-contiguous or read-only.

    Examples
    --------
    >>> from numact import nn
    >>> loss, dlogits = nn.binary_cross_entropy_with_logits([0.0, 40.0], [1, 1])
    >>> round(loss, 4)
    0.3466
    >>> dlogits
    array([-2.50000000e-01, -2.12417713e-18])
    """
    logits, targets, share, dlogits = _compared("logits", logits, targets, sample_weight, out)
    if not (targets.min() >= 0 and targets.max() <= 1):
        raise ValueError("targets must lie between 0 and 1, got others, or NaN")
    rows, columns = len(logits), logits.size // len(logits)
    losses = np.empty(rows)
    others, work = (np.empty((min(rows, _rows_at_once(logits)), columns), logits.dtype) for _ in range(2))
    with np.errstate(all="ignore"):
        for block, (z, t, dz) in _blocks(columns, logits, targets, dlogits):
            other, product = others[: len(z)], work[: len(z)]
            np.subtract(1, t, out=other, casting="same_kind", dtype=other.dtype.type)
            na.softplus(z, out=product)  # -log(1 - p), and from -z -log(p)
            product *= other
            np.add.reduce(product, 1, np.float64, out=losses[block])
            np.negative(z, out=dz)
            na.softplus(dz, out=product)
            np.multiply(product, t, out=product, casting="same_kind")
            losses[block] += np.add.reduce(product, 1, np.float64)
            # (1 - t) p - t (1 - p), where nothing cancels when the network is sure and right.
            na.sigmoid(dz, out=product)
            np.multiply(product, t, out=product, casting="same_kind")
            na.sigmoid(z, out=dz)
            dz *= other
            dz -= product
        _scale(dlogits, share, columns)
        return _mean(losses, share, columns), dlogits


def mean_squared_error(
    prediction: ArrayLike, targets: ArrayLike, *, sample_weight: ArrayLike | None = None, out: Array | None = None
) -> tuple[float, Array]:
    """Mean of (prediction - targets)^2, with its gradient.

    Parameters
    ----------
    prediction : array_like, shape (rows, ...)
        Floating-point numbers.
    targets : array_like, of the shape of ``prediction``
        Real numbers.
    sample_weight : array_like, shape (rows,), optional
        Weights of the rows in the mean, at least 0; where all are 0, so are loss and gradient.
    out : ndarray, optional
        Where to write the gradient: C-contiguous, of the shape and dtype of ``prediction``, which it may be.

    Returns
    -------
    loss : float
    dprediction : ndarray
        2 (prediction - targets) / size, in the dtype of ``prediction``; with weights times their part of the sum in
        place of 1 / rows.

    Raises
    ------
    TypeError
        If the prediction is not floating-point numbers, targets or weights are not real, or ``out`` is no array of the
        prediction's dtype.
    ValueError
        If the shapes do not fit, there is no element, a weight is negative or not finite, or ``out`` not C-contiguous
        or read-only.

    Examples
    --------
    >>> from numact import nn
    >>> nn.mean_squared_error([[1.0], [3.0]], [[0.0], [0.0]])
    (5.0, array([[1.],
           [3.]]))
    """
    prediction, targets, share, gradient = _compared("the prediction", prediction, targets, sample_weight, out)
    columns = prediction.size // len(prediction)
    losses = np.empty(len(prediction))
    with np.errstate(all="ignore"):
        np.subtract(prediction, targets, out=gradient, casting="same_kind")
        # In float64, where the square of a float32 does not overflow.
        wide = np.empty((min(_rows_at_once(gradient), len(gradient)), columns))
        for block, (difference,) in _blocks(columns, gradient):
            part = wide[: len(difference)]
            np.copyto(part, difference)
            np.multiply(part, part, out=part)
            np.add.reduce(part, 1, out=losses[block])
        _scale(gradient, share, columns / 2)  # of the squares, at once with their 2, which could leave the range
        return _mean(losses, share, columns), gradient


def class_numbers(name: str, labels: Array) -> Array:
    """Labels as integers: False and True as 0 and 1."""
    if labels.dtype.kind not in "biu":
        hint = ""
        if labels.dtype.kind == "f":
            whole = labels.ndim < 2 or labels.shape[1] == 1
            hint = (
                f"; for whole numbers pass {name}.astype(int)" if whole else f"; for one-hot rows {name}.argmax(axis=1)"
            )
        raise TypeError(f"{name} must be integers, one class number per row, got dtype {labels.dtype}{hint}")
    return labels.astype(np.intp) if labels.dtype.kind == "b" else labels


def _compared(
    name: str, values: ArrayLike, targets: ArrayLike, sample_weight: ArrayLike | None, out: Any
) -> tuple[Array, Array, Array | None, Array]:
    """Predictions and targets of one shape, the shares of the rows, and where to write the gradient."""
    values, targets = _predictions(name, values, "(rows, ...)"), as_array("targets", targets)
    if targets.dtype.kind not in "biuf":
        raise TypeError(f"targets must be real numbers, got dtype {targets.dtype}")
    if targets.shape != values.shape:
        raise ValueError(
            f"targets must have the shape of what is compared with them, {values.shape}, got {targets.shape}"
        )
    share = _shares(sample_weight, len(values))
    values, gradient = _gradient_array(values, out)
    return values, targets, share, gradient


def _shares(sample_weight: ArrayLike | None, rows: int) -> Array | None:
    """The weights divided by their sum; None where all rows count alike."""
    if sample_weight is None:
        return None
    weight = as_array("sample_weight", sample_weight)
    if not np.can_cast(weight.dtype, np.float64, "same_kind"):
        raise TypeError(f"sample_weight must be real numbers, got dtype {weight.dtype}")
    if weight.shape != (rows,):
        raise ValueError(f"sample_weight must have shape {(rows,)}, one number per row, got {weight.shape}")
    if not (weight.min() >= 0 and weight.max() < math.inf):
        raise ValueError("sample_weight must be finite and at least 0")
    share = weight.astype(np.float64)
    top = share.max()
    if top > 0:
        with np.errstate(under="ignore"):
            share /= top  # so that the sum of large weights does not overflow
            share /= share.sum()
    return share


def _mean(sums: Array, share: Array | None, columns: int) -> float:
    """The mean over all elements, from the sum over each row."""
    if share is None:
        return float(np.add.reduce(sums)) / (len(sums) * columns)
    return float(share @ np.where((share == 0) & np.isposinf(sums), 0, sums)) / columns


def _scale(gradient: Array, share: Array | None, columns: float) -> None:
    """Turn the gradient of the sum over all elements into that of their mean."""
    if share is None:
        # As an array of that dtype it needs no conversion, which takes longer than dividing a small array. float16 has
        # no such numbers.
        size = np.array(len(gradient) * columns, gradient.dtype if gradient.itemsize > 2 else np.float32)
        np.divide(gradient, size, gradient, casting="same_kind")
    else:
        np.multiply(gradient, (share / columns).reshape(-1, *(1,) * (gradient.ndim - 1)), gradient, casting="same_kind")


def _predictions(name: str, values: ArrayLike, shape: str, dimensions: int | None = None) -> Array:
    values = as_array(name, values)
    if values.dtype.kind != "f":
        raise TypeError(f"{name} must be float16, float32 or float64, got dtype {values.dtype}")
    if values.ndim == 0 or values.size == 0 or dimensions not in (None, values.ndim):
        raise ValueError(f"{name} must have shape {shape} with at least one of each, got {values.shape}")
    return values


def _gradient_array(values: Array, out: Any) -> tuple[Array, Array]:
    """The values, and where to write the gradient, which does not share memory with them."""
    if out is None:
        return values, np.empty(values.shape, values.dtype)
    if not isinstance(out, np.ndarray) or out.dtype != values.dtype:
        got = f"dtype {out.dtype}" if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"out must be an array of dtype {values.dtype}, got {got}")
    if out.shape != values.shape or not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError(f"out must be a writeable C-contiguous array of shape {values.shape}, got shape {out.shape}")
    return values.copy() if np.may_share_memory(out, values) else values, out


def _rows_at_once(values: Array) -> int:
    return max(1, _BLOCK * len(values) // values.size)


def _blocks(columns: int, *arrays: Array) -> Iterator[tuple[slice, list[Array]]]:
    """The arrays as (rows, columns), so many rows at a time."""
    count = _rows_at_once(arrays[0])
    tables = [array.reshape(len(array), columns) for array in arrays]
    for start in range(0, len(arrays[0]), count):
        block = slice(start, start + count)
        yield block, [table[block] for table in tables]
