"""Layers of an activation function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

import numact as na
from numact._runtime import _native
from numact._types import Real
from numact.nn._checks import float_dtype, known, positive_int
from numact.nn._layer import Array, Buffer, DrawingLayer, OwnMemoryLayer, Parameter, parameter, result_array

_GATED = [name for name, record in na.activations.items() if record.kind == "gated"]

# Activations with weights to learn, with more to return than one array, or of two arrays.
OWN_LAYER = {
    "prelu": "nn.PReLU(units)",
    "maxout": "nn.Maxout(inputs, units, pieces)",
    "rrelu": "nn.RReLU()",
    **{name: f"nn.Gated({name!r})" for name in _GATED},
}


def check_parameters(activation: str, expected: list[str], given: Iterable[str]) -> None:
    """Refuse names of parameters that an activation has not."""
    for name in given:
        if name not in expected:
            takes = f"takes {', '.join(expected)}" if expected else "takes no parameters"
            works = "; a layer works along the last axis" if name == "axis" else ""
            raise TypeError(f"{activation} {takes}, got {name}{works}")


@cache
def forward_with_slope(activation: str) -> Callable[..., Any] | None:
    """(x, y, slope): an activation and its derivative at once, None for those where that saves nothing."""
    return _native.make_forward_with_slope(na.isa(), activation)


class Activate(OwnMemoryLayer):
    """An activation function by its name in ``numact.activations``, with fixed parameters.

    In a Sequential it works in place on the output of the layer before, where its gradient can be had from the output:
    where it saturates, that gradient has lost the digits that the docstring of its ``backward_from_output`` states.
    gelu, gelu_tanh, quick_gelu, silu and mish of float32 and float64 keep their derivative instead of the input: the
    gradient is right to 4 ulp of the derivative's terms, and 0 where the derivative is below the smallest number.

    Parameters
    ----------
    name : str
        Such as "relu" or "leaky_relu".
    **parameters : float or ndarray
        Those of the function, such as ``negative_slope=0.1``; an array broadcasts to the input.

    Raises
    ------
    TypeError, ValueError
        If there is no such activation, it is no function of its input alone (prelu, rrelu, maxout, the gated ones), or
        a parameter is missing, unknown or outside its domain.

    Examples
    --------
    >>> from numact import nn
    >>> nn.Activate("leaky_relu", negative_slope=0.5).forward([-2.0, 3.0])
    array([-1.,  3.])
    """

    activation: str

    def __init__(self, name: str, **parameters: Any) -> None:
        super().__init__()
        self.activation = known("activation", name, na.activations)
        if name in OWN_LAYER:
            raise ValueError(f"{name} is no function of its input alone: use the layer {OWN_LAYER[name]}")
        self._record = record = na.activations[name]
        check_parameters(name, [p.name for p in record.parameters], parameters)
        self._parameters = parameters
        self._values: list[Any] = [parameters.get(p.name, p.default) for p in record.parameters]
        self._scalar = all(np.ndim(value) == 0 for value in self._values)
        record.forward([[0.0]], *self._values)  # refuses values outside their domain now, not in training
        self._from_output = self._scalar and self._tells_gradient()
        self._y, self._slope = Buffer(), Buffer()

    def _with_slope(self, dtype: np.dtype[Any]) -> Callable[..., Any] | None:
        """The function that gives the derivative too, if there is one for data of that dtype."""
        return forward_with_slope(self.activation) if dtype.char in "fd" else None

    def _tells_gradient(self) -> bool:
        """Whether the gradient can be had from the output with these parameters."""
        if self._record.backward_from_output is None:
            return False
        try:
            self._record.backward_from_output([[1.0, 1.0]], [[0.0, 0.0]], *self._values)
        except ValueError:
            return False
        return True

    def _broadcasts_to(self, shape: tuple[int, ...]) -> bool:
        try:
            return np.broadcast_shapes(shape, *map(np.shape, self._values)) == shape
        except ValueError:
            return False

    def __repr__(self) -> str:
        given = (
            f"{k}={v if np.ndim(v) == 0 else f'array of shape {np.shape(v)}'}" for k, v in self._parameters.items()
        )
        return f"Activate({', '.join([repr(self.activation), *given])})"

    def _forward(self, x: Array, spare: bool, training: bool) -> tuple[Array, bool]:
        x = self._floating(x, training)
        if x.ndim == 0 and self._record.kind == "axis":
            raise ValueError(f"{self!r} takes an input of at least one dimension, got a scalar")
        if self.activation == "crelu":
            shape = (*x.shape[:-1], 2 * x.shape[-1])
            spare = False
        else:
            shape = x.shape
            if not self._scalar and not self._broadcasts_to(shape):
                raise ValueError(f"{self!r} takes an input that its parameters broadcast to, got shape {shape}")
        with_slope = self._with_slope(x.dtype) if training else None
        if with_slope is not None:
            y = self._y.take(shape, x.dtype)
            slope = x if spare else self._slope.take(shape, x.dtype)
            if with_slope(x, y, slope) is None:  # an input that is not aligned
                with_slope(x.copy(), y, slope)
            self._kept = (slope,)
            return y, True
        in_place = spare and (self._from_output or not training)
        y = x if in_place else result_array(self._y, shape, x.dtype, training)
        self._record.forward(x, *self._values, out=y)
        if training:
            self._kept = (y,) if self._from_output else (x,)
        return y, not (training and self._from_output)

    def _backward(self, dy: Array, spare: bool, needed: bool) -> tuple[Array | None, bool]:
        (kept,) = self._saved()
        shape = kept.shape
        if self.activation == "crelu":
            self._check_gradient(dy, shape)
            shape = (*shape[:-1], shape[-1] // 2)
            spare = False
        else:
            self._check_gradient(dy, shape)
        if not needed:
            return None, False
        dx = dy if spare and dy.dtype == kept.dtype else self._gradients.take(shape, np.result_type(dy, kept), dy)
        if self._with_slope(kept.dtype) is not None:
            np.multiply(dy, kept, out=dx)
        elif self._from_output:
            assert self._record.backward_from_output is not None
            self._record.backward_from_output(dy, kept, *self._values, out=dx)
        else:
            backward_by_input(self.activation)(dy, kept, *self._values, out=dx)
        return dx, True


def backward_by_input(name: str) -> Any:
    """The gradient by the input alone, also of an activation whose parameter can be learned."""
    record = na.activations[name]
    return record.backward if len(record.returns[1]) == 1 else getattr(na.ufuncs, f"{name}_backward")


class Gated(OwnMemoryLayer):
    """A gated linear unit: an activation of the first half of the columns, times the second half.

    Computes ``f(x[..., :half], x[..., half:])`` with the function f of that name in `numact`.

    Parameters
    ----------
    name : {"glu", "reglu", "geglu", "swiglu"}
        The function of gate and value. A `Dense` in front gives the columns of the gate, then those of the value.

    Raises
    ------
    TypeError, ValueError
        If there is no such gated function.

    References
    ----------
    Y. Dauphin, A. Fan, M. Auli, D. Grangier, "Language Modeling with Gated Convolutional Networks", ICML 2017.
    N. Shazeer, "GLU Variants Improve Transformer", arXiv:2002.05202, 2020.

    Examples
    --------
    >>> from numact import nn
    >>> nn.Gated("reglu").forward([[-1.0, 2.0, 10.0, 20.0]])
    array([[ 0., 40.]])
    """

    activation: str

    def __init__(self, name: str) -> None:
        super().__init__()
        self.activation = known("gated activation", name, _GATED)
        self._record = na.activations[name]
        self._y = Buffer()

    def __repr__(self) -> str:
        return f"Gated({self.activation!r})"

    def _forward(self, x: Array, spare: bool, training: bool) -> tuple[Array, bool]:
        x = self._floating(x, training)
        if x.ndim == 0 or x.shape[-1] % 2:
            raise ValueError(f"{self!r} takes an input with an even number of columns, gates and values; got {x.shape}")
        half = x.shape[-1] // 2
        y = result_array(self._y, (*x.shape[:-1], half), x.dtype, training)
        self._record.forward(x[..., :half], x[..., half:], out=y)
        if training:
            self._kept = (x,)
        return y, True

    def _backward(self, dy: Array, spare: bool, needed: bool) -> tuple[Array | None, bool]:
        (x,) = self._saved()
        half = x.shape[-1] // 2
        self._check_gradient(dy, (*x.shape[:-1], half))
        if not needed:
            return None, False
        dx = self._gradients.take(x.shape, np.result_type(dy, x), dy)
        self._record.backward(dy, x[..., :half], x[..., half:], out=(dx[..., :half], dx[..., half:]))
        return dx, True


class RReLU(DrawingLayer):
    """Rectifier whose slope for negative inputs is drawn anew for each element in training, and else their mean.

    Computes x for x > 0, slope * x elsewhere; the derivative at 0 is the slope.

    Parameters
    ----------
    lower, upper : float, optional
        Slopes are uniform in [lower, upper).
    rng : numpy.random.Generator, optional
        Source of the slopes, by default that of the Sequential.

    Raises
    ------
    TypeError, ValueError
        If the slopes are outside their domain, or ``rng`` is no Generator.

    References
    ----------
    B. Xu, N. Wang, T. Chen, M. Li, "Empirical Evaluation of Rectified Activations in Convolutional Network",
    arXiv:1505.00853, 2015.

    Examples
    --------
    >>> from numact import nn
    >>> nn.RReLU(0.25, 0.75).forward([-4.0, 2.0])
    array([-2.,  2.])
    """

    activation = "rrelu"

    def __init__(self, lower: Real = 1 / 8, upper: Real = 1 / 3, *, rng: np.random.Generator | None = None) -> None:
        super().__init__(rng)
        na.rrelu([0.0], lower, upper)  # refuses values outside their domain now, not in training
        self._range = (lower, upper)
        self._y, self._slope = Buffer(), Buffer()

    def __repr__(self) -> str:
        return f"RReLU({self._range[0]:g}, {self._range[1]:g})"

    def _forward(self, x: Array, spare: bool, training: bool) -> tuple[Array, bool]:
        x = self._floating(x, training)
        y = result_array(self._y, x.shape, x.dtype, training)
        if training:
            slope = self._slope.take(x.shape, x.dtype)
            na.rrelu(x, *self._range, training=True, rng=self.generators["rng"], out=(y, slope))
            self._kept = (x, slope)
        else:
            na.rrelu(x, *self._range, out=(y, None))
        return y, True

    def _backward(self, dy: Array, spare: bool, needed: bool) -> tuple[Array | None, bool]:
        x, slope = self._saved()
        self._check_gradient(dy, x.shape)
        if not needed:
            return None, False
        dx = dy if spare and dy.dtype == x.dtype else self._gradients.take(x.shape, np.result_type(dy, x), dy)
        na.rrelu_backward(dy, x, slope, out=dx)
        return dx, True


class _LearnedActivation(OwnMemoryLayer):
    """An activation function with one learned parameter, which broadcasts over the leading axes of the input."""

    activation: str

    def __init__(
        self, name: str, shape: SupportsIndex | tuple[SupportsIndex, ...], initial: ArrayLike, dtype: DTypeLike
    ) -> None:
        super().__init__()
        shape = shape if isinstance(shape, tuple) else (shape,)
        shape = tuple(positive_int("shape", n) for n in shape)
        self._parameter = parameter(name, initial, shape, float_dtype(dtype))
        self._y = Buffer()

    def __repr__(self) -> str:
        shape = self._parameter.value.shape
        return f"{type(self).__name__}({shape[0] if len(shape) == 1 else shape})"

    @property
    def all_parameters(self) -> list[Parameter]:
        return [self._parameter]

    def _forward(self, x: Array, spare: bool, training: bool) -> tuple[Array, bool]:
        x = self._floating(x, training)
        shape = self._parameter.value.shape
        if len(shape) > x.ndim or any(n not in (1, m) for n, m in zip(shape[::-1], x.shape[::-1], strict=False)):
            raise ValueError(f"{self!r} takes an input whose last axes match its shape {shape}, got {x.shape}")
        y = x if spare and not training else result_array(self._y, x.shape, x.dtype, training)
        na.activations[self.activation].forward(x, self._parameter.value, out=y)
        if training:
            self._kept = (x,)
        return y, True

    def _backward(self, dy: Array, spare: bool, needed: bool) -> tuple[Array | None, bool]:
        (x,) = self._saved()
        self._check_gradient(dy, x.shape)
        dx = dy if spare and dy.dtype == x.dtype else self._gradients.take(x.shape, np.result_type(dy, x), dy)
        value = self._parameter.value
        if self.frozen:
            backward_by_input(self.activation)(dy, x, value, out=dx)
        else:
            na.activations[self.activation].backward(dy, x, value, out=(dx, self._parameter.grad))
        return dx, True


class PReLU(_LearnedActivation):
    """Rectifier with a learned slope for negative inputs.

    Computes x for x > 0, weight * x elsewhere; the derivative at 0 is the weight.

    Parameters
    ----------
    shape : int or tuple of int, optional
        Shape of the slopes, matched against the last axes of the input: the number of columns for one slope each.
    initial : array_like, optional
        A scalar or an array of that shape.
    dtype : dtype, optional
        float32 or float64, of the slopes.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive integer, the initial values do not fit the shape, or the dtype is another.

    Attributes
    ----------
    weight : Parameter
        The slopes.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", ICCV 2015.

    Examples
    --------
    >>> from numact import nn
    >>> nn.PReLU().forward([-4.0, 2.0])
    array([-1.,  2.])
    """

    activation = "prelu"

    def __init__(
        self,
        shape: SupportsIndex | tuple[SupportsIndex, ...] = 1,
        *,
        initial: ArrayLike = 0.25,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__("weight", shape, initial, dtype)
        self.weight = self._parameter


class Swish(_LearnedActivation):
    """x * sigmoid(beta * x) with a learned beta.

    Parameters
    ----------
    shape : int or tuple of int, optional
        Shape of beta, matched against the last axes of the input: the number of columns for one beta each.
    initial : array_like, optional
        A scalar or an array of that shape.
    dtype : dtype, optional
        float32 or float64, of beta.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive integer, the initial values do not fit the shape, or the dtype is another.

    Attributes
    ----------
    beta : Parameter

    References
    ----------
    P. Ramachandran, B. Zoph, Q. Le, "Searching for Activation Functions", arXiv:1710.05941, 2017.

    Examples
    --------
    >>> from numact import nn
    >>> nn.Swish(initial=0.0).forward([-4.0, 2.0])
    array([-2.,  1.])
    """

    activation = "swish"

    def __init__(
        self,
        shape: SupportsIndex | tuple[SupportsIndex, ...] = 1,
        *,
        initial: ArrayLike = 1.0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__("beta", shape, initial, dtype)
        self.beta = self._parameter
