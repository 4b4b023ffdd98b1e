"""The package as a whole: complete, documented, typed, small, and without text that it should not carry."""

from __future__ import annotations

import copy
import doctest
import importlib
import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import make_stubs
import numact as na
from numact import _build, _native, reference

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(na.__file__).parent
SOURCES = [
    path
    for folder in ("cpp", "src", "tests", "tools", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".pyi", ".cpp", ".hpp")
]


def test_catalogue_is_complete():
    """Every activation of the native list has a record, docstrings, a twin in the reference and all its functions."""
    names = [name for name, *_ in _native.catalogue()]
    assert list(na.activations) == names
    header = (ROOT / "cpp" / "catalogue.hpp").read_text()
    assert re.findall(r'X\((?:\w+, )?"(\w+)"', header) == names
    for name, record in na.activations.items():
        assert record.name == name
        for suffix, function in (
            ("", record.forward),
            ("_backward", record.backward),
            ("_backward_from_output", record.backward_from_output),
        ):
            if function is None:
                continue
            assert getattr(na, name + suffix) is function
            assert callable(getattr(reference, name + suffix))
            assert ">>> " in function.__doc__
            assert hasattr(importlib.import_module("numact.precise"), name + suffix)


def test_records_cannot_be_changed():
    with pytest.raises(AttributeError):
        na.activations["relu"].name = "other"
    with pytest.raises(TypeError):
        na.activations["relu"] = None


DOCSTRINGS = [(na, name, text) for name, text in _build.docstrings().items()]
DOCSTRINGS += [(na.ufuncs, name, text) for name, text in _build.ufunc_docstrings().items()]


@pytest.mark.parametrize(("module", "name", "text"), DOCSTRINGS, ids=lambda value: getattr(value, "__name__", None))
def test_docstring_example(module, name, text):
    """The docstring as the user sees it, and its example."""
    shown = getattr(module, name).__doc__
    assert text.strip() in shown
    runner = doctest.DocTestRunner()
    runner.run(doctest.DocTestParser().get_doctest(text, {}, name, None, 0))
    assert runner.tries > 2
    assert runner.failures == 0


@pytest.mark.parametrize("module", ["_runtime", "_sgd", "_stats", "_records", "nn", "sklearn"])
def test_module_doctests(module):
    found = importlib.import_module(f"numact.{module}")
    modules = [found, *(importlib.import_module(m) for m in sys.modules if m.startswith(f"numact.{module}."))]
    results = [doctest.testmod(m) for m in modules]
    assert sum(r.attempted for r in results) > 0
    assert sum(r.failed for r in results) == 0


@pytest.mark.parametrize("page", ["README.md", "docs/training.md"])
def test_examples_of_pages(page):
    pytest.importorskip("sklearn")
    text = (ROOT / page).read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert blocks
    examples = "\n".join(blocks)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(doctest.DocTestParser().get_doctest(examples, {}, page, None, 0))
    assert runner.tries > 5
    assert runner.failures == 0


def test_readme_lists_every_activation():
    text = (ROOT / "README.md").read_text()
    for name in na.activations:
        assert f"`{name}`" in text or f"`{name}(" in text, name


def test_stubs_are_up_to_date():
    for file, text in make_stubs.stubs().items():
        assert (PACKAGE / file).read_text() == text, f"{file}: run python tools/make_stubs.py"


def test_native_stub_names_what_there_is():
    text = (PACKAGE / "_native.pyi").read_text()
    declared = set(re.findall(r"^(?:def|class) (\w+)|^(\w+):", text, re.M))
    declared = {a or b for a, b in declared}
    present = {name for name in dir(_native) if not name.startswith("__")}
    assert declared == present


@pytest.mark.parametrize("command", [["mypy"], ["ruff", "check", "."], ["ruff", "format", "--check", "."]])
def test_static_checks(command):
    if command == ["mypy"] and np.lib.NumpyVersion(np.__version__) < "2.4.0":
        pytest.skip("types are checked against the stubs of NumPy 2.4 and newer")
    run = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("use", ["functions", "networks", "estimators"])
def test_numpy_scalars_serve_as_python_scalars(use):
    pytest.importorskip("sklearn")
    import numpy_scalars

    getattr(numpy_scalars, use)()


def test_installed_size():
    """Below 3 MB, byte code aside."""
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    files.add(Path(_native.__file__))  # which an editable install has elsewhere
    assert sum(path.stat().st_size for path in files) < 3_000_000


def test_import_needs_numpy_alone():
    code = (
        "import sys, numpy; before = set(sys.modules); import numact; "
        "print({m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(re.findall(r"\w+", run.stdout)) - {"numpy"} == {"numact"}


def test_precise_is_made_when_first_imported():
    code = "import sys, numact; assert 'numact.precise' not in sys.modules; import numact.precise"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_sources_are_ascii(path):
    assert path.read_text(encoding="utf-8").isascii()


def test_public_names_are_documented():
    for name in na.__all__:
        if name == "activations":
            continue
        assert inspect.getdoc(getattr(na, name)), name


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="no attribute 'gelu_'"):
        _ = na.gelu_


def test_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", na.__version__)


def test_submodules_are_there_when_asked_for():
    code = "import numact as na; assert na.ufuncs.elu and na.precise.elu and na.nn.Dense"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_records_are_pickled_by_name():
    record = na.activations["elu"]
    assert pickle.loads(pickle.dumps(record)) is record
    assert copy.deepcopy(record) is record


def test_completion_shows_what_is_public():
    assert set(dir(na)) == {*na.__all__, "nn", "precise", "ufuncs", "__version__"}
    assert dir(na.precise) == sorted(na.precise.__all__)
