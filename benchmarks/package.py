"""Import time on top of NumPy's own, and installed size."""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .report import Table

# The package and what is installed for it alone.
PACKAGES = {
    "numact": ["numact"],
    "torch": ["torch"],
    "jax": ["jax", "jaxlib"],
    "scipy.special": ["scipy"],
    "thinc.api": ["thinc"],
    "numexpr": ["numexpr"],
}
_IMPORT = "import time, numpy; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
MOST_SECONDS, MOST_BYTES = 0.020, 3_000_000


def import_seconds(module: str) -> float:
    """In a fresh interpreter that has NumPy already."""
    command = [sys.executable, "-c", _IMPORT.format(module)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def installed_bytes(package: str) -> int:
    """All files of the package, without what Python compiled."""
    spec = importlib.util.find_spec(package)
    folders = (spec and spec.submodule_search_locations) or []
    files = (path for folder in folders for path in Path(folder).rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files if path.suffix != ".pyc")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--imports", type=int, default=10, metavar="N", help="of numact; the others 3 (default: %(default)s)"
    )


def duration(args: argparse.Namespace) -> float:
    return float(args.imports * 0.3 + len(PACKAGES) * 3 * 3)


def run(args: argparse.Namespace) -> Iterator[Table]:
    rows = []
    for module, packages in PACKAGES.items():
        if importlib.util.find_spec(packages[0]) is None:
            continue
        seconds = [import_seconds(module) for _ in range(args.imports if module == "numact" else 3)]
        size = sum(map(installed_bytes, packages))
        rows.append([module, min(seconds) * 1e3, statistics.median(seconds) * 1e3, size / 1e6])
    bar = f"numact should take at most {MOST_SECONDS * 1e3:.0f} ms and {MOST_BYTES / 1e6:.0f} MB"
    header = ["import", "minimum ms", "median ms", "installed MB"]
    yield Table("all", "Import on top of NumPy, installed size", header, rows, [bar])
