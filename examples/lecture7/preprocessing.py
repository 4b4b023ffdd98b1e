"""Data preprocessing: centre and normalise."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_wine

from numact import nn

from .common import (
    OTHER_COLORS,
    Data,
    Experiment,
    Finding,
    Setting,
    band,
    dots,
    fit,
    legend,
    network,
    number,
    panels,
    percent,
    raw_digits,
    tuned,
)

GOAL = 0.1
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


def prepared() -> dict[str, Data]:
    """The digits as each kind of preprocessing leaves them; what it learns comes from the training samples."""
    raw = raw_digits()
    scaling = nn.Standardize(per_feature=False).fit(raw.x)
    whiten = nn.Whiten(epsilon=1e-2).fit(raw.x)
    ways = {
        "pixels 0 to 16": lambda x: x,
        "centred": lambda x: (x - scaling.mean).astype(np.float32),
        "pixels 0 to 1": lambda x: x / 16,
        "centred, scaled": scaling.transform,
        "whitened": whiten.transform,
    }
    return {name: Data(*(way(each) if each.ndim == 2 else each for each in raw)) for name, way in ways.items()}


def wine(seed: int, setting: Setting) -> tuple[float, float]:
    """Test accuracy on wines, measured in units that differ a thousandfold, before and after standardising."""
    x, y = load_wine(return_X_y=True)
    rng = np.random.default_rng(seed)
    x_train, y_train, x_test, y_test = (
        part for pair in nn.split(x, y, fraction=0.4, stratify=y, rng=rng) for part in pair
    )
    scale = nn.Standardize().fit(x_train)
    results = []
    for before in (lambda x: x, scale.transform):
        best = (np.inf, 0.0)
        for lr in setting.some((1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)):
            model = nn.mlp([13, 32, 3], "relu", rng=np.random.default_rng(seed))
            try:
                history = fit(
                    model, before(x_train), y_train, lr=lr, epochs=setting.epochs(60), rng=np.random.default_rng(seed)
                )
            except nn.DivergedError:
                continue
            best = min(best, (history.loss[-1], float(np.mean(model.forward(before(x_test)).argmax(axis=1) == y_test))))
        results.append(best[1])
    return results[0], results[1]


def run(setting: Setting, figure: Any) -> list[Finding]:
    loss_axes, wine_axes = panels(figure, 2)
    needed, test = {}, {}
    for (name, data), color in zip(setting.each(prepared().items(), "preprocessing"), OTHER_COLORS, strict=False):
        found = tuned(network("relu", 2), setting, 15, RATES, data)
        band(loss_axes, None, found.curves(), f"{name}, rate {found.lr:g}", color, marker="")
        needed[name], test[name] = found.epochs_until(GOAL), found.test
    loss_axes.set(title="digits: training loss", xlabel="epoch", yscale="log")
    legend(loss_axes)
    wines = np.array([wine(seed, setting) for seed in range(setting.seeds)]).T
    groups = {"as measured": wines[0], "standardised": wines[1]}
    dots(wine_axes, groups)
    wine_axes.set(title="wine: test accuracy", xlim=(0, 1.03))

    raw, centred = "pixels 0 to 16", "centred, scaled"
    return [
        Finding(
            "Centred and scaled digits are learned faster than raw ones.",
            f"Epochs to a training loss of {GOAL}, each at its best learning rate: "
            + ", ".join(f"{name} {number(epochs)}" for name, epochs in needed.items()) + ".",
            bool(needed[centred].mean() < needed[raw].mean()),
        ),
        Finding(
            "And better.",
            "Test accuracy: " + ", ".join(f"{name} {percent(values)}" for name, values in test.items()) + ".",
            bool(test[centred].mean() > test[raw].mean() + 0.005),
        ),
        Finding(
            "Features of different units must be normalised.",
            f"Test accuracy on the wines: as measured {percent(wines[0])}, standardised {percent(wines[1])}.",
            bool(wines[1].mean() > wines[0].mean() + 0.05),
        ),
    ]  # fmt: skip


EXPERIMENT = Experiment("preprocessing", "Data preprocessing", run)
