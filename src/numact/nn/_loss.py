"""The loss of a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def softmax_cross_entropy(logits: ArrayLike, labels: ArrayLike) -> tuple[float, NDArray[Any]]:
    """Mean over the rows of -log softmax(logits)[label], with its gradient.

    Parameters
    ----------
    logits : array_like, shape (rows, classes)
        Floating-point numbers, not yet normalised.
    labels : array_like, shape (rows,)
        The right class of each row, integers from 0 to classes - 1.

    Returns
    -------
    loss : float
    dlogits : ndarray, shape (rows, classes)
        (softmax(logits) - onehot(labels)) / rows, in the dtype of ``logits``.

    Raises
    ------
    TypeError
        If the logits are not floating-point numbers or the labels not integers.
    ValueError
        If the shapes do not fit, there is no row, or a label is out of range.

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
    logits = np.asarray(logits)
    labels = np.asarray(labels)
    if logits.dtype.kind != "f":
        raise TypeError(f"logits must be floating-point numbers, got dtype {logits.dtype}")
    if logits.ndim != 2 or logits.size == 0:
        raise ValueError(f"logits must have shape (rows, classes) with at least one of each, got {logits.shape}")
    rows, classes = logits.shape
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, one class number per row, got dtype {labels.dtype}")
    if labels.shape != (rows,):
        hint = "; for one-hot rows pass labels.argmax(axis=1)" if labels.shape == logits.shape else ""
        raise ValueError(f"labels must have shape {(rows,)}, one class number per row, got {labels.shape}{hint}")
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(
            f"labels must lie in 0..{classes - 1}, the number of columns of the logits; label {row} is {labels[row]}"
        )

    each = np.arange(rows)
    # A diverged network gives NaN here, which is answer enough.
    with np.errstate(all="ignore"):
        top = logits.argmax(axis=1)
        distance = logits - logits[each, top, np.newaxis]
        p = np.exp(distance)
        # The largest term is 1; left out of the sum, it cannot swamp the others when the network is sure and right.
        p[each, top] = 0
        rest = p.sum(axis=1)
        loss = np.mean(np.log1p(rest) - distance[each, labels], dtype=np.float64)
        p[each, top] = 1
        p /= (1 + rest)[:, np.newaxis]
        p[each, labels] = 0
        p[each, labels] = -p.sum(axis=1)
        p /= rows
    return float(loss), p
