"""Statistics of activations in one native pass."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._functions import _as_data, _axis, _cast
from ._records import activations
from ._runtime import _native, isa
from ._sgd import _number

if TYPE_CHECKING:
    from ._types import Real

_native_stats = _native.make_activation_stats(isa())

Statistic = float | NDArray[np.float64]

__all__ = ["ActivationStats", "activation_stats"]


class ActivationStats(NamedTuple):
    """What `activation_stats` found: floats, or float64 arrays with one value per unit.

    Attributes
    ----------
    mean, std : float or ndarray
        Of the finite elements, the deviation with divisor n; NaN where there are none.
    min, max : float or ndarray
        The smallest and the largest finite element; NaN where there are none.
    zero, saturated, nonfinite : float or ndarray
        Fractions of all elements; NaN where there are none.

    Examples
    --------
    >>> import numact as na
    >>> stats = na.activation_stats([0.0, 1.0, 0.5, float("nan")], low=0.0)
    >>> stats.mean, stats.zero, stats.saturated, stats.nonfinite
    (0.5, 0.25, 0.25, 0.25)
    """

    mean: Statistic
    std: Statistic
    min: Statistic
    max: Statistic
    zero: Statistic
    saturated: Statistic
    nonfinite: Statistic

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={_shown(value)}" for name, value in zip(self._fields, self, strict=True))
        shape = np.shape(self.mean)
        return f"ActivationStats({shown}{f', shape={shape}' if shape else ''})"


def _shown(value: Statistic) -> str:
    """A number, or the range of the numbers of an array."""
    known = np.ravel(value)[~np.isnan(np.ravel(value))]
    low, high = (f"{end:.4g}" for end in (known.min(), known.max())) if known.size else ("nan", "nan")
    return low if low == high else f"{low}..{high}"


def activation_stats(
    x: ArrayLike,
    /,
    axis: SupportsIndex | Sequence[SupportsIndex] | None = None,
    *,
    activation: str | None = None,
    low: Real | None = None,
    high: Real | None = None,
    tolerance: Real = 0.01,
) -> ActivationStats:
    """Mean, standard deviation, ends, and the fractions of zeros, saturated and non-finite elements, in one pass.

    The standard deviation is exact to many digits also where it is far smaller than the mean. An element is saturated
    if ``x <= low + tolerance`` or ``x >= high - tolerance``, thresholds of float32 and half-precision data as float32.

    Parameters
    ----------
    x : array_like
        Outputs of an activation, any shape and layout; float16, bfloat16 (of ml_dtypes), float32 or float64, integers
        and bool are taken as float64.
    axis : int or tuple of int, optional
        The axes over which to take the statistics, by default all: 0 for one value per unit of an array of shape
        (samples, units).
    activation : str, optional
        The function that ``x`` is the output of: takes ``low`` and ``high`` from the catalogue, those ends of its
        ``output_range`` at which it ``saturates``. For a function that is not monotonic or not bounded there, such as
        gelu, the output does not tell whether it is saturated.
    low, high : float, optional
        The ends themselves, for example of an activation with other parameters than the default ones.
    tolerance : float, optional
        How close to an end counts as saturated.

    Returns
    -------
    ActivationStats

    Raises
    ------
    TypeError
        If the data is of another kind (complex, longdouble, object, text) or masked, an end is no real number, an axis
        no integer, or if both activation and an end are given.
    ValueError
        If the activation is unknown or its output does not tell, an end is NaN or ``low`` above ``high``, the tolerance
        is negative, or an axis occurs twice.
    numpy.exceptions.AxisError
        If x has no such axis.

    Examples
    --------
    >>> import numpy as np
    >>> import numact as na
    >>> y = na.tanh(np.array([[-9.0, 0.0], [0.5, 0.0], [9.0, 0.0]]))
    >>> na.activation_stats(y, activation="tanh")
    ActivationStats(mean=0.07702, std=0.6025, min=-1, max=1, zero=0.5, saturated=0.3333, nonfinite=0)
    >>> na.activation_stats(y, axis=0).zero
    array([0., 1.])
    """
    ends = _ends(activation, low, high, tolerance)
    found = None
    if axis is None:
        found = _native_stats(x, None, *ends)
    elif type(axis) is int and axis == 0 and getattr(x, "ndim", None) == 2:
        found = _native_stats(x, 0, *ends)
    return ActivationStats(*found or _any_stats(x, axis, ends))  # no plain array, or other axes


def _any_stats(
    x: ArrayLike, axis: SupportsIndex | Sequence[SupportsIndex] | None, ends: tuple[float, float]
) -> Sequence[Statistic]:
    (array,), dtype = _as_data("activation_stats", x)
    array = _cast(array, dtype)
    table, outer, kept = _table(array, axis)
    found = _native_stats(table, outer, *ends)
    assert found is not None, table.flags
    return found if kept is None else [values.reshape(kept) for values in found]


def _table(
    array: NDArray[Any], axis: SupportsIndex | Sequence[SupportsIndex] | None
) -> tuple[NDArray[Any], int | None, tuple[int, ...] | None]:
    """A view with the axes that are kept, those summed over, and as one the kept axes that stood behind those.

    Also the number of the first ones, and the shape of the kept axes; None for both where there are none.
    """
    if axis is None:
        return array, None, None
    dimensions = array.ndim
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    summed = sorted({_axis("activation_stats", each, dimensions) for each in given})
    if len(summed) < len(given):
        raise ValueError(f"activation_stats: an axis occurs twice in {axis!r}")
    if len(summed) == dimensions:
        return array, None, None
    behind = 1 + max(summed, default=-1)
    outer = [i for i in range(behind) if i not in summed]
    table = array.transpose([*outer, *summed, *range(behind, dimensions)]) if outer else array
    if behind + 1 != dimensions:  # a copy only where the strides do not allow one axis
        table = table.reshape(*table.shape[:behind], math.prod(table.shape[behind:]))
    return table, len(outer), (*table.shape[: len(outer)], *array.shape[behind:])


def _ends(activation: str | None, low: Real | None, high: Real | None, tolerance: Real) -> tuple[float, float]:
    """From where on elements are saturated; NaN for a side where they never are."""
    near = _number("activation_stats: tolerance", tolerance)
    if activation is not None:
        if low is not None or high is not None:
            raise TypeError("activation_stats: give either activation or low and high")
        if not isinstance(activation, str):
            raise TypeError(f"activation_stats: activation must be a name, got {activation!r}")
        ends = saturated_ends(activation)
        if ends is None:
            raise ValueError(
                f"activation_stats: the outputs of {activation} do not tell where it is saturated; leave activation "
                "out, or give low or high"
            )
        first, last = ends
    else:
        first = None if low is None else _end("low", low)
        last = None if high is None else _end("high", high)
        if first is not None and last is not None and first > last:
            raise ValueError(f"activation_stats: expected low <= high, got {low!r} and {high!r}")
    return math.nan if first is None else first + near, math.nan if last is None else last - near


def _end(name: str, value: Real) -> float:
    if value != value:
        raise ValueError(f"activation_stats: {name} must be a number, not NaN")
    return _number(f"activation_stats: {name}", value, -math.inf)


@functools.cache
def saturated_ends(activation: str) -> tuple[float | None, float | None] | None:
    """The outputs at which an activation is saturated, None for a side where it never is; None if they do not tell."""
    if activation not in activations:
        from .nn._checks import known

        known("activation", activation, activations)
    record = activations[activation]
    low, high = record.output_range
    ends = (
        low if record.saturates in ("left", "both") else None,
        high if record.saturates in ("right", "both") else None,
    )
    told = record.monotonic and all(end is None or math.isfinite(end) for end in ends)
    return ends if told else None
