"""What the experiments share: data, training with tuned learning rates, findings, and the look of the figures."""

from __future__ import annotations

import functools
import importlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from tqdm import tqdm

import numact as na
from numact import nn

Array = NDArray[Any]
T = TypeVar("T")

CLASSES = 10
LARGE_RATES = [0.02, 0.03, 0.05, 0.07, 0.1, 0.2, 0.5]
LEARNED = 0.9  # the mean test accuracy from which on a network counts as one that has learned
COLORS = {
    "sigmoid": "#c05621", "tanh": "#b7791f", "relu": "#2b6cb0", "leaky_relu": "#319795", "prelu": "#2f855a",
    "elu": "#6b46c1", "selu": "#b83280", "maxout": "#4a5568", "silu": "#e53e3e", "swish": "#e53e3e",
}  # fmt: skip
OTHER_COLORS = ["#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280", "#4a5568"]


@dataclass(frozen=True)
class Setting:
    """How much is run.

    Attributes
    ----------
    seeds : int
        Repetitions, each with initial weights and an order of the samples of its own.
    effort : float
        1 for the figures of the page; less shortens trainings, grids and sweeps.
    progress : bool
        Whether to show bars.
    """

    seeds: int = 5
    effort: float = 1.0
    progress: bool = True

    def epochs(self, full: int) -> int:
        return max(1, round(self.effort * full))

    def some(self, values: Sequence[T]) -> list[T]:
        """All values at full effort, else evenly spread ones, first and last included."""
        count = max(min(2, len(values)), round(self.effort * len(values)))
        return [values[i] for i in np.unique(np.linspace(0, len(values) - 1, count).round().astype(int))]

    def each(self, values: Iterable[T], what: str) -> Iterator[T]:
        """The values, with a progress bar."""
        values = list(values)
        return iter(tqdm(values, what, leave=False, disable=not (self.progress and sys.stderr.isatty())))


@dataclass(frozen=True)
class Finding:
    """A claim, what was measured, and whether the claim held."""

    claim: str
    measured: str
    held: bool


@dataclass(frozen=True)
class Experiment:
    """One file of the lecture: its title and the function (setting, figure) -> findings."""

    name: str
    title: str
    run: Callable[[Setting, Any], list[Finding]]
    size: tuple[float, float] = (9.0, 3.4)


class Data(NamedTuple):
    """Samples of the digits, 64 pixels each, with their labels."""

    x: Array
    y: Array
    x_validation: Array
    y_validation: Array
    x_test: Array
    y_test: Array


@functools.cache
def raw_digits() -> Data:
    """scikit-learn's digits with pixels from 0 to 16: 997 to learn from, 300 to choose by, 500 to test."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(231).permutation(len(images))
    parts = np.split(order, [len(images) - 800, len(images) - 500])
    return Data(*(array[part] for part in parts for array in (images.astype(np.float32), labels)))


@functools.cache
def digits() -> Data:
    """The digits with every pixel centred and all divided by one number."""
    raw = raw_digits()
    scaling = nn.Standardize(per_feature=False).fit(raw.x)
    return Data(*(scaling.transform(each) if each.ndim == 2 else each for each in raw))


@dataclass(frozen=True)
class Trained:
    """A trained model with its history; `diverged` if the loss left the range of numbers."""

    model: nn.Sequential
    history: nn.History
    test_accuracy: float
    diverged: bool

    @property
    def final_loss(self) -> float:
        """The training loss of the last epoch, infinity if the training diverged."""
        return np.inf if self.diverged else self.history.loss[-1]

    def epochs_until(self, loss: float) -> float:
        """The first epoch whose training loss is at most that, infinity if there is none."""
        below = np.flatnonzero(np.asarray(self.history.loss) <= loss)
        return float(below[0]) + 1 if below.size else np.inf


def fit(model: nn.Sequential, x: Array, y: Array, **options: Any) -> nn.History:
    """`nn.fit` without a bar; Ctrl-C ends the experiment with it."""
    history = nn.fit(model, x, y, progress=False, **options)
    if history.stopped == "interrupt":
        raise KeyboardInterrupt
    return history


def train(model: nn.Sequential, lr: float, epochs: int, seed: int, data: Data | None = None, **options: Any) -> Trained:
    """One training with mini-batches of 32 and momentum 0.9 unless told."""
    data = digits() if data is None else data
    history = nn.History()
    diverged = False
    try:
        fit(
            model, data.x, data.y, validation=(data.x_validation, data.y_validation), epochs=epochs, history=history,
            rng=np.random.default_rng(1000 + seed), **{"lr": lr, "momentum": 0.9} | options,
        )  # fmt: skip
    except nn.DivergedError:
        diverged = True
    return Trained(model, history, accuracy(model, data.x_test, data.y_test), diverged)


@np.errstate(all="ignore")
def accuracy(model: nn.Sequential, x: Array, y: Array) -> float:
    return float(np.mean(model.forward(x).argmax(axis=1) == y))


@dataclass(frozen=True)
class Tuned:
    """The trainings at the learning rate that was best."""

    lr: float
    runs: list[Trained]

    @property
    def test(self) -> Array:
        return np.array([run.test_accuracy for run in self.runs])

    def epochs_until(self, loss: float) -> Array:
        return np.array([run.epochs_until(loss) for run in self.runs])

    def curves(self, name: str = "loss") -> Array:
        """That list of the histories, a row for each run, as far as all of them go."""
        lists = [getattr(run.history, name) for run in self.runs]
        shortest = min(map(len, lists))
        return np.array([each[:shortest] for each in lists])


def tuned(
    build: Callable[[np.random.Generator], nn.Sequential],
    setting: Setting,
    epochs: int,
    rates: Sequence[float] = (0.01, 0.03, 0.1, 0.3),
    data: Data | None = None,
    score: Callable[[Trained], float] | None = None,
) -> Tuned:
    """Train with every learning rate and seed; keep the rate with the least score, by default the validation loss."""

    def validation_loss(run: Trained) -> float:
        losses = run.history.validation_loss
        return np.inf if run.diverged or not losses else losses[-1]

    tried = []
    for lr in setting.some(rates):
        runs = [
            train(build(np.random.default_rng(seed)), lr, setting.epochs(epochs), seed, data)
            for seed in range(setting.seeds)
        ]
        tried.append((float(np.mean([(score or validation_loss)(run) for run in runs])), Tuned(lr, runs)))
    return min(tried, key=lambda pair: np.nan_to_num(pair[0], nan=np.inf))[1]


def network(
    activation: str,
    depth: int = 2,
    width: int = 64,
    **options: Any,
) -> Callable[[np.random.Generator], nn.Sequential]:
    """Makes networks of `depth` hidden layers from a generator."""
    return lambda rng: nn.mlp([64, *[width] * depth, CLASSES], activation, rng=rng, **options)


def plain(activation: str, depth: int, width: int = 64, **dense: Any) -> Callable[[np.random.Generator], nn.Sequential]:
    """Makes networks whose hidden `Dense` layers take the options given."""

    def build(rng: np.random.Generator) -> nn.Sequential:
        layers: list[nn.Layer] = []
        for inputs in [64, *[width] * (depth - 1)]:
            layers += [nn.Dense(inputs, width, **dense), nn.Activate(activation)]
        return nn.Sequential(*layers, nn.Dense(width, CLASSES), rng=rng)

    return build


@np.errstate(all="ignore")
def hidden_outputs(model: nn.Sequential, x: Array) -> list[Array]:
    """What the activations of a network put out for x."""
    found = []
    for layer in model.layers:
        x = layer.forward(x)
        if layer.activation is not None:
            found.append(x)
    return found


def gradient_sizes(model: nn.Sequential, x: Array, y: Array) -> list[float]:
    """Root mean square of the gradient of each layer's weights, for the mean loss over x."""
    _, dlogits = nn.softmax_cross_entropy(model.forward(x, training=True), y)
    model.backward(dlogits)
    return [
        float(np.hypot(stats.mean, stats.std))
        for stats in (na.activation_stats(p.grad) for p in model.parameters if p.name.endswith("weight"))
    ]


@np.errstate(all="ignore")
def dead_units(model: nn.Sequential, x: Array) -> float:
    """The part of the hidden units through which no sample sends a gradient. Units of maxout never are."""
    dead, units = 0, 0
    for layer in model.layers:
        y = layer.forward(x, training=True)
        if layer.activation is not None:
            units += y.shape[-1]
            if not isinstance(layer, nn.Maxout):
                dead += int((layer.backward(np.ones_like(y)) == 0).all(axis=0).sum())
        x = y
    return dead / units


# --- words ---


def percent(values: Any) -> str:
    """Mean and range of parts, as "97.3 % (96.8 to 97.9)"."""
    return f"{_spread(100 * np.asarray(values, float), '.1f', ' %')}"


def number(values: Any) -> str:
    """Mean and range of numbers."""
    return _spread(np.asarray(values, float), ".3g", "")


def _spread(values: Array, form: str, unit: str) -> str:
    text = f"{values.mean():{form}}{unit}"
    if values.size > 1 and values.min() < values.max():
        text += f" ({values.min():{form}} to {values.max():{form}})"
    return text


# --- figures ---


def new_figure(size: tuple[float, float]) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=size, dpi=80, layout="constrained")


def panels(figure: Any, count: int, rows: int = 1) -> list[Any]:
    axes = list(np.ravel(figure.subplots(rows, count // rows)))
    for each in axes:
        each.grid(alpha=0.25)
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(labelsize=8)
        each.title.set_fontsize(10)
    return axes


def band(axes: Any, x: Any, runs: Any, label: str, color: str, **style: Any) -> None:
    """The mean of the runs (one per row) and their range; x counts from 1 if it is None."""
    runs = np.asarray(runs, float)
    if x is None:
        x = np.arange(1, runs.shape[1] + 1)
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.plot(x, runs.mean(axis=0), label=label, color=color, linewidth=1.6, **{"marker": ".", "markersize": 4} | style)
    axes.fill_between(x, runs.min(axis=0), runs.max(axis=0), color=color, alpha=0.15, linewidth=0)


def dots(axes: Any, groups: dict[str, Any], colors: Sequence[str] | None = None) -> None:
    """A horizontal row of dots for each group, with a bar at the mean."""
    for i, (label, values) in enumerate(groups.items()):
        color = colors[i] if colors else COLORS.get(label, OTHER_COLORS[i % len(OTHER_COLORS)])
        axes.plot(values, np.full(np.size(values), i), "o", color=color, markersize=4, alpha=0.6)
        axes.plot([np.mean(values)], [i], "|", color=color, markersize=14, markeredgewidth=2)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.margins(y=0.25 if len(groups) < 6 else 0.02)
    axes.locator_params(axis="x", nbins=6)
    axes.invert_yaxis()


def rate_axis(axes: Any) -> None:
    """A logarithmic axis of learning rates, with ticks at every second one of `LARGE_RATES`."""
    axes.set(xlabel="learning rate", xscale="log")
    axes.minorticks_off()
    axes.set_xticks(LARGE_RATES[::2], [f"{rate:g}" for rate in LARGE_RATES[::2]])


def legend(axes: Any, **options: Any) -> None:
    axes.legend(**{"frameon": False, "fontsize": 8} | options)


def experiment(name: str) -> Experiment:
    found = importlib.import_module(f".{name}", __package__).EXPERIMENT
    assert isinstance(found, Experiment)
    return found


# Not beside the command: other processes cannot import what the command line started.
def run(name: str, setting: Setting, out: Path) -> dict[str, Any]:
    """One experiment; writes its figure to `out`."""
    each = experiment(name)
    figure = new_figure(each.size)
    started = time.perf_counter()
    with np.errstate(all="ignore"):  # what diverged stays in the figures as what it became
        findings = each.run(setting, figure)
    seconds = time.perf_counter() - started
    figure.savefig(out / f"{name}.png")
    return {
        "title": each.title,
        "seeds": setting.seeds,
        "effort": setting.effort,
        "seconds": round(seconds, 1),
        "findings": [asdict(finding) for finding in findings],
    }
