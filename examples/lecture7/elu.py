"""ELU: closer to zero mean outputs, and robust to noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from .common import (
    COLORS,
    Experiment,
    Finding,
    Setting,
    accuracy,
    band,
    digits,
    dots,
    hidden_outputs,
    legend,
    network,
    number,
    panels,
    percent,
    tuned,
)

NOISE = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5]
NAMES = ("relu", "leaky_relu", "elu")


def run(setting: Setting, figure: Any) -> list[Finding]:
    mean_axes, noise_axes = panels(figure, 2)
    data = digits()
    means, robust = {}, {}
    for name in setting.each(NAMES, "elu"):
        found = tuned(network(name, 3), setting, 20)
        # The mean of each unit beside its deviation: how far from centred it is.
        means[name] = [
            float(
                np.mean([np.mean(np.abs(y.mean(axis=0))) / np.mean(y.std(axis=0)) for y in hidden_outputs(m, data.x)])
            )
            for m in (run.model for run in found.runs)
        ]
        robust[name] = np.array(
            [
                [
                    accuracy(
                        run.model,
                        data.x_test + level * np.random.default_rng(seed).normal(size=data.x_test.shape),
                        data.y_test,
                    )
                    for level in NOISE
                ]
                for seed, run in enumerate(found.runs)
            ]
        )
        band(noise_axes, NOISE, robust[name], name, COLORS[name])
    dots(mean_axes, means)
    mean_axes.set(title="mean of a unit's outputs, in deviations", xlim=(0, None))
    noise_axes.set(
        title="test accuracy with noise on the pixels", xlabel="deviation of the noise, in those of the pixels"
    )
    legend(noise_axes)

    loss = {name: robust[name][:, 0] - robust[name][:, 4] for name in NAMES}
    return [
        Finding(
            "ELU's outputs are closer to zero mean.",
            "Mean output of a unit in units of its deviation, after training: "
            + ", ".join(f"{name} {number(means[name])}" for name in NAMES) + ".",
            bool(np.max(means["elu"]) < min(np.min(means["relu"]), np.min(means["leaky_relu"]))),
        ),
        Finding(
            "ELU's saturation makes it more robust to noise than leaky ReLU.",
            f"Test accuracy lost to noise of deviation {NOISE[4]:g}: "
            + ", ".join(f"{name} {percent(loss[name])}" for name in NAMES) + ".",
            bool(loss["elu"].mean() < loss["leaky_relu"].mean() - 0.01),
        ),
    ]  # fmt: skip


EXPERIMENT = Experiment("elu", "ELU: zero mean and noise", run)
