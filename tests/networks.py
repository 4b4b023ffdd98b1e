"""Small networks with every kind of layer."""

from __future__ import annotations

import numpy as np

import numact as na
from numact import nn


def networks(dtype=np.float64):
    """One small network for each kind of layer."""
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
        "gated": nn.Sequential(dense(4, 12), nn.Gated("swiglu"), dense(6, 3), rng=rng),
        "batch normalisation": around(nn.BatchNorm(6, dtype=dtype), nn.Activate("tanh"), dense(6, 6)),
        "without bias": nn.Sequential(nn.Dense(4, 3, bias=False, dtype=dtype), rng=rng),
        "activation first and last": nn.Sequential(nn.Activate("silu"), dense(4, 3), nn.Activate("sigmoid"), rng=rng),
    }
    for name, record in na.activations.items():
        if record.kind in ("elementwise", "axis") and name not in ("prelu", "maxout"):
            layer = nn.Activate(name)
            result[f"Activate({name!r})"] = (
                nn.Sequential(dense(4, 6), layer, dense(12, 3), rng=rng) if name == "crelu" else around(layer)
            )
    return result
