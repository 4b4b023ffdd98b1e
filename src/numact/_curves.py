"""The curve of an activation of any kind, function and derivative, and where it jumps: for pictures, documents, tests.

A function of one array is its own curve; a gated one is taken as a function of the gate at value 1; one over an axis as
the first output of the row (x, 0), as a function of x.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._records import Activation

Array = NDArray[Any]

# For a parameter without default: where He et al. start the slope of prelu.
INITIAL_WEIGHT = 0.25


def parameter_values(record: Activation) -> list[float]:
    """The default of every parameter."""
    return [INITIAL_WEIGHT if p.default is None else p.default for p in record.parameters]


def arrays(record: Activation, x: Array) -> list[Array]:
    """The data arrays of which the curve over ``x`` is made."""
    if record.kind == "axis":
        return [np.stack([x, np.zeros_like(x)], axis=-1)]
    return [x, np.ones_like(x)] if record.kind == "gated" else [x]


def forward(
    record: Activation, data: list[Array], module: Any, parameters: Sequence[Any] | None = None
) -> tuple[Array, ...]:
    """All that the function returns, by default at default parameters, from ``numact`` or a module with its names."""
    given = parameter_values(record) if parameters is None else parameters
    result = getattr(module, record.name)(*data, *given)
    return result if isinstance(result, tuple) else (result,)


def backward(
    record: Activation, dy: Array, data: list[Array], module: Any, parameters: Sequence[Any] | None = None
) -> tuple[Array, ...]:
    """The gradient of every data array."""
    given = parameter_values(record) if parameters is None else parameters
    function = getattr(module, f"{record.name}_backward")
    if "which" in record.returns[0]:
        result = function(dy, forward(record, data, module)[1], data[0].shape[-1])
    elif record.kind == "random":
        result = function(dy, data[0], forward(record, data, module, given)[1])
    else:
        result = function(dy, *data, *given)
    return result[: len(data)] if isinstance(result, tuple) else (result,)


def curve(record: Activation, x: Array, module: Any) -> tuple[Array, Array]:
    """Function and derivative over ``x``."""
    data = arrays(record, x)
    y = forward(record, data, module)[0]
    dy = np.ones_like(y)
    if record.kind != "axis":
        return y, backward(record, dy, data, module)[0]
    if y.ndim > x.ndim:
        dy[..., 1:] = 0
        y = y[..., 0]
    return y, backward(record, dy, data, module)[0][..., 0]


def jumps(function: Callable[[Array], Array], x: Array) -> list[float]:
    """Where ``function`` jumps within the grid ``x``, to nine decimals."""
    low, high = x[:-1], x[1:]
    left, right = function(low), function(high)
    for _ in range(32):  # every interval shrinks towards the half across which it differs more
        middle = (low + high) / 2
        value = function(middle)
        to_left = np.abs(value - left) > np.abs(right - value)
        low, left = np.where(to_left, low, middle), np.where(to_left, left, value)
        high, right = np.where(to_left, middle, high), np.where(to_left, value, right)
    return sorted({round(float(place), 9) + 0.0 for place in high[np.abs(right - left) > 1e-6]})


def kinks(record: Activation, module: Any) -> list[float]:
    """Where function or derivative jump, at default parameters."""
    grid = np.linspace(-10, 10, 2001)
    in_value = jumps(lambda x: curve(record, x, module)[0], grid)
    in_slope = jumps(lambda x: curve(record, x, module)[1], grid)
    return sorted({*in_value, *in_slope})
