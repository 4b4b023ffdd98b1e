"""exp() is a bit compute expensive: is it a problem?"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import numact as na

from .common import COLORS, Experiment, Finding, Setting, legend, panels

BATCH = 128
LAYERS = [(64, 64), (256, 128), (784, 256), (1024, 1024)]


def seconds(call: Callable[[], Any], budget: float) -> float:
    """The least time of a call within a budget, after a first one."""
    call()
    best, end = np.inf, time.perf_counter() + budget
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def sigmoid_by_numpy(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def run(setting: Setting, figure: Any) -> list[Finding]:
    budget = 0.15 * setting.effort
    names = ["relu", "sigmoid", "tanh", "silu", "elu"]
    products, times, numpy_times = [], {name: [] for name in names}, []
    rng = np.random.default_rng(0)
    for inputs, units in LAYERS:
        x, weight = (rng.normal(size=size).astype(np.float32) for size in ((BATCH, inputs), (inputs, units)))
        z = x @ weight / np.sqrt(inputs, dtype=np.float32)
        y = np.empty_like(z)
        products.append(seconds(partial(np.matmul, x, weight, out=y), budget))
        for name in names:
            times[name].append(seconds(partial(getattr(na, name), z, out=y), budget))
        numpy_times.append(seconds(partial(sigmoid_by_numpy, z), budget))
    (axes,) = panels(figure, 1)
    labels = [f"{inputs} to {units}" for inputs, units in LAYERS]
    for name in names:
        axes.plot(labels, 100 * np.array(times[name]) / products, "o-", color=COLORS[name], label=name, markersize=4)
    axes.plot(
        labels, 100 * np.array(numpy_times) / products, "o--", color="#718096", label="sigmoid by np.exp", markersize=4
    )
    axes.set(
        title=f"time of an activation beside the matrix product in front of it, batch {BATCH}, float32",
        ylabel="percent", yscale="log",
    )  # fmt: skip
    legend(axes, ncols=6)

    share = np.array(times["sigmoid"]) / products
    by_numpy = np.array(numpy_times) / products
    ratio = np.array(times["sigmoid"]) / times["relu"]
    return [
        Finding(
            "exp() is expensive beside max(0, x).",
            f"numact's sigmoid takes {ratio.min():.1f} to {ratio.max():.1f} times as long as its relu.",
            bool(ratio.max() > 1.5),
        ),
        Finding(
            "That is a small problem only: the matrix products cost more.",
            f"Beside the product in front of it numact's sigmoid takes {share.max():.0%} of its time for "
            f"{labels[int(share.argmax())]} units, {share.min():.0%} for {labels[int(share.argmin())]}; "
            f"1 / (1 + np.exp(-x)) takes {by_numpy.max():.0%} to {by_numpy.min():.0%}.",
            bool(share.max() < 0.5),
        ),
    ]


EXPERIMENT = Experiment("cost_of_exp", "exp() is a bit compute expensive", run)
