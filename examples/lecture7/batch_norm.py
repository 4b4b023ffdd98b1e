"""Batch normalisation: gradient flow, learning rates, dependence on the initial weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from .common import (
    CLASSES,
    COLORS,
    LEARNED,
    Array,
    Experiment,
    Finding,
    Setting,
    band,
    legend,
    network,
    panels,
    percent,
    train,
    tuned,
)

DEPTH = 6
RATES = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
SCALES = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0]
LABELS = {False: "without", True: "with batch norm"}
LOOK = {False: "#718096", True: COLORS["relu"]}


def run(setting: Setting, figure: Any) -> list[Finding]:
    rate_axes, scale_axes = panels(figure, 2)
    seeds, epochs = range(setting.seeds), setting.epochs(10)
    rates, scales = setting.some(RATES), setting.some(SCALES)
    by_rate, by_scale, sigmoid = {}, {}, {}
    for norm in setting.each((False, True), "batch_norm"):
        build = network("relu", DEPTH, batch_norm=norm)
        by_rate[norm] = np.array(
            [
                [train(build(np.random.default_rng(seed)), lr, epochs, seed).test_accuracy for lr in rates]
                for seed in seeds
            ]
        )
        rows = []
        for seed in seeds:
            row = []
            for scale in scales:
                model = build(np.random.default_rng(seed))
                for p in model.parameters:
                    if p.value.ndim == 2 and p.value.shape[1] != CLASSES:
                        p.value[...] *= scale
                row.append(train(model, 0.03, epochs, seed).test_accuracy)
            rows.append(row)
        by_scale[norm] = np.array(rows)
        sigmoid[norm] = tuned(network("sigmoid", 10, batch_norm=norm), setting, 15).test
        band(rate_axes, rates, by_rate[norm], LABELS[norm], LOOK[norm])
        band(scale_axes, scales, by_scale[norm], LABELS[norm], LOOK[norm])
    rate_axes.set(title="ReLU: test accuracy by learning rate", xlabel="learning rate", xscale="log", ylim=(0, 1.03))
    scale_axes.set(
        title="by the size of the initial weights", xlabel="weights, in units of He's", xscale="log", ylim=(0, 1.03)
    )
    legend(scale_axes)

    good = {norm: np.array(rates)[each.mean(axis=0) > LEARNED] for norm, each in by_rate.items()}
    fine = {norm: np.array(scales)[each.mean(axis=0) > LEARNED] for norm, each in by_scale.items()}

    def ends(values: Array) -> str:
        return f"{values.min():g} to {values.max():g}" if values.size else "nowhere"

    return [
        Finding(
            "It improves the flow of gradients.",
            f"10 layers of sigmoid, test accuracy with tuned learning rates: {percent(sigmoid[False])} without, "
            f"{percent(sigmoid[True])} with.",
            bool(sigmoid[True].mean() > sigmoid[False].mean() + 0.2),
        ),
        Finding(
            "It allows larger learning rates.",
            f"Rates with more than {100 * LEARNED:.0f} % mean test accuracy: {ends(good[False])} without, "
            f"{ends(good[True])} with.",
            bool(good[True].max(initial=0) > good[False].max(initial=0)),
        ),
        Finding(
            "It lessens the dependence on the initial weights.",
            f"Sizes of the weights, in units of He's, with more than {100 * LEARNED:.0f} %: {ends(fine[False])} "
            f"without, {ends(fine[True])} with.",
            fine[True].size > fine[False].size,
        ),
    ]


EXPERIMENT = Experiment("batch_norm", "Batch normalisation", run)
