"""Outputs that are not zero-centred: gradients of one sign, and a path that zig-zags."""

from __future__ import annotations

from typing import Any

import numpy as np

from numact import nn

from .common import (
    COLORS,
    Array,
    Experiment,
    Finding,
    Setting,
    digits,
    dots,
    hidden_outputs,
    network,
    number,
    panels,
    percent,
)

BATCH = 32
RATES = (0.1, 0.2, 0.5, 1.0, 2.0, 3.0)


def same_sign(activation: str, rows: int, seed: int) -> float:
    """The part of the neurons of the second layer whose weight gradients all have one sign, over batches of `rows`."""
    data, rng = digits(), np.random.default_rng(seed)
    model = network(activation, 2)(rng)
    parts = []
    for _ in range(30):
        batch = rng.integers(0, len(data.x), rows)
        _, dlogits = nn.softmax_cross_entropy(model.forward(data.x[batch], training=True), data.y[batch])
        model.backward(dlogits)
        signs = np.sign(next(p.grad for p in model.parameters if p.name == "2.weight"))
        parts.append(np.mean(np.abs(signs.sum(axis=0)) == np.abs(signs).sum(axis=0)))
    return float(np.mean(parts))


def descent(centred: bool, rate: float, seed: int) -> Array:
    """The path of two weights that learn y = x0 - x1 from single samples, until they are close to (1, -1)."""
    rng = np.random.default_rng(seed)
    weights, path = np.zeros(2), [np.zeros(2)]
    while np.abs(weights - [1, -1]).max() > 0.05 and len(path) < 2000:
        x = rng.uniform(-0.5, 0.5, 2) if centred else rng.uniform(0, 1, 2)
        weights = weights - rate * (weights @ x - (x[0] - x[1])) * x
        path.append(weights)
    return np.array(path)


def detour(path: Array) -> float:
    """Length of a path beside the straight way."""
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum() / np.linalg.norm(path[-1] - path[0]))


def run(setting: Setting, figure: Any) -> list[Finding]:
    signs, ways = panels(figure, 2)
    seeds = range(setting.seeds)
    part = {
        f"{name}, {rows} sample{'s' * (rows > 1)}": [same_sign(name, rows, seed) for seed in seeds]
        for name in ("sigmoid", "tanh")
        for rows in (1, BATCH)
    }
    dots(signs, part, [COLORS["sigmoid"], COLORS["sigmoid"], COLORS["relu"], COLORS["relu"]])
    signs.set(title="neurons whose weight gradients share a sign", xlim=(-0.03, 1.03))

    paths = {}
    for centred in (False, True):
        by_rate = [[descent(centred, rate, seed) for seed in seeds] for rate in RATES]
        paths[centred] = min(by_rate, key=lambda tried: sum(map(len, tried)))  # each at the rate that is best for it
    for centred, color, label in ((False, COLORS["sigmoid"], "0 to 1"), (True, COLORS["relu"], "-0.5 to 0.5")):
        ways.plot(*paths[centred][0].T, color=color, linewidth=1, label=f"inputs {label}")
    ways.plot([1], [-1], "k*", markersize=9)
    ways.set(title="descent to the weights (1, -1)", xlabel="first weight", ylabel="second weight")
    ways.legend(frameon=False, fontsize=8)
    detours = {centred: np.array([detour(path) for path in paths[centred]]) for centred in paths}
    steps = {centred: np.array([len(path) - 1 for path in paths[centred]]) for centred in paths}

    means = {
        name: np.array(
            [np.mean(hidden_outputs(network(name, 2)(np.random.default_rng(seed)), digits().x)[0]) for seed in seeds]
        )
        for name in ("sigmoid", "tanh")
    }
    one, many = part["sigmoid, 1 sample"], part[f"sigmoid, {BATCH} samples"]
    centred_part = part["tanh, 1 sample"]
    return [
        Finding(
            "Sigmoid outputs are not zero-centred.",
            f"Mean output of a first hidden layer: sigmoid {number(means['sigmoid'])}, tanh {number(means['tanh'])}.",
            bool(means["sigmoid"].min() > 0.3 and np.abs(means["tanh"]).max() < 0.1),
        ),
        Finding(
            "The gradients of all weights of a neuron behind them share a sign.",
            f"For one sample this is so in {percent(one)} of the neurons behind sigmoids, {percent(centred_part)} "
            f"behind tanh; for the mean over {BATCH} samples in {percent(many)}: a batch takes most of it away.",
            bool(np.min(one) > 0.99 and np.max(centred_part) < 0.01),
        ),
        Finding(
            "So the weights zig-zag when they should move in directions of different sign.",
            f"Way to (1, -1) as multiple of the straight one: {number(detours[False])} with positive inputs, "
            f"{number(detours[True])} with centred ones.",
            bool(detours[False].mean() > 1.5 * detours[True].mean()),
        ),
        Finding(
            "And learning takes longer.",
            f"Steps until both weights are within 0.05, each with the best learning rate: {number(steps[False])} with "
            f"positive inputs, {number(steps[True])} with centred ones.",
            bool(steps[False].mean() > 1.2 * steps[True].mean()),
        ),
    ]


EXPERIMENT = Experiment("zero_centred", "Outputs that are not zero-centred", run)
