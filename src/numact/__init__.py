"""Activation functions for NumPy arrays, forward and backward, and the SGD step that consumes the gradients.

``f(x, *parameters)`` gives the activation, ``f_backward(dy, x, *parameters)`` its gradient from the input, and
``f_backward_from_output(dy, y, *parameters)`` its gradient from the output where the output tells it. All take and
return NumPy arrays, of float32 or float64 and any layout, with the keywords of NumPy's ufuncs. ``numact.activations``
lists them with their formulas, ``numact.precise`` holds the same names with the same bits on every CPU, and
``numact.nn`` builds small networks from them.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import _build
from ._build import Activation, Parameter
from ._runtime import available_isas, get_num_threads, isa, num_threads, set_num_threads, show_config
from ._sgd import SGD, sgd_step
from ._standard import functions as _functions

globals().update(_functions)

activations: Mapping[str, Activation] = _build.records(_functions)


def __getattr__(name: str) -> object:
    if name == "__version__":  # reading it costs more than the rest of the import
        from ._runtime import _version

        return _version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "SGD",
    "Activation",
    "Parameter",
    "activations",
    "available_isas",
    "get_num_threads",
    "isa",
    "num_threads",
    "set_num_threads",
    "sgd_step",
    "show_config",
    *_functions,
]
