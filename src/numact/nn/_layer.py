"""What all layers are made of: parameters, memory kept from step to step, and the base classes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numact.nn._checks import as_array, generator

Array = NDArray[Any]

_CACHE_LINE = 64  # bytes


def memory_for(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Memory in which `placed` finds room for such an array."""
    return np.empty(math.prod(shape) * dtype.itemsize + _CACHE_LINE, np.uint8)


def placed(memory: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array in that memory, from the first cache line on: no vector of it lies across two lines."""
    return np.ndarray(shape, dtype, memory, -memory.ctypes.data % _CACHE_LINE)


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

    Examples
    --------
    >>> from numact import nn
    >>> nn.Sequential(nn.BatchNorm(3)).parameters[0]
    Parameter('0.weight', shape=(3,), dtype=float32)
    """

    value: Array
    grad: Array
    name: str

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, shape={self.value.shape}, dtype={self.value.dtype})"


def parameter(name: str, initial: ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Parameter:
    """A parameter of that shape with its initial value, a scalar or an array of exactly that shape."""
    given = as_array(f"the initial {name}", initial)
    if not np.can_cast(given.dtype, dtype, "same_kind"):
        raise TypeError(f"the initial {name} must be real numbers, got dtype {given.dtype}")
    if given.shape not in ((), shape):
        raise ValueError(f"the initial {name} must be a scalar or have shape {shape}, got {given.shape}")
    value, grad = (placed(memory_for(shape, dtype), shape, dtype) for _ in range(2))
    with np.errstate(over="ignore"):
        value[...] = given
    if not np.isfinite(value).all():
        raise ValueError(f"the initial {name} must be finite in {dtype}")
    grad[...] = 0
    return Parameter(value, grad, name)


class Buffer:
    """Memory for one array of each step. It grows to the largest array asked for; a copy of it starts empty."""

    __slots__ = ("_array", "_memory")

    def __init__(self) -> None:
        self._memory = self._array = np.empty(0, np.uint8)

    def __reduce__(self) -> tuple[type[Buffer], tuple[()]]:
        return Buffer, ()

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """The memory as an array, with whatever it holds; those taken before share it."""
        array = self._array
        if array.shape != shape or array.dtype != dtype:
            if self._memory.size < math.prod(shape) * dtype.itemsize + _CACHE_LINE:
                self._memory = memory_for(shape, dtype)
            self._array = array = placed(self._memory, shape, dtype)
        return array

    def holds(self, array: Array) -> bool:
        """Whether an array was taken from here, or is a view of one that was."""
        return array.base is self._memory


class GradientMemory:
    """Memory for the gradients on the way back that find no place in what the forward kept: two at a time at most."""

    def __init__(self) -> None:
        self._buffers = (Buffer(), Buffer())

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any], dy: Array) -> Array:
        """An array beside `dy`, which it does not share memory with."""
        first, second = self._buffers
        return (second if first.holds(dy) else first).take(shape, dtype)


class Layer(ABC):
    """Base of all layers; derive from it for one of your own.

    A layer of your own defines `forward` and `backward`, and `all_parameters` if it learns.

    Attributes
    ----------
    activation : str or None
        Name of the activation function that this layer is, None for other layers. A layer in front with weights to
        initialise chooses by it.
    frozen : bool
        Whether this layer stays as it is in training.

    Raises
    ------
    TypeError
        If a class derived from it lacks `forward` or `backward`.

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> class Double(nn.Layer):
    ...     def forward(self, x, training=False):
    ...         return 2 * np.asarray(x)
    ...
    ...     def backward(self, dy):
    ...         return 2 * np.asarray(dy)
    >>> nn.Sequential(Double(), nn.Activate("relu")).forward([-1.0, 3.0])
    array([0., 6.])
    """

    activation: str | None = None
    frozen: bool = False
    # Whether what follows this layer counts for the initial weights in front of it.
    _transparent: bool = False
    # What the latest training forward keeps for backward.
    _kept: tuple[Array, ...] | None = None

    @property
    def all_parameters(self) -> list[Parameter]:
        """What this layer can learn, frozen or not."""
        return []

    @property
    def parameters(self) -> list[Parameter]:
        """What this layer learns now: nothing when it is frozen."""
        return [] if self.frozen else self.all_parameters

    @property
    def state(self) -> dict[str, Array]:
        """The arrays that make up the layer, by name: every parameter, frozen or not, and running statistics.

        They are the layer's own: ``layer.state["weight"][...] = w`` sets one.
        """
        return {p.name: p.value for p in self.all_parameters}

    @property
    def generators(self) -> dict[str, np.random.Generator]:
        """The random number generators that training draws from, by name."""
        return {}

    @property
    def saved_bytes(self) -> int:
        """Bytes that the latest ``forward(x, training=True)`` of layers of numact keeps for ``backward``.

        Each array is counted once.
        """
        return sum(self._saved_arrays().values())

    def _saved_arrays(self) -> dict[int, int]:
        """Bytes of the arrays kept for backward, by their address."""
        return {array.ctypes.data: array.nbytes for array in self._kept or ()}

    def _forget(self) -> None:
        self._kept = None

    def freeze(self) -> None:
        """Keep the layer as it is: `parameters` is empty from now on, and numact's layers set no ``grad``."""
        self.frozen = True

    def unfreeze(self) -> None:
        """Let the layer learn again."""
        self.frozen = False

    def initialise(self, activation: str | None, rng: np.random.Generator) -> None:  # noqa: B027
        """Draw the weights that have no value yet, in a way that suits the activation that follows.

        Parameters
        ----------
        activation : str or None
            Its name, None for none.
        rng : numpy.random.Generator
            Source of the weights, unless the layer has one of its own.
        """

    @abstractmethod
    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        """The output for ``x``; with ``training`` what ``backward`` needs is kept.

        With ``training`` the array returned is the layer's own and valid until its next training forward, without it
        is new, and nothing kept is disturbed.

        Parameters
        ----------
        x : array_like
            Real numbers, as a rule of shape (rows, columns).
        training : bool, optional

        Returns
        -------
        y : ndarray

        Raises
        ------
        TypeError, ValueError
            If ``x`` is of another kind or shape than the layer takes.
        """

    @abstractmethod
    def backward(self, dy: ArrayLike) -> Array:
        """The gradient of the loss by the ``x`` of the latest training forward, from that by the output.

        Sets every ``grad``, without adding to it. The array returned is the layer's own and valid until its next
        ``backward``.

        Parameters
        ----------
        dy : array_like
            Floating-point numbers, of the shape of the output.

        Returns
        -------
        dx : ndarray
            Of the shape of ``x``.

        Raises
        ------
        RuntimeError
            If there was no training forward.
        TypeError, ValueError
            If ``dy`` is of another kind or shape.
        """

    # How a Sequential calls a layer. `spare` says that the array given may be overwritten, in what is returned that
    # the next layer may overwrite that one.

    def _forward(self, x: Array, spare: bool, training: bool) -> tuple[Array, bool]:
        return np.asarray(self.forward(x, training)), False

    def _backward(self, dy: Array, spare: bool, needed: bool) -> tuple[Array | None, bool]:
        """The second step back; without `needed`, None may take the place of the gradient by x."""
        return np.asarray(self.backward(dy)), False

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class OwnMemoryLayer(Layer):
    """Base of the layers here, which work in memory of their own or in place."""

    def __init__(self) -> None:
        self._gradients = GradientMemory()
        self._x = Buffer()  # the input, where that has another dtype

    def _share(self, gradients: GradientMemory) -> None:
        """Use the memory that all layers of a Sequential share."""
        self._gradients = gradients

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        x = as_array("x", x)
        y = self._forward(x, False, training)[0]
        return y.copy() if y is x and not training else y

    def backward(self, dy: ArrayLike) -> Array:
        dx = self._backward(as_array("dy", dy), False, True)[0]
        assert dx is not None
        return dx

    @abstractmethod
    def _forward(self, x: Array, spare: bool, training: bool) -> tuple[Array, bool]: ...

    @abstractmethod
    def _backward(self, dy: Array, spare: bool, needed: bool) -> tuple[Array | None, bool]: ...

    def _floating(self, x: Array, training: bool) -> Array:
        """``x``, integers as float64."""
        if x.dtype.kind == "f":
            return x if x.dtype.isnative else converted(self._x, x, x.dtype.newbyteorder("="), training)
        if x.dtype.kind not in "biu":
            raise TypeError(f"{self!r} takes NumPy's real numbers, got an input of dtype {x.dtype}")
        return converted(self._x, x, np.dtype(np.float64), training)

    def _saved(self) -> tuple[Array, ...]:
        """What the training forward kept."""
        if self._kept is None:
            raise RuntimeError(f"backward of {self!r} needs a call of forward(x, training=True) before it")
        return self._kept

    def _check_gradient(self, dy: Array, shape: tuple[int, ...]) -> None:
        if dy.shape != shape:
            raise ValueError(f"backward of {self!r} takes dy of the output's shape {shape}, got {dy.shape}")
        if dy.dtype.kind != "f":
            raise TypeError(f"backward of {self!r} takes dy of floating-point numbers, got dtype {dy.dtype}")


class DrawingLayer(OwnMemoryLayer):
    """Base of the layers that draw random numbers in training."""

    def __init__(self, rng: np.random.Generator | None) -> None:
        super().__init__()
        self._rng = None if rng is None else generator(rng)

    @property
    def generators(self) -> dict[str, np.random.Generator]:
        if self._rng is None:
            self._rng = generator(None)
        return {"rng": self._rng}

    def initialise(self, activation: str | None, rng: np.random.Generator) -> None:
        if self._rng is None:
            self._rng = rng


def result_array(buffer: Buffer, shape: tuple[int, ...], dtype: np.dtype[Any], training: bool) -> Array:
    """An array for a result of forward: the layer's own in training, else a new one."""
    return buffer.take(shape, dtype) if training else np.empty(shape, dtype)


def converted(buffer: Buffer, x: Array, dtype: np.dtype[Any], training: bool) -> Array:
    """``x`` in another dtype of the same kind or a more general one."""
    y = result_array(buffer, x.shape, dtype, training)
    np.copyto(y, x, casting="same_kind")
    return y
