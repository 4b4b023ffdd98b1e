"""Losses as the training loop needs them, and the data it runs over."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numact.nn._checks import known
from numact.nn._data import batches, check_finite, rows_of
from numact.nn._layer import Layer
from numact.nn._loss import (
    binary_cross_entropy_with_logits,
    class_numbers,
    mean_squared_error,
    softmax_cross_entropy,
)

Array = NDArray[Any]

_EVALUATED_ROWS = 1024  # at a time, outside of training: enough for the matrix product, little for the caches


@dataclass(frozen=True)
class Objective:
    """A loss with what `fit` must know about it."""

    name: str
    function: Callable[..., tuple[float, Array]]
    metric: str | None = None

    def targets(self, name: str, y: Array, output: Array, dtype: np.dtype[Any], places: Array | None) -> Array:
        """Checked targets; ``output`` is that of the model for one row, ``places`` as for `check_finite`."""
        if self.name == "softmax_cross_entropy":
            return self._labels(name, y, output, places)
        if y.dtype.kind not in "biuf":
            raise TypeError(f"{name} must be real numbers, got dtype {y.dtype}")
        if self.metric is None:
            return y
        if y.shape[1:] != output.shape[1:]:
            expected = (len(y), *output.shape[1:])
            hint = f"; pass {name}.reshape(-1, 1)" if y.ndim == 1 and expected[1:] == (1,) else ""
            raise ValueError(f"{name} must have the shape of the model's output, {expected}, got {y.shape}{hint}")
        y = y.astype(dtype, copy=False)
        check_finite(name, y, places)
        if self.name == "binary_cross_entropy_with_logits" and not (y.min() >= 0 and y.max() <= 1):
            raise ValueError(f"{name} must lie in 0..1 for {self.name}, got {y.min()} to {y.max()}")
        return y

    def _labels(self, name: str, y: Array, output: Array, places: Array | None) -> Array:
        y = class_numbers(name, y)
        if output.ndim != 2:
            raise ValueError(f"{self.name} needs a model with outputs of shape (rows, classes), got {output.shape}")
        classes = output.shape[1]
        if y.ndim != 1:
            hint = ""
            if y.shape[1:] == (1,):
                hint = f"; pass {name}.ravel()"
            elif y.shape[1:] == (classes,):
                hint = f"; for one-hot rows pass {name}.argmax(axis=1)"
            raise ValueError(f"{name} must have shape (rows,), one class number per row, got {y.shape}{hint}")
        if y.min() < 0 or y.max() >= classes:
            row = int(((y < 0) | (y >= classes)).argmax())
            place = row if places is None else places[row]
            outputs = f"{classes} outputs" if classes > 1 else "1 output"
            hint = '; for two classes take loss="binary_cross_entropy_with_logits" and y of shape (rows, 1)'
            raise ValueError(
                f"{name} must lie in 0..{classes - 1}, the model has {outputs}; label {place} is {y[row]}"
                f"{hint if classes == 1 else ''}"
            )
        return y.astype(np.intp, copy=False)

    def right(self, output: Array, y: Array, weight: Array | None) -> float:
        """The part of the labels that is right, summed over the rows; 0 where another metric goes by the loss."""
        if self.metric != "accuracy":
            return 0.0
        if self.name == "softmax_cross_entropy":
            right = output.argmax(axis=1) == y
        else:
            right = output > 0
            right = np.equal(right, y > 0.5, out=right).reshape(len(y), -1)
        if weight is None:
            return float(np.count_nonzero(right) * len(y) / right.size)
        return float((right if right.ndim == 1 else right.mean(axis=1)) @ weight)

    def buffer(self, output: Array) -> dict[str, Array]:
        """Memory for the gradient by an output, for functions that take it."""
        return {} if self.metric is None else {"out": np.empty_like(output)}


_LOSSES = {
    function.__name__: Objective(function.__name__, function, metric)
    for function, metric in (
        (softmax_cross_entropy, "accuracy"),
        (binary_cross_entropy_with_logits, "accuracy"),
        (mean_squared_error, "r2"),
    )
}


def objective_of(loss: Any) -> Objective:
    """A loss by its name, or of a function."""
    if isinstance(loss, Objective):
        return loss
    return Objective("", _paired(loss)) if callable(loss) else _LOSSES[known("loss", loss, _LOSSES)]


def _paired(function: Callable[..., Any]) -> Callable[..., tuple[float, Array]]:
    """A function that refuses what is no pair."""

    @functools.wraps(function)
    def loss(*args: Any, **options: Any) -> tuple[float, Array]:
        result = function(*args, **options)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            got = f"{len(result)} values" if isinstance(result, (tuple, list)) else type(result).__name__
            raise TypeError(f"loss must return the pair (mean loss, its gradient by the output), got {got}")
        return result[0], result[1]

    return loss


class Samples:
    """Checked data with what is needed to turn the sums over them into means."""

    @np.errstate(all="ignore")
    def __init__(
        self,
        objective: Objective,
        model: Layer,
        x: ArrayLike,
        y: ArrayLike,
        weight: ArrayLike | None = None,
        *,
        prefix: str = "",
    ) -> None:
        names = [f"{prefix}x", f"{prefix}y", f"{prefix}sample_weight"]
        given = [x, y] if weight is None else [x, y, weight]
        self.x, self.y, *rest = rows_of(dict(zip(names, given, strict=False)))
        if len(self.x) == 0:
            raise ValueError(f"{names[0]} has no rows, its shape is {self.x.shape}: at least one is needed")
        self.weight: Array | None = None
        places = self._weigh(names[2], rest[0]) if rest else None
        dtype = next((value.dtype for value in model.state.values() if value.dtype.kind == "f"), np.dtype(np.float32))
        if self.x.dtype.kind not in "biuf":
            raise TypeError(f"{names[0]} must be real numbers, got dtype {self.x.dtype}")
        if self.x.dtype.kind == "f":
            self.x = self.x.astype(dtype, copy=False)
            check_finite(names[0], self.x, places)
        try:
            output = model.forward(self.x[:1])
        except ValueError as error:
            what = f"{names[0]} of shape {self.x.shape} does not fit, as its first row shows"
            raise ValueError(f"{what}: {error}") from error
        self.y = objective.targets(names[1], self.y, output, dtype, places)
        self.total = float(len(self.x) if self.weight is None else self.weight.sum())
        self._objective = objective
        self.variance = self._variance() if objective.metric == "r2" else math.nan

    def _weigh(self, name: str, weight: Array) -> Array | None:
        """Take the weights, and only the rows that count, whose places are returned if those are not all."""
        if weight.dtype.kind not in "biuf":
            raise TypeError(f"{name} must be real numbers, got dtype {weight.dtype}")
        if weight.ndim != 1:
            raise ValueError(f"{name} must have shape (rows,), got {weight.shape}")
        check_finite(name, weight)
        if weight.min() < 0:
            raise ValueError(f"{name} must be at least 0, got {weight.min()}")
        if weight.max() == 0:
            raise ValueError(f"{name} is zero for every row: one must count at least")
        places = None
        if weight.min() == 0:
            places = np.flatnonzero(weight)
            self.x, self.y, weight = self.x[places], self.y[places], weight[places]
        self.weight = weight.astype(np.float64, copy=False)
        if not math.isfinite(self.weight.sum()):
            raise ValueError(f"{name} must have a finite sum, got weights of up to {weight.max()}")
        return places

    def _variance(self) -> float:
        """What the loss of the mean target is."""
        y = self.y.astype(np.float64)
        mean = np.broadcast_to(np.average(y, axis=0, weights=self.weight), y.shape)
        return self._objective.function(mean, y, **weighted(self.arrays()[2:]))[0]

    def arrays(self) -> list[Array]:
        return [self.x, self.y] if self.weight is None else [self.x, self.y, self.weight]

    def metric(self, loss: float, right: float) -> float:
        if self._objective.metric == "accuracy":
            return right / self.total
        return 1 - loss / self.variance if self.variance > 0 else math.nan

    def evaluate(self, model: Layer) -> tuple[float, float]:
        """Mean loss and metric of the model as it is."""
        total = right = 0.0
        for x, y, *weight in batches(*self.arrays(), batch_size=_EVALUATED_ROWS, shuffle=False):
            output = model.forward(x)
            loss, _ = self._objective.function(output, y, **weighted(weight))
            total += float(loss) * size_of(y, weight)
            right += self._objective.right(output, y, *weight or (None,))
        loss = total / self.total
        return loss, self.metric(loss, right)


def weighted(weight: Sequence[Array]) -> dict[str, Array]:
    return {"sample_weight": weight[0]} if weight else {}


def size_of(y: Array, weight: Sequence[Array]) -> float:
    return float(weight[0].sum()) if weight else len(y)
