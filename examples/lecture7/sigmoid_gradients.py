"""Saturated sigmoid neurons kill the gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

import numact as na

from .common import (
    COLORS,
    LEARNED,
    Experiment,
    Finding,
    Setting,
    band,
    digits,
    gradient_sizes,
    legend,
    network,
    number,
    panels,
    percent,
    tuned,
)

DEPTH = 10


def run(setting: Setting, figure: Any) -> list[Finding]:
    curve, depth = panels(figure, 2)
    x = np.linspace(-12, 12, 481)
    curve.plot(x, na.sigmoid(x), color=COLORS["sigmoid"], label="sigmoid")
    curve.plot(x, na.sigmoid_backward(1.0, x), color=COLORS["relu"], linestyle="--", label="its gradient")
    places = np.array([-10.0, 0.0, 10.0])
    slopes = na.sigmoid_backward(1.0, places)
    curve.plot(places, slopes, "o", color=COLORS["relu"], markersize=5)
    curve.set(title="the gradient at -10, 0 and 10", xlabel="x")
    legend(curve)

    data, sizes, accuracy = digits(), {}, {}
    for name in ("sigmoid", "relu"):
        sizes[name] = np.array(
            [
                gradient_sizes(network(name, DEPTH)(np.random.default_rng(seed)), data.x, data.y)[:-1]
                for seed in range(setting.seeds)
            ]
        )
        accuracy[name] = tuned(network(name, DEPTH), setting, 15).test
        band(depth, None, sizes[name], name, COLORS[name])
    depth.set(title="weight gradients before training", xlabel="hidden layer", ylabel="root mean square", yscale="log")
    legend(depth)

    first_to_last = {name: each[:, 0] / each[:, -1] for name, each in sizes.items()}
    return [
        Finding(
            "Saturated neurons kill the gradient: it is about 0 at -10 and 10.",
            f"The gradient is {slopes[0]:.2g} at -10, {slopes[1]:.2g} at 0, {slopes[2]:.2g} at 10.",
            bool(slopes[[0, 2]].max() < 1e-3 * slopes[1]),
        ),
        Finding(
            f"So gradients vanish on their way back through {DEPTH} sigmoid layers.",
            "Gradient of the first layer as part of that of the last hidden one: "
            f"sigmoid {number(first_to_last['sigmoid'])}, ReLU {number(first_to_last['relu'])}.",
            bool(first_to_last["sigmoid"].max() < 1e-3 < 0.1 < first_to_last["relu"].min()),
        ),
        Finding(
            f"A network of {DEPTH} sigmoid layers does not learn.",
            f"Test accuracy with tuned learning rates: sigmoid {percent(accuracy['sigmoid'])}, "
            f"ReLU {percent(accuracy['relu'])}.",
            bool(accuracy["sigmoid"].mean() < LEARNED < accuracy["relu"].mean()),
        ),
    ]


EXPERIMENT = Experiment("sigmoid_gradients", "Saturated sigmoid neurons kill the gradients", run)
