"""Writes ``src/numact/_accuracy.py``: the largest errors found, which the catalogue shows and the tests enforce.

Run ``python tools/accuracy_data.py CSV...`` on what ``exhaustive --csv``, ``float64 --csv`` (tests/native) and
``benchmarks/accuracy.py --csv`` measured: all three of an activation, whose errors then take the place of those that
were there; activations that are not in them keep theirs. Needs ruff.
"""

from __future__ import annotations

import argparse
import csv
import math
import subprocess
import sys
from pathlib import Path

from numact import activations
from numact._accuracy import ERRORS

Key = tuple[str, str, str, str]  # name, dtype, tier, direction

DTYPES = ("float16", "bfloat16", "float32", "float64")
DIRECTIONS = ("forward", "backward", "parameter")
FINITE_FLOATS = 2**32 - 2**25
HEADER = '''"""Errors in units in the last place. Written by tools/accuracy_data.py.

By activation, dtype, tier and direction: the bound that holds, the largest error found and the input where it is. The
precise tier has kernels of its own of float32 alone.
"""

ERRORS: dict[str, dict[tuple[str, str, str], tuple[float, float, str]]] = {
'''


def bound(key: Key, error: float, complete: bool) -> float:
    """What is promised where `error` was found, on all inputs or on some; the programs give it to four digits."""
    name, dtype, tier, direction = key
    gated = activations[name].kind == "gated"
    parametric = bool(activations[name].parameters) or gated  # of which a few values were tried
    if error == 0 and not parametric:
        return 0.0
    if direction == "parameter":
        return 1.0
    if dtype in ("float16", "bfloat16"):
        return 0.501
    if activations[name].kind == "axis":  # samples of rows say little about all rows
        return 0.75 if tier == "precise" else 4.0 if direction == "forward" else 8.0
    if tier == "precise":
        step = 0.5 if parametric else 0.05
        return min(0.75, round(math.ceil((error + 1e-4) / step) * step, 2))
    promise = (3.5 if direction == "forward" else 5.0) if gated else (2.5 if direction == "forward" else 4.0)
    if (dtype == "float32" or gated) and error > 0.6 and not complete:  # a sample says little about the largest
        return promise
    step = 0.5 if parametric else 0.05 if dtype == "float32" else 0.25
    margin = 0.1 if dtype == "float64" and error > 0.6 else 1e-4  # float64 is always a sample
    return round(max(error, min(promise, math.ceil((error + margin) / step) * step)), 2)


def collect(paths: list[str]) -> tuple[dict[Key, tuple[float, str]], set[Key]]:
    """The largest error of every name, dtype, tier and direction over all files, and which saw all inputs."""
    found: dict[Key, tuple[float, str]] = {}
    complete: set[Key] = set()
    for path in paths:
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                if row.get("library", "numact") != "numact":
                    continue
                direction = "parameter" if row["direction"].startswith("gradient of") else row["direction"]
                key = (row["name"], row["dtype"], row["tier"], direction)
                if int(row["wrong"]):
                    raise SystemExit(f"{path}: {' '.join(key)} is wrong in kind {row['wrong']} times")
                where = [f"x = {row['worst_x']}"] if row["worst_x"] else []
                where += [f"dy = {row['worst_dy']}"] if row["worst_dy"] else []
                where += [f"parameters {row['parameters']}"] if row["parameters"] else []
                each = (float(row["max_ulp"]), ", ".join(where))
                found[key] = max(found.get(key, each), each, key=lambda pair: pair[0])
                if int(row["inputs"]) >= FINITE_FLOATS:
                    complete.add(key)
    return found, complete


def errors_of(name: str, found: dict[Key, tuple[float, str]], complete: set[Key]) -> dict[tuple[str, str, str], object]:
    """What was measured of an activation, by dtype, tier and direction."""
    errors: dict[tuple[str, str, str], object] = {}
    for dtype in DTYPES:
        for tier in ("standard", "precise") if dtype == "float32" else ("standard",):
            for direction in DIRECTIONS:
                own = (name, dtype, tier, direction)
                if own in found:
                    error, where = found[own]
                    errors[own[1:]] = (bound(own, error, own in complete), round(error, 4), where)
    return errors


def text(found: dict[Key, tuple[float, str]], complete: set[Key]) -> str:
    lines = [HEADER]
    measured = {key[0] for key in found}
    for name in activations:
        errors = errors_of(name, found, complete) if name in measured else ERRORS.get(name, {})
        lines += [f"    {name!r}: {{", *(f"        {key!r}: {each!r}," for key, each in errors.items()), "    },"]
    lines.append("}\n")
    command = [sys.executable, "-m", "ruff", "format", "--line-length", "120", "-"]
    return subprocess.run(command, input="\n".join(lines), check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", nargs="+", metavar="CSV")
    target = Path(__file__).resolve().parent.parent / "src" / "numact" / "_accuracy.py"
    target.write_text(text(*collect(parser.parse_args().csv)))
    print(target)
