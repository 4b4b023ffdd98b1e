"""The ISA levels: choice and forcing at import, vectorised loops, and no symbol shared between levels."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import inspect_level
import numact as na
from numact import _build

ROOT = Path(__file__).resolve().parent.parent
COMPILER = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
LEVELS = ["arm64"] if platform.machine() in ("aarch64", "arm64") else ["x86-64", "x86-64-v3", "x86-64-v4"]


def import_with(isa: str) -> subprocess.CompletedProcess[str]:
    code = "import numact as na; print(na.isa())"
    env = {**os.environ, "NUMACT_ISA": isa}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("level", na.available_isas())
def test_environment_forces_a_level(level):
    run = import_with(level)
    assert run.stdout.strip() == level, run.stderr


@pytest.mark.parametrize("name", ["avx2", "x86-64-v9", *(set(LEVELS) - set(na.available_isas()))])
def test_unknown_or_unsupported_level_is_an_import_error(name):
    run = import_with(name)
    assert run.returncode != 0
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: NUMACT_ISA")
    assert name in last
    assert all(valid in last for valid in na.available_isas())


def test_best_level_is_the_default():
    env = {k: v for k, v in os.environ.items() if k != "NUMACT_ISA"}
    code = "import numact as na; print(na.isa() == na.available_isas()[-1])"
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "True"


def test_levels_run_different_code():
    """Forcing is real: without FMA some results round differently."""
    if len(na.available_isas()) < 2:
        pytest.skip("one level only")
    x = np.linspace(-5, 5, 10_001, dtype=np.float32)
    first, second = (_build.make(level, False, "numact")[0]["tanh"](x) for level in na.available_isas()[:2])
    assert not np.array_equal(first, second)
    assert np.allclose(first, second, rtol=1e-6)


def level_flags(level: str) -> list[str]:
    """The flags of CMakeLists.txt."""
    text = (ROOT / "CMakeLists.txt").read_text()
    flags = re.search(r"set\(kernel_flags (.*)\)", text)
    *of_gcc, of_others = re.findall(r"APPEND kernel_flags (.*)\)", text)
    assert flags is not None
    assert of_gcc
    own = (of_others if "clang" in str(COMPILER) else " ".join(of_gcc)).split()
    march = [] if level == "arm64" else [f"-march={level}"]
    wide = ["-mprefer-vector-width=512"] if level == "x86-64-v4" else []
    return [*flags.group(1).split(), *own, *march, *wide]


@pytest.fixture(scope="module", params=LEVELS)
def compiled(request, tmp_path_factory):
    if COMPILER is None or shutil.which("objdump") is None:
        pytest.skip("needs a C++ compiler and binutils")
    level = request.param
    object_file = tmp_path_factory.mktemp("level") / f"{level}.o"
    command = [
        COMPILER, "-std=c++17", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror",
        *level_flags(level), f'-DNUMACT_LEVEL_NAME="{level}"', "-DNUMACT_LEVEL_TABLE=table_of_test",
        "-c", str(ROOT / "cpp/levels/level.cpp"), "-o", str(object_file),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return level, object_file


def test_every_loop_is_vectorised(compiled):
    level, object_file = compiled
    scalar, total = inspect_level.scalar_loops(object_file, level)
    assert total > 80
    assert scalar == []


def test_no_symbol_is_shared_between_levels(compiled):
    _, object_file = compiled
    assert inspect_level.shared_symbols(object_file) == []


def test_the_guard_sees_a_scalar_loop_and_a_weak_symbol(tmp_path):
    if COMPILER is None or shutil.which("objdump") is None:
        pytest.skip("needs a C++ compiler and binutils")
    source = tmp_path / "scalar.cpp"
    source.write_text(
        "struct Sgd { __attribute__((noinline)) static void plain(float* x, long n) {\n"
        "  for (long i = 1; i < n; ++i) x[i] = x[i - 1] / (1 + x[i]); } };\n"
        "void run(float* x, long n) { Sgd::plain(x, n); }\n"
    )
    object_file = tmp_path / "scalar.o"
    subprocess.run([COMPILER, "-O3", "-c", str(source), "-o", str(object_file)], check=True)
    scalar, total = inspect_level.scalar_loops(object_file, LEVELS[0])
    assert total == 1
    assert len(scalar) == 1
    assert any("plain" in symbol for symbol in inspect_level.shared_symbols(object_file))
