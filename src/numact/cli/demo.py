"""``numact demo``: trains on handwritten digits, times the activations and draws a picture."""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

import numact as na
from numact import nn

from ._common import CommandError, check_writable, new_figure, picture, positive_int, require
from ._expressions import directions
from .bench import measure
from .plot import BLUE, ORANGE, draw

Array = NDArray[Any]


# The nine activations of the lecture, in its order.
_ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "maxout", "swish")


class _Lines(nn.Callback):
    """A line for each epoch."""

    def on_epoch_end(self, run: nn.Run) -> None:
        from tqdm import tqdm

        history = run.history
        # Not print: it would break the progress bar.
        tqdm.write(
            f"epoch {run.epoch:{len(str(run.epochs))}}/{run.epochs}  loss {history.loss[-1]:.4f}  "
            f"training accuracy {history.metric[-1]:7.2%}  test accuracy {history.validation_metric[-1]:7.2%}"
        )


def _digits(rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Training images and labels, test images and labels: 80 to 20 % of each class, standardised."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    (images, labels), (test_images, test_labels) = nn.split(images, labels, fraction=0.2, stratify=labels, rng=rng)
    # One scale for all pixels: each for itself would blow up the noise of those that are nearly always blank.
    scaling = nn.Standardize(per_feature=False).fit(images)
    return scaling.transform(images), labels, scaling.transform(test_images), test_labels


def _train(args: argparse.Namespace) -> nn.History:
    rng = np.random.default_rng(args.seed)
    images, labels, test_images, test_labels = _digits(rng)
    model = nn.mlp([64, *args.layers, 10], args.activation, rng=rng)
    print(f"digits: {len(images)} training and {len(test_images)} test images of 64 pixels, 10 classes")
    print(
        f"network: 64-{'-'.join(map(str, args.layers))}-10, {args.activation}, "
        f"{sum(p.value.size for p in model.parameters)} parameters"
    )
    started = time.perf_counter()
    try:
        history = nn.fit(
            model,
            images,
            labels,
            lr=args.lr,
            momentum=args.momentum,
            epochs=args.epochs,
            batch_size=args.batch_size,
            validation=(test_images, test_labels),
            callbacks=[] if args.quiet else [_Lines()],
            progress=False if args.quiet else None,
            rng=rng,
        )
    except nn.DivergedError as error:
        raise CommandError(
            f"the training diverged in epoch {error.epoch}; try a smaller --lr than {args.lr:g}"
        ) from None
    if history.stopped == "interrupt":
        raise KeyboardInterrupt
    seconds = time.perf_counter() - started
    print(f"test accuracy {history.validation_metric[-1]:.2%} after {args.epochs} epochs in {seconds:.1f} s")
    return history


def _benchmark(elements: int = 1 << 20) -> None:
    """Print a table of times per element, numact against NumPy."""
    threads = f"{na.get_num_threads()} threads" if na.get_num_threads() > 1 else "1 thread"
    print(f"\nNanoseconds per element, {elements:,} elements of float32; numact on {threads}, NumPy on 1.")
    print("Backward is from the output where that tells the gradient.\n")
    print(f"{'':11} {'forward':^28}  {'backward':^28}".rstrip())
    print(
        f"{'activation':11} {'NumPy':>8}  {'numact':>8}  {'speed-up':>8}  {'NumPy':>8}  {'numact':>8}  {'speed-up':>8}"
    )
    for name in _ACTIVATIONS:
        *_, backward = directions(name)  # from the output where that is enough: it is cheaper
        cells = []
        for direction in ("forward", backward):
            times = measure(name, direction, elements, np.dtype(np.float32), seconds=0.03)
            ours, theirs = (times[who].minimum / elements * 1e9 for who in ("numact", "NumPy"))
            cells.append(f"{theirs:8.2f}  {ours:8.2f}  {theirs / ours:7.1f}x")
        print(f"{name:11} {'  '.join(cells)}", flush=True)


def _draw(history: nn.History, args: argparse.Namespace) -> None:
    """The nine functions with their derivatives, and the course of the training."""
    figure: Any = new_figure(figsize=(14, 7.5), dpi=120, layout="constrained")
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
        f"Digits with {args.activation}: {history.validation_metric[-1]:.1%} of the test images right", fontsize=14
    )
    epochs = range(1, len(history.loss) + 1)
    above, below = right.subplots(2, 1, sharex=True)
    above.semilogy(epochs, history.loss, color=BLUE, linewidth=2, marker=".")
    above.set_ylabel("mean training loss")
    below.plot(epochs, history.metric, color=BLUE, linewidth=2, marker=".", label="training")
    below.plot(epochs, history.validation_metric, color=ORANGE, linewidth=2, marker=".", label="test")
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
        return [positive_int(part.strip()) for part in text.split(",")]
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
    add("--epochs", type=positive_int, default=20, metavar="N", help="passes over the training images" + shown)
    add("--batch-size", type=positive_int, default=32, metavar="N", help="images per step" + shown)
    add("--lr", type=_learning_rate, default=0.05, metavar="RATE", help="learning rate" + shown)
    add("--momentum", type=_momentum, default=0.9, metavar="M", help="momentum of SGD" + shown)
    add("--seed", type=_seed, default=1, metavar="N", help="of split, initial weights and batches" + shown)
    add(
        "-o",
        "--output",
        type=picture,
        default="numact-demo.png",
        metavar="FILE",
        help="picture to write: .png, .pdf or .svg" + shown,
    )
    add("--no-picture", action="store_true", help="draw no picture")
    add("--no-benchmark", action="store_true", help="time nothing")
    add("-q", "--quiet", action="store_true", help="print results only, no progress")
    demo.set_defaults(run=_demo)
