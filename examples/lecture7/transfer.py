"""Transfer learning: from the digits 0 to 4 to the digits 5 to 9."""

from __future__ import annotations

from typing import Any

import numpy as np

from numact import nn

from .common import (
    OTHER_COLORS,
    Data,
    Experiment,
    Finding,
    Setting,
    accuracy,
    band,
    digits,
    legend,
    panels,
    percent,
    train,
)

PER_CLASS = [1, 2, 5, 10, 20, 50]
WAYS = ("from scratch", "new head", "all layers")


def half(high: bool) -> Data:
    """The samples of one half of the classes, labelled 0 to 4."""
    data = digits()
    parts: list[Any] = []
    for x, y in zip(data[::2], data[1::2], strict=True):
        chosen = (y >= 5) == high
        parts += [x[chosen], y[chosen] % 5]
    return Data(*parts)


def few(data: Data, count: int, rng: np.random.Generator) -> Data:
    """The data with so many training samples of each class."""
    rows = np.concatenate([rng.permutation(np.flatnonzero(data.y == k))[:count] for k in range(5)])
    return data._replace(x=data.x[rows], y=data.y[rows])


def learned(way: str, base: nn.Sequential, data: Data, setting: Setting, seed: int) -> float:
    """Test accuracy after learning the new classes in one of the ways, at the learning rate best for validation."""
    results = []
    for lr in setting.some((0.01, 0.03, 0.1)):
        rng = np.random.default_rng(seed)
        model = nn.mlp([64, 64, 64, 5], "relu", rng=rng)
        if way != "from scratch":
            for name, value in model.state.items():
                value[...] = base.state[name]
            model.replace(len(model.layers) - 1, nn.Dense(64, 5), rng=rng)
            if way == "new head":
                model.freeze(-1)
        run = train(model, lr, setting.epochs(60), seed, data, batch_size=8)
        results.append((run.history.validation_loss[-1] if run.history.validation_loss else np.inf, model))
    best = min(results, key=lambda pair: pair[0])[1]
    return accuracy(best, data.x_test, data.y_test)


def run(setting: Setting, figure: Any) -> list[Finding]:
    (axes,) = panels(figure, 1)
    known, new = half(False), half(True)
    counts = setting.some(PER_CLASS)
    test: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for seed in setting.each(range(setting.seeds), "transfer"):
        base = nn.mlp([64, 64, 64, 5], "relu", rng=np.random.default_rng(seed))
        train(base, 0.03, setting.epochs(20), seed, known)
        rows = {count: few(new, count, np.random.default_rng(seed)) for count in counts}
        for way in WAYS:
            test[way].append([learned(way, base, rows[count], setting, seed) for count in counts])
    for way, color in zip(WAYS, OTHER_COLORS, strict=False):
        band(axes, counts, test[way], way, color)
    axes.set(title="test accuracy on the digits 5 to 9", xlabel="samples of each class", xscale="log", ylim=(0.2, 1.03))
    axes.set_xticks(counts, [str(count) for count in counts])
    legend(axes)

    mean = {way: np.mean(test[way], axis=0) for way in WAYS}

    def at(i: int) -> str:
        return ", ".join(f"{way} {percent(np.array(test[way])[:, i])}" for way in WAYS)

    return [
        Finding(
            "With few samples, train a new head on frozen features.",
            f"Test accuracy with {counts[0]} of each class: {at(0)}.",
            bool(mean["new head"][0] > mean["from scratch"][0] + 0.02),
        ),
        Finding(
            "With more samples, train more layers.",
            f"With {counts[-1]} of each class: {at(-1)}.",
            bool(mean["all layers"][-1] > mean["new head"][-1]),
        ),
        Finding(
            "Learned features are a better start than random ones.",
            f"Mean difference of training all layers from learned weights over scratch: "
            f"{100 * np.mean(mean['all layers'] - mean['from scratch']):.1f} points.",
            bool(np.mean(mean["all layers"] - mean["from scratch"]) > 0.01),
        ),
    ]


EXPERIMENT = Experiment("transfer", "Transfer learning", run)
