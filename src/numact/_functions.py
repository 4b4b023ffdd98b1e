"""Functions that are no ufuncs: gradients with a learned parameter, maxout, rrelu, crelu.

Each calls its native function, which takes plain arrays of one dtype and an `out` of them that overlaps nothing, and
returns None for anything else. Only then are the arguments looked at here: refused, or made such arrays.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from ._runtime import _native

if TYPE_CHECKING:  # takes long to import
    from numpy.typing import ArrayLike, NDArray

    from ._types import Real

    Array = NDArray[Any]

MOST_PIECES = 256
_DTYPES = ("float16", "bfloat16", "float32", "float64")


def refuse_mask(name: str, *arrays: ArrayLike) -> None:
    if any(isinstance(array, np.ma.MaskedArray) for array in arrays):
        raise TypeError(f"{name}: the mask of a masked array would be lost; pass its .data or .filled()")


def flag(name: str, value: object) -> bool:
    """``value`` if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def _is_ours(dtype: np.dtype[Any]) -> bool:
    return dtype.isnative and dtype.type.__name__ in _DTYPES  # dtype.name takes 3 us


def _as_data(name: str, *data: ArrayLike) -> tuple[list[Array], np.dtype[Any]]:
    """The arrays and their common dtype: Python scalars are weak, integers and bool give float64."""
    if len(data) == 1 and type(data[0]) is np.ndarray and _is_ours(data[0].dtype):  # the rest takes 4 us
        return [data[0]], data[0].dtype
    refuse_mask(name, *data)
    arrays = [np.asarray(a) for a in data]
    weak = [type(a) in (int, float) for a in data]
    strong = [array.dtype for array, w in zip(arrays, weak, strict=True) if not w]
    dtype = np.result_type(*strong) if strong else np.dtype(np.float64)
    if dtype.kind in "biu":
        dtype = np.dtype(np.float64)
    elif dtype.kind == "f" and not dtype.isnative:
        dtype = dtype.newbyteorder("=")
    if not _is_ours(dtype):
        raise TypeError(
            f"{name}: no loop for arrays of {dtype}; expected float16, bfloat16, float32, float64, integers or bool "
            "(which give float64)"
        )
    return [np.asarray(a, dtype) if w else b for a, b, w in zip(data, arrays, weak, strict=True)], dtype


def _broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """As np.broadcast_shapes, which takes no more than 32 axes."""
    result = []
    for lengths in itertools.zip_longest(*map(reversed, shapes), fillvalue=1):
        longer = {n for n in lengths if n != 1}
        if len(longer) > 1:
            raise ValueError(f"shapes {shapes} do not broadcast")
        result.append(longer.pop() if longer else 1)
    return tuple(reversed(result))


def _real(name: str, what: str, value: ArrayLike) -> Array:
    """A parameter as an array of real numbers."""
    refuse_mask(name, value)
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
            # Elements of other layouts may lie on each other.
            direct = (
                out.flags.forc and out.dtype.isnative and not any(np.may_share_memory(out, each) for each in inputs)
            )
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
            np.copyto(self.given, _cast(self.array, self.given.dtype))
        return self.given


def _cast(array: Array, dtype: Any) -> Array:
    """The array in a dtype, silently and whatever floating-point mode another library has set."""
    if array.dtype == dtype and array.flags.aligned:
        return array
    with np.errstate(all="ignore"):
        cast: Array = _native.in_default_mode(array.astype, dtype)
    return cast


def _run(direct: Callable[..., Any], *arguments: Any) -> None:
    """Call a native function with what it must be able to use."""
    if direct(*arguments) is None:
        raise AssertionError(f"{direct.__name__} refuses what was prepared for it")


def parameter_backward(name: str, parameter_name: str, level: str, precise: bool) -> Callable[..., tuple[Any, Any]]:
    """The function (dy, x, parameter) -> (dx, dparameter) of the activation `name`."""
    function = f"{name}_backward"
    direct = _native.make_parameter_gradient(level, name, precise)

    def backward(dy: ArrayLike, x: ArrayLike, parameter: ArrayLike, out: Any) -> tuple[Any, Any]:
        data, dtype = _as_data(function, dy, x)
        value = _real(function, parameter_name, parameter)
        try:
            shape = _broadcast_shape(data[0].shape, data[1].shape)
        except ValueError:
            raise ValueError(
                f"{function}: dy of shape {data[0].shape} does not broadcast with x of shape {data[1].shape}"
            ) from None
        dy_array, x_array = (np.broadcast_to(_cast(each, dtype), shape) for each in data)
        own = value.shape
        pairs = zip(reversed(own), reversed(shape), strict=False)
        if len(own) > len(shape) or any(k not in (1, n) for k, n in pairs):
            raise ValueError(
                f"{function}: {parameter_name} of shape {own} does not broadcast to the data's shape {shape}"
            )
        value = _cast(value, _parameter_dtype(dtype, precise))
        for_dx, for_parameter = _pair(function, out)
        dx = _Output(function, for_dx, shape, dtype, (dy_array, x_array, value))
        dparameter = _Output(function, for_parameter, own, dtype, (dx.array,))
        _run(direct, dy_array, x_array, value, (dx.array, dparameter.array))
        return dx.result(), dparameter.result()

    if name == "prelu":

        def prelu_backward(dy: ArrayLike, x: ArrayLike, /, weight: ArrayLike, *, out: Any = None) -> tuple[Any, Any]:
            return direct(dy, x, weight, out) or backward(dy, x, weight, out)

        return prelu_backward

    def swish_backward(dy: ArrayLike, x: ArrayLike, /, beta: ArrayLike = 1.0, *, out: Any = None) -> tuple[Any, Any]:
        return direct(dy, x, beta, out) or backward(dy, x, beta, out)

    return swish_backward


def _parameter_dtype(dtype: np.dtype[Any], precise: bool) -> type[np.floating[Any]]:
    """The dtype that parameters are cast to."""
    return np.float64 if dtype == np.float64 or (precise and dtype == np.float32) else np.float32


def _axis(name: str, axis: SupportsIndex, dimensions: int) -> int:
    try:
        index = None if isinstance(axis, (bool, np.bool_)) else operator.index(axis)
    except TypeError:
        index = None
    if index is None:
        raise TypeError(f"{name}: axis must be an integer, not {type(axis).__name__}")
    if not -dimensions <= index < dimensions:
        raise np.exceptions.AxisError(index, dimensions, name)
    return index % dimensions


def maxout_functions(level: str) -> dict[str, Callable[..., Any]]:
    """``maxout`` and ``maxout_backward`` at one ISA level."""

    native = _native.make_maxout(level)
    direct, direct_backward = native["maxout"], native["maxout_backward"]

    def maxout(x: ArrayLike, /, axis: SupportsIndex = -1, *, out: Any = None) -> tuple[Any, Any]:
        return direct(x, axis, out) or any_maxout(x, axis, out)

    def any_maxout(x: ArrayLike, axis: SupportsIndex, out: Any) -> tuple[Any, Any]:
        (array,), dtype = _as_data("maxout", x)
        axis = _axis("maxout", axis, array.ndim)
        pieces = array.shape[axis]
        if not 1 <= pieces <= MOST_PIECES:
            raise ValueError(f"maxout: axis {axis} holds {pieces} pieces, expected 1 to {MOST_PIECES}")
        array = _cast(array, dtype)
        shape = array.shape[:axis] + array.shape[axis + 1 :]
        for_y, for_which = _pair("maxout", out)
        if getattr(for_which, "dtype", None) == np.int8 and pieces > 128:
            raise TypeError(f"maxout: int8 cannot hold the numbers of {pieces} pieces, give an array of uint8")
        y = _Output("maxout", for_y, shape, dtype, (array,))
        which = _Output("maxout", for_which, shape, np.uint8, (array, y.array))
        _run(direct, array, axis, (y.array, which.array))
        return y.result(), which.result()

    def maxout_backward(
        dy: ArrayLike, which: ArrayLike, /, pieces: SupportsIndex, axis: SupportsIndex = -1, *, out: Any = None
    ) -> Any:
        dx = direct_backward(dy, which, pieces, axis, out)
        return any_maxout_backward(dy, which, pieces, axis, out) if dx is None else dx

    def any_maxout_backward(
        dy: ArrayLike, which: ArrayLike, pieces: SupportsIndex, axis: SupportsIndex, out: Any
    ) -> Any:
        (gradient,), dtype = _as_data("maxout_backward", dy)
        refuse_mask("maxout_backward", which)
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
        gradient, taken = _cast(gradient, dtype), _cast(taken, np.uint8)
        shape = (*gradient.shape[:axis], pieces, *gradient.shape[axis:])
        dx = _Output("maxout_backward", out, shape, dtype, (gradient, taken))
        _run(direct_backward, gradient, taken, pieces, axis, dx.array)
        return dx.result()

    return {"maxout": maxout, "maxout_backward": maxout_backward}


def rrelu_functions(functions: Mapping[str, Any], level: str, precise: bool) -> dict[str, Callable[..., Any]]:
    """``rrelu`` and ``rrelu_backward`` of one tier at one ISA level; `functions` holds its ``leaky_relu``."""
    native = _native.make_rrelu(level, precise)
    direct, direct_backward, leaky_relu = native["rrelu"], native["rrelu_backward"], functions["leaky_relu"]

    def rrelu(
        x: ArrayLike,
        /,
        lower: Real = 1 / 8,
        upper: Real = 1 / 3,
        *,
        training: bool = False,
        rng: Any = None,
        out: Any = None,
    ) -> tuple[Any, Any]:
        plain = not training and rng is None and type(lower) is float and type(upper) is float
        if plain and 0 <= lower <= upper <= 1:  # a range that is finite in every dtype
            results: tuple[Any, Any] | None = direct(x, 0.5 * lower + 0.5 * upper, out)
            if results is not None:
                return results
        (array,), dtype = _as_data("rrelu", x)
        _check_range(lower, upper, dtype)
        for_y, for_slope = _pair("rrelu", out)
        generator = np.random.default_rng(rng) if training or rng is not None else None
        y = _Output("rrelu", for_y, array.shape, dtype, (array,))
        if generator is None or not training:
            mean = _Output("rrelu", for_slope, (), dtype, (array, y.array))
            _run(direct, _cast(array, dtype), 0.5 * float(lower) + 0.5 * float(upper), (y.array, mean.array))
            return y.result(), mean.result()
        slope = _Output("rrelu", for_slope, array.shape, dtype, (array, y.array))
        with np.errstate(all="ignore"):
            _draw(generator, _cast(np.asarray(lower), dtype), _cast(np.asarray(upper), dtype), slope.array)
        leaky_relu(array, slope.array, out=y.array)
        return y.result(), slope.result()

    def rrelu_backward(dy: ArrayLike, x: ArrayLike, /, slope: ArrayLike, *, out: Any = None) -> Any:
        dx = direct_backward(dy, x, slope, out)
        return any_rrelu_backward(dy, x, slope, out) if dx is None else dx

    def any_rrelu_backward(dy: ArrayLike, x: ArrayLike, slope: ArrayLike, out: Any) -> Any:
        (gradient, array), dtype = _as_data("rrelu_backward", dy, x)
        value = _real("rrelu_backward", "slope", slope)
        try:
            shape = _broadcast_shape(gradient.shape, array.shape, value.shape)
        except ValueError:
            raise ValueError(
                f"rrelu_backward: dy of shape {gradient.shape}, x of shape {array.shape} and slope of shape "
                f"{value.shape} do not broadcast"
            ) from None
        gradient, array = _cast(gradient, dtype), _cast(array, dtype)
        value = _cast(value, _parameter_dtype(dtype, precise))
        dx = _Output("rrelu_backward", out, shape, dtype, (gradient, array, value))
        _run(direct_backward, gradient, array, value, dx.array)
        return dx.result()

    return {"rrelu": rrelu, "rrelu_backward": rrelu_backward}


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
    # Piece by piece: the comparison needs memory.
    piece: Any
    with np.nditer(slope, ["external_loop", "buffered", "zerosize_ok"], ("readwrite",)) as pieces:
        for piece in pieces:
            np.copyto(piece, low, where=piece >= high)


def crelu_functions(level: str) -> dict[str, Callable[..., Any]]:
    """``crelu`` and its backwards at one ISA level; they are exact, so that every tier has the same."""
    native = _native.make_crelu(level)
    direct, direct_backward = native["crelu"], native["crelu_backward"]
    direct_from_output = native["crelu_backward_from_output"]

    def crelu(x: ArrayLike, /, axis: SupportsIndex = -1, *, out: Any = None) -> Any:
        y = direct(x, axis, out)
        return any_crelu(x, axis, out) if y is None else y

    def any_crelu(x: ArrayLike, axis: SupportsIndex, out: Any) -> Any:
        (array,), dtype = _as_data("crelu", x)
        axis = _axis("crelu", axis, array.ndim)
        array = _cast(array, dtype)
        y = _Output("crelu", out, _with_length(array.shape, axis, 2 * array.shape[axis]), dtype, (array,))
        _run(direct, array, axis, y.array)
        return y.result()

    def crelu_backward(dy: ArrayLike, x: ArrayLike, /, axis: SupportsIndex = -1, *, out: Any = None) -> Any:
        dx = direct_backward(dy, x, axis, out)
        return any_crelu_backward(dy, x, axis, out) if dx is None else dx

    def any_crelu_backward(dy: ArrayLike, x: ArrayLike, axis: SupportsIndex, out: Any) -> Any:
        (gradient, array), dtype = _as_data("crelu_backward", dy, x)
        axis = _axis("crelu_backward", axis, array.ndim)
        expected = _with_length(array.shape, axis, 2 * array.shape[axis])
        if gradient.shape != expected:
            raise ValueError(
                f"crelu_backward: dy has shape {gradient.shape}, expected {expected}: x with axis {axis} doubled"
            )
        gradient, array = _cast(gradient, dtype), _cast(array, dtype)
        dx = _Output("crelu_backward", out, array.shape, dtype, (gradient, array))
        _run(direct_backward, gradient, array, axis, dx.array)
        return dx.result()

    def crelu_backward_from_output(dy: ArrayLike, y: ArrayLike, /, axis: SupportsIndex = -1, *, out: Any = None) -> Any:
        dx = direct_from_output(dy, y, axis, out)
        return any_from_output(dy, y, axis, out) if dx is None else dx

    def any_from_output(dy: ArrayLike, y: ArrayLike, axis: SupportsIndex, out: Any) -> Any:
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
        gradient, output = _cast(gradient, dtype), _cast(output, dtype)
        shape = _with_length(output.shape, axis, length // 2)
        dx = _Output("crelu_backward_from_output", out, shape, dtype, (gradient, output))
        _run(direct_from_output, gradient, output, axis, dx.array)
        return dx.result()

    return {
        "crelu": crelu,
        "crelu_backward": crelu_backward,
        "crelu_backward_from_output": crelu_backward_from_output,
    }


def _with_length(shape: tuple[int, ...], axis: int, length: int) -> tuple[int, ...]:
    return (*shape[:axis], length, *shape[axis + 1 :])
