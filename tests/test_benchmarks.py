"""The benchmark suite runs with NumPy alone as the peer, and its reports hold what was measured."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numact as na
from numact import _native

ROOT = Path(__file__).resolve().parent.parent


def benchmarks(*arguments):
    """Run the suite in a process of its own, as it imports other libraries before numact."""
    path = os.pathsep.join(filter(None, [str(Path(na.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_cells(tmp_path):
    chosen = ["--functions", "relu,softmax", "--sizes", "64,8Ki,64Ki", "--threads", "1,2", "--seconds", "0.001"]
    result = benchmarks("cells", *chosen, "--peers", "NumPy", "--dtypes", "float32", "-o", tmp_path)
    assert result.returncode == 0, result.stderr
    parts = sorted(tmp_path.glob("cells_measured_*.csv"))
    measured = [row for part in parts for row in table(part)]
    cells = 2 * 3 * 3 * 2  # functions, directions, sizes, numbers of threads
    assert len(measured) == cells * 4  # numact, NumPy, two copies
    assert all(0 < float(row["minimum"]) <= float(row["median"]) for row in measured)
    assert all(row["agrees"] == "True" for row in measured)

    ratios = table(tmp_path / "cells_ratios.csv")
    times = {
        (row["function"], row["direction"].replace("_", " "), row["elements"], row["threads"], row["contender"]): float(
            row["minimum"]
        )
        for row in measured
    }
    assert len(ratios) == cells
    assert [float(row["ratio"]) for row in ratios] == sorted(float(row["ratio"]) for row in ratios)
    for row in ratios:
        elements = {"64": "64", "8 Ki": "8192", "64 Ki": "65536"}[row["elements"]]
        key = (row["function"], row["direction"], elements, row["threads"])
        assert float(row["ratio"]) == pytest.approx(times[(*key, "NumPy")] / times[(*key, "numact")])
    means = {(row["group"], row[""]): row for row in table(tmp_path / "cells_means.csv")}
    mean = np.exp(np.mean([np.log(float(row["ratio"])) for row in ratios]))
    assert float(means["all cells", ""]["geometric mean"]) == pytest.approx(mean)
    assert [row["elements"] for row in table(tmp_path / "cells_limits.csv")] == ["64 Ki"] * 6
    assert table(tmp_path / "cells_disagreements.csv") == []
    page = (tmp_path / "cells.md").read_text()
    assert page.startswith("# cells\n\n## Geometric means\n\n| group |")
    assert page.count("\n## ") == 4

    again = benchmarks("cells", "--read", *parts)
    assert again.returncode == 0, again.stderr
    assert again.stdout == result.stdout


def test_estimator(tmp_path):
    pytest.importorskip("sklearn")
    result = benchmarks("estimator", "--quick", "--seeds", "1", "-o", tmp_path)
    assert result.returncode == 0, result.stderr
    rows = table(tmp_path / "estimator_all.csv")
    assert [row["activation"] for row in rows[::2]] == ["relu", "tanh", "sigmoid", *2 * ["relu", "tanh"]]
    for row in rows:
        assert float(row["lead"]) == pytest.approx(float(row["scikit-learn s"]) / float(row["s"]))


def test_unknown_names_are_refused():
    for option, value in (("--functions", "relo"), ("--dtypes", "int8"), ("--sizes", "1k"), ("--peers", "Excel")):
        result = benchmarks("cells", option, value)
        assert result.returncode == 2
        assert value in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("streaming", [False, True])
def test_copy(streaming):
    for size in (0, 1, 63, 64, 1000, 100_001):
        for offset in (0, 1, 17):
            source = np.random.default_rng(0).integers(0, 255, size + 64, np.uint8)
            target = np.zeros_like(source)
            _native.copy(source[:size], target[offset : offset + size], streaming, 2)
            np.testing.assert_array_equal(target[offset : offset + size], source[:size])
            assert not target[:offset].any()
            assert not target[offset + size :].any()


def test_copy_refuses():
    x = np.zeros(8)
    for arguments, error in (
        ((x, x[:4], False, 1), "same number of bytes"),
        ((x[::2], x[:4], False, 1), "contiguous"),
        ((x, x, False, 0), "at least 1"),
    ):
        with pytest.raises(ValueError, match=error):
            _native.copy(*arguments)
    with pytest.raises(TypeError, match="must be arrays"):
        _native.copy(x, memoryview(x), False, 1)
    x.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        _native.copy(x, x, False, 1)
