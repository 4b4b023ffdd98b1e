"""The catalogue: a record of every activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ._accuracy import ERRORS
from ._descriptions import DESCRIPTIONS, Kind, Saturation
from ._runtime import _native
from ._standard import functions


@dataclass(frozen=True)
class Parameter:
    """A parameter of an activation.

    Attributes
    ----------
    name : str
    default : float or None
        None where it must be given.
    domain : str
        What a scalar may be: "any" (of rrelu any finite number), "positive", "nonnegative", or "at least" another
        parameter, which it names; NaN never.

    Examples
    --------
    >>> import numact as na
    >>> na.activations["softplus"].parameters
    (Parameter(name='beta', default=1.0, domain='positive'),)
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
        LaTeX in x and symbols of the parameters.
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

    Examples
    --------
    >>> import numact as na
    >>> record = na.activations["elu"]
    >>> record.source[:11], record.saturates, record.output_range
    ('D. Clevert,', 'left', (-1.0, inf))
    >>> record.forward is na.elu
    True
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
    return activations[name]


Errors = dict[tuple[str, str, str], tuple[float, float, str]]


def _of_both_tiers(errors: Errors) -> Errors:
    """The same, those of precise too where it takes the kernels of the standard tier."""
    keys = {
        (dtype, tier, direction): (dtype, tier if dtype == "float32" else "standard", direction)
        for dtype in dict.fromkeys(dtype for dtype, _, _ in errors)
        for tier in ("standard", "precise")
        for direction in ("forward", "backward", "parameter")
    }
    return {key: errors[own] for key, own in keys.items() if own in errors}


def _records() -> Mapping[str, Activation]:
    """The catalogue over the public functions of the standard tier."""
    result = {}
    for name, kind, given in _native.catalogue():
        description = DESCRIPTIONS[name]
        parameters = tuple(Parameter(p, default, domain) for p, default, domain, _ in given)
        errors = _of_both_tiers(ERRORS.get(name, {}))  # none yet of a function that was not measured
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


activations: Mapping[str, Activation] = _records()
