"""Swish against ReLU as networks grow deeper."""

from __future__ import annotations

from typing import Any

import numpy as np

from .common import COLORS, Experiment, Finding, Setting, band, legend, network, panels, percent, tuned

DEPTHS = [2, 5, 10, 20]
NAMES = ("relu", "silu", "swish")


def run(setting: Setting, figure: Any) -> list[Finding]:
    test_axes, loss_axes = panels(figure, 2)
    depths = setting.some(DEPTHS)
    test: dict[str, list[Any]] = {name: [] for name in NAMES}
    loss: dict[str, list[Any]] = {name: [] for name in NAMES}
    for depth in setting.each(depths, "swish_depth"):
        for name in NAMES:
            found = tuned(network(name, depth), setting, 15, (0.003, 0.01, 0.03))
            test[name].append(found.test)
            loss[name].append([run.final_loss for run in found.runs])
    labels = {"relu": "relu", "silu": "swish, beta 1", "swish": "swish, beta learned"}
    for name in NAMES:
        style = {"color": COLORS[name], "linestyle": "--" if name == "swish" else "-"}
        band(test_axes, depths, np.transpose(test[name]), labels[name], **style)
        band(loss_axes, depths, np.transpose(loss[name]), labels[name], **style)
    test_axes.set(title="test accuracy", xlabel="hidden layers")
    loss_axes.set(title="training loss at the end", xlabel="hidden layers", yscale="log")
    legend(test_axes)

    ahead = {
        name: [100 * (np.mean(a) - np.mean(b)) for a, b in zip(test[name], test["relu"], strict=True)] for name in NAMES
    }
    fixed, learned = test["silu"][-1], test["swish"][-1]
    error = np.hypot(np.std(fixed), np.std(learned)) / np.sqrt(setting.seeds)
    words = ", ".join(f"{a:+.1f} at {d}" for a, d in zip(ahead["silu"], depths, strict=True))
    return [
        Finding(
            "Swish is better than ReLU the deeper the network is.",
            f"Test accuracy of swish (beta 1) beyond that of ReLU, in points, by hidden layers: {words}.",
            bool(ahead["silu"][-1] > 1 and ahead["silu"][-1] > ahead["silu"][0]),
        ),
        Finding(
            "Learning beta helps.",
            f"At {depths[-1]} layers: ReLU {percent(test['relu'][-1])}, beta 1 {percent(fixed)}, beta learned "
            f"{percent(learned)}; the difference has a standard error of {100 * error:.1f} points.",
            bool(np.mean(learned) - np.mean(fixed) > max(0.01, 2 * error)),
        ),
    ]


EXPERIMENT = Experiment("swish_depth", "Swish as depth grows", run)
