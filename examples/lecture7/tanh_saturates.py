"""tanh is zero-centred, but still kills gradients when saturated."""

from __future__ import annotations

from typing import Any

import numpy as np

import numact as na

from .common import (
    COLORS,
    Experiment,
    Finding,
    Setting,
    band,
    digits,
    hidden_outputs,
    legend,
    number,
    panels,
    percent,
    plain,
)

DEPTH, WIDTH = 5, 64
SCALES = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]


def run(setting: Setting, figure: Any) -> list[Finding]:
    means, saturation = panels(figure, 2)
    data, seeds = digits(), range(setting.seeds)
    mean = {}
    for name in ("tanh", "sigmoid"):
        mean[name] = np.array(
            [
                [float(np.mean(y)) for y in hidden_outputs(plain(name, DEPTH)(np.random.default_rng(seed)), data.x)]
                for seed in seeds
            ]
        )
        band(means, None, mean[name], name, COLORS[name])
    means.set(title="mean output before training", xlabel="hidden layer", ylim=(-0.2, 0.8))
    legend(means)

    saturated, gradients = [], []
    for seed in seeds:
        row: list[tuple[float, float]] = []
        for scale in SCALES:
            rng = np.random.default_rng(seed)
            model = plain("tanh", DEPTH)(rng)
            for p in model.parameters:
                if p.name.endswith("weight") and p.value.shape[1] == WIDTH:
                    p.value[...] *= scale
            outputs = hidden_outputs(model, data.x)
            slope = np.mean([np.mean(na.tanh_backward_from_output(1.0, y)) for y in outputs])
            row.append((float(np.mean([na.activation_stats(y, activation="tanh").saturated for y in outputs])), slope))
        saturated.append([each[0] for each in row])
        gradients.append([each[1] for each in row])
    band(saturation, SCALES, saturated, "saturated outputs", COLORS["tanh"])
    band(saturation, SCALES, gradients, "mean gradient of tanh", COLORS["relu"])
    saturation.set(
        title="tanh, by the size of the initial weights", xlabel="weights, in units of Xavier's", xscale="log"
    )
    saturation.set_xticks(SCALES, [f"{scale:g}" for scale in SCALES])
    legend(saturation)

    last = np.array(saturated)[:, -1]
    slopes = na.tanh_backward(1.0, np.array([0.0, 10.0]))
    return [
        Finding(
            "tanh is zero-centred.",
            f"Mean output of the {DEPTH} hidden layers: tanh {number(mean['tanh'].mean(axis=1))}, "
            f"sigmoid {number(mean['sigmoid'].mean(axis=1))}.",
            bool(np.abs(mean["tanh"]).max() < 0.1),
        ),
        Finding(
            "It still kills gradients when saturated.",
            f"The gradient is {slopes[0]:.2g} at 0, {slopes[1]:.2g} at 10; with weights {SCALES[-1]:g} times too large "
            f"{percent(last)} of the outputs are saturated, and the mean gradient is "
            f"{number(np.array(gradients)[:, -1])} in place of {number(np.array(gradients)[:, 1])}.",
            bool(last.min() > 0.5 and np.array(gradients)[:, -1].max() < 0.5),
        ),
    ]


EXPERIMENT = Experiment("tanh_saturates", "tanh is zero-centred and still saturates", run)
