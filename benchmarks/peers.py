"""The libraries to compare with, imported in the order that lets each run as it does alone: PyTorch before numact.

A missing one is None, and ``notes()`` says so.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


torch = _module("torch")
jax = _module("jax")
thinc = _module("thinc.api")
numexpr = _module("numexpr")
special = _module("scipy.special")
ml_dtypes = _module("ml_dtypes")

if torch is not None:
    torch.set_grad_enabled(False)
if jax is not None:
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)

LIBRARIES = {"SciPy": special, "PyTorch": torch, "JAX": jax, "thinc": thinc, "numexpr": numexpr}
HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None
_PACKAGES = {"SciPy": "scipy", "PyTorch": "torch", "JAX": "jax", "thinc": "thinc", "numexpr": "numexpr"}


def notes() -> list[str]:
    """What is missing."""
    found = LIBRARIES | {"matplotlib": HAS_MATPLOTLIB or None}
    return [f"{name} is not installed and left out" for name, module in found.items() if module is None]


def versions() -> dict[str, str]:
    """Of NumPy and of every library that is there."""
    found = {"NumPy": np.__version__}
    for name, module in LIBRARIES.items():
        if module is not None:
            found[name] = importlib.import_module(_PACKAGES[name]).__version__
    return found
