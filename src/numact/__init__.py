"""Activation functions for NumPy arrays, forward and backward, and the SGD step that consumes the gradients.

``f(x, *parameters)`` gives the activation, ``f_backward(dy, x, *parameters)`` its gradient from the input, and
``f_backward_from_output(dy, y, *parameters)`` its gradient from the output where the output tells it. All take and
return NumPy arrays, of float16, bfloat16, float32 or float64 and any layout, with the keywords of NumPy's ufuncs.
``numact.activations`` lists them with their formulas, ``numact.precise`` holds the same names with the same bits on
every CPU, and ``numact.nn`` builds small networks from them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ._runtime import _version, available_isas, get_num_threads, isa, num_threads, set_num_threads, show_config
from ._sgd import SGD, sgd_step
from ._standard import functions as _public

__version__ = _version()

globals().update(_public)
_MODULES = ("nn", "precise", "ufuncs")
_FROM_RECORDS = ("Activation", "Parameter", "activations")
_FROM_STATS = ("ActivationStats", "activation_stats")

if TYPE_CHECKING:
    from ._records import Activation, Parameter, activations
    from ._stats import ActivationStats, activation_stats


def __getattr__(name: str) -> object:  # what is imported when first used
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    for module, names in (("_records", _FROM_RECORDS), ("_stats", _FROM_STATS)):
        if name in names:
            value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_MODULES, "__version__"]


__all__ = [
    "SGD",
    "Activation",
    "ActivationStats",
    "Parameter",
    "activation_stats",
    "activations",
    "available_isas",
    "get_num_threads",
    "isa",
    "num_threads",
    "set_num_threads",
    "sgd_step",
    "show_config",
    *_public,
]
