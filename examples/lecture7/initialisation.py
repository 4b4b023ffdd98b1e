"""Weight initialisation: small, large, Xavier and He."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from numact import nn

from .common import (
    OTHER_COLORS,
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
    tuned,
)

DEPTH, WIDTH = 10, 64
WEIGHTS = ("normal 0.01", "xavier_normal", "he_normal", "normal 1")
RATES = (0.003, 0.01, 0.03)


def build(activation: str, weights: str, rng: np.random.Generator) -> nn.Sequential:
    family = weights if weights.endswith("_normal") else None
    model = plain(activation, DEPTH, WIDTH, initial_weight=family)(rng)
    if family is None:
        for p in model.parameters:
            if p.name.endswith("weight"):
                p.value[...] = float(weights.split()[1]) * rng.normal(size=p.value.shape)
    return model


def run(setting: Setting, figure: Any) -> list[Finding]:
    axes = dict(zip(("tanh", "relu"), panels(figure, 2), strict=True))
    data = digits()
    deviation, test = {}, {}
    for name in axes:
        for weights, color in zip(setting.each(WEIGHTS, f"initialisation, {name}"), OTHER_COLORS, strict=False):
            make = functools.partial(build, name, weights)
            models = [make(np.random.default_rng(seed)) for seed in range(setting.seeds)]
            deviation[name, weights] = np.array(
                [[float(y.std(dtype=float)) for y in hidden_outputs(model, data.x)] for model in models]
            )
            band(axes[name], None, deviation[name, weights], weights.replace("_normal", ""), color)
            test[name, weights] = tuned(make, setting, 10, RATES).test
        axes[name].set(title=f"{name}: deviation of the outputs", xlabel="hidden layer", yscale="log")
    legend(axes["relu"])

    def words(name: str) -> str:
        return ", ".join(f"{w.replace('_normal', '')} {percent(test[name, w])}" for w in WEIGHTS)

    small, xavier, he, large = WEIGHTS
    return [
        Finding(
            "With small random weights all activations become 0.",
            f"Deviation behind {DEPTH} layers of tanh: {number(deviation['tanh', small][:, -1])}.",
            bool(deviation["tanh", small][:, -1].max() < 1e-6),
        ),
        Finding(
            "With large ones tanh saturates at -1 and 1.",
            f"Deviation behind {DEPTH} layers: {number(deviation['tanh', large][:, -1])}.",
            bool(deviation["tanh", large][:, -1].min() > 0.9),
        ),
        Finding(
            "Xavier's suits tanh, but with ReLU the activations shrink; He's keeps them.",
            f"Deviation behind {DEPTH} layers: tanh with Xavier's {number(deviation['tanh', xavier][:, -1])}; ReLU "
            f"with Xavier's {number(deviation['relu', xavier][:, -1])}, with He's "
            f"{number(deviation['relu', he][:, -1])}.",
            bool(
                deviation["tanh", xavier][:, -1].min() > 0.1
                and deviation["relu", xavier][:, -1].max() < 0.2 * deviation["relu", he][:, -1].min()
            ),
        ),
        Finding(
            "It decides what is learned.",
            f"Test accuracy of tanh: {words('tanh')}. ReLU: {words('relu')}.",
            bool(
                test["tanh", xavier].mean() > max(test["tanh", small].mean(), test["tanh", large].mean()) + 0.05
                and test["relu", he].mean() > max(test["relu", small].mean(), test["relu", large].mean()) + 0.05
            ),
        ),
    ]


EXPERIMENT = Experiment("initialisation", "Weight initialisation", run)
