"""What the commands share: failures, names of activations, pictures to write."""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numact as na


class CommandError(Exception):
    """A failure that one line explains to the user."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def activation(text: str) -> str:
    """The name of an activation, as an argument."""
    if text not in na.activations:
        near = difflib.get_close_matches(text.lower(), na.activations, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "'numact list' shows them all"
        raise argparse.ArgumentTypeError(f"unknown activation {text!r}, {hint}")
    return text


def picture(text: str) -> Path:
    """The file of a picture, as an argument."""
    path = Path(text)
    if path.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise argparse.ArgumentTypeError(f"must end in .png, .pdf or .svg, got {text!r}")
    return path


def positive_int(text: str) -> int:
    """A number of things, as an argument."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1, got {text!r}")
    return value


def check_writable(path: Path) -> str | None:
    """Why ``path`` cannot be written, found out by trying; leaves no file behind that was not there."""
    existed = path.exists()
    try:
        with path.open("ab"):
            pass
        if not existed:
            path.unlink()
    except OSError as error:
        return f"cannot write {path}: {error.strerror}"
    return None


def new_figure(**options: Any) -> Any:
    """A figure to be written to a file: without pyplot, whatever display or backend the environment names."""
    os.environ.pop("MPLBACKEND", None)  # matplotlib would refuse one that is not installed
    from matplotlib.figure import Figure

    return Figure(**options)


def require(packages: Mapping[str, str], extra: str) -> None:
    """Raise unless every module is there; ``packages`` maps it to the package that has it."""
    missing = [package for module, package in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise CommandError(
            f"needs {' and '.join(missing)}; install with: python -m pip install 'numact[{extra}]'", status=2
        )
