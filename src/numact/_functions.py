"""Functions that are no ufuncs: gradients with a learned parameter, maxout, rrelu, crelu. Checks here, work in C++."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._runtime import _native

if TYPE_CHECKING:  # takes long to import
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]

MOST_PIECES = 256
_COMPUTED = frozenset(map(np.dtype, (np.float16, np.float32, np.float64)))


def _refuse_mask(name: str, *arrays: ArrayLike) -> None:
    if any(isinstance(array, np.ma.MaskedArray) for array in arrays):
        raise TypeError(f"{name}: the mask of a masked array would be lost; pass its .data or .filled()")


def _as_data(name: str, *data: ArrayLike) -> tuple[list[Array], np.dtype[Any]]:
    """The arrays and their common dtype: Python scalars are weak, integers and bool give float64."""
    first = data[0]
    if type(first) is np.ndarray and first.dtype in _COMPUTED:  # as a rule all is well, and there is little to compute
        alike = [each for each in data if type(each) is np.ndarray and each.dtype is first.dtype]
        if len(alike) == len(data):
            return alike, first.dtype
    _refuse_mask(name, *data)
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


def _real(name: str, what: str, value: ArrayLike) -> Array:
    """A parameter as an array of real numbers."""
    if type(value) is np.ndarray and value.ndim and value.dtype in _COMPUTED:
        return value
    if type(value) is float and value == value:
        return np.asarray(value)
    _refuse_mask(name, value)
    array = np.asarray(value, np.float64 if type(value) is int else None)
    if not np.can_cast(array.dtype, np.float64, "same_kind"):
        raise TypeError(f"{name}: {what} must be real numbers, not {array.dtype}")
    if array.ndim == 0 and np.isnan(float(array)):
        raise ValueError(f"{name}: {what} must be a number, not NaN, got {value!r}")
    return array


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
        if type(out) is np.ndarray and out.shape == shape and out.dtype == dtype and out.flags.behaved:
            direct = out.dtype.isnative and not any(np.may_share_memory(out, each) for each in inputs)
            self.array: Array = out if direct else np.empty(shape, dtype)
            return
        if out is not None:
            if not isinstance(out, np.ndarray):
                raise TypeError(f"{name}: out must be an array, not {type(out).__name__}")
            if out.shape != shape:
                raise ValueError(f"{name}: out has shape {out.shape}, expected {shape}")
            if not out.flags.writeable:
                raise ValueError(f"{name}: out is read-only")
            if not np.can_cast(dtype, out.dtype, "same_kind"):
                raise TypeError(f"{name}: cannot cast the result from {np.dtype(dtype)} to out's {out.dtype}")
        self.array = np.empty(shape, dtype)

    def result(self) -> Any:
        if self.given is None:
            return self.array[()]  # a 0-d array becomes a scalar, as ufuncs return it
        if self.array is not self.given:
            np.copyto(self.given, self.array, casting="same_kind")
        return self.given


def _cast(array: Array, dtype: Any) -> Array:
    """The array in a dtype, silently and whatever floating-point mode another library has set."""
    if array.dtype == dtype:
        return array
    with np.errstate(all="ignore"):
        cast: Array = _native.in_default_mode(array.astype, dtype)
    return cast


def parameter_backward(name: str, parameter_name: str, level: str, precise: bool) -> Callable[..., tuple[Any, Any]]:
    """The function (dy, x, parameter) -> (dx, dparameter) of the activation `name`."""
    function = f"{name}_backward"

    def backward(dy: ArrayLike, x: ArrayLike, parameter: ArrayLike, out: Any) -> tuple[Any, Any]:
        (dy_array, x_array), dtype = _as_data(function, dy, x)
        value = _real(function, parameter_name, parameter)
        shape = dy_array.shape
        if x_array.shape != shape:
            try:
                shape = np.broadcast_shapes(shape, x_array.shape)
            except ValueError:
                raise ValueError(
                    f"{function}: dy of shape {dy_array.shape} does not broadcast with x of shape {x_array.shape}"
                ) from None
        own = value.shape
        pairs = zip(reversed(own), reversed(shape), strict=False)
        if len(own) > len(shape) or any(k not in (1, n) for k, n in pairs):
            raise ValueError(
                f"{function}: {parameter_name} of shape {own} does not broadcast to the data's shape {shape}"
            )
        value = _cast(value, np.float64 if dtype == np.float64 or (precise and dtype == np.float32) else np.float32)
        for_dx, for_parameter = _pair(function, out)
        dx = _Output(function, for_dx, shape, dtype)
        dparameter = _Output(function, for_parameter, value.shape, dtype, (dx.array,))
        dparameter.array[...] = _cast(
            _native.parameter_gradient(level, name, precise, dy_array, x_array, value, dx.array), dtype
        )
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
        array = _aligned(array, dtype)
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
        gradient = _aligned(gradient, dtype)
        taken = taken.astype(np.uint8, copy=False)
        shape = (*gradient.shape[:axis], pieces, *gradient.shape[axis:])
        dx = _Output("maxout_backward", out, shape, dtype, (gradient, taken))
        _native.maxout_backward(level, gradient, taken, pieces, _first(dx.array, axis), dx.array.strides[axis])
        return dx.result()

    return {"maxout": maxout, "maxout_backward": maxout_backward}


def _aligned(array: Array, dtype: np.dtype[Any]) -> Array:
    return array if array.dtype == dtype and array.flags.aligned else np.require(array, dtype, ["ALIGNED"])


def _first(array: Array, axis: int) -> Array:
    """The first piece as a view; an array also where it has no dimension left."""
    first: Array = array[(slice(None),) * axis + (0, ...)]
    return first


def rrelu_functions(functions: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """``rrelu`` and ``rrelu_backward`` over the leaky_relu of a tier."""
    leaky_relu, leaky_relu_backward = functions["leaky_relu"], functions["leaky_relu_backward"]

    def rrelu(
        x: ArrayLike,
        /,
        lower: float = 1 / 8,
        upper: float = 1 / 3,
        *,
        training: bool = False,
        rng: Any = None,
        out: Any = None,
    ) -> tuple[Any, Any]:
        (array,), dtype = _as_data("rrelu", x)
        if not (type(lower) is float and type(upper) is float and 0 <= lower <= upper <= 1):  # finite in every dtype
            _check_range(lower, upper, dtype)
        for_y, for_slope = _pair("rrelu", out)
        generator = np.random.default_rng(rng) if training or rng is not None else None
        y = _Output("rrelu", for_y, array.shape, dtype)
        if generator is None or not training:
            mean = _mean_slope(float(lower), float(upper), dtype)
            if for_slope is not None:
                given = _Output("rrelu", for_slope, (), dtype, (array, y.array))
                given.array[...] = mean
                mean = given.result()
            leaky_relu(array, float(mean), out=y.array)
            return y.result(), mean
        slope = _Output("rrelu", for_slope, array.shape, dtype, (array, y.array))
        with np.errstate(all="ignore"):
            _draw(generator, _cast(np.asarray(lower), dtype), _cast(np.asarray(upper), dtype), slope.array)
        leaky_relu(array, slope.array, out=y.array)
        return y.result(), slope.result()

    def rrelu_backward(dy: ArrayLike, x: ArrayLike, /, slope: ArrayLike, *, out: Any = None) -> Any:
        (gradient, array), dtype = _as_data("rrelu_backward", dy, x)
        value = _real("rrelu_backward", "slope", slope)
        shape = gradient.shape
        if array.shape != shape or value.shape not in ((), shape):
            try:
                shape = np.broadcast_shapes(shape, array.shape, value.shape)
            except ValueError:
                raise ValueError(
                    f"rrelu_backward: dy of shape {shape}, x of shape {array.shape} and slope of shape "
                    f"{value.shape} do not broadcast"
                ) from None
        dx = _Output("rrelu_backward", out, shape, dtype)
        leaky_relu_backward(gradient, array, value if value.ndim else float(value), out=dx.array)
        return dx.result()

    return {"rrelu": rrelu, "rrelu_backward": rrelu_backward}


@functools.lru_cache(maxsize=64)
def _mean_slope(lower: float, upper: float, dtype: np.dtype[Any]) -> Any:
    """The slope of evaluation, a scalar of the dtype."""
    return _cast(np.asarray(0.5 * lower + 0.5 * upper), dtype)[()]


def _check_range(lower: Any, upper: Any, dtype: np.dtype[Any]) -> None:
    low, high = _real("rrelu", "lower", lower), _real("rrelu", "upper", upper)
    if low.ndim or high.ndim:
        raise TypeError(f"rrelu: lower and upper must be scalars, not of shapes {low.shape} and {high.shape}")
    start, end = (_cast(_cast(each, dtype), _drawn_dtype(dtype)) for each in (low, high))
    with np.errstate(all="ignore"):
        finite = np.isfinite(end - start)
    if not (low <= high and finite):
        raise ValueError(
            f"rrelu: expected lower <= upper, both finite in {dtype} and so their difference, got lower={lower!r}, "
            f"upper={upper!r}"
        )


def _drawn_dtype(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """What NumPy draws for numbers of a dtype."""
    return np.float64 if dtype == np.float64 else np.float32


def _draw(generator: np.random.Generator, low: Array, high: Array, slope: Array) -> None:
    """Fill slope, uniform in [low, high). What rounding takes to high becomes low, as both have half a share."""
    kind = _drawn_dtype(slope.dtype)
    drawn = slope if slope.dtype == kind and slope.flags.c_contiguous else np.empty(slope.shape, kind)
    generator.random(out=drawn, dtype=kind)
    drawn *= high.astype(kind) - low.astype(kind)
    drawn += low.astype(kind)
    if drawn is not slope:
        slope[...] = drawn
    np.copyto(slope, low, where=slope >= high)


def crelu_functions(functions: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """``crelu`` and its backwards over the relu of a tier."""
    relu, relu_backward = functions["relu"], functions["relu_backward"]
    relu_backward_from_output = functions["relu_backward_from_output"]

    def crelu(x: ArrayLike, /, axis: int = -1, *, out: Any = None) -> Any:
        (array,), dtype = _as_data("crelu", x)
        axis = _axis("crelu", axis, array.ndim)
        y = _Output("crelu", out, _with_length(array.shape, axis, 2 * array.shape[axis]), dtype, (array,))
        positive, negative = _halves(y.array, axis)
        relu(array, out=positive)
        np.negative(array, out=negative, dtype=dtype)
        relu(negative, out=negative)
        return y.result()

    def crelu_backward(dy: ArrayLike, x: ArrayLike, /, axis: int = -1, *, out: Any = None) -> Any:
        (gradient, array), dtype = _as_data("crelu_backward", dy, x)
        axis = _axis("crelu_backward", axis, array.ndim)
        expected = _with_length(array.shape, axis, 2 * array.shape[axis])
        if gradient.shape != expected:
            raise ValueError(
                f"crelu_backward: dy has shape {gradient.shape}, expected {expected}: x with axis {axis} doubled"
            )
        dx = _Output("crelu_backward", out, array.shape, dtype)
        first, second = _halves(gradient, axis)
        mirrored = np.negative(array, dtype=dtype)
        relu_backward(second, mirrored, out=mirrored)
        relu_backward(first, array, out=dx.array)
        _subtract(dx.array, mirrored)
        return dx.result()

    def crelu_backward_from_output(dy: ArrayLike, y: ArrayLike, /, axis: int = -1, *, out: Any = None) -> Any:
        (gradient, output), dtype = _as_data("crelu_backward_from_output", dy, y)
        axis = _axis("crelu_backward_from_output", axis, output.ndim)
        length = output.shape[axis]
        if length % 2:
            raise ValueError(
                f"crelu_backward_from_output: y has length {length} along axis {axis}, expected two equal halves"
            )
        if gradient.shape != output.shape:
            raise ValueError(
                f"crelu_backward_from_output: dy of shape {gradient.shape} does not match y of shape {output.shape}"
            )
        dx = _Output("crelu_backward_from_output", out, _with_length(output.shape, axis, length // 2), dtype)
        (dy_first, dy_second), (first, second) = _halves(gradient, axis), _halves(output, axis)
        mirrored = relu_backward_from_output(dy_second, second)
        relu_backward_from_output(dy_first, first, out=dx.array)
        _subtract(dx.array, mirrored)
        return dx.result()

    return {
        "crelu": crelu,
        "crelu_backward": crelu_backward,
        "crelu_backward_from_output": crelu_backward_from_output,
    }


def _with_length(shape: tuple[int, ...], axis: int, length: int) -> tuple[int, ...]:
    return (*shape[:axis], length, *shape[axis + 1 :])


def _halves(array: Array, axis: int) -> tuple[Array, Array]:
    """Both halves along the axis as views."""
    middle, before = array.shape[axis] // 2, (slice(None),) * axis
    return array[(*before, slice(middle))], array[(*before, slice(middle, None))]


def _subtract(a: Array, b: Array) -> None:
    """a -= b, whatever floating-point mode another library has set."""
    with np.errstate(all="ignore"):
        _native.in_default_mode(np.subtract, a, b, a)
