"""Small networks with every kind of layer."""

from __future__ import annotations

import numpy as np

import numact as na
from numact import nn


def networks(dtype=np.float64):
    """One small network for each kind of layer that draws no random numbers."""
    rng = np.random.default_rng(7)

    def dense(inputs, units):
        return nn.Dense(inputs, units, dtype=dtype, initial_bias=rng.normal(0, 0.3, units))

    def around(*middle):
        return nn.Sequential(dense(4, 6), *middle, dense(6, 3), rng=rng)

    result = {
        "dense": around(),
        "prelu": around(nn.PReLU(6, dtype=dtype)),
        "prelu of one slope": around(nn.PReLU(dtype=dtype)),
        "swish": around(nn.Swish(6, initial=rng.uniform(0.5, 2, 6), dtype=dtype)),
        "maxout": nn.Sequential(nn.Maxout(4, 6, pieces=3, dtype=dtype), dense(6, 3), rng=rng),
        "nested": around(nn.Sequential(nn.Activate("tanh"), dense(6, 6), nn.Activate("elu", alpha=0.5), rng=rng)),
        "slopes of its own for each column": around(nn.Activate("leaky_relu", negative_slope=np.linspace(0.1, 0.6, 6))),
        "batch normalisation": around(nn.BatchNorm(6, dtype=dtype), nn.Activate("tanh"), dense(6, 6)),
        "frozen batch normalisation": around(nn.BatchNorm(6, dtype=dtype), nn.Activate("tanh"), dense(6, 6)),
        "without bias": nn.Sequential(nn.Dense(4, 3, bias=False, dtype=dtype), rng=rng),
        "activation first and last": nn.Sequential(nn.Activate("silu"), dense(4, 3), nn.Activate("sigmoid"), rng=rng),
    }
    frozen = result["frozen batch normalisation"][1]
    frozen.freeze()
    for array in (frozen.running_mean, frozen.running_variance, frozen.weight.value, frozen.bias.value):
        array[...] = rng.uniform(0.5, 2, 6)
    for name, record in na.activations.items():
        if record.kind == "gated":
            result[name] = nn.Sequential(dense(4, 12), nn.Gated(name), dense(6, 3), rng=rng)
        if record.kind in ("elementwise", "axis") and name not in ("prelu", "maxout"):
            layer = nn.Activate(name)
            result[f"Activate({name!r})"] = (
                nn.Sequential(dense(4, 6), layer, dense(12, 3), rng=rng) if name == "crelu" else around(layer)
            )
    return result


def drawing_networks(dtype=np.float64):
    """The same for the layers that draw random numbers in training."""
    rng = np.random.default_rng(7)
    return {
        repr(layer): nn.Sequential(nn.Dense(4, 6, dtype=dtype), layer, nn.Dense(6, 3, dtype=dtype), rng=rng)
        for layer in (nn.Dropout(0.3), nn.RReLU())
    }
