"""Layers of a matrix product."""

from __future__ import annotations

import math
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

import numact as na
from numact._functions import MOST_PIECES
from numact._runtime import _native
from numact.nn import _initialisers
from numact.nn._checks import float_dtype, generator, known, positive_int
from numact.nn._layer import Array, Buffer, OwnMemoryLayer, Parameter, converted, parameter, result_array


class Dense(OwnMemoryLayer):
    """Fully connected layer: y = x @ weight + bias.

    Parameters
    ----------
    inputs, units : int
        Number of columns of the input and of the output.
    initial_weight : str or array_like, optional
        "he", "xavier" or "lecun" followed by "_normal" or "_uniform"; or the weights themselves, of shape
        (inputs, units), or a number for all. By default the normal distribution that suits the activation that follows
        in the Sequential, behind BatchNorm and Dropout too: Xavier if there is none or it saturates on both sides,
        LeCun before selu, He before all others.
    initial_bias : array_like, optional
        A scalar or an array of shape (units,).
    bias : bool, optional
        False for a layer without: y = x @ weight.
    dtype : dtype, optional
        float32 or float64, of the parameters. The input is converted to it.
    rng : numpy.random.Generator, optional
        Source of the initial weights, by default that of the Sequential.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive integer, the initialiser is unknown, weights or biases are not real and finite or have
        another shape, the dtype is another, ``rng`` no Generator, or there is an initial bias for none.

    Attributes
    ----------
    weight : Parameter
        Shape (inputs, units). Drawn when the layer is put into a Sequential or, alone, when it is first used.
    bias : Parameter or None
        Shape (units,).

    References
    ----------
    Y. LeCun, L. Bottou, G. Orr, K.-R. Mueller, "Efficient BackProp", 1998.
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
    K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", ICCV 2015.
    G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter, "Self-Normalizing Neural Networks", NeurIPS 2017.

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
        inputs: SupportsIndex,
        units: SupportsIndex,
        *,
        initial_weight: str | ArrayLike | None = None,
        initial_bias: ArrayLike = 0.0,
        bias: bool = True,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        self._shape = (positive_int("inputs", inputs), positive_int("units", units))
        self._dtype = float_dtype(dtype)
        self._rng = None if rng is None else generator(rng)
        self._initialiser: str | None = None
        self._weight: Parameter | None = None
        if isinstance(initial_weight, str):
            self._initialiser = known("initialiser", initial_weight, _initialisers.NAMES)
        elif initial_weight is not None:
            self._weight = parameter("weight", initial_weight, self._shape, self._dtype)
        if not bias and np.any(initial_bias):
            raise ValueError("bias=False leaves no bias that initial_bias could be of")
        self.bias = parameter("bias", initial_bias, self._shape[1:], self._dtype) if bias else None
        self._y, self._dy = Buffer(), Buffer()
        self._input_is_spare = False
        self._ones = np.ones(0, self._dtype)

    def __repr__(self) -> str:
        return f"Dense({self._shape[0]}, {self._shape[1]}{'' if self.bias else ', bias=False'})"

    @property
    def weight(self) -> Parameter:
        """The weights, drawn now if they are not yet."""
        if self._weight is None:
            self.initialise(None, generator(None))
        assert self._weight is not None
        return self._weight

    @property
    def all_parameters(self) -> list[Parameter]:
        return [self.weight] if self.bias is None else [self.weight, self.bias]

    def initialise(self, activation: str | None, rng: np.random.Generator) -> None:
        if self._weight is None:
            name = self._initialiser or _initialisers.name_for(activation)
            value = _initialisers.draw(name, self._shape, self._rng or rng)
            self._weight = parameter("weight", value, self._shape, self._dtype)

    def _forward(self, x: Array, spare: bool, training: bool) -> tuple[Array, bool]:
        inputs, units = self._shape
        # As a rule all is well; the checks and conversions of everything else take as long as a small product.
        if x.ndim != 2 or x.shape[1] != inputs or x.dtype != self._dtype:
            x = self._accepted(x, training)
        # One product for all leading axes: np.matmul would do one per leading index.
        rows = x if x.ndim == 2 else x.reshape(-1, inputs)
        y = result_array(self._y, (len(rows), units), self._dtype, training)
        np.matmul(rows, (self._weight or self.weight).value, y)
        if self.bias is not None:
            _native.add_bias(y, self.bias.value)
        if training:
            self._kept, self._input_is_spare = (x,), spare
        return y if x.ndim == 2 else y.reshape(*x.shape[:-1], units), True

    def _accepted(self, x: Array, training: bool) -> Array:
        """The input in the layer's dtype, refused unless it has its columns."""
        inputs = self._shape[0]
        if not np.can_cast(x.dtype, self._dtype, "same_kind"):
            raise TypeError(f"{self!r} takes NumPy's real numbers, got an input of dtype {x.dtype}")
        if x.shape[-1:] != (inputs,):
            raise ValueError(f"{self!r} takes an input of shape (..., {inputs}), got {x.shape}")
        return x if x.dtype == self._dtype else converted(self._x, x, self._dtype, training)

    def _backward(self, dy: Array, spare: bool, needed: bool) -> tuple[Array | None, bool]:
        rows = x = self._saved()[0]
        inputs, units = self._shape
        if x.ndim != 2 or dy.shape != (len(x), units) or dy.dtype != self._dtype:
            self._check_gradient(dy, (*x.shape[:-1], units))
            if dy.dtype != self._dtype:
                dy = converted(self._dy, dy, self._dtype, True)
            rows, dy = x.reshape(-1, inputs), dy.reshape(-1, units)
        weight = self._weight or self.weight
        if not self.frozen:
            np.matmul(rows.T, dy, weight.grad)
            if self.bias is not None:
                # Sums of the columns, twice as fast as np.sum.
                if len(self._ones) != len(rows):
                    self._ones = np.ones(len(rows), self._dtype)
                np.matmul(self._ones, dy, self.bias.grad)
        if not needed:
            return None, False
        # The gradient takes the place of the input where no layer in front needs that any more.
        dx = rows if self._input_is_spare else self._gradients.take(rows.shape, self._dtype, dy)
        np.matmul(dy, weight.value.T, dx)
        return dx if x.ndim == 2 else dx.reshape(x.shape), True


class Maxout(Dense):
    """Fully connected layer with several linear pieces per unit, of which the largest is the output.

    Of equal pieces the first counts. The weights are drawn from the LeCun normal distribution unless told: the larger
    of two equally distributed pieces has the mean square of one.

    Parameters
    ----------
    inputs, units : int
        Number of columns of the input and of the output.
    pieces : int, optional
        Linear pieces per unit, at most 256.
    initial_weight, initial_bias, bias, dtype, rng : optional
        As in `Dense`, for pieces * units columns: those of the first piece, then those of the second, and so on.

    Raises
    ------
    TypeError, ValueError
        As for `Dense`, and if ``pieces`` is not from 1 to 256.

    Attributes
    ----------
    weight : Parameter
        Shape (inputs, pieces * units).
    bias : Parameter or None
        Shape (pieces * units,).

    References
    ----------
    I. Goodfellow, D. Warde-Farley, M. Mirza, A. Courville, Y. Bengio, "Maxout Networks", ICML 2013.

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
        inputs: SupportsIndex,
        units: SupportsIndex,
        pieces: SupportsIndex = 2,
        *,
        initial_weight: str | ArrayLike | None = "lecun_normal",
        initial_bias: ArrayLike = 0.0,
        bias: bool = True,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._pieces = (positive_int("pieces", pieces), positive_int("units", units))
        if self._pieces[0] > MOST_PIECES:
            raise ValueError(f"pieces must be at most {MOST_PIECES}, got {pieces}")
        super().__init__(
            inputs,
            math.prod(self._pieces),  # as Python integers, which do not overflow
            initial_weight=initial_weight,
            initial_bias=initial_bias,
            bias=bias,
            dtype=dtype,
            rng=rng,
        )
        self._largest, self._which = Buffer(), Buffer()

    def __repr__(self) -> str:
        pieces, units = self._pieces
        return f"Maxout({self._shape[0]}, {units}, pieces={pieces}{'' if self.bias else ', bias=False'})"

    def _forward(self, x: Array, spare: bool, training: bool) -> tuple[Array, bool]:
        z, _ = super()._forward(x, spare, training)
        shape = (*z.shape[:-1], self._pieces[1])
        y = result_array(self._largest, shape, self._dtype, training)
        which = result_array(self._which, shape, np.dtype(np.uint8), training)
        na.maxout(z.reshape(*z.shape[:-1], *self._pieces), axis=-2, out=(y, which))
        if training:
            self._kept = (*self._saved(), which)
        return y, True

    def _backward(self, dy: Array, spare: bool, needed: bool) -> tuple[Array | None, bool]:
        _, which = self._saved()
        self._check_gradient(dy, which.shape)
        # The values of the pieces are no longer needed: their gradients take their place.
        dz = self._y.take((which.size // self._pieces[1], self._shape[1]), self._dtype)
        na.maxout_backward(dy, which, self._pieces[0], axis=-2, out=dz.reshape(*dy.shape[:-1], *self._pieces))
        return super()._backward(dz.reshape(*dy.shape[:-1], self._shape[1]), True, needed)
