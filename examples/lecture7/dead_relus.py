"""Dead ReLUs: from a large learning rate, from bad initialisation, and what a bias of 0.01 changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .common import (
    COLORS,
    LARGE_RATES,
    OTHER_COLORS,
    Experiment,
    Finding,
    Setting,
    accuracy,
    band,
    dead_units,
    digits,
    legend,
    network,
    panels,
    percent,
    plain,
    rate_axis,
    train,
    tuned,
)

BIASES = [-4.0, -3.0, -2.0, -1.0, 0.0]
DEPTH = 3


def run(setting: Setting, figure: Any) -> list[Finding]:
    by_rate, by_bias, positive = panels(figure, 3)
    data, seeds = digits(), range(setting.seeds)
    epochs = setting.epochs(15)

    rates = setting.some(LARGE_RATES)
    runs = [
        [train(network("relu", DEPTH)(np.random.default_rng(seed)), lr, epochs, seed) for lr in rates]
        for seed in setting.each(seeds, "dead_relus")
    ]
    dead = np.array([[dead_units(run.model, data.x) for run in row] for row in runs])
    test = np.array([[run.test_accuracy for run in row] for row in runs])
    band(by_rate, rates, dead, "dead units", COLORS["relu"])
    band(by_rate, rates, test, "test accuracy", OTHER_COLORS[1])
    by_rate.set(title="after training, by learning rate", ylim=(-0.03, 1.03))
    rate_axis(by_rate)
    legend(by_rate)

    before, after = [], []
    for seed in seeds:
        models = [plain("relu", DEPTH, initial_bias=bias)(np.random.default_rng(seed)) for bias in BIASES]
        before.append([dead_units(model, data.x) for model in models])
        for model in models:
            train(model, 0.03, epochs, seed)
        after.append([dead_units(model, data.x) for model in models])
    band(by_bias, BIASES, before, "before training", "#718096")
    band(by_bias, BIASES, after, "after training", COLORS["relu"])
    by_bias.set(title="dead units, by initial bias", xlabel="bias", ylim=(-0.03, 1.03))
    legend(by_bias)

    found = {
        bias: tuned(plain("relu", DEPTH, initial_bias=bias), setting, 15, (0.01, 0.03, 0.1)) for bias in (0.0, 0.01)
    }
    gone = {bias: np.array([dead_units(run.model, data.x) for run in each.runs]) for bias, each in found.items()}
    for bias, color in ((0.0, "#718096"), (0.01, COLORS["relu"])):
        band(positive, None, found[bias].curves(), f"bias {bias:g}", color, marker="")
    positive.set(title="loss with a bias of 0.01", xlabel="epoch", yscale="log")
    legend(positive)

    untouched = np.array([accuracy(run.model, data.x, data.y) for run in found[0.0].runs])
    best = {bias: each.test for bias, each in found.items()}
    worst = np.array(before)[:, 0]
    late = np.array(after)[:, 0]
    return [
        Finding(
            "A large learning rate kills ReLUs.",
            f"Dead units after training: {percent(dead[:, 0])} at rate {rates[0]:g}, {percent(dead[:, -1])} at "
            f"{rates[-1]:g}, where the test accuracy is {percent(test[:, -1])} in place of {percent(test[:, 0])}.",
            bool(dead[:, -1].mean() > 0.2 > 0.05 > dead[:, 0].mean()),
        ),
        Finding(
            "Bad initialisation kills ReLUs, and they never come back.",
            f"With biases of {BIASES[0]:g} {percent(worst)} of the units are dead before training and {percent(late)} "
            "after it.",
            bool(worst.min() > 0.2 and late.mean() >= 0.9 * worst.mean()),
        ),
        Finding(
            "A small positive bias of 0.01 helps.",
            f"Test accuracy {percent(best[0.01])} with it, {percent(best[0.0])} without; dead units "
            f"{percent(gone[0.01])} and {percent(gone[0.0])}; training accuracy without it {percent(untouched)}.",
            bool(best[0.01].mean() > best[0.0].mean() + best[0.0].std() or gone[0.01].mean() < 0.5 * gone[0.0].mean()),
        ),
    ]


EXPERIMENT = Experiment("dead_relus", "Dead ReLUs", run, (11.0, 3.4))
