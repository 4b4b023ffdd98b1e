"""What a training tells about itself while it runs, and afterwards."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

import numact as na
from numact.nn._layer import Layer

Array = NDArray[Any]


@dataclass
class History:
    """The course of a training, one element per epoch in every list.

    Attributes
    ----------
    loss : list of float
        Mean loss over the training data, each batch as it was before its step.
    metric : list of float
        "accuracy" (the part of the labels that is right) for the cross-entropies, "r2" (one minus the mean squared
        error over that of the mean target) for the mean squared error, NaN for a loss of your own.
    validation_loss, validation_metric : list of float
        The same of the validation data at the end of the epoch; NaN without them.
    lr : list of float
        Learning rate of the last step. A list where the optimizer has one for each array.
    seconds : list of float
        Time for the steps, without the validation and what callbacks do at the end of the epoch.
    samples_per_second : list of float
    metric_name : str or None
        "accuracy", "r2" or None.
    steps : int
        Number of steps so far.
    best_epoch : int or None
        The epoch, counted from 1, whose validation loss (training loss without validation) was least.
    stopped : str
        Why the training ended: "epochs", "patience", "interrupt", "diverged", or what a callback gave to
        `Run.stop`.

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> x = np.linspace(-1, 1, 32).reshape(-1, 1)
    >>> model = nn.Sequential(nn.Dense(1, 1), rng=np.random.default_rng(0))
    >>> history = nn.fit(model, x, x, loss="mean_squared_error", epochs=2, rng=np.random.default_rng(1))
    >>> sorted(history.as_dict())
    ['epoch', 'loss', 'lr', 'metric', 'samples_per_second', 'seconds', 'validation_loss', 'validation_metric']
    >>> len(history), history.stopped
    (2, 'epochs')
    >>> history.best_epoch
    2
    """

    loss: list[float] = field(default_factory=list)
    metric: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_metric: list[float] = field(default_factory=list)
    lr: list[Any] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    samples_per_second: list[float] = field(default_factory=list)
    metric_name: str | None = None
    steps: int = 0
    stopped: str = ""

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def _watched(self) -> list[float]:
        """The validation losses, without validation the training losses; NaN as infinity."""
        validated = not all(map(math.isnan, self.validation_loss))
        return [math.inf if math.isnan(v) else v for v in (self.validation_loss if validated else self.loss)]

    @property
    def best_epoch(self) -> int | None:
        """The epoch, counted from 1, whose validation loss (training loss without validation) was least."""
        watched = self._watched
        return watched.index(min(watched)) + 1 if watched else None

    def append(self, steps: int, **epoch: Any) -> None:
        """Add an epoch.

        Parameters
        ----------
        steps : int
            Number of steps after it.
        **epoch
            An element for each list, by its name.
        """
        for name, value in epoch.items():
            getattr(self, name).append(value)
        self.steps = steps

    def cut(self) -> None:
        """Leave whole epochs, after Ctrl-C in `append`."""
        lists = [value for value in vars(self).values() if isinstance(value, list)]
        epochs = min(map(len, lists))
        for each in lists:
            del each[epochs:]

    def as_dict(self) -> dict[str, list[Any]]:
        """The lists by name, with "epoch" from 1: what ``pandas.DataFrame`` takes.

        Returns
        -------
        dict of str to list
            Copies.
        """
        lists = {each.name: getattr(self, each.name) for each in fields(self)}
        return {"epoch": list(range(1, len(self) + 1))} | {
            name: list(value) for name, value in lists.items() if isinstance(value, list)
        }


@dataclass(eq=False, slots=True)  # assigning stop would have no effect
class Run:
    """A training while it runs, as callbacks see it.

    Attributes
    ----------
    model : Layer
    optimizer : SGD
    history : History
        Of the epochs that are done.
    epochs : int
        Epochs of the whole training.
    steps_per_epoch : int
    epoch : int
        The present epoch, counted from 1.
    step : int
        The present step, counted from 1 since the first epoch.
    x, y : ndarray
        The present batch. Overwritten by the next one.
    output : ndarray
        What the model made of ``x``; may be overwritten on the way back.
    loss : float
        The loss of the present batch.
    stopping : str
        What `stop` was given, empty before.

    Examples
    --------
    Stop at the first epoch with a loss below a limit:

    >>> import numpy as np
    >>> from numact import nn
    >>> class Limit(nn.Callback):
    ...     def on_epoch_end(self, run):
    ...         if run.history.loss[-1] < 1e-3:
    ...             run.stop("limit")
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = nn.Sequential(nn.Dense(1, 1), rng=np.random.default_rng(0))
    >>> nn.fit(model, x, 2 * x, loss="mean_squared_error", lr=0.1, epochs=99, callbacks=[Limit()]).stopped
    'limit'
    """

    model: Layer
    optimizer: na.SGD
    history: History
    epochs: int
    steps_per_epoch: int
    epoch: int = 0
    step: int = 0
    x: Array = field(default_factory=lambda: np.empty(0))
    y: Array = field(default_factory=lambda: np.empty(0))
    output: Array = field(default_factory=lambda: np.empty(0))
    loss: float = math.nan
    stopping: str = field(default="", init=False)

    def stop(self, reason: str = "callback") -> None:
        """End the training after the present epoch.

        Parameters
        ----------
        reason : str, optional
            What becomes ``history.stopped``; not empty.

        Raises
        ------
        TypeError, ValueError
            If it is no string, or an empty one.
        """
        if not isinstance(reason, str):
            raise TypeError(f"reason must be a string, got {reason!r}")
        if not reason:
            raise ValueError("reason must not be empty")
        self.stopping = reason


class Callback:
    """Base of what is called during a training; override what is needed.

    Each method takes the training as it runs, a `Run`. An exception that it raises ends the training and leaves the
    weights as they are then.

    Examples
    --------
    The norm of the gradient of each step:

    >>> import numpy as np
    >>> from numact import nn
    >>> class Norms(nn.Callback):
    ...     def on_train_begin(self, run):
    ...         self.norms = []
    ...
    ...     def on_step(self, run):
    ...         self.norms.append(np.linalg.norm(run.model.parameters[0].grad))
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> model = nn.Sequential(nn.Dense(1, 1), rng=np.random.default_rng(0))
    >>> norms = Norms()
    >>> history = nn.fit(model, x, 2 * x, loss="mean_squared_error", epochs=3, batch_size=32, callbacks=[norms])
    >>> len(norms.norms)
    6
    """

    def on_train_begin(self, run: Run) -> None:
        """Before the first step."""

    def on_output(self, run: Run, name: str, layer: Layer, y: Array) -> None:
        """After each layer of the model, in training steps: its output, before the next layer may overwrite it.

        Parameters
        ----------
        run : Run
        name : str
            Position of the layer as in the names of its parameters: "0" for "0.weight".
        layer : Layer
        y : ndarray
            Its output.
        """

    def on_step(self, run: Run) -> None:
        """After the gradients of a step are there, before the optimizer uses them."""

    def on_epoch_end(self, run: Run) -> None:
        """After each epoch, its validation included.

        The learning rate of the optimizer is that without schedule; a callback may set it for the epochs that follow.
        """

    def on_train_end(self, run: Run) -> None:
        """At the end, however the training ended."""


def overriding(callbacks: list[Callback], method: str) -> list[Any]:
    """The methods of that name of the callbacks that have one of their own: the others cost nothing."""
    base = getattr(Callback, method)
    return [getattr(each, method) for each in callbacks if getattr(type(each), method) is not base]
