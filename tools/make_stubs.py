"""Writes the type stubs of the modules whose names come from the catalogue.

Run ``python tools/make_stubs.py`` with numact and ruff installed after a change of the catalogue; a test fails while
the stubs in ``src/numact`` are not what this writes.
"""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

_KINDS = {
    "axis": "SupportsIndex",
    "pieces": "SupportsIndex",
    "lower": "Real",
    "upper": "Real",
    "training": "bool",
    "rng": "Any",
    "out": "Any",
}
HEADER = '"""Written by tools/make_stubs.py."""\n\n'


def declaration(name: str, function: Any) -> str:
    """The stub of one public function."""
    if isinstance(function, np.ufunc):
        return f"{name}: np.ufunc"
    shown = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            shown.append("**kwargs: Any")
            continue
        kind = _KINDS.get(parameter.name, "ArrayLike")
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        shown.append(f"{parameter.name}: {kind}{default}")
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            shown.append("/")
    arguments = [each for i, each in enumerate(shown) if each != "/" or "/" not in shown[i + 1 :]]
    annotation = inspect.signature(function).return_annotation
    returns = "tuple[Any, Any]" if "tuple" in str(annotation) else "Any"
    return f"def {name}({', '.join(arguments)}) -> {returns}: ..."


def formatted(file: str, text: str) -> str:
    """The text as ruff lays it out."""
    command = [sys.executable, "-m", "ruff", "format", "--line-length", "120", "--stdin-filename", file, "-"]
    return subprocess.run(command, input=text, check=True, capture_output=True, text=True).stdout


def stubs() -> dict[str, str]:
    """The text of every generated stub, by file name."""
    modules: list[Any] = [importlib.import_module(name) for name in ("numact", "numact.precise", "numact.ufuncs")]
    numact, precise, ufuncs = modules

    functions = {name: getattr(numact, name) for name in numact.__all__}
    own = {name: f for name, f in functions.items() if getattr(f, "__module__", "numact") == "numact" and callable(f)}
    own = {name: f for name, f in own.items() if not isinstance(f, type)}
    typing = "from typing import Any, SupportsIndex\n\nimport numpy as np\nfrom numpy.typing import ArrayLike\n"
    top = (
        "from collections.abc import Mapping\n" + typing + "\n"
        "from . import nn as nn\n"
        "from . import precise as precise\n"
        "from . import ufuncs as ufuncs\n"
        "from ._records import Activation as Activation\n"
        "from ._records import Parameter as Parameter\n"
        "from ._runtime import available_isas as available_isas\n"
        "from ._runtime import get_num_threads as get_num_threads\n"
        "from ._runtime import isa as isa\n"
        "from ._runtime import num_threads as num_threads\n"
        "from ._runtime import set_num_threads as set_num_threads\n"
        "from ._runtime import show_config as show_config\n"
        "from ._sgd import SGD as SGD\n"
        "from ._sgd import sgd_step as sgd_step\n"
        "from ._stats import ActivationStats as ActivationStats\n"
        "from ._stats import activation_stats as activation_stats\n"
        "from ._types import Real\n\n"
        "__version__: str\n"
        "activations: Mapping[str, Activation]\n"
    )

    def lines(module: Any, names: Any) -> str:
        return "\n".join(declaration(name, getattr(module, name)) for name in names) + "\n"

    texts = {
        "__init__.pyi": top + lines(numact, own),
        "precise.pyi": typing + "\nfrom ._types import Real\n\n" + lines(precise, precise.__all__),
        "ufuncs.pyi": "import numpy as np\n\n" + lines(ufuncs, ufuncs.__all__),
    }
    return {file: formatted(file, HEADER + text) for file, text in texts.items()}


if __name__ == "__main__":
    package = Path(__file__).resolve().parent.parent / "src" / "numact"
    for file, text in stubs().items():
        (package / file).write_text(text)
        print(package / file)
