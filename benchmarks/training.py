"""A training step beside its matrix products, PyTorch, plain NumPy and scikit-learn."""

from __future__ import annotations

import argparse
import importlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise, product
from typing import Any

import numpy as np

from .cases import Call, Case, add_options, estimate, measure, tables
from .peers import torch
from .report import Table

import numact as na  # isort: skip
from numact import nn

# Widths of the layers and samples in a batch.
NETWORKS = (((64, 32, 10), 32), ((784, 256, 128, 10), 128), ((784, 1024, 1024, 10), 256))
ACTIVATIONS = ("relu", "tanh", "gelu")
LR, MOMENTUM = 0.01, 0.9
MOST_OVER_PRODUCTS = 1.3


# Activation and derivative, of the input and the output.
PLAIN: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "relu": (lambda x: np.maximum(x, 0), lambda x, y: x > 0),
    "tanh": (np.tanh, lambda x, y: 1 - y * y),
}


class Plain:
    """The same network as one would write it with NumPy, every array made anew."""

    def __init__(self, weights: Sequence[Any], name: str) -> None:
        self.weights = [weight.copy() for weight in weights]
        self.biases = [np.zeros(weight.shape[1], np.float32) for weight in weights]
        self.velocities = [np.zeros_like(p) for p in (*self.weights, *self.biases)]
        self.forward, self.slope = PLAIN[name]

    def step(self, x: Any, labels: Any) -> float:
        inputs, ys = [], [x]
        for weight, bias in zip(self.weights, self.biases, strict=True):
            inputs.append(ys[-1] @ weight + bias)
            ys.append(self.forward(inputs[-1]))
        logits = inputs[-1]
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        rows = np.arange(len(x))
        loss = -np.mean(np.log(p[rows, labels]))
        p[rows, labels] -= 1
        dy = p / len(x)
        gradients = []
        for i in reversed(range(len(self.weights))):
            gradients.append((ys[i].T @ dy, dy.sum(axis=0)))
            if i:
                dy = (dy @ self.weights[i].T) * self.slope(inputs[i - 1], ys[i])
        gradients.reverse()
        flat = [g for g, _ in gradients] + [g for _, g in gradients]
        for p, g, v in zip((*self.weights, *self.biases), flat, self.velocities, strict=True):
            v *= MOMENTUM
            v += g
            p -= LR * v
        return float(loss)


def by_numact(weights: Sequence[Any], name: str, x: Any, labels: Any) -> Call:
    layers: list[nn.Layer] = []
    for weight in weights:
        layers += [nn.Dense(*weight.shape, initial_weight=weight), nn.Activate(name)]
    model = nn.Sequential(*layers[:-1])
    optimizer = na.SGD([p.value for p in model.parameters], lr=LR, momentum=MOMENTUM)
    grads = [p.grad for p in model.parameters]

    def step() -> float:
        loss, dlogits = nn.softmax_cross_entropy(model.forward(x, training=True), labels)
        model.backward(dlogits, input_gradient=False)
        optimizer.step(grads)
        return loss

    return step


def by_torch(weights: Sequence[Any], name: str, x: Any, labels: Any, fused: bool) -> Call:
    act = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "gelu": torch.nn.GELU}[name]
    with torch.enable_grad():
        layers: list[Any] = []
        for weight in weights:
            layer = torch.nn.Linear(*weight.shape)
            layer.weight.data = torch.from_numpy(weight.T.copy())
            layer.bias.data.zero_()
            layers += [layer, act()]
        model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM, fused=fused)
    loss_of = torch.nn.CrossEntropyLoss()
    tx, targets = torch.from_numpy(x), torch.from_numpy(labels)

    def step() -> float:
        with torch.enable_grad():
            optimizer.zero_grad()
            loss = loss_of(model(tx), targets)
            loss.backward()
            optimizer.step()
        return float(loss)

    return step


def by_sklearn(widths: Sequence[int], name: str, x: Any, labels: Any) -> Call | None:
    """Its weights are its own, so its loss is not compared."""
    with suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = importlib.import_module("sklearn.neural_network").MLPClassifier(
            widths[1:-1], activation=name, solver="sgd", alpha=0, batch_size=len(x), learning_rate_init=LR,
            momentum=MOMENTUM, nesterovs_momentum=False, random_state=0
        )  # fmt: skip
        classes = np.arange(widths[-1])
        network.partial_fit(x, labels, classes=classes)
        return lambda: network.partial_fit(x, labels)
    return None


def products(weights: Sequence[Any], x: Any) -> Call:
    """The matrix products of a step: forward, by the weights, and by all inputs but the first layer's."""
    shapes = [weight.shape for weight in weights]
    ys = [x, *(np.ones((len(x), units), np.float32) for _, units in shapes)]
    grads = [np.empty(shape, np.float32) for shape in shapes]
    outs = [np.empty_like(y) for y in ys]

    def run() -> None:
        for i, weight in enumerate(weights):
            np.matmul(ys[i], weight, out=outs[i + 1])
            np.matmul(ys[i].T, ys[i + 1], out=grads[i])
            if i:
                np.matmul(ys[i + 1], weight.T, out=outs[i])

    return run


def training_step(name: str, widths: tuple[int, ...], batch: int) -> Case:
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((batch, widths[0]), np.float32), rng.integers(0, widths[-1], batch)
    weights = [(rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32) for shape in pairwise(widths)]
    peers: dict[str, Call] = {}
    if name in PLAIN:
        peers["NumPy"] = partial(Plain(weights, name).step, x, labels)
    if torch is not None:
        peers["PyTorch"] = by_torch(weights, name, x, labels, fused=False)
        peers["PyTorch fused"] = by_torch(weights, name, x, labels, fused=True)
    limits = {"products": products(weights, x)}
    if name in PLAIN and (fit := by_sklearn(widths, name, x, labels)) is not None:
        limits["scikit-learn"] = fit
    what = f"{'-'.join(map(str, widths))}, batch {batch}"
    return Case(name, "float32", what, batch, by_numact(weights, name, x, labels), peers, limits)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)


def duration(args: argparse.Namespace) -> float:
    return estimate(len(NETWORKS) * len(ACTIVATIONS), 6, args)


def run(args: argparse.Namespace) -> Iterator[Table]:
    rows = measure((training_step(name, *network) for network, name in product(NETWORKS, ACTIVATIONS)), args)
    note = f"over its products at most {MOST_OVER_PRODUCTS}; scikit-learn starts from other weights"
    yield from tables("all", "A training step", rows, [note])
