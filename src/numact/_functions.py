"""Functions that do not return one array: gradients with a learned parameter, and maxout. Checks here, work in C++."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._runtime import _native

Array = NDArray[Any]
MOST_PIECES = 256


def _as_data(name: str, *data: ArrayLike) -> tuple[list[Array], np.dtype[Any]]:
    """The arrays and their common dtype: Python scalars are weak, integers and bool give float64."""
    if any(isinstance(a, np.ma.MaskedArray) for a in data):
        raise TypeError(f"{name}: the mask of a masked array would be lost; pass its .data or .filled()")
    arrays = [np.asarray(a) for a in data]
    weak = [type(a) in (int, float) for a in data]
    strong = [array.dtype for array, w in zip(arrays, weak, strict=True) if not w]
    dtype = np.result_type(*strong) if strong else np.dtype(np.float64)
    if dtype.kind in "biu":
        dtype = np.dtype(np.float64)
    elif dtype.kind == "f":
        dtype = dtype.newbyteorder("=")
    if dtype.name not in ("float16", "bfloat16", "float32", "float64"):
        raise TypeError(
            f"{name}: no loop for arrays of {dtype}; expected float16, bfloat16, float32, float64, integers or bool "
            "(which give float64)"
        )
    return [np.asarray(a, dtype) if w else b for a, b, w in zip(data, arrays, weak, strict=True)], dtype


def _pair(name: str, out: Any) -> tuple[Any, Any]:
    if out is None:
        return None, None
    if not isinstance(out, tuple) or len(out) != 2:
        raise TypeError(f"{name}: out must be a tuple of two arrays (or None in their place)")
    if all(isinstance(each, np.ndarray) for each in out) and np.shares_memory(*out):
        raise ValueError(f"{name}: the two arrays of out share memory")
    return out


class _Output:
    """One output: the caller's array where the kernel may write to it, else a new one, copied there at the end."""

    def __init__(self, name: str, out: Any, shape: tuple[int, ...], dtype: Any, inputs: Sequence[Array] = ()) -> None:
        self.given = out
        if out is not None:
            if not isinstance(out, np.ndarray):
                raise TypeError(f"{name}: out must be an array, not {type(out).__name__}")
            if out.shape != shape:
                raise ValueError(f"{name}: out has shape {out.shape}, expected {shape}")
            if not out.flags.writeable:
                raise ValueError(f"{name}: out is read-only")
            if not np.can_cast(dtype, out.dtype, "same_kind"):
                raise TypeError(f"{name}: cannot cast the result from {np.dtype(dtype)} to out's {out.dtype}")
        direct = (
            out is not None
            and out.dtype == dtype
            and out.dtype.isnative
            and out.flags.aligned
            and not any(np.may_share_memory(out, each) for each in inputs)
        )
        self.array: Array = out if direct else np.empty(shape, dtype)

    def result(self) -> Any:
        if self.given is None:
            return self.array[()]  # a 0-d array becomes a scalar, as ufuncs return it
        if self.array is not self.given:
            np.copyto(self.given, self.array, casting="same_kind")
        return self.given


def parameter_backward(name: str, parameter_name: str, level: str, precise: bool) -> Callable[..., tuple[Any, Any]]:
    """The function (dy, x, parameter) -> (dx, dparameter) of the activation `name`."""
    function = f"{name}_backward"

    def backward(dy: ArrayLike, x: ArrayLike, parameter: ArrayLike, out: Any) -> tuple[Any, Any]:
        (dy_array, x_array), dtype = _as_data(function, dy, x)
        value = np.asarray(parameter, np.float64 if type(parameter) is int else None)
        wide = dtype == np.float64 or (precise and dtype == np.float32)
        if not np.can_cast(value.dtype, np.float64, "same_kind"):
            raise TypeError(f"{function}: {parameter_name} must be real numbers, not {value.dtype}")
        if value.ndim == 0 and np.isnan(float(value)):
            raise ValueError(f"{function}: {parameter_name} must be a number, not NaN, got {parameter!r}")
        try:
            shape = np.broadcast_shapes(dy_array.shape, x_array.shape)
        except ValueError:
            raise ValueError(
                f"{function}: dy of shape {dy_array.shape} does not broadcast with x of shape {x_array.shape}"
            ) from None
        try:
            fits = np.broadcast_shapes(shape, value.shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(
                f"{function}: {parameter_name} of shape {value.shape} does not broadcast to the data's shape {shape}"
            )
        with np.errstate(all="ignore"):
            value = _native.cast(value, np.float64 if wide else np.float32)
        for_dx, for_parameter = _pair(function, out)
        dx = _Output(function, for_dx, shape, dtype)
        dparameter = _Output(function, for_parameter, value.shape, dtype, (dx.array,))
        sums = _native.parameter_gradient(level, name, precise, dy_array, x_array, value, dx.array)
        with np.errstate(all="ignore"):
            dparameter.array[...] = _native.cast(sums, dtype).reshape(value.shape)
        return dx.result(), dparameter.result()

    if name == "prelu":

        def prelu_backward(dy: ArrayLike, x: ArrayLike, /, weight: ArrayLike, *, out: Any = None) -> tuple[Any, Any]:
            return backward(dy, x, weight, out)

        return prelu_backward

    def swish_backward(dy: ArrayLike, x: ArrayLike, /, beta: ArrayLike = 1.0, *, out: Any = None) -> tuple[Any, Any]:
        return backward(dy, x, beta, out)

    return swish_backward


def _axis(name: str, axis: int, dimensions: int) -> int:
    try:
        index = operator.index(axis)
    except TypeError:
        raise TypeError(f"{name}: axis must be an integer, not {type(axis).__name__}") from None
    if not -dimensions <= index < dimensions:
        raise np.exceptions.AxisError(index, dimensions, name)
    return index % dimensions


def maxout_functions(level: str) -> dict[str, Callable[..., Any]]:
    """``maxout`` and ``maxout_backward`` at one ISA level."""

    def maxout(x: ArrayLike, /, axis: int = -1, *, out: Any = None) -> tuple[Any, Any]:
        (array,), dtype = _as_data("maxout", x)
        axis = _axis("maxout", axis, array.ndim)
        pieces = array.shape[axis]
        if not 1 <= pieces <= MOST_PIECES:
            raise ValueError(f"maxout: axis {axis} holds {pieces} pieces, expected 1 to {MOST_PIECES}")
        array = np.require(array, dtype, ["ALIGNED"])
        shape = array.shape[:axis] + array.shape[axis + 1 :]
        for_y, for_which = _pair("maxout", out)
        y = _Output("maxout", for_y, shape, dtype, (array,))
        which = _Output("maxout", for_which, shape, np.uint8, (array, y.array))
        _native.maxout(level, _first(array, axis), array.strides[axis], pieces, y.array, which.array)
        return y.result(), which.result()

    def maxout_backward(dy: ArrayLike, which: ArrayLike, /, pieces: int, axis: int = -1, *, out: Any = None) -> Any:
        (gradient,), dtype = _as_data("maxout_backward", dy)
        taken = np.asarray(which)
        if taken.dtype.kind not in "iu":
            raise TypeError(f"maxout_backward: which must be integers, as maxout returned them, not {taken.dtype}")
        if taken.shape != gradient.shape:
            raise ValueError(
                f"maxout_backward: which of shape {taken.shape} does not match dy of shape {gradient.shape}"
            )
        try:
            pieces = operator.index(pieces)
        except TypeError:
            raise TypeError(f"maxout_backward: pieces must be an integer, not {type(pieces).__name__}") from None
        if not 1 <= pieces <= MOST_PIECES:
            raise ValueError(f"maxout_backward: pieces must be 1 to {MOST_PIECES}, got {pieces}")
        if taken.size and not (taken.min() >= 0 and taken.max() < pieces):
            raise ValueError(f"maxout_backward: which names a piece outside 0 to {pieces - 1}")
        axis = _axis("maxout_backward", axis, gradient.ndim + 1)
        gradient = np.require(gradient, dtype, ["ALIGNED"])
        taken = taken.astype(np.uint8, copy=False)
        shape = (*gradient.shape[:axis], pieces, *gradient.shape[axis:])
        dx = _Output("maxout_backward", out, shape, dtype, (gradient, taken))
        _native.maxout_backward(level, gradient, taken, pieces, _first(dx.array, axis), dx.array.strides[axis])
        return dx.result()

    return {"maxout": maxout, "maxout_backward": maxout_backward}


def _first(array: Array, axis: int) -> Array:
    """The first piece as a view; an array also where it has no dimension left."""
    first: Array = array[(slice(None),) * axis + (0, ...)]
    return first
