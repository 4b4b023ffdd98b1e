"""Distributions of initial weights.

Each keeps the size of the signal about equal from layer to layer, for another kind of activation. With ``fan_in``
inputs and ``fan_out`` outputs the weights have mean 0 and variance

- He: 2 / fan_in, where half of the signal is cut off (He et al. 2015),
- Xavier: 2 / (fan_in + fan_out), where the activation is about linear at 0 (Glorot and Bengio 2010),
- LeCun: 1 / fan_in, where the activation itself keeps the variance (LeCun et al. 1998, Klambauer et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import numact as na

_VARIANCES: dict[str, Callable[[int, int], float]] = {
    "he": lambda fan_in, fan_out: 2 / fan_in,
    "xavier": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "lecun": lambda fan_in, fan_out: 1 / fan_in,
}

NAMES = [f"{family}_{shape}" for family in _VARIANCES for shape in ("normal", "uniform")]


def name_for(activation: str | None) -> str:
    """The initialiser for weights that ``activation`` follows; None stands for no activation."""
    if activation == "selu":
        return "lecun_normal"
    if activation is None or na.activations[activation].saturates == "both":
        return "xavier_normal"
    return "he_normal"


def draw(name: str, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Weights of ``shape`` (fan_in, fan_out), in float64 so that a seed means the same for every dtype."""
    family, distribution = name.split("_")
    deviation = math.sqrt(_VARIANCES[family](*shape))
    if distribution == "normal":
        return rng.normal(0, deviation, shape)
    bound = math.sqrt(3) * deviation
    return rng.uniform(-bound, bound, shape)
