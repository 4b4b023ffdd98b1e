"""``numact plot``: pictures of functions and their derivatives."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

import numact as na
from numact import _curves

from ._common import CommandError, activation, check_writable, new_figure, picture, require

BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#a0aec0"

# LaTeX that matplotlib's mathtext does not know, and what it does.
_MATHTEXT = {"le": r"\leq", "ge": r"\geq", "lvert": "|", "rvert": "|", "frac": r"\dfrac", "tfrac": r"\frac"} | {
    size + side: "" for size in ("big", "Big", "bigg", "Bigg") for side in ("l", "r")
}


def mathtext(formula: str) -> str:
    """A formula in the part of LaTeX that matplotlib renders."""
    return re.sub(r"\\([A-Za-z]+)", lambda command: _MATHTEXT.get(command[1], command[0]), formula)


def draw(axes: Any, record: na.Activation, half_width: float) -> None:
    """Function and derivative over -half_width to half_width; a gap where one of them jumps."""
    grid = np.linspace(-half_width, half_width, 801)
    kinks = [place for place in _curves.kinks(record, na) if abs(place) < half_width]
    beside = [place + side for place in kinks for side in (-1e-8, 0, 1e-8)]
    x = np.union1d(grid[~np.isin(grid, kinks)], beside)
    y, slope = _curves.curve(record, x, na)
    for values in (y, slope):
        for i in np.flatnonzero(np.isin(x, kinks)):
            if abs(values[i + 1] - values[i - 1]) > 1e-6:
                values[i] = np.nan
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.plot(x, y, color=BLUE, linewidth=2.2, label="f(x)")
    axes.plot(x, slope, color=ORANGE, linewidth=1.8, linestyle=(0, (4, 1.5)), label="f '(x)")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _panel(axes: Any, record: na.Activation) -> None:
    """One activation with its formula; wide enough to show every kink."""
    half_width = max([4, *(math.ceil(1.25 * abs(place)) for place in _curves.kinks(record, na))])
    draw(axes, record, half_width)
    low, high = axes.get_ylim()
    axes.set(xlim=(-half_width, half_width), ylim=(max(low, -half_width), min(high, half_width)))
    axes.set_title(f"{record.name}\n${mathtext(record.formula)}$", fontsize=10)
    if record.kind == "gated":
        axes.set_xlabel("gate x, value 1")
    elif record.kind == "axis":
        axes.set_xlabel("first output of the row (x, 0)")


def fill(figure: Any, names: Sequence[str]) -> None:
    """A panel for each name."""
    columns = min(len(names), 3 if len(names) <= 9 else 5)
    rows = math.ceil(len(names) / columns)
    figure.set_size_inches(3.8 * columns, 3.2 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, name in zip(panels, names, strict=False):
        _panel(axes, na.activations[name])
    for axes in list(figure.axes)[len(names) :]:
        axes.remove()
    figure.axes[0].legend(loc="upper left", frameon=False)


def _show(names: Sequence[str]) -> None:
    nowhere = "there is no display to open a window on; write a picture with -o FILE"
    try:
        import matplotlib.pyplot as plt

        figure: Any = plt.figure(layout="constrained")
    except (ImportError, ValueError, RuntimeError) as error:  # the backend of MPLBACKEND finds no display, or is none
        raise CommandError(nowhere) from error
    if figure.canvas.required_interactive_framework is None:
        raise CommandError(nowhere)
    fill(figure, names)
    plt.show()


def _save(names: Sequence[str], path: Any) -> None:
    figure: Any = new_figure(dpi=120, layout="constrained")
    fill(figure, names)
    try:
        figure.savefig(path)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from None
    print(f"picture: {path}")


def _plot(args: argparse.Namespace) -> None:
    require({"matplotlib": "matplotlib"}, "plot")
    names = list(dict.fromkeys(name for each in args.names for name in (na.activations if each == "all" else [each])))
    if args.output is None:
        _show(names)
        return
    if problem := check_writable(args.output):
        raise CommandError(problem, status=2)
    _save(names, args.output)


def add_commands(commands: Any) -> None:
    """``plot``."""
    parser = commands.add_parser(
        "plot",
        help="draw activations and their derivatives",
        description="Draw activations and their derivatives, in a window unless told a file: gated ones as functions "
        "of the gate, those over an axis as the first output of the row (x, 0).",
    )
    parser.add_argument(
        "names",
        nargs="+",
        type=lambda text: text if text == "all" else activation(text),
        metavar="NAME",
        help="activations, or 'all'; 'numact list' shows them",
    )
    parser.add_argument("-o", "--output", type=picture, metavar="FILE", help="picture to write: .png, .pdf or .svg")
    parser.set_defaults(run=_plot)
