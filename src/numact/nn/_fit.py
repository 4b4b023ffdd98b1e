"""The training loop."""

from __future__ import annotations

import difflib
import importlib
import inspect
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NoReturn, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

import numact as na
from numact._functions import flag
from numact._types import Real
from numact.nn._activations import Activate
from numact.nn._callbacks import Callback, History, Run, overriding
from numact.nn._checks import generator, instance, outside, positive_int, real
from numact.nn._data import batches, split
from numact.nn._layer import Layer, Parameter
from numact.nn._regularisation import BatchNorm
from numact.nn._samples import Objective, Samples, objective_of, size_of, weighted
from numact.nn._schedules import ConstantSchedule, Schedule, schedule_of
from numact.nn._sequential import Sequential, leaves

Array = NDArray[Any]


class DivergedError(ArithmeticError):
    """A training step whose loss or gradients are not finite; the weights are those before it.

    Attributes
    ----------
    epoch, step : int
        Both counted from 1, the step since the first epoch.
    history : History
        Of the epochs before.

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> x = np.ones((32, 1))
    >>> model = nn.Sequential(nn.Dense(1, 1), rng=np.random.default_rng(0))
    >>> try:
    ...     nn.fit(model, x, x, loss="mean_squared_error", lr=1e30, epochs=9)
    ... except nn.DivergedError as error:
    ...     print(error.step, error.history.stopped)
    3 diverged
    """

    def __init__(self, what: str, run: Run) -> None:
        super().__init__(
            f"{what} in epoch {run.epoch}, step {run.step}; the weights are those before this step. "
            "Try a smaller learning rate, warm-up or max_norm"
        )
        self.epoch, self.step, self.history = run.epoch, run.step, run.history

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle, which would call the class with the message alone."""
        return DivergedError.__new__, (DivergedError, *self.args), self.__dict__


class _Patience:
    """How long nothing has improved, counted from the losses of the epochs that are done."""

    def __init__(self, patience: int | None, min_delta: float, done: Iterable[float]) -> None:
        self._patience, self._min_delta = patience, min_delta
        self._least, self._waited = math.inf, 0
        for loss in done:
            self.take(loss)

    def take(self, loss: float) -> None:
        self._waited = 0 if loss < self._least - self._min_delta else self._waited + 1
        self._least = min(self._least, loss)

    @property
    def at_its_end(self) -> bool:
        return self._patience is not None and self._waited >= self._patience


class _Best:
    """What the model was after the best epoch so far."""

    def __init__(self, model: Layer) -> None:
        self._model, self._loss = model, math.inf
        self._state: list[tuple[Array, Array]] = []

    def take(self, loss: float) -> None:
        if loss < self._loss:
            self._state = [(value, value.copy()) for value in self._model.state.values()]
            self._loss = loss

    def restore(self) -> None:
        for value, best in self._state:
            value[...] = best


def _optimizer(model: Layer, optimizer: na.SGD | None, options: dict[str, Any]) -> na.SGD:
    parameters = model.parameters
    if not parameters:
        raise ValueError(f"nothing to learn: {model!r} has no parameters that are not frozen")
    if optimizer is None:
        values = [p.value for p in parameters]
        return na.SGD(values, **{"lr": 0.01, "momentum": 0.9, "skip_nonfinite": True} | options)
    if options:
        raise TypeError(f"{', '.join(options)} given beside an optimizer, which has its own: leave out one of them")
    instance("optimizer", optimizer, na.SGD, "a numact.SGD")
    if not _holds(optimizer, parameters):
        raise ValueError(
            "the optimizer holds other arrays than the model learns: "
            "create it by na.SGD([p.value for p in model.parameters], ...) after freezing and replacing layers"
        )
    return optimizer


def _holds(optimizer: na.SGD, parameters: Sequence[Parameter]) -> bool:
    """Whether an optimizer holds the values of these parameters, and no others."""
    held = optimizer.params
    return len(held) == len(parameters) and all(a is p.value for a, p in zip(held, parameters, strict=True))


def _check_unchanged(run: Run) -> None:
    """Refuse that a callback changes what is learned: the optimizer would go on with what was."""
    if not _holds(run.optimizer, run.model.parameters):
        raise ValueError(
            f"by epoch {run.epoch}, step {run.step} a callback has frozen, unfrozen or replaced layers, and the "
            "optimizer holds other arrays than the model learns: end the training by run.stop() instead, change the "
            "layers, and call fit again with its history"
        )


def _tqdm(progress: bool | None) -> Any:
    """The class of progress bars, or None for no bar."""
    if not (progress or (progress is None and sys.stderr is not None and sys.stderr.isatty())):
        return None
    try:
        return importlib.import_module("tqdm").tqdm
    except ImportError:
        if progress:
            raise ImportError(
                "progress=True needs tqdm; install with: python -m pip install 'numact[progress]'"
            ) from None
        return None


@contextmanager
def _bar(tqdm: Any, epochs: int, done: int) -> Iterator[Any]:
    """A bar over the epochs, or None."""
    if tqdm is None:
        yield None
        return
    form = "{l_bar}{bar}| {n:.1f}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"
    with tqdm(total=epochs, initial=done, unit="epoch", leave=False, bar_format=form) as bar:
        yield bar


def _forward(run: Run, outputs: Sequence[Callable[..., None]]) -> Array:
    """The output of the model; layer by layer, which gives the same bits, if somebody looks at their outputs."""
    if not outputs:
        return run.model.forward(run.x, training=True)
    y = run.x
    for name, layer in leaves(run.model):
        y = layer.forward(y, training=True)
        for call in outputs:
            call(run, name, layer, y)
    _check_unchanged(run)
    return y


def _diverged(what: str, run: Run, statistics: list[tuple[Array, Array]]) -> NoReturn:
    """End the training; running statistics, which forward has changed, become those before the step again."""
    for value, before in statistics:
        np.copyto(value, before)
    run.history.stopped = "diverged"
    raise DivergedError(what, run)


# What others call our options.
_ELSEWHERE = {"learning_rate": "lr", "learning_rate_init": "lr", "max_iter": "epochs", "n_epochs": "epochs"}
_SGD_OPTIONS = [name for name in inspect.signature(na.SGD).parameters if name != "params"]


def _check_options(options: dict[str, Any]) -> None:
    """Refuse names that neither `fit` nor the optimizer knows."""
    for name in options:
        if name not in _SGD_OPTIONS:
            known = [*_SGD_OPTIONS, *inspect.signature(fit).parameters]
            close = [_ELSEWHERE[name]] if name in _ELSEWHERE else difflib.get_close_matches(name, known)
            hint = f"did you mean {' or '.join(close)}?" if close else f"numact.SGD takes {', '.join(_SGD_OPTIONS)}"
            raise TypeError(f"fit has no parameter {name!r}; {hint}")


# What the losses apply themselves.
_OF_LOSS = {
    "softmax_cross_entropy": ("softmax", "log_softmax"),
    "binary_cross_entropy_with_logits": ("sigmoid",),
}


def _check_layers(model: Layer, objective: Objective, x: Array, batch_size: int) -> None:
    """Refuse what would learn nothing, and warn of what would learn badly."""
    layers = list(leaves(model))
    for name, layer in layers:
        if isinstance(layer, BatchNorm) and not layer.frozen and x.ndim < 3 and min(batch_size, len(x)) == 1:
            raise ValueError(
                f"layer {name}, {layer!r}, turns a batch of one row into its bias, whatever the row, and nothing could "
                "be learned from x: take batches of two rows or more (batch_size), or freeze the layer"
            )
    _, last = layers[-1]
    if isinstance(last, Activate) and last.activation in _OF_LOSS.get(objective.name, ()):
        warnings.warn(f"{objective.name} takes logits: leave out the last layer, {last!r}", stacklevel=outside())


def _epoch(
    run: Run,
    samples: Samples,
    objective: Objective,
    schedule: Schedule,
    order: dict[str, Any],
    callbacks: list[Callback],
    bar: Any,
) -> dict[str, Any]:
    """All steps of an epoch, and what the history shall say of them."""
    on_output, on_step = overriding(callbacks, "on_output"), overriding(callbacks, "on_step")
    model, optimizer = run.model, run.optimizer
    _check_unchanged(run)
    gradients = [p.grad for p in model.parameters]
    # A model need not have the gradient of its input.
    backward = partial(model.backward, input_gradient=False) if isinstance(model, Sequential) else model.backward
    rates = np.asarray(optimizer.lr)
    constant = schedule == ConstantSchedule()
    memory: dict[str, Array] | None = None
    learned = {id(p.value) for p in model.all_parameters}
    statistics = [(value, value.copy()) for value in model.state.values() if id(value) not in learned]
    total = right = 0.0
    started = time.perf_counter()
    for i, (run.x, run.y, *weight) in enumerate(batches(*samples.arrays(), reuse=True, **order)):
        run.step += 1
        if not constant:
            factor = schedule(run.epoch - 1 + (i + 0.5) / run.steps_per_epoch, run.epochs)
            if not 0 <= real("what the schedule returns", factor) < math.inf:
                raise ValueError(f"a schedule must return a factor of at least 0, got {factor} in epoch {run.epoch}")
            optimizer.lr = (rates * factor).tolist()
        for value, before in statistics:
            np.copyto(before, value)
        run.output = output = _forward(run, on_output)
        if memory is None:  # the first batch is the largest
            memory = objective.buffer(output)
        out = {name: array[: len(output)] for name, array in memory.items()}
        loss, gradient = objective.function(output, run.y, **weighted(weight), **out)
        run.loss = float(loss)
        if not math.isfinite(run.loss):
            _diverged(f"the loss became {run.loss}", run, statistics)
        right += objective.right(output, run.y, *weight or (None,))
        total += run.loss * size_of(run.y, weight)
        backward(gradient)
        for call in on_step:
            call(run)
        if on_step:
            _check_unchanged(run)
        if not optimizer.step(gradients):
            _diverged("gradients are not finite", run, statistics)
        if bar is not None:
            # To this very number: parts of an epoch would add up to a little more.
            bar.update(run.epoch - 1 + (i + 1) / run.steps_per_epoch - bar.n)
    seconds = time.perf_counter() - started
    return {
        "loss": total / samples.total,
        "metric": samples.metric(total / samples.total, right),
        "lr": optimizer.lr if isinstance(optimizer.lr, float) else list(optimizer.lr),
        "seconds": seconds,
        "samples_per_second": len(samples.x) / seconds,
    }


def fit(
    model: Layer,
    x: ArrayLike,
    y: ArrayLike,
    *,
    loss: str | Callable[..., tuple[float, Array]] = "softmax_cross_entropy",
    optimizer: na.SGD | None = None,
    epochs: SupportsIndex = 10,
    batch_size: SupportsIndex = 32,
    shuffle: bool = True,
    sample_weight: ArrayLike | None = None,
    validation: Real | Sequence[ArrayLike] | None = None,
    schedule: str | Schedule = "constant",
    patience: SupportsIndex | None = None,
    min_delta: Real = 0.0,
    restore_best: bool | None = None,
    callbacks: Iterable[Callback] = (),
    progress: bool | None = None,
    rng: np.random.Generator | None = None,
    history: History | None = None,
    **options: Any,
) -> History:
    """Train a model by mini-batch gradient descent.

    Each step takes a batch, goes forward to the loss, backward to the gradients, and updates the parameters. Ctrl-C
    ends the training: the history of the epochs that are done is returned, and the model is as it was best.

    Parameters
    ----------
    model : Layer
        Usually a `Sequential`. Frozen layers are not changed.
    x : array_like, shape (rows, ...)
        Inputs. Floating-point numbers are converted to the dtype of the model once, integers batch by batch.
    y : array_like
        Targets: class numbers of shape (rows,) for "softmax_cross_entropy", an array of the shape of the model's output
        for the other losses, in 0..1 for "binary_cross_entropy_with_logits".
    loss : str or callable, optional
        "softmax_cross_entropy", "binary_cross_entropy_with_logits", "mean_squared_error", or a function of
        (output, y), and of the keyword ``sample_weight`` if there are weights, that returns (mean loss, its gradient by
        the output).
    optimizer : SGD, optional
        One that holds ``[p.value for p in model.parameters]``. By default one is made of ``options``.
    epochs : int, optional
        Passes over the data, those in ``history`` included.
    batch_size : int, optional
        Rows per step; the last batch of an epoch holds what is left.
    shuffle : bool, optional
        Whether each epoch has a new order.
    sample_weight : array_like, shape (rows,), optional
        Weights of the rows in the mean loss, at least 0. Rows of weight 0 are left out.
    validation : float or (x, y) or (x, y, sample_weight), optional
        Data to evaluate after each epoch, or the fraction of ``x`` and ``y`` to `split` off for it, from each class if
        ``y`` are class numbers.
    schedule : str or callable, optional
        How the learning rate changes: "constant", "step", "cosine", one of `ConstantSchedule`, `StepSchedule` and
        `CosineSchedule` with parameters and warm-up, or a function of (epochs done, epochs in all) that returns what
        the learning rate is multiplied by. It is called for every step, with the epochs done in the middle of it.
    patience : int, optional
        End the training after so many epochs in which the validation loss (without validation the training loss) has
        not fallen by more than ``min_delta`` below its least value before.
    min_delta : float, optional
        See ``patience``.
    restore_best : bool, optional
        Whether the model ends as it was after the epoch with the least validation loss (without validation training
        loss) of this call instead of as the last step left it. By default if there is a ``patience``, and after Ctrl-C.
        The optimizer stays as the last step left it.
    callbacks : iterable of Callback, optional
        Called in this order at each step and epoch.
    progress : bool, optional
        Whether to show a progress bar (needs tqdm; extra ``progress``). By default on a terminal if tqdm is there.
    rng : numpy.random.Generator, optional
        Source of the order of the rows, and before it of the choice of a ``validation`` fraction.
    history : History, optional
        That of a training to continue; it is extended. Together with the optimizer and the generator as they were then
        (see `save`) the continued training gives the same bits as one without interruption, except that
        ``restore_best`` looks at the new epochs only.
    **options
        Those of `numact.SGD`, by default ``lr=0.01, momentum=0.9, skip_nonfinite=True``; not beside ``optimizer``.

    Returns
    -------
    History

    Warns
    -----
    UserWarning
        If the last layer is the softmax or sigmoid that the loss takes itself.

    Raises
    ------
    TypeError, ValueError
        If data have the wrong shape, are not finite or empty, labels are out of range, names are unknown, options do
        not fit, or a `BatchNorm` that is not frozen would see one row per batch. Nothing has been changed then. Also if
        a schedule or a loss of your own returns what does not fit.
    ImportError
        If ``progress=True`` and tqdm is not there.
    DivergedError
        If the loss of a step, or with ``skip_nonfinite`` one of its gradients, is not finite. The step is not made.

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(1000, 2))
    >>> labels = (x[:, 0] * x[:, 1] > 0).astype(int)
    >>> model = nn.Sequential(nn.Dense(2, 16), nn.Activate("gelu"), nn.Dense(16, 2), rng=rng)
    >>> history = nn.fit(model, x, labels, lr=0.1, epochs=30, validation=0.2, schedule="cosine", rng=rng)
    >>> history.validation_metric[-1] > 0.95
    True
    """
    instance("model", model, Layer, "a layer, usually an nn.Sequential")
    _check_options(options)
    objective = objective_of(loss)
    schedule = schedule_of(schedule)
    flag("shuffle", shuffle)
    if restore_best is not None:
        flag("restore_best", restore_best)
    epochs, batch_size = positive_int("epochs", epochs), positive_int("batch_size", batch_size)
    if patience is not None:
        patience = positive_int("patience", patience)
    if not 0 <= (min_delta := real("min_delta", min_delta)) < math.inf:
        raise ValueError(f"min_delta must be a number of at least 0, got {min_delta}")
    rng = generator(rng)
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be a list of nn.Callback, got {callbacks!r}")
    callbacks = list(callbacks)
    for each in callbacks:
        if not isinstance(each, Callback):
            raise TypeError(f"callbacks must be instances of classes derived from nn.Callback, got {each!r}")
    if history is not None:
        instance("history", history, History, "an nn.History, that of the training to continue")
    tqdm = _tqdm(progress)
    optimizer = _optimizer(model, optimizer, options)

    samples = Samples(objective, model, x, y, sample_weight)
    _check_layers(model, objective, samples.x, batch_size)
    held_out: Samples | None = None
    if isinstance(validation, (float, np.floating)):
        if history is not None:
            raise ValueError("a training to continue needs its validation data as arrays: a fraction is drawn anew")
        stratify = samples.y if objective.name == "softmax_cross_entropy" else None
        rest, part = split(*samples.arrays(), fraction=float(validation), stratify=stratify, rng=rng)
        samples, held_out = (Samples(objective, model, *arrays) for arrays in (rest, part))
    elif validation is not None:
        if not isinstance(validation, (tuple, list)) or len(validation) not in (2, 3):
            got = type(validation).__name__
            raise TypeError(f"validation must be a fraction such as 0.1, (x, y) or (x, y, sample_weight), got {got}")
        held_out = Samples(objective, model, *validation, prefix="validation ")

    if history is None:
        history = History()
    history.metric_name = objective.metric
    steps = -(-len(samples.x) // batch_size)
    run = Run(model, optimizer, history, epochs, steps, epoch=len(history), step=history.steps)
    steps_before = run.step - run.epoch * steps
    rate = None  # of the epoch, without what a schedule does to it
    waiting, best = _Patience(patience, min_delta, history._watched), _Best(model)
    order = {"batch_size": batch_size, "shuffle": shuffle, "rng": rng}
    try:
        with _bar(tqdm, epochs, len(history)) as bar, np.errstate(all="ignore"):
            for call in overriding(callbacks, "on_train_begin"):
                call(run)
            while run.epoch < epochs and not run.stopping:
                run.epoch += 1
                rate = optimizer.lr
                try:
                    course = _epoch(run, samples, objective, schedule, order, callbacks, bar)
                finally:
                    optimizer.lr = rate
                rate = None
                watched = course["loss"]
                course |= {"validation_loss": math.nan, "validation_metric": math.nan}
                if held_out is not None:
                    watched, course["validation_metric"] = held_out.evaluate(model)
                    course["validation_loss"] = watched
                history.append(run.step, **course)
                waiting.take(watched)
                if restore_best is not False:
                    best.take(watched)
                if waiting.at_its_end and not run.stopping:
                    run.stop("patience")
                if bar is not None:
                    bar.set_postfix(loss=f"{watched:.4g}")
                for call in overriding(callbacks, "on_epoch_end"):
                    call(run)
        history.stopped = run.stopping or "epochs"
        if restore_best or patience is not None:
            best.restore()  # nothing, if nothing was to be taken
    except KeyboardInterrupt:
        history.cut()
        history.steps = steps_before + len(history) * steps
        history.stopped = "interrupt"
        if rate is not None:
            optimizer.lr = rate
        best.restore()
    finally:
        try:
            with ExitStack() as ends:  # of which all are called, also where one raises
                for call in reversed(list(overriding(callbacks, "on_train_end"))):
                    ends.callback(call, run)
        except KeyboardInterrupt:
            history.stopped = "interrupt"
    return history
