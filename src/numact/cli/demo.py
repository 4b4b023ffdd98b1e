"""``numact demo``: trains on handwritten digits, times the activations and draws a picture."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import numact as na
from numact import nn

from ._common import CommandError, check_writable, picture, require
from ._timing import interleaved
from .plot import BLUE, ORANGE, draw

Array = NDArray[Any]


@dataclass(frozen=True)
class _Contender:
    """One activation of the demo: its layers in a network, and numact against what one would write with NumPy.

    Backward takes dy, x and the output of forward. Where the output is enough, both sides use it: it is cheaper.
    """

    name: str
    layers: Callable[[int, int], list[nn.Layer]]
    forward: Callable[[Array], Any]
    backward: Callable[[Array, Array, Any], Any]
    numpy_forward: Callable[[Array], Any]
    numpy_backward: Callable[[Array, Array, Any], Any]


def _plain(
    name: str, numpy_forward: Callable[[Array], Any], numpy_backward: Callable[[Array, Array, Any], Any]
) -> _Contender:
    """A function of one array with its default parameters, and a derivative that follows from the output."""
    record = na.activations[name]
    from_output = record.backward_from_output
    assert from_output is not None
    return _Contender(
        name,
        layers=lambda inputs, units: [nn.Dense(inputs, units), nn.Activate(name)],
        forward=record.forward,
        backward=lambda dy, x, y: from_output(dy, y),
        numpy_forward=numpy_forward,
        numpy_backward=numpy_backward,
    )


def _sigmoid(x: Array) -> Any:
    return 1 / (1 + np.exp(-x))


_SLOPE = 0.25
_ALPHA, _SCALE = 1.6732632, 1.0507010

CONTENDERS = (
    _plain("sigmoid", _sigmoid, lambda dy, x, y: dy * y * (1 - y)),
    _plain("tanh", np.tanh, lambda dy, x, y: dy * (1 - y * y)),
    _plain("relu", lambda x: np.maximum(x, 0), lambda dy, x, y: dy * (y > 0)),
    _plain("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x), lambda dy, x, y: np.where(y > 0, dy, 0.01 * dy)),
    _Contender(
        "prelu",
        layers=lambda inputs, units: [nn.Dense(inputs, units), nn.PReLU(units)],
        forward=lambda x: na.prelu(x, _SLOPE),
        backward=lambda dy, x, y: na.prelu_backward(dy, x, _SLOPE),
        numpy_forward=lambda x: np.where(x > 0, x, _SLOPE * x),
        numpy_backward=lambda dy, x, y: (np.where(x > 0, dy, _SLOPE * dy), np.sum(dy * np.minimum(x, 0))),
    ),
    _plain("elu", lambda x: np.where(x > 0, x, np.exp(x) - 1), lambda dy, x, y: dy * np.where(y > 0, 1, y + 1)),
    _plain(
        "selu",
        lambda x: _SCALE * np.where(x > 0, x, _ALPHA * (np.exp(x) - 1)),
        lambda dy, x, y: dy * np.where(y > 0, _SCALE, y + _SCALE * _ALPHA),
    ),
    _Contender(
        "maxout",
        layers=lambda inputs, units: [nn.Maxout(inputs, units, pieces=2)],
        forward=na.maxout,
        backward=lambda dy, x, y: na.maxout_backward(dy, y[1], x.shape[-1]),
        numpy_forward=lambda x: (x.max(axis=-1), x.argmax(axis=-1)),
        numpy_backward=lambda dy, x, y: np.where(np.arange(x.shape[-1]) == y[1][:, None], dy[:, None], 0),
    ),
    _Contender(
        "swish",
        layers=lambda inputs, units: [nn.Dense(inputs, units), nn.Swish(units)],
        forward=na.swish,
        backward=lambda dy, x, y: na.swish_backward(dy, x),
        numpy_forward=lambda x: x * _sigmoid(x),
        numpy_backward=lambda dy, x, y: (dy * (y + _sigmoid(x) * (1 - y)), np.sum(dy * y * (x - y))),
    ),
)

# The nine activations of the lecture, in its order; the rest of this module iterates over them.
_ACTIVATIONS = {contender.name: contender for contender in CONTENDERS}


@dataclass
class _History:
    """What each epoch gave."""

    loss: list[float]
    train_accuracy: list[float]
    test_accuracy: list[float]


def _digits(rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Training images and labels, test images and labels: 80 to 20 % of each class, standardised."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        test[members[: round(0.2 * len(members))]] = True
    # One scale for all pixels: each for itself would blow up the noise of those that are nearly always blank.
    images = ((images - images[~test].mean(axis=0)) / images[~test].std()).astype(np.float32)
    return images[~test], labels[~test], images[test], labels[test]


def _network(activation: str, widths: Sequence[int], rng: np.random.Generator) -> nn.Sequential:
    """A classifier of the 64 pixels into 10 digits."""
    layers: list[nn.Layer] = []
    inputs = 64
    for units in widths:
        layers += _ACTIVATIONS[activation].layers(inputs, units)
        inputs = units
    return nn.Sequential(*layers, nn.Dense(inputs, 10), rng=rng)


@np.errstate(over="ignore", invalid="ignore")  # a training that diverges is told by its loss
def _train(args: argparse.Namespace) -> _History:
    from tqdm import tqdm

    rng = np.random.default_rng(args.seed)
    images, targets, test_images, test_targets = _digits(rng)
    model = _network(args.activation, args.layers, rng)
    optimizer = na.SGD([p.value for p in model.parameters], lr=args.lr, momentum=args.momentum)
    print(f"digits: {len(images)} training and {len(test_images)} test images of 64 pixels, 10 classes")
    print(
        f"network: 64-{'-'.join(map(str, args.layers))}-10, {args.activation}, "
        f"{sum(p.value.size for p in model.parameters)} parameters"
    )

    history = _History([], [], [])
    started = time.perf_counter()
    # disable=None: no bar where nobody watches.
    with tqdm(range(1, args.epochs + 1), unit="epoch", disable=True if args.quiet else None, leave=False) as epochs:
        for epoch in epochs:
            total_loss, hits = 0.0, 0
            # 1. Sample a batch of data.
            for x, labels in nn.batches(images, targets, batch_size=args.batch_size, rng=rng):
                # 2. Go forward through the graph, get the loss.
                logits = model.forward(x, training=True)
                loss, dlogits = nn.softmax_cross_entropy(logits, labels)
                if not math.isfinite(loss):
                    raise CommandError(f"the training diverged in epoch {epoch}; try a smaller --lr than {args.lr:g}")
                # 3. Go backward to calculate the gradients.
                model.backward(dlogits)
                # 4. Update the parameters with the gradients.
                optimizer.step([p.grad for p in model.parameters])
                total_loss += loss * len(x)
                hits += int(np.sum(logits.argmax(axis=1) == labels))
            history.loss.append(total_loss / len(images))
            history.train_accuracy.append(hits / len(images))
            history.test_accuracy.append(float(np.mean(model.forward(test_images).argmax(axis=1) == test_targets)))
            epochs.set_postfix(loss=f"{history.loss[-1]:.4f}", test=f"{history.test_accuracy[-1]:.2%}")
            if not args.quiet:
                epochs.write(
                    f"epoch {epoch:{len(str(args.epochs))}}/{args.epochs}  loss {history.loss[-1]:.4f}  "
                    f"training accuracy {history.train_accuracy[-1]:7.2%}  "
                    f"test accuracy {history.test_accuracy[-1]:7.2%}"
                )
    seconds = time.perf_counter() - started
    print(f"test accuracy {history.test_accuracy[-1]:.2%} after {args.epochs} epochs in {seconds:.1f} s")
    return history


def _benchmark(elements: int = 1 << 20) -> None:
    """Print a table of times per element, numact against NumPy."""
    rng = np.random.default_rng(0)
    threads = f"{na.get_num_threads()} threads" if na.get_num_threads() > 1 else "1 thread"
    print(f"\nNanoseconds per element, {elements:,} elements of float32; numact on {threads}, NumPy on 1.\n")
    print(f"{'':11} {'forward':^28}  {'backward':^28}".rstrip())
    print(
        f"{'activation':11} {'NumPy':>8}  {'numact':>8}  {'speed-up':>8}  {'NumPy':>8}  {'numact':>8}  {'speed-up':>8}"
    )
    for name, contender in _ACTIVATIONS.items():
        x = rng.normal(0, 2, (elements // 2, 2) if name == "maxout" else elements).astype(np.float32)
        dy = rng.uniform(0.5, 1.5, len(x)).astype(np.float32)
        y, numpy_y = contender.forward(x), contender.numpy_forward(x)
        pairs = (
            (partial(contender.numpy_forward, x), partial(contender.forward, x)),
            (partial(contender.numpy_backward, dy, x, numpy_y), partial(contender.backward, dy, x, y)),
        )
        cells = []
        for theirs, ours in pairs:
            _check_equal(name, ours(), theirs())
            times = interleaved({"theirs": theirs, "ours": ours}, seconds=0.03)
            their_time, our_time = (time.minimum / elements * 1e9 for time in times.values())
            cells.append(f"{their_time:8.2f}  {our_time:8.2f}  {their_time / our_time:7.1f}x")
        print(f"{name:11} {'  '.join(cells)}", flush=True)


def _check_equal(name: str, ours: Any, theirs: Any) -> None:
    pairs = zip(ours, theirs, strict=True) if isinstance(ours, tuple) else [(ours, theirs)]
    if not all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in pairs):
        raise CommandError(f"numact and NumPy disagree on {name}; please report this")


def _draw(history: _History, args: argparse.Namespace) -> None:
    """The nine functions with their derivatives, and the course of the training."""
    from matplotlib.figure import Figure  # without pyplot: draws into a file whatever the display

    figure: Any = Figure(figsize=(14, 7.5), dpi=120, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    left, right = figure.subfigures(1, 2, width_ratios=(1.55, 1), wspace=0.04)

    panels = left.subplots(3, 3, sharex=True, sharey=True)
    left.suptitle("Nine activation functions and their derivatives", fontsize=14)
    for axes, name in zip(panels.flat, _ACTIVATIONS, strict=True):
        draw(axes, na.activations[name], half_width=4)
        axes.set(xlim=(-4, 4), ylim=(-2, 4), xticks=range(-4, 5, 2), yticks=range(-2, 5, 2))
        axes.set_title(name, fontsize=12, fontweight="bold" if name == args.activation else "normal")
    left.axes[0].legend(loc="upper left", frameon=False)

    right.suptitle(
        f"Digits with {args.activation}: {history.test_accuracy[-1]:.1%} of the test images right", fontsize=14
    )
    epochs = range(1, len(history.loss) + 1)
    above, below = right.subplots(2, 1, sharex=True)
    above.semilogy(epochs, history.loss, color=BLUE, linewidth=2, marker=".")
    above.set_ylabel("mean training loss")
    below.plot(epochs, history.train_accuracy, color=BLUE, linewidth=2, marker=".", label="training")
    below.plot(epochs, history.test_accuracy, color=ORANGE, linewidth=2, marker=".", label="test")
    below.set(xlabel="epoch", ylabel="accuracy")
    below.xaxis.get_major_locator().set_params(integer=True)
    below.yaxis.set_major_formatter("{x:.0%}")
    below.legend(loc="lower right", frameon=False)
    for axes in (above, below):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)

    try:
        figure.savefig(args.output)
    except OSError as error:
        raise CommandError(f"cannot write {args.output}: {error.strerror}") from None
    print(f"\npicture: {args.output}")


def _positive_int(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1, got {text!r}")
    return value


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be an integer of at least 0, got {text!r}")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _learning_rate(text: str) -> float:
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return value


def _momentum(text: str) -> float:
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 up to, but not including, 1, got {text!r}")
    return value


def _widths(text: str) -> list[int]:
    try:
        return [_positive_int(part.strip()) for part in text.split(",")]
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"must be the units of each hidden layer, separated by commas, such as 64,32; got {text!r}"
        ) from None


def _demo(args: argparse.Namespace) -> None:
    pictures = {} if args.no_picture else {"matplotlib": "matplotlib"}
    require({"sklearn": "scikit-learn", "tqdm": "tqdm"} | pictures, "demo")
    if not args.no_picture and (problem := check_writable(args.output)):
        raise CommandError(problem, status=2)

    history = _train(args)
    if not args.no_benchmark:
        _benchmark()
    if not args.no_picture:
        _draw(history, args)


def add_commands(commands: Any) -> None:
    """``demo``."""
    demo = commands.add_parser(
        "demo",
        help="train on handwritten digits, time the activations, draw a picture",
        description="Train a network on scikit-learn's handwritten digits by mini-batch SGD, time nine activations "
        "against plain NumPy, and draw them with the training curve.",
    )
    add = demo.add_argument
    shown = " (default: %(default)s)"
    add("--activation", choices=_ACTIVATIONS, default="relu", metavar="NAME", help="one of %(choices)s" + shown)
    add("--layers", type=_widths, default="128,64", metavar="N,N,...", help="units of each hidden layer" + shown)
    add("--epochs", type=_positive_int, default=20, metavar="N", help="passes over the training images" + shown)
    add("--batch-size", type=_positive_int, default=32, metavar="N", help="images per step" + shown)
    add("--lr", type=_learning_rate, default=0.05, metavar="RATE", help="learning rate" + shown)
    add("--momentum", type=_momentum, default=0.9, metavar="M", help="momentum of SGD" + shown)
    add("--seed", type=_seed, default=1, metavar="N", help="of split, initial weights and batches" + shown)
    add("-o", "--output", type=picture, default="numact-demo.png", metavar="FILE", help="picture to write" + shown)
    add("--no-picture", action="store_true", help="draw no picture")
    add("--no-benchmark", action="store_true", help="time nothing")
    add("-q", "--quiet", action="store_true", help="print results only, no progress")
    demo.set_defaults(run=_demo)
