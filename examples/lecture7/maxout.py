"""Maxout does not saturate and does not die, but doubles the number of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from .common import (
    COLORS,
    OTHER_COLORS,
    Experiment,
    Finding,
    Setting,
    dead_units,
    digits,
    dots,
    network,
    number,
    panels,
    percent,
    train,
    tuned,
)

DEPTH = 3
LARGE_RATE = 0.5
LARGE_WEIGHTS = 16
# ReLU units with about as many parameters as 64 units of maxout.
WIDTHS = {"relu, 64 units": ("relu", 64), "relu, 95 units": ("relu", 95), "maxout, 64 units": ("maxout", 64)}


def gradient_left(name: str, seed: int) -> float:
    """What is left of the gradient by the images when weights are far too large, their own factors taken out."""
    x, sizes = digits().x, []
    for scale in (1, LARGE_WEIGHTS):
        model = network(name, DEPTH)(np.random.default_rng(seed))
        for p in model.parameters[:-2]:
            p.value[...] *= scale
        y = model.forward(x, training=True)
        dx = model.backward(np.random.default_rng(seed).standard_normal(y.shape, np.float32))
        sizes.append(float(np.linalg.norm(dx)) / scale**DEPTH)
    return sizes[1] / sizes[0]


def run(setting: Setting, figure: Any) -> list[Finding]:
    dead_axes, test_axes = panels(figure, 2)
    data, epochs = digits(), setting.epochs(15)
    dead, test, parameters = {}, {}, {}
    for label, (name, width) in setting.each(WIDTHS.items(), "maxout"):
        build = network(name, DEPTH, width)
        parameters[label] = sum(p.value.size for p in build(np.random.default_rng(0)).parameters)
        runs = [train(build(np.random.default_rng(seed)), LARGE_RATE, epochs, seed) for seed in range(setting.seeds)]
        dead[label] = np.array([dead_units(run.model, data.x) for run in runs])
        test[label] = tuned(build, setting, 20).test
    colors = [COLORS["relu"], OTHER_COLORS[2], COLORS["maxout"]]
    dots(dead_axes, dead, colors)
    dead_axes.set(title=f"dead units after training at rate {LARGE_RATE:g}", xlim=(-0.03, 1.03))
    dots(test_axes, test, colors)
    test_axes.set(title="test accuracy at the best rate")

    small, large, maxout = WIDTHS
    ratio = parameters[maxout] / parameters[small]
    left = {name: np.array([gradient_left(name, s) for s in range(setting.seeds)]) for name in ("maxout", "tanh")}
    return [
        Finding(
            "Maxout does not saturate.",
            f"Gradient by the images with weights {LARGE_WEIGHTS} times as large, as part of what these would multiply "
            f"it by: maxout {number(left['maxout'])}, tanh {number(left['tanh'])}.",
            bool(left["maxout"].min() > 0.9 and left["tanh"].max() < 0.5),
        ),
        Finding(
            "Maxout does not die.",
            f"Dead units at rate {LARGE_RATE:g}: ReLU {percent(dead[small])}, maxout {percent(dead[maxout])}.",
            bool(dead[maxout].max() == 0 and dead[small].mean() > 0.05),
        ),
        Finding(
            "It doubles the number of parameters.",
            f"{parameters[maxout]:,} in place of {parameters[small]:,} for the same units, {ratio:.2f} times as many "
            "(the output layer is the same).",
            bool(1.8 < ratio <= 2),
        ),
        Finding(
            "It is worth them.",
            f"Test accuracy: maxout {percent(test[maxout])}, ReLU with the same units {percent(test[small])}, with "
            f"about the same parameters ({parameters[large]:,}) {percent(test[large])}.",
            bool(test[maxout].mean() > max(test[small].mean(), test[large].mean()) + 0.005),
        ),
    ]


EXPERIMENT = Experiment("maxout", "Maxout", run)
