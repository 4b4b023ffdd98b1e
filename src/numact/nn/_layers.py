"""Layers: each turns an array into another, and on the way back the gradient of its output into that of its input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

import numact as na
from numact.nn import _initialisers
from numact.nn._checks import float_dtype, generator, known, positive_int

Array = NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class Parameter:
    """An array that is learned, with its gradient.

    Both arrays stay the same objects for the life of the layer, so that an optimizer may hold them: assign to their
    elements (``p.value[...] = 0``).

    Attributes
    ----------
    value : ndarray
        The parameter itself.
    grad : ndarray
        The gradient that the latest ``backward`` left, of the shape and dtype of ``value``.
    name : str
        Its name in the layer ("weight"), with the position of the layer in front in a Sequential ("0.weight").
    """

    value: Array
    grad: Array
    name: str

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, shape={self.value.shape}, dtype={self.value.dtype})"


def _filled(initial: ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> Parameter:
    """A parameter of that shape with its initial value, a scalar or an array of exactly that shape."""
    given = np.asarray(initial)
    if not np.can_cast(given.dtype, dtype, "same_kind"):
        raise TypeError(f"the initial {name} must be real numbers, got dtype {given.dtype}")
    if given.shape not in ((), shape):
        raise ValueError(f"the initial {name} must be a scalar or have shape {shape}, got {given.shape}")
    return Parameter(np.full(shape, given, dtype), np.zeros(shape, dtype), name)


class Layer(ABC):
    """Base of all layers; derive from it for one of your own.

    Attributes
    ----------
    activation : str or None
        Name of the activation function that this layer is, None for other layers. A layer in front with weights to
        initialise chooses by it.
    """

    activation: str | None = None

    @property
    def parameters(self) -> list[Parameter]:
        """What this layer learns."""
        return []

    @property
    def state(self) -> dict[str, Array]:
        return {p.name: p.value for p in self.parameters}

    @property
    def generators(self) -> dict[str, np.random.Generator]:
        return {}

    def initialise(self, activation: str | None, rng: np.random.Generator) -> None:  # noqa: B027
        """Draw the weights that have no value yet, in a way that suits the ``activation`` that follows."""

    @abstractmethod
    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        """The output for ``x``; with ``training`` what ``backward`` needs is kept."""

    @abstractmethod
    def backward(self, dy: ArrayLike) -> Array:
        """The gradient of the loss by ``x`` of the latest ``forward``, from that by its output; sets every ``grad``."""

    def _saved(self, array: Array | None) -> Array:
        """What ``forward`` kept for ``backward``."""
        if array is None:
            raise RuntimeError(f"backward of {self!r} needs a call of forward(x, training=True) right before it")
        return array

    def _gradient(self, dy: ArrayLike, shape: tuple[int, ...]) -> Array:
        """``dy`` as an array, which must have the ``shape`` of the output."""
        dy = np.asarray(dy)
        if dy.shape != shape:
            raise ValueError(f"backward of {self!r} takes dy of the output's shape {shape}, got {dy.shape}")
        return dy


class Dense(Layer):
    """Fully connected layer: y = x @ weight + bias.

    Parameters
    ----------
    inputs, units : int
        Number of columns of the input and of the output.
    initial_weight : str or array_like, optional
        "he", "xavier" or "lecun" followed by "_normal" or "_uniform"; or the weights themselves, of shape
        (inputs, units). By default the normal distribution that suits the activation that follows in the Sequential:
        Xavier if there is none or it saturates on both sides, LeCun before selu, He before all others.
    initial_bias : array_like, optional
        A scalar or an array of shape (units,).
    dtype : dtype, optional
        Floating-point type of the parameters. The input is converted to it.
    rng : numpy.random.Generator, optional
        Source of the initial weights, by default that of the Sequential.

    Attributes
    ----------
    weight : Parameter
        Shape (inputs, units). Drawn when the layer is put into a Sequential or, alone, when it is first used.
    bias : Parameter
        Shape (units,).

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> layer = nn.Dense(3, 2, initial_weight=[[1, 0], [0, 1], [1, 1]], initial_bias=0.5)
    >>> layer.forward([[1, 2, 3]])
    array([[4.5, 5.5]], dtype=float32)
    """

    def __init__(
        self,
        inputs: int,
        units: int,
        *,
        initial_weight: str | ArrayLike | None = None,
        initial_bias: ArrayLike = 0.0,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._shape = (positive_int("inputs", inputs), positive_int("units", units))
        self._dtype = float_dtype(dtype)
        self._rng = None if rng is None else generator(rng)
        self._initialiser: str | None = None
        self._weight: Parameter | None = None
        if isinstance(initial_weight, str):
            self._initialiser = known("initialiser", initial_weight, _initialisers.NAMES)
        elif initial_weight is not None:
            self._weight = _filled(initial_weight, self._shape, self._dtype, "weight")
        self.bias = _filled(initial_bias, self._shape[1:], self._dtype, "bias")
        self._x: Array | None = None

    def __repr__(self) -> str:
        return f"Dense{self._shape}"

    @property
    def weight(self) -> Parameter:
        if self._weight is None:
            self.initialise(None, generator(None))
        assert self._weight is not None
        return self._weight

    @property
    def parameters(self) -> list[Parameter]:
        return [self.weight, self.bias]

    def initialise(self, activation: str | None, rng: np.random.Generator) -> None:
        if self._weight is None:
            name = self._initialiser or _initialisers.name_for(activation)
            value = _initialisers.draw(name, self._shape, self._rng or rng)
            self._weight = _filled(value, self._shape, self._dtype, "weight")

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        x = np.asarray(x)
        inputs, units = self._shape
        if not np.can_cast(x.dtype, self._dtype, "same_kind"):
            raise TypeError(f"{self!r} takes real numbers, got an input of dtype {x.dtype}")
        if x.ndim == 0 or x.shape[-1] != inputs:
            raise ValueError(f"{self!r} takes an input of shape (..., {inputs}), got {x.shape}")
        x = x.astype(self._dtype, copy=False)
        self._x = x if training else None
        # One product for all leading axes: np.matmul would do one per leading index.
        y: Array = x.reshape(-1, inputs) @ self.weight.value
        y += self.bias.value
        return y.reshape(*x.shape[:-1], units)

    def backward(self, dy: ArrayLike) -> Array:
        x = self._saved(self._x)
        inputs, units = self._shape
        dy = self._gradient(dy, (*x.shape[:-1], units))
        rows = dy.astype(self._dtype, copy=False).reshape(-1, units)
        np.matmul(x.reshape(-1, inputs).T, rows, out=self.weight.grad)
        np.sum(rows, axis=0, out=self.bias.grad)
        dx: Array = rows @ self.weight.value.T
        return dx.reshape(x.shape)


class Maxout(Dense):
    """Fully connected layer with several linear pieces per unit, of which the largest is the output.

    The weights are drawn from the LeCun normal distribution unless told: the larger of two equally distributed pieces
    has the mean square of one.

    Parameters
    ----------
    inputs, units : int
        Number of columns of the input and of the output.
    pieces : int, optional
        Linear pieces per unit, at most 256.
    initial_weight, initial_bias, dtype, rng : optional
        As in `Dense`, for pieces * units columns: those of the first piece, then those of the second, and so on.

    Attributes
    ----------
    weight : Parameter
        Shape (inputs, pieces * units).
    bias : Parameter
        Shape (pieces * units,).

    Examples
    --------
    The absolute value is the larger of x and -x:

    >>> from numact import nn
    >>> nn.Maxout(1, 1, pieces=2, initial_weight=[[1, -1]]).forward([[-3], [2]])
    array([[3.],
           [2.]], dtype=float32)
    """

    activation = "maxout"

    def __init__(
        self,
        inputs: int,
        units: int,
        pieces: int = 2,
        *,
        initial_weight: str | ArrayLike | None = "lecun_normal",
        initial_bias: ArrayLike = 0.0,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._pieces = (positive_int("pieces", pieces), positive_int("units", units))
        if pieces > 256:
            raise ValueError(f"pieces must be at most 256, got {pieces}")
        super().__init__(
            inputs, pieces * units, initial_weight=initial_weight, initial_bias=initial_bias, dtype=dtype, rng=rng
        )
        self._which: Array | None = None

    def __repr__(self) -> str:
        pieces, units = self._pieces
        return f"Maxout({self._shape[0]}, {units}, pieces={pieces})"

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        z = super().forward(x, training)
        y, which = na.maxout(z.reshape(*z.shape[:-1], *self._pieces), axis=-2)
        self._which = which if training else None
        return np.asarray(y)

    def backward(self, dy: ArrayLike) -> Array:
        which = self._saved(self._which)
        dy = self._gradient(dy, which.shape)
        dz = na.maxout_backward(dy, which, self._pieces[0], axis=-2)
        return super().backward(dz.reshape(*dy.shape[:-1], self._shape[1]))


# Activations with weights to learn, or with more to return than one array.
_OWN_LAYER = {"prelu": "nn.PReLU(units)", "maxout": "nn.Maxout(inputs, units, pieces)"}


class Activate(Layer):
    """An activation function by its name in ``numact.activations``, with fixed parameters.

    Parameters
    ----------
    name : str
        Such as "relu" or "leaky_relu".
    **parameters : float or ndarray
        Those of the function, such as ``negative_slope=0.1``; an array broadcasts against the input.

    Examples
    --------
    >>> from numact import nn
    >>> nn.Activate("leaky_relu", negative_slope=0.5).forward([-2.0, 3.0])
    array([-1.,  3.])
    """

    def __init__(self, name: str, **parameters: Any) -> None:
        self.activation = known("activation", name, na.activations)
        if name in _OWN_LAYER:
            raise ValueError(f"{name} is no function of its input alone: use the layer {_OWN_LAYER[name]}")
        self._record = na.activations[name]
        if self._record.kind in ("gated", "random"):
            raise ValueError(f"{name} is no function of its input alone, and has no layer; call numact.{name}")
        self._parameters = parameters
        expected = [p.name for p in self._record.parameters]
        for parameter in parameters:
            if parameter not in expected:
                takes = f"takes {', '.join(expected)}" if expected else "takes no parameters"
                raise TypeError(f"{name} {takes}, got {parameter}")
        self._record.forward([[0.0]], **parameters)  # refuses values outside their domain now, not in training
        self._x: Array | None = None
        self._y_shape: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"Activate({', '.join([repr(self.activation), *(f'{k}={v}' for k, v in self._parameters.items())])})"

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        x = np.asarray(x)
        self._x = x if training else None
        y = np.asarray(self._record.forward(x, **self._parameters))
        self._y_shape = y.shape
        return y

    def backward(self, dy: ArrayLike) -> Array:
        x = self._saved(self._x)
        dx = self._record.backward(self._gradient(dy, self._y_shape), x, **self._parameters)
        return np.asarray(dx[0] if isinstance(dx, tuple) else dx)  # swish adds the gradient of its parameter


class _LearnedActivation(Layer):
    """An activation function with one learned parameter, which broadcasts over the leading axes of the input."""

    activation: str

    def __init__(self, name: str, shape: int | tuple[int, ...], initial: ArrayLike, dtype: DTypeLike) -> None:
        shape = shape if isinstance(shape, tuple) else (shape,)
        shape = tuple(positive_int("shape", n) for n in shape)
        self._parameter = _filled(initial, shape, float_dtype(dtype), name)
        self._x: Array | None = None

    def __repr__(self) -> str:
        shape = self._parameter.value.shape
        return f"{type(self).__name__}({shape[0] if len(shape) == 1 else shape})"

    @property
    def parameters(self) -> list[Parameter]:
        return [self._parameter]

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        x = np.asarray(x)
        shape = self._parameter.value.shape
        if len(shape) > x.ndim or any(n not in (1, m) for n, m in zip(shape[::-1], x.shape[::-1], strict=False)):
            raise ValueError(f"{self!r} takes an input whose last axes match its shape {shape}, got {x.shape}")
        self._x = x if training else None
        return np.asarray(na.activations[self.activation].forward(x, self._parameter.value))

    def backward(self, dy: ArrayLike) -> Array:
        x = self._saved(self._x)
        dy = self._gradient(dy, x.shape)
        dx, self._parameter.grad[...] = na.activations[self.activation].backward(dy, x, self._parameter.value)
        return np.asarray(dx)


class PReLU(_LearnedActivation):
    """Rectifier with a learned slope for negative inputs.

    Parameters
    ----------
    shape : int or tuple of int, optional
        Shape of the slopes, matched against the last axes of the input: the number of columns for one slope each.
    initial : array_like, optional
        A scalar or an array of that shape.
    dtype : dtype, optional
        Floating-point type of the slopes.

    Attributes
    ----------
    weight : Parameter
        The slopes.

    Examples
    --------
    >>> from numact import nn
    >>> nn.PReLU().forward([-4.0, 2.0])
    array([-1.,  2.])
    """

    activation = "prelu"

    def __init__(
        self, shape: int | tuple[int, ...] = 1, *, initial: ArrayLike = 0.25, dtype: DTypeLike = np.float32
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
        Floating-point type of beta.

    Attributes
    ----------
    beta : Parameter

    Examples
    --------
    >>> from numact import nn
    >>> nn.Swish(initial=0.0).forward([-4.0, 2.0])
    array([-2.,  1.])
    """

    activation = "swish"

    def __init__(
        self, shape: int | tuple[int, ...] = 1, *, initial: ArrayLike = 1.0, dtype: DTypeLike = np.float32
    ) -> None:
        super().__init__("beta", shape, initial, dtype)
        self.beta = self._parameter


class Sequential(Layer):
    """Layers one after the other.

    Parameters
    ----------
    *layers : Layer
        Each takes the output of the one before.
    rng : numpy.random.Generator, optional
        Source of the initial weights of the layers that have no generator of their own.

    Attributes
    ----------
    layers : tuple of Layer
    parameters : list of Parameter
        Those of all layers, named "0.weight", "0.bias", ... after the position of the layer.

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> model = nn.Sequential(nn.Dense(4, 8), nn.Activate("relu"), nn.Dense(8, 3), rng=np.random.default_rng(0))
    >>> model.forward(np.ones((2, 4))).shape
    (2, 3)
    >>> [p.name for p in model.parameters]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *layers: Layer, rng: np.random.Generator | None = None) -> None:
        if not layers:
            raise ValueError("Sequential needs at least one layer")
        for i, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise TypeError(f"Sequential takes layers as separate arguments; argument {i} is {layer!r}")
        for i, layer in enumerate(layers):
            if any(layer is other for other in layers[:i]):
                # It would keep the input, and the gradient, of its last use only.
                raise ValueError(f"the same object {layer!r} is given twice; create one layer for each place")
        self.layers = layers
        self.activation = layers[0].activation
        self._initialised = False
        if rng is not None:
            self.initialise(None, generator(rng))

    def initialise(self, activation: str | None, rng: np.random.Generator) -> None:
        for i, layer in enumerate(self.layers):
            layer.initialise(self.layers[i + 1].activation if i + 1 < len(self.layers) else activation, rng)
        self._initialised = True

    def _ensure_initialised(self) -> None:
        # Not in __init__: within another Sequential, that one's generator and next layer count.
        if not self._initialised:
            self.initialise(None, generator(None))

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"

    @property
    def parameters(self) -> list[Parameter]:
        self._ensure_initialised()
        return [
            Parameter(p.value, p.grad, f"{i}.{p.name}") for i, layer in enumerate(self.layers) for p in layer.parameters
        ]

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        self._ensure_initialised()
        y = np.asarray(x)
        for layer in self.layers:
            y = layer.forward(y, training)
        return y

    def backward(self, dy: ArrayLike) -> Array:
        dx = np.asarray(dy)
        for layer in reversed(self.layers):
            dx = layer.backward(dx)
        return dx
