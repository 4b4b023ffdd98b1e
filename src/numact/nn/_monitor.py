"""The health of a network while it learns."""

from __future__ import annotations

import math
import os
import warnings
from dataclasses import dataclass, field
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

import numact as na
from numact._stats import activation_stats, saturated_ends
from numact._types import Real
from numact.nn._activations import Activate
from numact.nn._callbacks import Callback, Run
from numact.nn._checks import outside, positive_int, real
from numact.nn._data import root_mean_square
from numact.nn._layer import Layer
from numact.nn._sequential import leaves

Array = NDArray[Any]


class HealthWarning(UserWarning):
    """What a `Monitor` found wrong with a training.

    Examples
    --------
    Make an error of it:

    >>> import warnings
    >>> from numact import nn
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", nn.HealthWarning)
    """


@dataclass(frozen=True)
class Finding:
    """One thing that a `Monitor` found.

    Attributes
    ----------
    kind : {"dead", "saturated", "vanishing", "exploding", "nonfinite"}
    layer : str
        Its position in the model, as in the names of its parameters.
    epoch, step : int
        When it was found, counted from 1.
    message : str

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> x = np.ones((8, 1))
    >>> model = nn.Sequential(nn.Dense(1, 1, initial_weight=1e6), rng=np.random.default_rng(0))
    >>> monitor = nn.Monitor(warn=False)
    >>> history = nn.fit(model, x, x, loss="mean_squared_error", lr=1e-9, epochs=1, callbacks=[monitor])
    >>> finding = monitor.findings[0]
    >>> finding.kind, finding.layer, finding.epoch, finding.step
    ('exploding', '0', 1, 1)
    """

    kind: str
    layer: str
    epoch: int
    step: int
    message: str


@dataclass(eq=False)
class LayerHealth:
    """What a `Monitor` recorded of one layer: lists with one element per recorded step.

    Attributes
    ----------
    title : str
        Position and layer.
    mean, std, min, max, zero, saturated, nonfinite : list of float
        `numact.activation_stats` of the outputs in the batch; saturated is NaN where the outputs do not tell.
    dead : list of float
        The part of the units that were dead in the whole batch: 0 for a rectifier, or at its upper end, saturated for
        all others.
    gradient_norm : list of float
        Euclidean norm of the gradients of all parameters, NaN while the layer is frozen; empty for one without.

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> x = np.linspace(-1, 1, 8).reshape(-1, 1)
    >>> model = nn.Sequential(nn.Dense(1, 1, initial_weight=2.0), rng=np.random.default_rng(0))
    >>> monitor = nn.Monitor()
    >>> history = nn.fit(model, x, x, loss="mean_squared_error", epochs=1, callbacks=[monitor])
    >>> health = monitor.layers["0"]
    >>> health.title, health.min, health.max
    ('0 Dense(1, 1)', [-2.0], [2.0])
    """

    title: str
    mean: list[float] = field(default_factory=list)
    std: list[float] = field(default_factory=list)
    min: list[float] = field(default_factory=list)
    max: list[float] = field(default_factory=list)
    zero: list[float] = field(default_factory=list)
    saturated: list[float] = field(default_factory=list)
    nonfinite: list[float] = field(default_factory=list)
    dead: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dead_so_far: Array | None = None  # units, in all recorded batches of the present epoch
        self._parameters = 0

    def _cut(self, steps: int) -> None:
        """Leave whole steps, after one that broke off."""
        for each in vars(self).values():
            if isinstance(each, list):
                del each[steps:]

    def _fill(self, steps: int, learns: bool) -> None:
        """NaN for the steps in which there was no such layer."""
        for name, each in vars(self).items():
            if isinstance(each, list) and (learns or name != "gradient_norm"):
                each.extend([math.nan] * (steps - len(each)))


class Monitor(Callback):
    """A callback of `fit` that records activations and gradients of each layer, and warns of what stops learning.

    It warns by `HealthWarning`, once per layer and kind, and keeps every warning in `findings`: of units that are dead
    in a whole epoch (a rectifier at 0 or at its upper end, another activation saturated), of layers that are saturated
    in more than half of their outputs, of gradients that vanish or explode, and of the first layer that is not finite.
    It holds what it found in the latest training, of which one that `fit` continues by its history is a part.

    Parameters
    ----------
    every : int, optional
        Record each so-many-th step. Values that end a training because they are not finite are found at any step.
    dead : float, optional
        Warn if more than this part of the units of a layer is dead.
    saturated : float, optional
        Warn if more than this part of the outputs in an epoch is saturated. Rectifiers, whose zeros are their
        saturation, are judged by their dead units alone.
    vanishing : float, optional
        Warn if the root mean square of a layer's gradients over an epoch is less than this part of the largest one
        among the layers.
    exploding : float, optional
        Warn if the norm of the gradients of a layer is larger than this.
    warn : bool, optional
        False fills `findings` only.

    Raises
    ------
    TypeError, ValueError
        If ``every`` is not positive, or a limit is negative.

    Attributes
    ----------
    layers : dict of str to LayerHealth
        What was recorded, by the position of the layer ("0" for "0.weight").
    steps : list of int
        The recorded steps.
    findings : list of Finding

    Examples
    --------
    >>> import numpy as np
    >>> from numact import nn
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(256, 4))
    >>> labels = (x[:, 0] > 0).astype(int)
    >>> bad = nn.Dense(4, 8, initial_bias=-100.0)
    >>> model = nn.Sequential(bad, nn.Activate("relu"), nn.Dense(8, 2), rng=rng)
    >>> monitor = nn.Monitor(warn=False)
    >>> history = nn.fit(model, x, labels, epochs=1, callbacks=[monitor], rng=rng)
    >>> monitor.layers["1"].zero
    [1.0]
    >>> print(monitor.findings[0].message.partition(";")[0])
    1 Activate('relu'), epoch 1, step 8: 8 of 8 units are dead, 0 for every sample
    """

    def __init__(
        self,
        *,
        every: SupportsIndex = 10,
        dead: Real = 0.1,
        saturated: Real = 0.5,
        vanishing: Real = 1e-3,
        exploding: Real = 100.0,
        warn: bool = True,
    ) -> None:
        self.every = positive_int("every", every)
        limits = {"dead": dead, "saturated": saturated, "vanishing": vanishing, "exploding": exploding}
        for name, value in limits.items():
            if not real(name, value) >= 0:
                raise ValueError(f"{name} must be at least 0, got {value!r}")
        self.dead, self.saturated, self.vanishing, self.exploding = dead, saturated, vanishing, exploding
        self.warn = warn
        self._start()

    def _start(self) -> None:
        self.layers: dict[str, LayerHealth] = {}
        self.steps: list[int] = []
        self.findings: list[Finding] = []
        self._epoch_start = 0  # index of the first recorded step of the epoch

    def _due(self, run: Run) -> bool:
        return (run.step - 1) % self.every == 0

    def _found(self, kind: str, layer: str, run: Run, what: str) -> None:
        if any(each.kind == kind and each.layer == layer for each in self.findings):
            return
        message = f"{self.layers[layer].title}, epoch {run.epoch}, step {run.step}: {what}"
        self.findings.append(Finding(kind, layer, run.epoch, run.step, message))
        if self.warn:
            warnings.warn(message, HealthWarning, stacklevel=outside())

    def on_train_begin(self, run: Run) -> None:
        if run.step == 0:
            self._start()
        self._epoch_start = len(self.steps)
        for record in self.layers.values():
            record._cut(len(self.steps))
        for name, layer in leaves(run.model):
            title = f"{name} {layer!r}".strip()
            record = self.layers.setdefault(name, LayerHealth(title))
            record.title = title  # the model may be another than before
            record._fill(len(self.steps), bool(layer.all_parameters))
            record._dead_so_far = None  # of an epoch that did not end

    def on_output(self, run: Run, name: str, layer: Layer, y: Array) -> None:
        if not self._due(run):
            return
        record = self.layers[name]
        ends, rectifier = _ends(layer)
        low, high = ends or (None, None)
        y = y.reshape(-1, y.shape[-1] if y.ndim > 1 else 1)
        units = activation_stats(y, 0, low=low, high=high)
        mean = _mean(units.mean)
        record.mean.append(mean)
        record.std.append(_size(np.hypot(units.std, units.mean - mean)))
        record.min.append(float(np.fmin.reduce(units.min)))
        record.max.append(float(np.fmax.reduce(units.max)))
        record.zero.append(_mean(units.zero))
        record.saturated.append(math.nan if ends is None else _mean(units.saturated))
        record.nonfinite.append(_mean(units.nonfinite))
        dead = np.asarray((units.zero if rectifier or ends is None else units.saturated) == 1)
        if rectifier and high is not None:
            dead |= activation_stats(y, 0, high=high).saturated == 1
        elif layer.activation == "crelu":  # of x and -x
            dead = np.logical_and(*np.split(dead, 2))
        record.dead.append(_mean(dead))
        record._dead_so_far = dead if record._dead_so_far is None else record._dead_so_far & dead
        if record.nonfinite[-1] > 0 and not any(each.kind == "nonfinite" for each in self.findings):
            self._found("nonfinite", name, run, f"{record.nonfinite[-1]:.1%} of the outputs are not finite")

    def on_step(self, run: Run) -> None:
        if not self._due(run):
            return
        self.steps.append(run.step)
        for name, layer in leaves(run.model):
            if not layer.all_parameters:
                continue
            record = self.layers[name]
            stats = [activation_stats(p.grad) for p in layer.parameters]
            sizes = [p.grad.size for p in layer.parameters]
            norms = [math.sqrt(n) * math.hypot(s.mean, s.std) for n, s in zip(sizes, stats, strict=True)]
            finite = not any(s.nonfinite for s in stats)
            norm = math.hypot(*norms) if sizes and finite else math.nan
            record._parameters = sum(sizes)
            record.gradient_norm.append(norm)
            if norm > self.exploding:
                self._found(
                    "exploding", name, run,
                    f"the gradients explode, their norm is {norm:.3g}; try a smaller learning rate, max_norm, or "
                    "another initialisation",
                )  # fmt: skip

    def on_epoch_end(self, run: Run) -> None:
        start, self._epoch_start = self._epoch_start, len(self.steps)
        if start == len(self.steps):
            return
        layers = dict(leaves(run.model))
        for name, layer in layers.items():
            record = self.layers[name]
            ends, rectifier = _ends(layer)
            dead, record._dead_so_far = record._dead_so_far, None
            if layer.activation is None or dead is None:
                continue
            if np.mean(dead) > self.dead:
                how = "0" if rectifier or ends is None else "saturated"
                if rectifier and ends is not None and ends[1] is not None:
                    how += f" or {ends[1]:g}"
                self._found(
                    "dead", name, run,
                    f"{dead.sum()} of {dead.size} units are dead, {how} for every sample; try a smaller learning rate, "
                    "another initialisation, or an activation with a gradient on both sides",
                )  # fmt: skip
            part = _mean(record.saturated[start:])
            if ends is not None and not rectifier and part > self.saturated:
                self._found(
                    "saturated", name, run,
                    f"{part:.0%} of the outputs are saturated, where the gradient is about 0; try smaller initial "
                    "weights, normalised inputs, or an activation that does not saturate",
                )  # fmt: skip
        sizes = {
            name: _size(self.layers[name].gradient_norm[start:]) / math.sqrt(self.layers[name]._parameters)
            for name, layer in layers.items()
            if layer.parameters and self.layers[name]._parameters
        }
        largest = max(sizes.values(), default=0.0)
        for name, size in sizes.items():
            if size < self.vanishing * largest:
                self._found(
                    "vanishing", name, run,
                    f"the gradients vanish, their root mean square is {size / largest:.1e} of the largest among the "
                    "layers; try another activation or initialisation, or batch normalisation",
                )  # fmt: skip

    def on_train_end(self, run: Run) -> None:
        """Names the layer where the training met a value that is not finite, whether its step is recorded or not."""
        if any(each.kind == "nonfinite" for each in self.findings):
            return
        if run.step and not math.isfinite(run.loss):
            y = run.x
            for name, layer in leaves(run.model):
                with np.errstate(all="ignore"):
                    y = layer.forward(y)
                if part := activation_stats(y).nonfinite:
                    self._found("nonfinite", name, run, f"{part:.1%} of the outputs are not finite")
                    return
        for name, layer in reversed(list(leaves(run.model))):
            for p in layer.parameters:
                if part := activation_stats(p.grad).nonfinite:
                    self._found("nonfinite", name, run, f"{part:.1%} of the gradients of {p.name} are not finite")
                    return

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw the course of every layer: spread of its outputs, zeros and saturation, norms of the gradients.

        Parameters
        ----------
        path : str or path, optional
            Where to write the picture: .png, .pdf or .svg.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            If matplotlib is not there.
        RuntimeError
            If nothing is recorded.
        ValueError
            If ``path`` ends in no format of matplotlib.
        OSError
            If it cannot be written.
        """
        try:
            from matplotlib import colormaps
            from matplotlib.figure import Figure
        except ImportError:
            install = "python -m pip install 'numact[plot]'"
            raise ImportError(f"Monitor.plot needs matplotlib; install with: {install}") from None
        if not self.steps:
            raise RuntimeError("nothing is recorded yet: give the monitor to fit first, callbacks=[monitor]")
        figure: Any = Figure(figsize=(11, 6.4), dpi=110, layout="constrained")
        (spread, parts), (dead, gradients) = figure.subplots(2, 2, sharex=True)
        marker = "o" if len(self.steps) == 1 else None
        shades = colormaps["viridis"](np.linspace(0, 0.9, max(2, len(self.layers))))
        for record, shade in zip(self.layers.values(), shades, strict=False):
            steps = self.steps[: len(record.mean)]
            mean, std = (np.asarray(each[: len(steps)]) for each in (record.mean, record.std))
            style = {"color": shade, "marker": marker}
            spread.plot(steps, mean, label=record.title, **style)
            spread.fill_between(steps, mean - std, mean + std, color=shade, alpha=0.12, linewidth=0)
            saturated = np.asarray(record.saturated[: len(steps)])
            if not np.isnan(saturated).all():
                parts.plot(steps, saturated, **style)
            dead.plot(steps, record.dead[: len(steps)], **style)
            if record.gradient_norm:
                gradients.plot(self.steps[: len(record.gradient_norm)], record.gradient_norm, **style)
        spread.set_title("outputs: mean and deviation")
        parts.set(title="saturated part of the outputs", ylim=(-0.03, 1.03))
        dead.set(title="dead part of the units, by batch", ylim=(-0.03, 1.03), xlabel="step")
        gradients.set(title="norm of the gradients", xlabel="step", yscale="log")
        for axes in figure.axes:
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        figure.legend(*spread.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize="small")
        if path is not None:
            figure.savefig(path)
        return figure


def _ends(layer: Layer) -> tuple[tuple[float | None, float | None] | None, bool]:
    """Where a layer is saturated, None if nowhere or not known; and whether it is a rectifier: saturated at zeros."""
    name = layer.activation
    ends = None if name is None else saturated_ends(name)
    if name is None or ends is None or ends == (None, None):
        return None, False
    record = na.activations[name]
    if record.kind != "elementwise":
        return ends, False
    values = layer._values if isinstance(layer, Activate) else []
    if any(np.ndim(value) for value in values):
        return None, False
    if values:
        # The catalogue has the ends for default parameters. With others nothing may lie beyond; behind a parameter is
        # where a function may jump.
        between = record.forward([0.0, *np.nextafter(values, math.inf)], *values)
        low, high = record.forward([-math.inf, math.inf], *values).tolist()
        ends = (None if ends[0] is None else low, None if ends[1] is None else high)
        if between.min() < low or between.max() > high:
            return None, False
    return ends, ends[0] == 0 and float(record.forward(0.0, *values)) == 0


def _mean(values: Any) -> float:
    """The mean of those that are not NaN, NaN if there are none."""
    known = _known(values)
    return float(known.mean()) if known.size else math.nan


def _size(values: Any) -> float:
    """The root mean square of those that are not NaN, NaN if there are none."""
    known = _known(values)
    return float(root_mean_square(known)) if known.size else math.nan


def _known(values: Any) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    return array[~np.isnan(array)]
