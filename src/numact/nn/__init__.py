"""A small neural network library on numact's functions and NumPy's matrix product.

One step of training is the loop of the textbook: sample a batch, go forward to the loss, go backward to the gradients,
update the parameters.

>>> import numpy as np
>>> import numact as na
>>> from numact import nn
>>> rng = np.random.default_rng(0)
>>> images = rng.normal(size=(512, 2))
>>> targets = (images[:, 0] * images[:, 1] > 0).astype(int)
>>> model = nn.Sequential(nn.Dense(2, 16), nn.Activate("relu"), nn.Dense(16, 2), rng=rng)
>>> optimizer = na.SGD([p.value for p in model.parameters], lr=0.1, momentum=0.9)
>>> for epoch in range(20):
...     for x, labels in nn.batches(images, targets, batch_size=32, rng=rng):
...         loss, dlogits = nn.softmax_cross_entropy(model.forward(x, training=True), labels)
...         dx = model.backward(dlogits)
...         applied = optimizer.step([p.grad for p in model.parameters])
>>> accuracy = np.mean(model.forward(images).argmax(axis=1) == targets)
>>> bool(accuracy > 0.95)
True
"""

from numact.nn._activations import Activate, Gated, PReLU, RReLU, Swish
from numact.nn._callbacks import Callback, History, Run
from numact.nn._data import Standardize, Whiten, batches, split
from numact.nn._dense import Dense, Maxout
from numact.nn._fit import DivergedError, fit
from numact.nn._io import load, save
from numact.nn._layer import Layer, Parameter
from numact.nn._loss import binary_cross_entropy_with_logits, mean_squared_error, softmax_cross_entropy
from numact.nn._mlp import mlp
from numact.nn._monitor import Finding, HealthWarning, LayerHealth, Monitor
from numact.nn._regularisation import BatchNorm, Dropout
from numact.nn._schedules import ConstantSchedule, CosineSchedule, StepSchedule
from numact.nn._sequential import Sequential

__all__ = [
    "Activate",
    "BatchNorm",
    "Callback",
    "ConstantSchedule",
    "CosineSchedule",
    "Dense",
    "DivergedError",
    "Dropout",
    "Finding",
    "Gated",
    "HealthWarning",
    "History",
    "Layer",
    "LayerHealth",
    "Maxout",
    "Monitor",
    "PReLU",
    "Parameter",
    "RReLU",
    "Run",
    "Sequential",
    "Standardize",
    "StepSchedule",
    "Swish",
    "Whiten",
    "batches",
    "binary_cross_entropy_with_logits",
    "fit",
    "load",
    "mean_squared_error",
    "mlp",
    "save",
    "softmax_cross_entropy",
    "split",
]
