"""Preparation of data: sampling of mini-batches, a part set aside for validation, scaling of features."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numact._functions import flag
from numact._types import Real
from numact.nn._checks import as_array, generator, positive_int, real

Array = NDArray[Any]


def rows_of(arrays: dict[str, ArrayLike]) -> list[Array]:
    """The arrays, which must have the same length along the first axis."""
    each = {name: as_array(name, array) for name, array in arrays.items()}
    shapes = {name: array.shape for name, array in each.items()}
    if any(shape == () for shape in shapes.values()) or len({shape[0] for shape in shapes.values()}) > 1:
        told = " and ".join(map(str, shapes.values()))
        raise ValueError(f"{' and '.join(shapes)} must have the same length along the first axis, got shapes {told}")
    return list(each.values())


def check_finite(name: str, array: Array, places: Array | None = None) -> None:
    """Raise if an element is infinite or NaN; ``places`` are those of the rows in what was given, if not the same."""
    if array.dtype.kind != "f":
        return
    rows = max(1, (1 << 16) // max(1, array[:1].size))  # without a temporary of the size of the data
    for start in range(0, len(array), rows):
        if not (finite := np.isfinite(array[start : start + rows])).all():
            at = tuple(int(i[0]) for i in np.nonzero(~finite))
            at = (at[0] + start, *at[1:])
            place = at if places is None else (int(places[at[0]]), *at[1:])
            raise ValueError(f"{name} must be finite in {array.dtype}, but element {place} is {array[at]}")


def batches(
    *arrays: ArrayLike,
    batch_size: SupportsIndex,
    rng: np.random.Generator | None = None,
    shuffle: bool = True,
    reuse: bool = False,
) -> Iterator[tuple[Array, ...]]:
    """One pass over the data in mini-batches.

    Parameters
    ----------
    *arrays : array_like
        Inputs, labels and what else belongs to them, of equal length along the first axis.
    batch_size : int
        Samples per batch. The last batch holds what is left and may be smaller.
    rng : numpy.random.Generator, optional
        Source of the order; keep one for all epochs, so that each has another order.
    shuffle : bool, optional
        False keeps the order of the data; the batches are then views.
    reuse : bool, optional
        True fills the arrays of the first batch anew for each one that follows, which saves the allocation: use a
        batch before the next one is taken.

    Yields
    ------
    tuple of ndarray
        The same rows of each array.

    Raises
    ------
    TypeError, ValueError
        If there is no array, the lengths differ, ``batch_size`` is no positive integer or ``rng`` no Generator; at the
        call, not at the first batch.

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
    if not arrays:
        raise TypeError("batches takes at least one array")
    names = ["x", "y", *(f"array {i}" for i in range(2, len(arrays)))]
    data = rows_of(dict(zip(names, arrays, strict=False)))
    batch_size = positive_int("batch_size", batch_size)
    flag("shuffle", shuffle)
    order = generator(rng).permutation(len(data[0])) if shuffle else None
    return _batches(data, batch_size, order, reuse)


def _batches(
    data: list[Array], batch_size: int, order: NDArray[np.intp] | None, reuse: bool
) -> Iterator[tuple[Array, ...]]:
    rows = len(data[0])
    size = min(batch_size, rows)
    buffers = [np.empty((size, *array.shape[1:]), array.dtype) for array in data] if reuse and order is not None else []
    for start in range(0, rows, batch_size):
        if order is None:
            yield tuple(array[start : start + batch_size] for array in data)
            continue
        chosen = order[start : start + batch_size]
        if reuse:
            filled = [buffer[: len(chosen)] for buffer in buffers]
            for array, out in zip(data, filled, strict=True):
                array.take(chosen, axis=0, out=out, mode="clip")  # "raise" would go through a copy
            yield tuple(filled)
        else:
            yield tuple(array[chosen] for array in data)


def split(
    *arrays: ArrayLike,
    fraction: Real = 0.2,
    stratify: ArrayLike | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Set a part of the data aside, chosen at random.

    Parameters
    ----------
    *arrays : array_like
        Inputs, labels and what else belongs to them, of equal length along the first axis.
    fraction : float, optional
        Which part of the rows to set aside, between 0 and 1.
    stratify : array_like, shape (rows,), optional
        Classes, of each of which that part is set aside, to the nearest whole row. Usually the labels.
    rng : numpy.random.Generator, optional
        Source of the choice.

    Returns
    -------
    (rest, part) : tuple of tuple of ndarray
        The rows that are left of each array and those set aside, both in their first order.

    Raises
    ------
    TypeError, ValueError
        If there is no array, the lengths differ, ``fraction`` is not between 0 and 1, ``stratify`` has NaN or another
        shape, ``rng`` is no Generator, or nothing would be left or set aside.

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> x, labels = np.arange(10.0), np.repeat([0, 1], 5)
    >>> train, validation = nn.split(x, labels, fraction=0.4, stratify=labels, rng=np.random.default_rng(0))
    >>> train[1], validation[1]
    (array([0, 0, 0, 1, 1, 1]), array([0, 0, 1, 1]))
    """
    if not arrays:
        raise TypeError("split takes at least one array")
    if isinstance(arrays[-1], numbers.Real):
        raise TypeError(f"split takes arrays, got {arrays[-1]!r}; did you mean fraction={arrays[-1]!r}?")
    names = ["x", "y", *(f"array {i}" for i in range(2, len(arrays)))]
    named = dict(zip(names, arrays, strict=False))
    data = rows_of(named if stratify is None else named | {"stratify": stratify})
    classes = np.zeros(len(data[0])) if stratify is None else data.pop()
    if not 0 < real("fraction", fraction) < 1:
        raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
    if classes.ndim != 1:
        raise ValueError(f"stratify must have shape (rows,), got {classes.shape}")
    if classes.dtype.kind in "fc" and np.isnan(classes).any():
        raise ValueError("stratify must name a class for every row, but has NaN")
    members = [np.flatnonzero(classes == value) for value in np.unique(classes)]
    counts = [round(fraction * len(each)) for each in members]
    rows, chosen = len(classes), sum(counts)
    if not 0 < chosen < rows:
        raise ValueError(
            f"fraction={fraction} of {rows} rows{' in their classes' if stratify is not None else ''} leaves "
            f"{rows - chosen} and sets {chosen} aside: both parts need at least one row"
        )
    rng = generator(rng)
    aside = np.zeros(rows, bool)
    for each, count in zip(members, counts, strict=True):
        aside[rng.permutation(each)[:count]] = True
    return tuple(array[~aside] for array in data), tuple(array[aside] for array in data)


class _Scaling:
    """What Standardize and Whiten share: a mean, and the checks."""

    def __init__(self) -> None:
        self._mean: Array | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @property
    def mean(self) -> Array:
        """Mean of each feature, in float64; a RuntimeError before `fit`."""
        if self._mean is None:
            raise RuntimeError(f"{self!r} has seen no data yet: call fit first")
        return self._mean

    @staticmethod
    def _centred(x: ArrayLike) -> tuple[Array, Array]:
        """The mean of data to fit, and the data without it, both in float64; 0 where a feature is constant."""
        x = as_array("x", x)
        if x.ndim != 2 or x.size == 0:
            raise ValueError(f"x must have shape (rows, features) with at least one of each, got {x.shape}")
        if x.dtype.kind not in "biuf":
            raise TypeError(f"x must be real numbers, got dtype {x.dtype}")
        check_finite("x", x)
        rest = x.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = rest.mean(axis=0)
            rest -= mean
        if not np.all(np.isfinite(rest)):
            raise ValueError(f"the values of x are too large for float64: up to {np.abs(x).max()}")
        # The sum of many rows is rounded often; the second mean takes what that left.
        more = rest.mean(axis=0)
        rest -= more
        mean += more
        rest[:, np.abs(rest).max(axis=0) <= 4 * np.finfo(np.float64).eps * np.abs(mean)] = 0
        return mean, rest

    def _taken(self, x: ArrayLike) -> tuple[Array, np.dtype[Any]]:
        """Data to transform, and the dtype of the result."""
        x = as_array("x", x)
        if x.ndim != 2 or x.shape[1] != len(self.mean):
            raise ValueError(f"{self!r} takes an array of shape (rows, {len(self.mean)}), got {x.shape}")
        if x.dtype.kind not in "biuf":
            raise TypeError(f"x must be real numbers, got dtype {x.dtype}")
        return x, x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)


def root_mean_square(x: Array) -> Any:
    """Along the first axis, without squares beyond the format."""
    largest = np.abs(x).max(axis=0)
    unit = np.where(largest > 0, largest, 1)
    return unit * np.sqrt(np.mean((x / unit) ** 2, axis=0))


class Standardize(_Scaling):
    """Shift and scale features to mean 0 and standard deviation 1.

    Fit it to the training data alone, and transform all other data by the same mean and scale.

    Parameters
    ----------
    per_feature : bool, optional
        False divides all features by one number, the standard deviation of the whole centred array: for features of
        one unit, such as pixels, of which some hardly vary.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        From the methods.

    Attributes
    ----------
    mean : ndarray of float64, shape (features,)
    scale : ndarray of float64, shape (features,)
        What the centred features are divided by: their standard deviation (1 / rows, without Bessel's correction), but
        1 for features that are constant up to rounding (4 epsilon of their mean).

    See Also
    --------
    Whiten : also removes the correlation between features.

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> x = np.array([[1.0, 5.0], [3.0, 5.0]])
    >>> scaling = nn.Standardize().fit(x)
    >>> scaling.transform(x)
    array([[-1.,  0.],
           [ 1.,  0.]])
    >>> scaling.inverse([[0.0, 1.0]])
    array([[2., 6.]])
    """

    def __init__(self, *, per_feature: bool = True) -> None:
        super().__init__()
        self._per_feature = per_feature

    def __repr__(self) -> str:
        return f"Standardize(per_feature={self._per_feature})"

    def fit(self, x: ArrayLike) -> Standardize:
        """Take mean and scale of data.

        Parameters
        ----------
        x : array_like, shape (rows, features)
            Finite real numbers.

        Returns
        -------
        Standardize
            The object itself.

        Raises
        ------
        TypeError, ValueError
            If ``x`` is no matrix of finite real numbers, or too large for float64.
        """
        self._mean, rest = self._centred(x)
        scale = root_mean_square(rest)
        if not self._per_feature:
            scale[:] = root_mean_square(scale)
        scale[scale == 0] = 1
        self.scale = scale
        return self

    def transform(self, x: ArrayLike) -> Array:
        """Return ``(x - mean) / scale``.

        Parameters
        ----------
        x : array_like, shape (rows, features)
            Real numbers.

        Returns
        -------
        ndarray, shape (rows, features)
            In the floating-point dtype of ``x``, float64 for integers.

        Raises
        ------
        TypeError, ValueError
            If ``x`` is no matrix of real numbers with these features.
        RuntimeError
            If `fit` was not called.
        """
        x, dtype = self._taken(x)
        y: Array = ((x - self.mean) / self.scale).astype(dtype, copy=False)
        return y

    def inverse(self, y: ArrayLike) -> Array:
        """Return ``y * scale + mean``, what `transform` made ``y`` of.

        Parameters
        ----------
        y : array_like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows, features)
            In the floating-point dtype of ``y``, float64 for integers.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As `transform`.
        """
        y, dtype = self._taken(y)
        x: Array = (y * self.scale + self.mean).astype(dtype, copy=False)
        return x


class Whiten(_Scaling):
    r"""Turn features into uncorrelated ones of mean 0 and variance 1, along the principal axes (PCA whitening).

    .. math:: y = \Lambda^{-1/2} V^T (x - \mu)

    with the eigenvalues :math:`\Lambda` and eigenvectors :math:`V` of the covariance of the data.

    Parameters
    ----------
    epsilon : float, optional
        This part of the largest eigenvalue is added to all of them: directions that hardly vary are not blown up.

    Raises
    ------
    TypeError, ValueError
        If ``epsilon`` is not above 0.

    Attributes
    ----------
    mean : ndarray of float64, shape (features,)
    components : ndarray of float64, shape (features, features)
        The principal axes in its columns, of falling variance; the largest element of each is positive.
    scale : ndarray of float64, shape (features,)
        Square roots of the eigenvalues with ``epsilon`` added; 1 for all if the data are constant.

    References
    ----------
    A. Kessy, A. Lewin, K. Strimmer, "Optimal whitening and decorrelation", The American Statistician 72(4), 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> x = np.random.default_rng(0).normal(size=(1000, 2)) @ [[3.0, 1.0], [0.0, 0.1]]
    >>> y = nn.Whiten().fit(x).transform(x)
    >>> np.allclose(np.cov(y.T, bias=True), np.eye(2), atol=0.01)
    True
    """

    def __init__(self, *, epsilon: Real = 1e-6) -> None:
        super().__init__()
        if not real("epsilon", epsilon) > 0:
            raise ValueError(f"epsilon must be above 0, got {epsilon}")
        self._epsilon = epsilon

    def __repr__(self) -> str:
        return f"Whiten(epsilon={self._epsilon})"

    def fit(self, x: ArrayLike) -> Whiten:
        """Take mean and principal axes of data.

        Parameters
        ----------
        x : array_like, shape (rows, features)
            Finite real numbers.

        Returns
        -------
        Whiten
            The object itself.

        Raises
        ------
        TypeError, ValueError
            If ``x`` is no matrix of finite real numbers, or too large for float64.
        """
        mean, rest = self._centred(x)
        unit = np.abs(rest).max() or 1.0  # of which all are parts, so that no square leaves the range
        rest /= unit
        variances, axes = np.linalg.eigh(rest.T @ rest / len(rest))
        variances, axes = np.maximum(variances[::-1], 0), axes[:, ::-1]
        with np.errstate(over="ignore"):
            scale = unit * np.sqrt(variances + self._epsilon * variances[0])
        if not np.all(np.isfinite(scale)):
            raise ValueError(f"the values of x are too large for float64: up to {unit} from their mean")
        largest = np.abs(axes).argmax(axis=0)
        self._mean = mean
        self.components = axes * np.sign(axes[largest, np.arange(len(axes))])
        self.scale = scale if scale[0] > 0 else np.ones_like(scale)
        return self

    def transform(self, x: ArrayLike) -> Array:
        """Return ``(x - mean) @ components / scale``.

        Parameters
        ----------
        x : array_like, shape (rows, features)
            Real numbers.

        Returns
        -------
        ndarray, shape (rows, features)
            In the floating-point dtype of ``x``, float64 for integers.

        Raises
        ------
        TypeError, ValueError
            If ``x`` is no matrix of real numbers with these features.
        RuntimeError
            If `fit` was not called.
        """
        x, dtype = self._taken(x)
        y: Array = ((x - self.mean) @ self.components / self.scale).astype(dtype, copy=False)
        return y

    def inverse(self, y: ArrayLike) -> Array:
        """Return ``y * scale @ components.T + mean``, what `transform` made ``y`` of.

        Parameters
        ----------
        y : array_like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows, features)
            In the floating-point dtype of ``y``, float64 for integers.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As `transform`.
        """
        y, dtype = self._taken(y)
        x: Array = ((y * self.scale) @ self.components.T + self.mean).astype(dtype, copy=False)
        return x
