"""Leaky ReLU and PReLU do not die; the slopes that PReLU learns."""

from __future__ import annotations

from typing import Any

import numpy as np

from .common import (
    COLORS,
    Experiment,
    Finding,
    Setting,
    band,
    dead_units,
    digits,
    legend,
    network,
    number,
    panels,
    percent,
    train,
    tuned,
)

RATES = [0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0]
DEPTH = 3


def run(setting: Setting, figure: Any) -> list[Finding]:
    dead_axes, test_axes, slope_axes = panels(figure, 3)
    data, seeds, rates = digits(), range(setting.seeds), setting.some(RATES)
    epochs = setting.epochs(15)
    dead, test = {}, {}
    for name in setting.each(("relu", "leaky_relu", "prelu"), "leaky_and_prelu"):
        runs = [
            [train(network(name, DEPTH)(np.random.default_rng(seed)), lr, epochs, seed) for lr in rates]
            for seed in seeds
        ]
        dead[name] = np.array([[dead_units(run.model, data.x) for run in row] for row in runs])
        test[name] = np.array([[run.test_accuracy for run in row] for row in runs])
        band(dead_axes, rates, dead[name], name, COLORS[name])
        band(test_axes, rates, test[name], name, COLORS[name])
    dead_axes.set(title="dead units after training", xlabel="learning rate", xscale="log", ylim=(-0.03, 1.03))
    test_axes.set(title="test accuracy", xlabel="learning rate", xscale="log")
    legend(dead_axes)

    found = tuned(network("prelu", DEPTH), setting, 30)
    slopes = [np.stack([run.model.layers[2 * i + 1].weight.value for run in found.runs]) for i in range(DEPTH)]
    slope_axes.boxplot([each.ravel() for each in slopes], showfliers=False, medianprops={"color": COLORS["prelu"]})
    slope_axes.axhline(0.25, color="#718096", linewidth=0.8)
    slope_axes.set(title="slopes that PReLU learned from 0.25", xlabel="hidden layer")

    means = [each.mean(axis=1) for each in slopes]
    everywhere = np.concatenate([each.ravel() for each in slopes])
    return [
        Finding(
            "Leaky ReLU and PReLU will not die.",
            f"Dead units at rate {rates[-1]:g}: ReLU {percent(dead['relu'][:, -1])}, leaky ReLU "
            f"{percent(dead['leaky_relu'][:, -1])}, PReLU {percent(dead['prelu'][:, -1])}.",
            bool(max(dead["leaky_relu"].max(), dead["prelu"].max()) == 0 and dead["relu"][:, -1].mean() > 0.05),
        ),
        Finding(
            "So they stand larger learning rates.",
            f"Test accuracy at rate {rates[-1]:g}: ReLU {percent(test['relu'][:, -1])}, leaky ReLU "
            f"{percent(test['leaky_relu'][:, -1])}, PReLU {percent(test['prelu'][:, -1])}.",
            bool(min(test[name][:, -1].mean() for name in ("leaky_relu", "prelu")) > test["relu"][:, -1].mean() + 0.05),
        ),
        Finding(
            "PReLU learns slopes other than the fixed 0.01 of leaky ReLU.",
            f"Mean slopes by layer: {'; '.join(number(each) for each in means)}; {np.mean(everywhere < 0):.0%} of all "
            "are negative.",
            bool(np.abs(everywhere.mean() - 0.01) > 0.05),
        ),
    ]


EXPERIMENT = Experiment("leaky_and_prelu", "Leaky ReLU and PReLU", run, (11.0, 3.4))
