"""Makes the public functions of a tier at an ISA level, their docstrings and their catalogue records.

The native catalogue says which activations there are; ``_descriptions`` says what each is.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ._descriptions import DESCRIPTIONS, Description, Saturation
from ._functions import maxout_functions, parameter_backward
from ._runtime import _native

SUFFIXES = ("", "_backward", "_backward_from_output")
# Activations whose backward returns the gradient of a learned parameter too.
_LEARNED = ("prelu", "swish")


@dataclass(frozen=True)
class Parameter:
    """A parameter of an activation.

    Attributes
    ----------
    name : str
    default : float or None
        None where it must be given.
    domain : {"any", "positive", "nonnegative"}
        What a scalar may be; NaN never.
    """

    name: str
    default: float | None
    domain: str


@dataclass(frozen=True)
class Activation:
    """The catalogue record of one activation.

    Attributes
    ----------
    name : str
    forward, backward : callable
        The public functions.
    backward_from_output : callable or None
        The gradient from the output, where the output tells it.
    returns : tuple of (str, ...)
        The names of what `forward` returns, and of what `backward` returns.
    parameters : tuple of Parameter
    formula, derivative : str
        LaTeX in x and the parameters.
    output_range : tuple of float
        Infimum and supremum of the output at the default parameters.
    zero_centered : bool
        Whether the function is odd about 0 or takes both signs alike.
    saturates : {"left", "right", "both", "no"}
        Where the derivative goes to 0.
    monotonic : bool
        At the default parameters.
    source : str
        The paper.
    max_ulp : mapping
        Error bounds in units in the last place by (dtype, tier, direction), as the tests enforce them; dtype is
        "float32" or "float64", tier "standard" or "precise", direction "forward" or "backward".
    """

    name: str
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    backward_from_output: Callable[..., Any] | None
    returns: tuple[tuple[str, ...], tuple[str, ...]]
    parameters: tuple[Parameter, ...]
    formula: str
    derivative: str
    output_range: tuple[float, float]
    zero_centered: bool
    saturates: Saturation
    monotonic: bool
    source: str
    max_ulp: Mapping[tuple[str, str, str], float]


_EXACT = 0.5
_BOUNDS = {
    ("float32", "standard", "forward"): 2.5,
    ("float32", "standard", "backward"): 4.0,
    ("float32", "precise", "forward"): 0.75,
    ("float32", "precise", "backward"): 0.75,
    ("float64", "standard", "forward"): 2.5,
    ("float64", "standard", "backward"): 4.0,
    ("float64", "precise", "forward"): 2.5,
    ("float64", "precise", "backward"): 4.0,
}


def parameters_of() -> dict[str, tuple[Parameter, ...]]:
    """Names of the catalogue in its order, each with its parameters."""
    return {
        name: tuple(Parameter(p, default, domain) for p, default, domain, _ in parameters)
        for name, parameters in _native.catalogue()
    }


def _indent(text: str) -> str:
    return "\n".join("    " + line.strip() if line.strip() else line for line in text.splitlines())


def _docstring(name: str, suffix: str, description: Description, parameters: tuple[Parameter, ...]) -> str:
    """The numpydoc docstring of one public function."""
    learned = suffix == "_backward" and name in _LEARNED
    summary = {
        "": f"{description.summary}.",
        "_backward": f"Gradient of `{name}` with respect to its input"
        + (" and to its parameter." if learned else "."),
        "_backward_from_output": f"Gradient of `{name}` with respect to its input, from the output.",
    }[suffix]
    if suffix == "":
        equation, body = description.plain, [description.kink, description.remarks]
    elif suffix == "_backward":
        equation = f"dx = dy * {name}'(x)" if name != "maxout" else "dx[..., which, ...] = dy, 0 elsewhere"
        equation += f", {description.plain_derivative}" if name != "maxout" else ""
        body = [description.kink, "Accurate in saturation too; infinities and NaN in `dy` multiply as IEEE numbers do."]
        if learned:
            body.append(
                "The parameter's gradient is summed in float64 in a fixed order: the same bits for every memory layout\n"
                "and number of threads."
            )
    else:
        equation, body = f"dx = dy * {name}'(x), where y = {name}(x)", [description.kink, description.from_output]

    lines = [summary, "", "Computes ::", "", _indent(equation), ""]
    lines += [text + "\n" for text in body if text]
    lines += ["Parameters", "----------"]
    if name == "maxout":
        lines += (
            ["x : array_like", "    The axis that holds the pieces has 1 to 256 of them."]
            if suffix == ""
            else [
                "dy : array_like",
                "    Gradient of the output.",
                "which : array_like of uint8",
                "    As `maxout` returned it.",
                "pieces : int",
                "    How many pieces there were, 1 to 256.",
            ]
        )
        lines += ["axis : int, default -1", "    The axis of the pieces."]
    else:
        if suffix != "":
            lines += ["dy : array_like", "    Gradient of the output, broadcast against the other array."]
        data = "y" if suffix == "_backward_from_output" else "x"
        lines += [
            f"{data} : array_like",
            ("    Output" if data == "y" else "    Input") + " of any shape and layout; float32 or float64, integers and bool are taken as float64.",
        ]
        for parameter in parameters:
            default = "" if parameter.default is None else f", default {parameter.default:g}"
            lines += [f"{parameter.name} : array_like{default}", "    " + description.parameters[parameter.name]]
            if not learned:
                lines.append("    A scalar, or an array that broadcasts; it never changes the dtype of the result.")
    if name == "maxout" and suffix == "":
        lines += ["out : tuple of two ndarrays, optional", "    Where to write the results, or None in their place."]
        lines += ["", "Returns", "-------", "y : ndarray or scalar", "    The maximum, of x's dtype and shape less the axis."]
        lines += ["which : ndarray or scalar of uint8", "    The first piece that attains it."]
    elif learned:
        lines += ["out : tuple of two ndarrays, optional", "    Where to write the results, or None in their place."]
        lines += ["", "Returns", "-------", "dx : ndarray or scalar", "    Gradient of the input, of the data's dtype and shape."]
        lines += [f"d{parameters[0].name} : ndarray or scalar", "    Gradient of the parameter, of the parameter's shape and the data's dtype."]
    else:
        what = "y" if suffix == "" else "dx"
        lines += ["out : ndarray, optional", "    Where to write the result."]
        if name != "maxout":
            lines += ["**kwargs", "    Every other keyword of a ufunc: where, casting, order, dtype, subok, signature."]
        lines += ["", "Returns", "-------", f"{what} : ndarray or scalar", "    Of the data's dtype and shape."]
    lines += ["", "Raises", "------", "TypeError", "    If the data is of another kind: complex, longdouble, float16, object, text."]
    problems = []
    if name == "maxout":
        problems.append("If there are no pieces or more than 256" + (", or `which` does not fit." if suffix else "."))
    elif parameters:
        problems.append("If a scalar parameter is outside its domain, or shapes do not broadcast.")
    else:
        problems.append("If shapes do not broadcast.")
    lines += ["ValueError", "    " + problems[0], "", "References", "----------", f".. [1] {description.source}."]
    lines += ["", "Examples", "--------", ">>> import numpy as np", ">>> import numact as na"]
    lines += [description.examples[suffix], ""]
    return "\n".join(lines)


def docstrings() -> dict[str, str]:
    """The docstring of every public function, by name, but for those that do not exist."""
    return {
        name + suffix: _docstring(name, suffix, DESCRIPTIONS[name], parameters)
        for name, parameters in parameters_of().items()
        for suffix in SUFFIXES
        if suffix in DESCRIPTIONS[name].examples
    }


def _named(function: Any, name: str, module: str, doc: str) -> Any:
    """Give a Python function the name under which it is public, which pickle and help() go by."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = module
    function.__doc__ = doc
    function.__signature__ = inspect.signature(function)
    return function


def make(level: str, precise: bool, module: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ufuncs and public functions of one tier at one ISA level, both by name."""
    docs = docstrings()
    ufuncs, functions = _native.make_functions(level, precise, docs, module)
    for name in _LEARNED:
        parameter = parameters_of()[name][0].name
        backward = f"{name}_backward"
        functions[backward] = _named(parameter_backward(name, parameter, level, precise), backward, module, docs[backward])
    for name, function in maxout_functions(level).items():
        functions[name] = _named(function, name, module, docs[name])
    for name, ufunc in ufuncs.items():
        try:
            ufunc.__module__ = module if functions[name] is ufunc else f"{module}.ufuncs"
            ufunc.__qualname__ = name
        except AttributeError:  # NumPy before 2.1: ufuncs have no attributes of their own
            break
    return ufuncs, functions


def records(functions: Mapping[str, Any]) -> Mapping[str, Activation]:
    """The catalogue over the public functions of the standard tier."""
    result = {}
    for name, parameters in parameters_of().items():
        description = DESCRIPTIONS[name]
        forward = ("y", "which") if name == "maxout" else ("y",)
        backward = ("dx", f"d{parameters[0].name}") if name in _LEARNED else ("dx",)
        result[name] = Activation(
            name=name,
            forward=functions[name],
            backward=functions[f"{name}_backward"],
            backward_from_output=functions.get(f"{name}_backward_from_output"),
            returns=(forward, backward),
            parameters=parameters,
            formula=description.formula,
            derivative=description.derivative,
            output_range=description.output_range,
            zero_centered=description.zero_centered,
            saturates=description.saturates,
            monotonic=description.monotonic,
            source=" ".join(description.source.split()),
            max_ulp=MappingProxyType(_BOUNDS),
        )
    return MappingProxyType(result)


def chosen_level() -> str:
    """The ISA level of ``NUMACT_ISA``, else the best this CPU can run."""
    wanted = os.environ.get("NUMACT_ISA", "")
    if wanted:
        try:
            _native.choose_isa(wanted)
        except ValueError as error:
            raise ImportError(f"NUMACT_ISA: {error}") from None
    return str(_native.isa())
