"""The closing advice, as a ranking over all activations that can be a hidden layer."""

from __future__ import annotations

from typing import Any

import numpy as np

import numact as na

from .common import COLORS, Experiment, Finding, Setting, dots, network, number, panels, percent, tuned

LEFT_OUT = ("softmax", "log_softmax", "softmin")  # they spread one unit of output over a layer
NAMES = [name for name in na.activations if name not in LEFT_OUT]
ADVISED = ("leaky_relu", "maxout", "elu", "selu")
GOAL = 0.1
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


def run(setting: Setting, figure: Any) -> list[Finding]:
    error_axes, speed_axes = panels(figure, 2)
    found = {}
    for name in setting.each(NAMES if setting.effort >= 0.5 else ["relu", "sigmoid", "tanh", *ADVISED], "ranking"):
        found[name] = tuned(network(name, 3), setting, 12, RATES)
    order = sorted(found, key=lambda name: -found[name].test.mean())
    colors = [COLORS[n] if n in ("relu", "sigmoid", "tanh", *ADVISED) else "#718096" for n in order]
    errors = {f"{name}, {found[name].lr:g}": np.maximum(1 - found[name].test, 1e-3) for name in order}
    dots(error_axes, errors, colors)
    error_axes.set(title="test error at the best learning rate", xscale="log")
    epochs = {name: found[name].epochs_until(GOAL) for name in found}
    dots(speed_axes, {name: epochs[name] for name in order}, colors)
    speed_axes.set(title=f"epochs to a training loss of {GOAL}", xlim=(0, None))
    for axes in (error_axes, speed_axes):
        axes.tick_params(axis="y", labelsize=7)

    test = {name: each.test for name, each in found.items()}
    best, last = order[0], order[-1]
    rank = {name: i + 1 for i, name in enumerate(order)}
    spread = float(np.median([values.std() for values in test.values()]))
    gap = test[best].mean() - test["relu"].mean()
    tried = max(ADVISED, key=lambda name: test[name].mean())
    slow = {name: np.mean(epochs[name]) / np.mean(epochs["relu"]) for name in ("sigmoid", "tanh")}
    return [
        Finding(
            "Use ReLU.",
            f"Rank {rank['relu']} of {len(order)} with {percent(test['relu'])}; best is {best} with "
            f"{percent(test[best])}, last {last} with {percent(test[last])}. The median deviation among seeds is "
            f"{100 * spread:.1f} points.",
            bool(gap < 0.01),
        ),
        Finding(
            "Try out leaky ReLU, maxout, ELU, SELU.",
            "; ".join(f"{name} rank {rank[name]}, {percent(test[name])}" for name in ADVISED)
            + f". The best of them is {100 * (test[tried].mean() - test['relu'].mean()):.1f} points from ReLU.",
            bool(test[tried].mean() > test["relu"].mean() + spread),
        ),
        Finding(
            "Do not use sigmoid.",
            f"Rank {rank['sigmoid']}, {percent(test['sigmoid'])}; epochs to a loss of {GOAL}: "
            f"{number(epochs['sigmoid'])}, ReLU {number(epochs['relu'])}.",
            bool(test["sigmoid"].mean() < test["relu"].mean() - spread or slow["sigmoid"] > 1.5),
        ),
        Finding(
            "Do not use tanh.",
            f"Rank {rank['tanh']}, {percent(test['tanh'])}; epochs to a loss of {GOAL}: {number(epochs['tanh'])}.",
            bool(test["tanh"].mean() < test["relu"].mean() - spread or slow["tanh"] > 1.5),
        ),
    ]


EXPERIMENT = Experiment("ranking", "The closing advice: a ranking", run, (9.0, 6.6))
