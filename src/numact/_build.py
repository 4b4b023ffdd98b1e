"""Makes the public functions of a tier at an ISA level and their docstrings.

The native catalogue says which activations there are; ``_descriptions`` says what each is.
"""

from __future__ import annotations

import functools
import inspect
import os
from typing import Any

from ._descriptions import DESCRIPTIONS, Kind
from ._docstrings import SUFFIXES, docstring
from ._functions import crelu_functions, maxout_functions, parameter_backward, rrelu_functions
from ._runtime import _native


@functools.cache
def docstrings() -> dict[str, str]:
    """The docstring of every public function, by name."""
    return {
        name + suffix: docstring(name, suffix, kind, DESCRIPTIONS[name], {p: default for p, default, *_ in parameters})
        for name, kind, parameters in _native.catalogue()
        for suffix in SUFFIXES
        if suffix in DESCRIPTIONS[name].examples
    }


@functools.cache
def ufunc_docstrings() -> dict[str, str]:
    """The docstring of every ufunc in ``numact.ufuncs`` that is not the public function itself."""
    return {
        name + suffix: docstring(
            name, suffix, kind, DESCRIPTIONS[name], {p: d for p, d, *_ in parameters}, operands=True
        )
        for name, kind, parameters in _native.catalogue()
        for suffix in SUFFIXES
        if kind == "elementwise" and parameters and suffix in DESCRIPTIONS[name].examples
    }


def _named(function: Any, name: str, module: str, doc: str) -> Any:
    """Give a Python function the name under which it is public, which pickle and help() go by."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = module
    function.__doc__ = doc
    return function


_Parameter = inspect.Parameter
_UFUNC_KEYWORDS = [
    _Parameter("out", _Parameter.POSITIONAL_OR_KEYWORD, default=None),
    *(
        _Parameter(name, _Parameter.KEYWORD_ONLY, default=default)
        for name, default in {
            "where": True,
            "casting": "same_kind",
            "order": "K",
            "dtype": None,
            "subok": True,
            "signature": None,
        }.items()
    ),
]


@functools.cache
def _ufunc_signature(suffix: str, kind: Kind, parameters: tuple[str, ...]) -> inspect.Signature:
    """The signature of a ufunc with our names for the operands in place of x1, x2, ..."""
    keywords = _UFUNC_KEYWORDS
    if kind == "axis":
        out, where, *others = keywords
        keywords = [out, where.replace(name="axis", default=-1), *others]
    inputs = ["gate", "value"] if kind == "gated" else ["x"]
    data = {"": inputs, "_backward": ["dy", *inputs], "_backward_from_output": ["dy", "y"]}
    names = [*data[suffix], *parameters]
    return inspect.Signature([*(_Parameter(each, _Parameter.POSITIONAL_ONLY) for each in names), *keywords])


def make(level: str, precise: bool, module: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ufuncs and public functions of one tier at one ISA level, both by name."""
    docs = docstrings()
    ufuncs, functions = _native.make_functions(level, precise, docs, ufunc_docstrings(), module)
    catalogue = {name: (kind, tuple(p for p, *_ in parameters)) for name, kind, parameters in _native.catalogue()}
    for name, (_, parameters) in catalogue.items():
        if not DESCRIPTIONS[name].learned:
            continue
        backward = f"{name}_backward"
        function = parameter_backward(name, parameters[0], level, precise)
        functions[backward] = _named(function, backward, module, docs[backward])
    own = {**maxout_functions(level), **rrelu_functions(functions, level, precise), **crelu_functions(level)}
    for name, function in own.items():
        functions[name] = _named(function, name, module, docs[name])
    row_functions = _native.make_row_functions(level, precise, docs)
    functions.update(row_functions)
    for name, ufunc in {**ufuncs, **row_functions}.items():
        try:
            ufunc.__module__ = module if functions[name] is ufunc else f"{module}.ufuncs"
            ufunc.__qualname__ = name
            activation, backward, rest = name.partition("_backward")
            ufunc.__signature__ = _ufunc_signature(backward + rest, *catalogue[activation])
        except AttributeError:  # NumPy before 2.1: ufuncs have no attributes of their own
            break
    return ufuncs, functions


def chosen_level() -> str:
    """The ISA level of ``NUMACT_ISA``, else the best this CPU can run."""
    wanted = os.environ.get("NUMACT_ISA", "")
    if wanted:
        try:
            _native.choose_isa(wanted)
        except ValueError as error:
            raise ImportError(f"NUMACT_ISA: {error}") from None
    return str(_native.isa())
