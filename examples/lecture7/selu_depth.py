"""SELU normalises itself: 50 layers, and training that deep without batch normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from .common import (
    COLORS,
    LEARNED,
    Experiment,
    Finding,
    Setting,
    band,
    digits,
    hidden_outputs,
    legend,
    network,
    number,
    panels,
    percent,
    plain,
    tuned,
)

DEPTH, WIDTH = 50, 64
# ReLU with the same LeCun weights as SELU, and with those that suit it.
VARIANTS = {
    "selu": ("selu", "lecun_normal"),
    "relu, LeCun": ("relu", "lecun_normal"),
    "relu, He": ("relu", "he_normal"),
}
LOOK = {"selu": (COLORS["selu"], "-"), "relu, LeCun": (COLORS["relu"], ":"), "relu, He": (COLORS["relu"], "-")}


def run(setting: Setting, figure: Any) -> list[Finding]:
    mean_axes, variance_axes, test_axes = panels(figure, 3)
    # Each row normalised as a fixed point of SELU asks: mean 0, variance 1.
    x = digits().x
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    mean, variance = {}, {}
    for label, (name, weight) in VARIANTS.items():
        models = [
            plain(name, DEPTH, WIDTH, initial_weight=weight)(np.random.default_rng(seed))
            for seed in range(setting.seeds)
        ]
        outputs = [hidden_outputs(model, x) for model in models]
        mean[label] = np.array([[y.mean(dtype=float) for y in each] for each in outputs])
        variance[label] = np.array([[y.var(dtype=float) for y in each] for each in outputs])
        color, style = LOOK[label]
        band(mean_axes, None, mean[label], label, color, linestyle=style, marker="")
        band(variance_axes, None, variance[label], label, color, linestyle=style, marker="")
    mean_axes.set(title="mean of the outputs", xlabel="hidden layer")
    variance_axes.set(title="variance of the outputs", xlabel="hidden layer", yscale="log", ylim=(1e-9, 1e3))
    legend(variance_axes)

    test = {}
    for name in setting.each(("selu", "relu", "tanh"), "selu_depth"):
        found = tuned(network(name, DEPTH, WIDTH), setting, 20, (0.0003, 0.001, 0.003))
        test[name] = found.test
        label = f"{name}, rate {found.lr:g}"
        band(test_axes, None, found.curves("validation_metric"), label, COLORS[name], marker="")
    test_axes.set(title=f"{DEPTH} layers without batch norm", xlabel="epoch", ylim=(0, 1.03))
    test_axes.set_ylabel("validation accuracy", fontsize=8)
    legend(test_axes)

    last = {label: each[:, -1] for label, each in variance.items()}
    return [
        Finding(
            f"SELU keeps mean 0 and variance 1 through {DEPTH} layers.",
            f"Behind {DEPTH} layers before training: mean {number(mean['selu'][:, -1])}, variance "
            f"{number(last['selu'])}.",
            bool(np.abs(mean["selu"][:, -1]).max() < 0.3 and last["selu"].min() > 0.5 and last["selu"].max() < 2),
        ),
        Finding(
            "ReLU does not.",
            f"Variance behind {DEPTH} layers: with the same weights {number(last['relu, LeCun'])}, with He's "
            f"{number(last['relu, He'])}, its mean {number(mean['relu, He'][:, -1])}.",
            bool(last["relu, LeCun"].max() < 1e-6 and np.abs(mean["relu, He"][:, -1]).min() > 0.1),
        ),
        Finding(
            f"SELU trains {DEPTH} layers without batch normalisation.",
            "Test accuracy with tuned learning rates: " + ", ".join(f"{n} {percent(t)}" for n, t in test.items()) + ".",
            bool(test["selu"].mean() > LEARNED),
        ),
        Finding(
            "Better than ReLU with He's weights does.",
            f"The difference in mean test accuracy is {100 * (test['selu'].mean() - test['relu'].mean()):.1f} points.",
            bool(test["selu"].mean() > test["relu"].mean() + 0.01),
        ),
    ]


EXPERIMENT = Experiment("selu_depth", "SELU normalises itself", run, (11.0, 3.4))
