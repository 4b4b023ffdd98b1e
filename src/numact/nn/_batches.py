"""Sampling of mini-batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numact.nn._checks import generator, positive_int


def batches(
    x: ArrayLike,
    y: ArrayLike,
    *,
    batch_size: int,
    rng: np.random.Generator | None = None,
    shuffle: bool = True,
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """One pass over the data in mini-batches.

    Parameters
    ----------
    x, y : array_like
        Inputs and labels, of equal length along the first axis.
    batch_size : int
        Samples per batch. The last batch holds what is left and may be smaller.
    rng : numpy.random.Generator, optional
        Source of the order; keep one for all epochs, so that each has another order.
    shuffle : bool, optional
        False keeps the order of the data; the batches are then views.

    Yields
    ------
    (ndarray, ndarray)
        A batch of ``x`` and the same rows of ``y``.

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> for x, y in nn.batches(np.arange(5) * 10, np.arange(5), batch_size=2, shuffle=False):
    ...     print(x, y)
    [ 0 10] [0 1]
    [20 30] [2 3]
    [40] [4]
    """
    x = np.asarray(x)
    y = np.asarray(y)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ValueError(f"x and y must have the same length along the first axis, got shapes {x.shape} and {y.shape}")
    batch_size = positive_int("batch_size", batch_size)
    order = generator(rng).permutation(len(x)) if shuffle else None
    # The checks above are made at the call, not at the first batch.
    return _split(x, y, batch_size, order)


def _split(
    x: NDArray[Any], y: NDArray[Any], batch_size: int, order: NDArray[np.intp] | None
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    for start in range(0, len(x), batch_size):
        rows = slice(start, start + batch_size)
        chosen = rows if order is None else order[rows]
        yield x[chosen], y[chosen]
