"""Fitting numact.sklearn's classifier and regressor beside scikit-learn's own, at equal settings."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .report import Table

SETTINGS = {
    "alpha": 1e-4, "learning_rate_init": 0.02, "momentum": 0.9, "tol": 0.0, "n_iter_no_change": 10**6,
}  # fmt: skip
ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}  # theirs


@dataclass
class Task:
    """Data in two parts, and a network for them."""

    name: str
    kind: str  # of the estimator: MLPClassifier or MLPRegressor
    parts: tuple[Any, Any, Any, Any]  # x, x of the test, y, y of the test
    hidden: tuple[int, ...]
    batch: int
    epochs: int
    activations: list[str] = field(default_factory=lambda: list(ACTIVATIONS))


def tasks(quick: bool) -> list[Task]:
    from sklearn.datasets import load_digits, make_classification, make_regression
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import scale

    rows, epochs = (500, 1) if quick else (20_000, 10)
    digits, labels = (array[: 4 * rows] for array in load_digits(return_X_y=True))
    x, y = make_classification(
        rows, 100, n_informative=40, n_redundant=20, n_classes=10, n_clusters_per_class=2, class_sep=2, random_state=0
    )
    made, target = make_regression(rows, 50, n_informative=20, n_targets=2, noise=1.0, random_state=0)
    target = scale(np.tanh(target / target.std(axis=0)))
    few = ["relu", "tanh"]
    return [
        Task("digits", "MLPClassifier", _split(train_test_split, digits / 8 - 1, labels), (100,), 32, 3 * epochs),
        Task(f"{rows} x 100", "MLPClassifier", _split(train_test_split, scale(x), y), (256, 128), 128, epochs, few),
        Task(f"{rows} x 50", "MLPRegressor", _split(train_test_split, made, target), (64,), 64, epochs, few),
    ]


def _split(function: Any, x: Any, y: Any) -> tuple[Any, Any, Any, Any]:
    parts: tuple[Any, Any, Any, Any] = tuple(function(x, y, test_size=0.25, random_state=0))
    return parts


def fitted(task: Task, activation: str, dtype: Any, seed: int, own: bool) -> tuple[float, float]:
    """Seconds to fit, and the score on the test data."""
    import sklearn.neural_network

    import numact.sklearn

    options: dict[str, Any] = {"hidden_layer_sizes": task.hidden, "batch_size": task.batch, "max_iter": task.epochs}
    options |= SETTINGS | {"random_state": seed}
    if own:
        options |= {"max_norm": None, "initial_weight": "xavier_uniform"}  # as theirs
        estimator = getattr(numact.sklearn, task.kind)(activation=activation, **options)
    else:
        theirs = getattr(sklearn.neural_network, task.kind)
        estimator = theirs(activation=ACTIVATIONS[activation], solver="sgd", **options)
    x, x_test, y, y_test = task.parts
    x, x_test = x.astype(dtype), x_test.astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the number of epochs was reached
        warnings.filterwarnings("error", "Training interrupted by user")
        started = time.perf_counter()
        try:
            estimator.fit(x, y)
        except UserWarning:
            raise KeyboardInterrupt from None
        seconds = time.perf_counter() - started
    return seconds, estimator.score(x_test, y_test)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="fits of each estimator (default: 3)")
    parser.add_argument("--quick", action="store_true", help="little data and few epochs: no measurement")


def duration(args: argparse.Namespace) -> float:
    return args.seeds * (3 if args.quick else 40)


def run(args: argparse.Namespace) -> Iterator[Table]:
    try:
        chosen = tasks(args.quick)
    except ImportError:
        return
    lines = []
    for task in chosen:
        for activation in task.activations:
            for dtype in (np.float32, np.float64):
                results: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
                for seed in range(args.seeds):
                    for own in results:  # in turns
                        results[own].append(fitted(task, activation, dtype, seed, own))
                (ours, score), (theirs, their_score) = (
                    (min(s for s, _ in each), float(np.mean([score for _, score in each]))) for each in results.values()
                )
                what = f"{task.kind[3:].lower()}, {'-'.join(map(str, task.hidden))}, batch {task.batch}"
                name = np.dtype(dtype).name
                lines.append([task.name, what, activation, name, ours, theirs, theirs / ours, score, their_score])
    header = ["data", "network", "activation", "dtype", "s", "scikit-learn s", "lead", "score", "scikit-learn score"]
    notes = [
        f"fastest of {args.seeds} fits, mean score of their test data (accuracy, coefficient of determination);"
        " SGD with Nesterov momentum, the same epochs"
    ]
    yield Table("all", "Estimators", header, lines, notes)
