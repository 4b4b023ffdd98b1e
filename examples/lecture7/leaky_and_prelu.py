"""Leaky ReLU and PReLU do not die; the slopes that PReLU learns."""

from __future__ import annotations

from typing import Any

import numpy as np

from .common import (
    COLORS,
    LARGE_RATES,
    LEARNED,
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
    rate_axis,
    train,
    tuned,
)

DEPTH = 3


def run(setting: Setting, figure: Any) -> list[Finding]:
    dead_axes, test_axes, slope_axes = panels(figure, 3)
    data, seeds, rates = digits(), range(setting.seeds), setting.some(LARGE_RATES)
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
    dead_axes.set(title="dead units after training", ylim=(-0.03, 1.03))
    test_axes.set(title="test accuracy", ylim=(-0.03, 1.03))
    for axes in (dead_axes, test_axes):
        rate_axis(axes)
    legend(dead_axes)

    found = tuned(network("prelu", DEPTH), setting, 30)
    slopes = [np.stack([run.model.layers[2 * i + 1].weight.value for run in found.runs]) for i in range(DEPTH)]
    slope_axes.boxplot([each.ravel() for each in slopes], showfliers=False, medianprops={"color": COLORS["prelu"]})
    slope_axes.axhline(0.25, color="#718096", linewidth=0.8)
    slope_axes.set(title="slopes that PReLU learned from 0.25", xlabel="hidden layer")

    means = [each.mean(axis=1) for each in slopes]
    everywhere = np.concatenate([each.ravel() for each in slopes])
    low, high = np.quantile(everywhere, (0.05, 0.95))
    moved = np.mean(np.abs(everywhere - 0.25))
    largest = {
        name: max((lr for lr, each in zip(rates, test[name].mean(axis=0), strict=True) if each > LEARNED), default=0.0)
        for name in test
    }
    return [
        Finding(
            "Leaky ReLU and PReLU will not die.",
            f"Dead units at rate {rates[-1]:g}: ReLU {percent(dead['relu'][:, -1])}, leaky ReLU "
            f"{percent(dead['leaky_relu'][:, -1])}, PReLU {percent(dead['prelu'][:, -1])}.",
            bool(max(dead["leaky_relu"].max(), dead["prelu"].max()) == 0 and dead["relu"][:, -1].mean() > 0.05),
        ),
        Finding(
            "So they stand larger learning rates.",
            f"Largest rate with more than {100 * LEARNED:.0f} % mean test accuracy: "
            + ", ".join(f"{name} {largest[name]:g}" for name in test)
            + f", of {rates[0]:g} to {rates[-1]:g}.",
            min(largest["leaky_relu"], largest["prelu"]) > largest["relu"],
        ),
        Finding(
            "PReLU learns slopes far from 0.25, where they start.",
            f"Mean slopes by layer: {'; '.join(number(each) for each in means)}; nine tenths of all slopes lie from "
            f"{low:.2f} to {high:.2f}, and they moved by {moved:.2f} in the mean.",
            bool(moved > 0.05),
        ),
    ]


EXPERIMENT = Experiment("leaky_and_prelu", "Leaky ReLU and PReLU", run, (11.0, 3.4))
