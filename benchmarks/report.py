"""What a section of the benchmark gives: tables and pictures; and how they are printed and written."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def shown(value: object) -> str:
    """A cell of a table: three significant digits of a number with a fraction."""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return "" if value is None else str(value)


def number(elements: int) -> str:
    """A size as in 64, 8 Ki, 1 Mi."""
    for unit, name in ((1 << 20, " Mi"), (1 << 10, " Ki")):
        if elements >= unit and elements % unit == 0:
            return f"{elements // unit}{name}"
    return str(elements)


@dataclass(frozen=True)
class Table:
    """A table; ``name`` makes the file name of its CSV, which has all digits."""

    name: str
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: Sequence[str] = ()
    printed: bool = True  # False: data for the CSV alone

    def text(self) -> str:
        """For the terminal: numbers to the right, text to the left."""
        cells = [[shown(value) for value in row] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(self.header, *cells, strict=True)]
        left = [all(isinstance(value, str) for value in column) for column in zip(*self.rows, strict=True)]
        left = left or [True] * len(widths)
        lines = [
            "  ".join(
                cell.ljust(width) if to_left else cell.rjust(width)
                for cell, width, to_left in zip(line, widths, left, strict=True)
            ).rstrip()
            for line in (self.header, ["-" * width for width in widths], *cells)
        ]
        return "\n".join([self.title, *lines, *self.notes])

    def markdown(self) -> str:
        """For documentation."""
        lines = [self.header, ["---"] * len(self.header), *([shown(value) for value in row] for row in self.rows)]
        table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
        return "\n\n".join([f"## {self.title}", table, *self.notes])

    def write_csv(self, path: Path) -> None:
        """All rows, all digits."""
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([self.header, *self.rows])


@dataclass(frozen=True)
class Picture:
    """A matplotlib figure; ``name`` makes its file name."""

    name: str
    figure: Any
