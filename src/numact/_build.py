"""Makes the public functions of a tier at an ISA level, their docstrings and their catalogue records.

The native catalogue says which activations there are; ``_descriptions`` says what each is.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, cast

from ._accuracy import ERRORS
from ._descriptions import DESCRIPTIONS, Saturation
from ._docstrings import SUFFIXES, docstring
from ._functions import crelu_functions, maxout_functions, parameter_backward, rrelu_functions
from ._runtime import _native

Kind = Literal["elementwise", "gated", "axis", "random"]


@dataclass(frozen=True)
class Parameter:
    """A parameter of an activation.

    Attributes
    ----------
    name : str
    default : float or None
        None where it must be given.
    domain : str
        What a scalar may be: "any", "positive", "nonnegative", or "at least" another parameter, which it names; NaN
        never.
    """

    name: str
    default: float | None
    domain: str


@dataclass(frozen=True, eq=False)
class Activation:
    """The catalogue record of one activation.

    Attributes
    ----------
    name : str
    kind : {"elementwise", "gated", "axis", "random"}
        Elementwise functions of one array; of two arrays, gate and value; functions along an axis; rrelu.
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
        Infimum and supremum of the outputs over all finite inputs, at the default parameters (prelu: any positive
        weight); a finite one is attained or approached.
    zero_centered : bool
        Whether inputs spread symmetrically about 0 give outputs spread symmetrically about 0, so that their mean is
        0: for a function of one array, whether it is odd.
    saturates : {"left", "right", "both", "no"}
        Where the derivative goes to 0 as x goes to minus or plus infinity: for a gated function that with respect to
        the gate, for one over an axis all derivatives of the row (x, 0) at once.
    monotonic : bool
        Whether no output ever turns as x rises, at the default parameters: x is the gate of a gated function at
        value 1, one element of a row for a function over an axis.
    source : str
        The paper.
    max_ulp : mapping
        Error bounds in units in the last place by (dtype, tier, direction), as the tests enforce them; dtype is
        "float16", "bfloat16", "float32" or "float64", tier "standard" or "precise", direction "forward", "backward"
        or "parameter", the gradient of a learned one. Gradients of softmax and its kin and of parameters, which are
        sums, count in ulp of the sum of their terms' magnitudes.
    worst_input : mapping
        By the same keys the largest error found and where.
    """

    name: str
    kind: Kind
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
    worst_input: Mapping[tuple[str, str, str], tuple[float, str]]

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return _record, (self.name,)


def _record(name: str) -> Activation:
    """The catalogue's record, which pickle goes by its name."""
    import numact

    return numact.activations[name]


def parameters_of() -> dict[str, tuple[Parameter, ...]]:
    """Names of the catalogue in its order, each with its parameters."""
    return {
        name: tuple(Parameter(p, default, domain) for p, default, domain, _ in parameters)
        for name, _, parameters in _native.catalogue()
    }


def kinds() -> dict[str, Kind]:
    """The kind of every activation, by name."""
    return {name: cast(Kind, kind) for name, kind, _ in _native.catalogue()}


def docstrings() -> dict[str, str]:
    """The docstring of every public function, by name."""
    kind_by_name = kinds()
    return {
        name + suffix: docstring(
            name,
            suffix,
            DESCRIPTIONS[name],
            {p.name: p.default for p in parameters},
            gated=kind_by_name[name] == "gated",
        )
        for name, parameters in parameters_of().items()
        for suffix in SUFFIXES
        if suffix in DESCRIPTIONS[name].examples
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


def _ufunc_signature(name: str, kind: Kind, parameters: tuple[Parameter, ...]) -> inspect.Signature:
    """The signature of a ufunc with our names for the operands in place of x1, x2, ..."""
    keywords = _UFUNC_KEYWORDS
    if kind == "axis":
        out, where, *others = keywords
        keywords = [out, where.replace(name="axis", default=-1), *others]
    inputs = ["gate", "value"] if kind == "gated" else ["x"]
    data = {"": inputs, "_backward": ["dy", *inputs], "_backward_from_output": ["dy", "y"]}
    suffix = name[name.find("_backward") :] if "_backward" in name else ""
    names = [*data[suffix], *(p.name for p in parameters)]
    return inspect.Signature([*(_Parameter(each, _Parameter.POSITIONAL_ONLY) for each in names), *keywords])


def make(level: str, precise: bool, module: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ufuncs and public functions of one tier at one ISA level, both by name."""
    docs, parameters_by_name, kind_by_name = docstrings(), parameters_of(), kinds()
    ufuncs, functions = _native.make_functions(level, precise, docs, module)
    for name, parameters in parameters_by_name.items():
        if not DESCRIPTIONS[name].learned:
            continue
        backward = f"{name}_backward"
        function = parameter_backward(name, parameters[0].name, level, precise)
        functions[backward] = _named(function, backward, module, docs[backward])
    own = {**maxout_functions(level), **rrelu_functions(functions), **crelu_functions(functions)}
    for name, function in own.items():
        functions[name] = _named(function, name, module, docs[name])
    row_functions = _native.make_row_functions(level, precise, docs)
    functions.update(row_functions)
    for name, ufunc in {**ufuncs, **row_functions}.items():
        try:
            ufunc.__module__ = module if functions[name] is ufunc else f"{module}.ufuncs"
            ufunc.__qualname__ = name
            activation = name.partition("_backward")[0]
            ufunc.__signature__ = _ufunc_signature(name, kind_by_name[activation], parameters_by_name[activation])
        except AttributeError:  # NumPy before 2.1: ufuncs have no attributes of their own
            break
    return ufuncs, functions


def records(functions: Mapping[str, Any]) -> Mapping[str, Activation]:
    """The catalogue over the public functions of the standard tier."""
    result = {}
    kind_by_name = kinds()
    for name, parameters in parameters_of().items():
        description, kind = DESCRIPTIONS[name], kind_by_name[name]
        errors = ERRORS.get(name, {})  # none yet of a function that was not measured
        forward = {"maxout": ("y", "which"), "rrelu": ("y", "slope")}.get(name, ("y",))
        backward: tuple[str, ...] = ("dx", f"d{parameters[0].name}") if description.learned else ("dx",)
        if kind == "gated":
            backward = ("dgate", "dvalue")
        result[name] = Activation(
            name=name,
            kind=kind,
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
            source=description.source,
            max_ulp=MappingProxyType({key: bound for key, (bound, _, _) in errors.items()}),
            worst_input=MappingProxyType({key: (error, where) for key, (_, error, where) in errors.items()}),
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
