"""How the learning rate changes over a training."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numact._types import Real
from numact.nn._checks import known, real

#: ``schedule(epoch, epochs)`` gives what the learning rate is multiplied by: ``epoch`` counts the epochs that are done,
#: with a fraction for the present one, ``epochs`` those of the whole training.
Schedule = Callable[[float, int], float]


@dataclass(frozen=True)
class _Warm:
    """Linear warm-up, which all share."""

    warmup: Real = 0.0

    def __post_init__(self) -> None:
        if not 0 <= real("warmup", self.warmup) < math.inf:
            raise ValueError(f"warmup must be a number of epochs of at least 0, got {self.warmup}")

    def __call__(self, epoch: float, epochs: int) -> float:
        warmup = float(self.warmup)
        if epoch < warmup:
            return epoch / warmup
        return self._after(epoch - warmup, epochs - warmup)

    def _after(self, epoch: float, epochs: float) -> float:
        raise NotImplementedError


@dataclass(frozen=True)
class ConstantSchedule(_Warm):
    """The same learning rate throughout.

    Parameters
    ----------
    warmup : float, optional
        Epochs in which the learning rate first rises linearly from 0.

    Raises
    ------
    TypeError, ValueError
        If a number is outside its domain.

    Examples
    --------
    >>> from numact import nn
    >>> schedule = nn.ConstantSchedule(warmup=2)
    >>> [schedule(epoch, 10) for epoch in (0.5, 1.0, 2.0, 9.5)]
    [0.25, 0.5, 1.0, 1.0]
    """

    def _after(self, epoch: float, epochs: float) -> float:
        return 1.0


@dataclass(frozen=True)
class StepSchedule(_Warm):
    """A learning rate that falls by a factor every so many epochs.

    Computes ``factor ** ((epoch - warmup) // every)``.

    Parameters
    ----------
    warmup : float, optional
        Epochs in which the learning rate first rises linearly from 0; the steps are counted after it.
    every : float, optional
        Epochs from one step to the next.
    factor : float, optional
        What the learning rate is multiplied by at a step.

    Raises
    ------
    TypeError, ValueError
        If a number is outside its domain.

    Examples
    --------
    >>> from numact import nn
    >>> schedule = nn.StepSchedule(every=5, factor=0.5)
    >>> [schedule(epoch, 20) for epoch in (0.0, 4.9, 5.0, 10.0)]
    [1.0, 1.0, 0.5, 0.25]
    """

    every: Real = 10.0
    factor: Real = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not real("every", self.every) > 0:
            raise ValueError(f"every must be a number of epochs above 0, got {self.every}")
        if not 0 <= real("factor", self.factor) < math.inf:
            raise ValueError(f"factor must be a number of at least 0, got {self.factor}")

    def _after(self, epoch: float, epochs: float) -> float:
        factor: float = float(self.factor) ** (epoch // float(self.every))
        return factor


@dataclass(frozen=True)
class CosineSchedule(_Warm):
    """A learning rate that falls along half a period of the cosine until the training ends.

    Computes ``final + (1 - final) * (1 + cos(pi * (epoch - warmup) / (epochs - warmup))) / 2``.

    Parameters
    ----------
    warmup : float, optional
        Epochs in which the learning rate first rises linearly from 0.
    final : float, optional
        The part of the learning rate that is left at the end.

    Raises
    ------
    TypeError, ValueError
        If a number is outside its domain.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017; without restarts.

    Examples
    --------
    >>> from numact import nn
    >>> schedule = nn.CosineSchedule(final=0.1)
    >>> [round(schedule(epoch, 10), 3) for epoch in (0, 5, 10)]
    [1.0, 0.55, 0.1]
    """

    final: Real = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= real("final", self.final) < math.inf:
            raise ValueError(f"final must be a number of at least 0, got {self.final}")

    def _after(self, epoch: float, epochs: float) -> float:
        part = epoch / epochs if epoch < epochs else 1.0
        final = float(self.final)
        return final + (1 - final) * (1 + math.cos(math.pi * part)) / 2


_SCHEDULES: dict[str, type[_Warm]] = {
    "constant": ConstantSchedule,
    "step": StepSchedule,
    "cosine": CosineSchedule,
}


def schedule_of(schedule: Any) -> Schedule:
    """A schedule by its name, or a function that is one."""
    if isinstance(schedule, type) and issubclass(schedule, _Warm):
        raise TypeError(f"schedule must be an instance, nn.{schedule.__name__}(), not the class")
    if callable(schedule):
        try:
            inspect.signature(schedule).bind(0.0, 1)
        except TypeError as error:
            raise TypeError(f"schedule is called with (epochs done, epochs): {error}") from None
        except ValueError:  # of a function in C, which has no signature
            pass
        own: Schedule = schedule
        return own
    return _SCHEDULES[known("schedule", schedule, _SCHEDULES)]()
