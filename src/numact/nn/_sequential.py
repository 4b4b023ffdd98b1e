"""Layers one after the other."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, SupportsIndex, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike

import numact as na
from numact.nn._activations import OWN_LAYER
from numact.nn._checks import as_array, generator, integer, positive_int
from numact.nn._layer import Array, GradientMemory, Layer, OwnMemoryLayer, Parameter

T = TypeVar("T")


class Sequential(OwnMemoryLayer):
    """Layers one after the other.

    Parameters
    ----------
    *layers : Layer
        Each takes the output of the one before.
    rng : numpy.random.Generator, optional
        Source of the initial weights, and of what dropout drops, for the layers that have no generator of their own.

    Raises
    ------
    TypeError, ValueError
        If there is no layer, one is none, the same one is given twice, or ``rng`` is no Generator.

    Attributes
    ----------
    layers : tuple of Layer
        ``model[i]`` is ``model.layers[i]``.
    parameters : list of Parameter
        Those that all layers learn now, named "0.weight", "0.bias", ... after the position of the layer.
    state : dict of str to ndarray
        The arrays of all layers, frozen or not, by such names.
    frozen : bool
        Whether every layer is.

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> model = nn.Sequential(nn.Dense(4, 8), nn.Activate("relu"), nn.Dense(8, 3), rng=np.random.default_rng(0))
    >>> model.forward(np.ones((2, 4))).shape
    (2, 3)
    >>> [p.name for p in model.parameters]
    ['0.weight', '0.bias', '2.weight', '2.bias']

    Transfer learning: keep what is learned, and train a new head.

    >>> model.replace(2, nn.Dense(8, 5), rng=np.random.default_rng(1))
    >>> model.freeze(-1)
    >>> print(model.summary(4, batch_size=64))
       layer             output   learned  frozen  saved bytes
    0  Dense(4, 8)       (64, 8)        0      40        1,024
    1  Activate('relu')  (64, 8)        0       0        2,048
    2  Dense(8, 5)       (64, 5)       45       0            0
       total                           45      40        3,072
    """

    def __init__(self, *layers: Layer, rng: np.random.Generator | None = None) -> None:
        if not layers:
            raise ValueError("Sequential needs at least one layer")
        super().__init__()
        self._initialised = False
        # The arrangement of layers that was passed last, and the kinds of input that passed all of it.
        self._arranged: tuple[Any, ...] = ()
        self._passed: set[tuple[Any, ...]] = set()
        self._set_layers(layers)
        if rng is not None:
            self.initialise(None, generator(rng))

    def _set_layers(self, layers: tuple[Layer, ...]) -> None:
        for i, layer in enumerate(layers):
            _check_layer(f"Sequential takes layers as separate arguments; argument {i} is", layer)
        self._check_distinct(layers)
        self.layers = layers
        # Parameters of each layer as they were last, and those under their names here.
        self._renamed: list[tuple[tuple[Parameter, ...], list[Parameter]]] = [((), [])] * len(layers)
        self._nested = [layer for layer in layers if isinstance(layer, Sequential)]
        self._share(self._gradients)
        self._transparent = all(layer._transparent for layer in layers)
        self.activation = self._activation_at(0, None)

    def _check_distinct(self, layers: tuple[Layer, ...]) -> None:
        """Refuse a layer in two places: it would keep the input, and the gradient, of its last use only."""
        seen: list[Layer] = [self]
        for layer in _at_any_depth(layers):
            if any(layer is other for other in seen):
                raise ValueError(f"the same object {layer!r} is given twice; create one layer for each place")
            seen.append(layer)

    def _share(self, gradients: GradientMemory) -> None:
        super()._share(gradients)
        for layer in self.layers:
            if isinstance(layer, OwnMemoryLayer):
                layer._share(gradients)

    def _activation_at(self, index: int, following: str | None) -> str | None:
        """The activation that the weights of a layer before that index prepare for."""
        for layer in self.layers[index:]:
            if not layer._transparent:
                return layer.activation
        return following

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: SupportsIndex) -> Layer:
        return self.layers[index]

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"

    def __getstate__(self) -> dict[str, Any]:
        # joblib writes an array as often as it is referred to: the renamed parameters would no longer be the layers'.
        # Layers of the arrangement may have been replaced since.
        return {**super().__getstate__(), "_renamed": [((), [])] * len(self.layers), "_arranged": ()}

    def initialise(self, activation: str | None, rng: np.random.Generator) -> None:
        for i, layer in enumerate(self.layers):
            layer.initialise(self._activation_at(i + 1, activation), rng)
        self._initialised = True

    def _ensure_initialised(self) -> None:
        # Not in __init__: within another Sequential, that one's generator and next layer count.
        if not self._initialised:
            self.initialise(None, generator(None))

    def replace(self, index: SupportsIndex, layer: Layer, rng: np.random.Generator | None = None) -> None:
        """Put a layer in the place of another.

        An optimizer made before goes on with the old parameters: make a new one.

        Parameters
        ----------
        index : int
            Position, negative from the end.
        layer : Layer
        rng : numpy.random.Generator, optional
            Source of its initial weights, unless it has a generator of its own.

        Raises
        ------
        IndexError, TypeError, ValueError
            If there is no such position, or the layer is none or in the Sequential already. One that a Sequential
            around this one has elsewhere is refused when that one is used.
        """
        layers, index = list(self.layers), integer("index", index)
        _check_layer("replace takes a layer, got", layer)
        if not -len(layers) <= index < len(layers):
            raise IndexError(f"there is no layer {index} in a Sequential of {len(layers)}")
        layers[index] = layer
        source = generator(rng)
        self._ensure_initialised()
        self._set_layers(tuple(layers))
        self._arranged = ()
        self._forget()
        layer.initialise(self._activation_at(index % len(layers) + 1, None), source)

    @property
    def all_parameters(self) -> list[Parameter]:
        self._ensure_initialised()
        return self._named([layer.all_parameters for layer in self.layers])

    @property
    def parameters(self) -> list[Parameter]:
        self._ensure_initialised()
        return self._named([layer.parameters for layer in self.layers])

    def _named(self, parameters: list[list[Parameter]]) -> list[Parameter]:
        """Those of each layer, with its position in front of the name."""
        result: list[Parameter] = []
        for i, of_layer in enumerate(map(tuple, parameters)):
            last, renamed = self._renamed[i]
            if of_layer != last:
                renamed = [Parameter(p.value, p.grad, f"{i}.{p.name}") for p in of_layer]
                self._renamed[i] = of_layer, renamed
            result += renamed
        return result

    @property
    def state(self) -> dict[str, Array]:
        self._ensure_initialised()
        return self._prefixed(layer.state for layer in self.layers)

    @property
    def generators(self) -> dict[str, np.random.Generator]:
        self._ensure_initialised()
        return self._prefixed(layer.generators for layer in self.layers)

    @staticmethod
    def _prefixed(mappings: Iterator[Mapping[str, T]]) -> dict[str, T]:
        return {f"{i}.{name}": value for i, mapping in enumerate(mappings) for name, value in mapping.items()}

    def _saved_arrays(self) -> dict[int, int]:
        return {address: size for layer in self.layers for address, size in layer._saved_arrays().items()}

    def _forget(self) -> None:
        for layer in self.layers:
            layer._forget()

    @property
    def frozen(self) -> bool:
        """Whether every layer stays as it is in training; assigning sets all of them."""
        return all(layer.frozen for layer in self.layers)

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        for layer in self.layers:
            layer.frozen = frozen

    def freeze(self, stop: SupportsIndex | None = None) -> None:
        """Keep the layers before position `stop` as they are, all by default.

        Parameters
        ----------
        stop : int, optional
            Negative from the end: -1 leaves the last layer to learn.

        Raises
        ------
        IndexError, TypeError
            If there is no such position, or `stop` is no integer.
        """
        if stop is not None and not -len(self.layers) <= integer("stop", stop) <= len(self.layers):
            raise IndexError(f"freeze: stop is {stop}, but there are {len(self.layers)} layers")
        for layer in self.layers[:stop]:
            layer.freeze()

    def unfreeze(self) -> None:
        """Let all layers learn again."""
        for layer in self.layers:
            layer.unfreeze()

    def _forward(self, x: Array, spare: bool, training: bool) -> tuple[Array, bool]:
        if not self._initialised:
            self._ensure_initialised()
        arrangement = self._arrangement() if self._nested else self.layers
        if arrangement != self._arranged:
            self._check_distinct(self.layers)  # layers of a Sequential inside may have been replaced
            self._arranged, self._passed = arrangement, set()
        passing = (x.ndim, x.shape[x.ndim > 1 :], x.dtype)  # without the number of samples, if it is not one alone
        if training and passing not in self._passed:
            # Without training nothing changes: what does not fit is found before running statistics move.
            with np.errstate(all="ignore"):
                self._forward(x, False, False)
        y, i = x, 0
        try:
            for layer in self.layers:
                y, spare = layer._forward(y, spare, training)
                i += 1
        except (TypeError, ValueError, RuntimeError) as error:
            if training and i:
                self._forget()  # what some layers keep is of another batch than what the others do
            raise self._placed(error, i) from error
        self._passed.add(passing)
        return y, spare

    def _arrangement(self) -> tuple[Any, ...]:
        """The layers, and those of each Sequential among them."""
        return (self.layers, *(nested._arrangement() for nested in self._nested))

    @overload
    def backward(self, dy: ArrayLike, *, input_gradient: Literal[True] = ...) -> Array: ...
    @overload
    def backward(self, dy: ArrayLike, *, input_gradient: bool) -> Array | None: ...
    def backward(self, dy: ArrayLike, *, input_gradient: bool = True) -> Array | None:
        """The gradient of the loss by the ``x`` of the latest training forward, from that by the output.

        Sets every ``grad``, without adding to it, and uses up what that forward kept: a second one needs it again.

        Parameters
        ----------
        dy : array_like
            Of the shape of the output; left alone.
        input_gradient : bool, optional
            False to save what only the gradient by ``x`` needs: the last matrix product, and the way back through
            frozen layers in front.

        Returns
        -------
        dx : ndarray or None
            Valid until the next ``backward``; None without `input_gradient`.

        Raises
        ------
        RuntimeError
            If there was no training forward, or its result is used up.
        TypeError, ValueError
            If ``dy`` is of another kind or shape.
        """
        return self._backward(as_array("dy", dy), False, input_gradient)[0]

    def _backward(self, dy: Array, spare: bool, needed: bool) -> tuple[Array | None, bool]:
        first = 0
        if not needed:
            while first < len(self.layers) and not self.layers[first].parameters:
                first += 1
        gradient: Array | None = dy
        i = len(self.layers)
        try:
            while i > first:
                i -= 1
                assert gradient is not None
                gradient, spare = self.layers[i]._backward(gradient, spare, needed or i > first)
        except (TypeError, ValueError, RuntimeError) as error:
            raise self._placed(error, i) from error
        self._forget()
        return (gradient, spare) if needed else (None, False)

    def _placed(self, error: Exception, index: int) -> Exception:
        """The error with the position of the layer in front."""
        if type(error) not in (TypeError, ValueError, RuntimeError):
            return error
        layer, message = repr(self.layers[index]), str(error)
        return type(error)(f"layer {index}{'' if layer in message else f', {layer}'}: {message}")

    def summary(self, input_shape: SupportsIndex | tuple[SupportsIndex, ...], batch_size: SupportsIndex = 32) -> str:
        """A table of the layers: output shape, numbers learned and frozen, and bytes that training keeps for backward.

        It is measured on a copy, with a batch of zeros. An array that two layers keep counts for the first.

        Parameters
        ----------
        input_shape : int or tuple of int
            Shape of one sample; a number stands for so many columns.
        batch_size : int, optional

        Returns
        -------
        str

        Raises
        ------
        TypeError, ValueError
            If a size is no positive integer, or a layer does not take what it gets.
        """
        shape = input_shape if isinstance(input_shape, tuple) else (input_shape,)
        model = copy.deepcopy(self)
        dtype = next((array.dtype for array in model.state.values()), np.float32)
        x = np.zeros((positive_int("batch_size", batch_size), *(positive_int("input_shape", n) for n in shape)), dtype)
        model.forward(x)  # names the layer that x does not fit
        lines: list[tuple[str, ...]] = [("", "layer", "output", "learned", "frozen", "saved bytes")]
        seen: dict[int, int] = {}
        total = [0, 0, 0]
        spare = False
        for position, layer in model._leaves(""):
            x, spare = layer._forward(x, spare, True)
            numbers = [
                sum(p.value.size for p in layer.parameters),
                sum(p.value.size for p in layer.all_parameters) if layer.frozen else 0,
                sum(size for address, size in layer._saved_arrays().items() if address not in seen),
            ]
            seen |= layer._saved_arrays()
            total = [a + b for a, b in zip(total, numbers, strict=True)]
            lines.append((position, repr(layer), str(x.shape), *(f"{n:,}" for n in numbers)))
        lines.append(("", "total", "", *(f"{n:,}" for n in total)))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(f"{cell:{'<' if i < 3 else '>'}{widths[i]}}" for i, cell in enumerate(line)) for line in lines
        )

    def _leaves(self, prefix: str) -> Iterator[tuple[str, Layer]]:
        """All layers that are no Sequential, with their positions."""
        for i, layer in enumerate(self.layers):
            if isinstance(layer, Sequential):
                yield from layer._leaves(f"{prefix}{i}.")
            else:
                yield f"{prefix}{i}", layer


def _check_layer(what: str, layer: Any) -> None:
    """Refuse what is no layer, and say which may be meant."""
    if isinstance(layer, Layer):
        return
    hint = ""
    if isinstance(layer, type) and issubclass(layer, Layer):
        hint = f"; give an instance, {layer.__name__}(...)"
    elif isinstance(layer, str) and layer in na.activations:
        hint = f"; write {OWN_LAYER.get(layer, f'nn.Activate({layer!r})')}"
    raise TypeError(f"{what} {layer!r}{hint}")


def _at_any_depth(layers: Iterable[Layer]) -> Iterator[Layer]:
    """The layers, each Sequential among them before those that it is made of."""
    for layer in layers:
        yield layer
        if isinstance(layer, Sequential):
            yield from _at_any_depth(layer.layers)


def leaves(model: Layer) -> Iterator[tuple[str, Layer]]:
    """All layers of a model that are no Sequential, with their positions; the model itself has none."""
    return model._leaves("") if isinstance(model, Sequential) else iter([("", model)])
