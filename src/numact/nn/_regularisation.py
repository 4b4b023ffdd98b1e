"""Layers that only training changes: batch normalisation and dropout."""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike

from numact._types import Real
from numact.nn._checks import float_dtype, positive_int, real
from numact.nn._layer import Array, Buffer, DrawingLayer, OwnMemoryLayer, Parameter, parameter, result_array


def _real_in(name: str, value: Any, low: float, high: float, closed: bool) -> float:
    """``value`` as a float from low to high, which may be reached if `closed`."""
    number = real(name, value)
    if not (low <= number <= high if closed else low <= number < high):
        raise ValueError(f"{name} must be in [{low:g}, {high:g}{']' if closed else ')'}, got {number}")
    return number


class BatchNorm(OwnMemoryLayer):
    """Batch normalisation: each column to mean 0 and variance 1 over the batch, times weight, plus bias.

    Training takes mean and (biased) variance of the batch, of all leading axes together, and moves the running ones::

        running = momentum * running + (1 - momentum) * batch

    with the unbiased variance; a batch of one row, which has none, leaves them alone. PyTorch's momentum is 1 minus
    this one. Without training, and when the layer is frozen, the running mean and variance take their place.

    Parameters
    ----------
    features : int
        Number of columns.
    momentum : float, optional
        The part of the running statistics that a batch keeps, from 0 to 1.
    eps : float, optional
        Added to the variance, greater than 0.
    dtype : dtype, optional
        float32 or float64, of parameters and output. Means and variances are summed in float64.

    Raises
    ------
    TypeError, ValueError
        If ``features`` is no positive integer, ``momentum`` not in [0, 1], ``eps`` not above 0 and finite, or the dtype
        another.

    Attributes
    ----------
    weight, bias : Parameter
        Shape (features,), 1 and 0 at the start.
    running_mean, running_variance : ndarray
        Shape (features,), 0 and 1 at the start; part of `state`.

    References
    ----------
    S. Ioffe, C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
    Shift", ICML 2015.

    Examples
    --------
    >>> from numact import nn
    >>> layer = nn.BatchNorm(1)
    >>> layer.forward([[1.0], [3.0]], training=True).round(3)
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> layer.running_mean
    array([0.2], dtype=float32)
    """

    _transparent = True

    def __init__(
        self, features: SupportsIndex, *, momentum: Real = 0.9, eps: Real = 1e-5, dtype: DTypeLike = np.float32
    ) -> None:
        super().__init__()
        shape = (positive_int("features", features),)
        self._momentum = _real_in("momentum", momentum, 0, 1, closed=True)
        self._eps = _real_in("eps", eps, 0, math.inf, closed=False)
        if self._eps == 0:
            raise ValueError("eps must be greater than 0, got 0.0")
        self._dtype = float_dtype(dtype)
        self.weight = parameter("weight", 1, shape, self._dtype)
        self.bias = parameter("bias", 0, shape, self._dtype)
        self.running_mean = np.zeros(shape, self._dtype)
        self.running_variance = np.ones(shape, self._dtype)
        self._normalised, self._y = Buffer(), Buffer()
        self._shape: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"BatchNorm({len(self.running_mean)})"

    @property
    def all_parameters(self) -> list[Parameter]:
        return [self.weight, self.bias]

    @property
    def state(self) -> dict[str, Array]:
        return {**super().state, "running_mean": self.running_mean, "running_variance": self.running_variance}

    def _forward(self, x: Array, spare: bool, training: bool) -> tuple[Array, bool]:
        x = self._floating(x, training)
        features = len(self.running_mean)
        if x.shape[-1:] != (features,):
            raise ValueError(f"{self!r} takes an input of shape (..., {features}), got {x.shape}")
        if training and not self.frozen and x.size == 0:
            raise ValueError(f"{self!r} needs at least one row to train on, got shape {x.shape}")
        y = x if spare and x.dtype == self._dtype else result_array(self._y, x.shape, self._dtype, training)
        if training and not self.frozen:
            self._normalise(x, y)
        else:
            scale = (self.weight.value / np.sqrt(self.running_variance + self._eps)).astype(self._dtype, copy=False)
            np.subtract(x, self.running_mean.astype(self._dtype, copy=False), out=y, casting="same_kind")
            y *= scale
            y += self.bias.value
            if training:
                self._kept = (scale,)
        self._shape = x.shape if training else self._shape
        return y, True

    def _normalise(self, x: Array, y: Array) -> None:
        """The output of a batch into y, which may be x."""
        rows, squares = x.reshape(-1, x.shape[-1]), y.reshape(-1, x.shape[-1])
        n = len(rows)
        mean = np.add.reduce(rows, 0, np.float64)
        mean /= n
        normalised = self._normalised.take(rows.shape, self._dtype)
        np.subtract(rows, mean.astype(self._dtype), out=normalised, casting="same_kind")
        np.multiply(normalised, normalised, out=squares)
        variance = np.add.reduce(squares, 0, np.float64)
        variance /= n
        inverse = (1 / np.sqrt(variance + self._eps)).astype(self._dtype)
        np.multiply(normalised, inverse, out=normalised)
        np.multiply(normalised, self.weight.value, out=squares)
        np.add(squares, self.bias.value, out=squares)
        self._kept = (normalised, inverse)
        if n > 1:
            for running, of_batch in ((self.running_mean, mean), (self.running_variance, variance * (n / (n - 1)))):
                running *= self._momentum
                running += (1 - self._momentum) * of_batch

    def _backward(self, dy: Array, spare: bool, needed: bool) -> tuple[Array | None, bool]:
        kept = self._saved()
        self._check_gradient(dy, self._shape)
        if len(kept) == 1:  # was frozen
            dx = dy if spare and dy.dtype == self._dtype else self._gradients.take(dy.shape, self._dtype, dy)
            np.multiply(dy, kept[0], out=dx, casting="same_kind")
            return dx, True
        normalised, inverse = kept
        n = len(normalised)
        rows = dy.reshape(normalised.shape)
        dx = self._gradients.take(normalised.shape, self._dtype, dy)
        np.multiply(rows, normalised, out=dx, casting="same_kind")
        dweight, dbias = np.add.reduce(dx, 0), np.add.reduce(rows, 0, self._dtype)
        if not self.frozen:
            self.weight.grad[...] = dweight
            self.bias.grad[...] = dbias
        if not needed:
            return None, False
        np.multiply(normalised, dweight / n, out=dx)
        np.subtract(rows, dx, out=dx, casting="same_kind")
        np.subtract(dx, dbias / n, out=dx)
        np.multiply(dx, self.weight.value * inverse, out=dx)
        return dx.reshape(dy.shape), True


class Dropout(DrawingLayer):
    """Dropout: in training each element is 0 with probability `rate`, and the others are divided by 1 - rate.

    Without training it is the identity.

    Parameters
    ----------
    rate : float
        From 0, which drops nothing, to below 1.
    rng : numpy.random.Generator, optional
        Source of the choice, by default that of the Sequential.

    Raises
    ------
    TypeError, ValueError
        If ``rate`` is not in [0, 1), or ``rng`` no Generator.

    References
    ----------
    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, "Dropout: A Simple Way to Prevent Neural
    Networks from Overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> layer = nn.Dropout(0.5, rng=np.random.default_rng(0))
    >>> layer.forward(np.ones(5), training=True)
    array([2., 0., 0., 0., 2.])
    >>> layer.forward(np.ones(5))
    array([1., 1., 1., 1., 1.])
    """

    _transparent = True

    def __init__(self, rate: Real, *, rng: np.random.Generator | None = None) -> None:
        super().__init__(rng)
        self._rate = _real_in("rate", rate, 0, 1, closed=False)
        self._mask, self._y = Buffer(), Buffer()

    def __repr__(self) -> str:
        return f"Dropout({self._rate:g})"

    def _forward(self, x: Array, spare: bool, training: bool) -> tuple[Array, bool]:
        x = self._floating(x, training)
        if not training:
            return x, spare
        drawn = np.float64 if x.dtype == np.float64 else np.float32
        mask = self._mask.take(x.shape, np.dtype(drawn))
        self.generators["rng"].random(out=mask, dtype=drawn)
        np.greater_equal(mask, self._rate, out=mask)
        mask /= 1 - self._rate
        self._kept = (mask,)
        y = x if spare else self._y.take(x.shape, x.dtype)
        np.multiply(x, mask, out=y, casting="same_kind")
        return y, True

    def _backward(self, dy: Array, spare: bool, needed: bool) -> tuple[Array | None, bool]:
        (mask,) = self._saved()
        self._check_gradient(dy, mask.shape)
        if not needed:
            return None, False
        dx = dy if spare else self._gradients.take(dy.shape, dy.dtype, dy)
        np.multiply(dy, mask, out=dx, casting="same_kind")
        return dx, True
