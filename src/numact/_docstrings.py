"""The numpydoc docstrings of the public functions, put together from the descriptions of the activations."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from ._descriptions import Description, Kind

SUFFIXES = ("", "_backward", "_backward_from_output")

_DATA = (
    "any shape and layout; float16, bfloat16 (of ml_dtypes), float32 or float64, integers and bool are taken as "
    "float64."
)
_OUT = ("out : ndarray, optional", "Where to write the result.")
_TWO_OUT = ("out : tuple of two ndarrays, optional", "Where to write the results, or None in their place.")
_KEYWORDS = ("**kwargs", "Every other keyword of a ufunc: where, casting, order, dtype, subok, signature.")
_AXIS = ("axis : int, default -1", "The axis of the pieces.")
# Ends of what is a TypeError and a ValueError, and a part of the latter.
_NO_CAST = "or `out` is no array that the result can be cast to"
_NO_FIT = "or `out` does not fit or is read-only"
_NO_AXIS = "no such axis (numpy.exceptions.AxisError)"
_KINDS = "complex, longdouble, object, text"

Entry = tuple[str, str]


@functools.cache  # much is said of many functions; import waits for it, and would far longer for textwrap
def _fill(text: str, indent: str = "", hanging: str = "") -> str:
    """The text in lines of at most 100 characters; `hanging` indents all but the first of them further."""
    lines, line = [], indent
    for word in text.split():
        if len(line) + len(word) > 100:
            lines.append(line[:-1])
            line = indent + hanging
        line += word + " "
    return "\n".join([*lines, line[:-1]])


def _section(title: str, entries: Sequence[Entry]) -> str:
    body = "\n".join(f"{head}\n{_fill(text, '    ')}" for head, text in entries)
    return f"{title}\n{'-' * len(title)}\n{body}"


def _join(
    description: Description,
    suffix: str,
    summary: str,
    equation: str,
    remarks: Sequence[str],
    parameters: Sequence[Entry],
    returns: Sequence[Entry],
    wrong_kind: str,
    problem: str,
) -> str:
    """The whole; `wrong_kind` goes on with what is a TypeError, `problem` says what is a ValueError."""
    computed = equation.replace("\n", "\n    ")
    parts = [summary, f"Computes ::\n\n    {computed}", *(_fill(r) for r in remarks if r)]
    parts.append(_section("Parameters", parameters))
    parts.append(_section("Returns", returns))
    kind = ("TypeError", f"If the data is of another kind ({_KINDS}){wrong_kind}.")
    parts.append(_section("Raises", [kind, ("ValueError", problem)]))
    source = _fill(f".. [1] {description.source}.", hanging="       ")
    parts.append(f"References\n----------\n{source}")
    example = description.examples[suffix]
    parts.append(f"Examples\n--------\n>>> import numpy as np\n>>> import numact as na\n{example}\n")
    return "\n\n".join(parts)


def _maxout(suffix: str, description: Description) -> str:
    if suffix == "":
        summary, equation = f"{description.summary}.", description.plain
        remarks = [description.kink, description.remarks]
        parameters = [
            ("x : array_like", f"Input with 1 to 256 pieces along the axis, of {_DATA}"),
            _AXIS,
            _TWO_OUT,
        ]
        returns = [
            ("y : ndarray or scalar", "The maximum, of the data's dtype and shape less the axis."),
            ("which : ndarray or scalar of uint8", "The first piece that attains it."),
        ]
        wrong_kind = f", is masked, `axis` is no integer, {_NO_CAST}"
        problem = f"If there is {_NO_AXIS}, there are no pieces or more than 256, {_NO_FIT}."
    else:
        summary = "Gradient of `maxout` with respect to its input."
        equation, remarks = f"dx = dy * ({description.plain_derivative})", [description.kink]
        parameters = [
            ("dy : array_like", f"Gradient of the output, of {_DATA}"),
            ("which : array_like of int", "As `maxout` returned it, of the shape of `dy`."),
            ("pieces : int", "How many pieces there were, 1 to 256."),
            _AXIS,
            _OUT,
        ]
        returns = [("dx : ndarray", "Gradient of the input, of the data's dtype.")]
        wrong_kind = f", is masked, `which`, `pieces` or `axis` is no integer, {_NO_CAST}"
        problem = f"If there is {_NO_AXIS}, `pieces` is not in 1 to 256, `which` does not fit, {_NO_FIT}."
    return _join(description, suffix, summary, equation, remarks, parameters, returns, wrong_kind, problem)


def _rrelu(suffix: str, description: Description) -> str:
    if suffix == "":
        summary, equation = f"{description.summary}.", description.plain
        remarks = [description.kink, description.remarks]
        parameters = [
            ("x : array_like", f"Input of {_DATA}"),
            ("lower : float, default 1/8", description.parameters["lower"]),
            ("upper : float, default 1/3", description.parameters["upper"]),
            ("training : bool, default False", "Draw a slope for every element; else all have the mean."),
            (
                "rng : int, numpy.random.Generator or None, default None",
                "What to draw from, as `numpy.random.default_rng` takes it: a seed always gives the same slopes.",
            ),
            _TWO_OUT,
        ]
        returns = [
            ("y : ndarray or scalar", "Of the data's dtype and shape."),
            ("slope : ndarray or scalar", "The slopes, of the data's dtype: of its shape when training, else one."),
        ]
        wrong_kind = f", is masked, a bound is no real scalar, {_NO_CAST}"
        problem = (
            f"If not lower <= upper, one of them or their difference is not finite in the data's dtype, {_NO_FIT}."
        )
    else:
        summary = "Gradient of `rrelu` with respect to its input."
        equation, remarks = f"dx = dy * rrelu'(x)\n{description.plain_derivative}", [description.kink]
        parameters = [
            ("dy : array_like", "Gradient of the output, broadcast against the other arrays."),
            ("x : array_like", f"Input of {_DATA}"),
            ("slope : array_like", "As `rrelu` returned it; it never changes the dtype of the result."),
            _OUT,
        ]
        returns = [("dx : ndarray or scalar", "Gradient of the input, of the data's dtype.")]
        wrong_kind = f", an array is masked, `slope` is not real, {_NO_CAST}"
        problem = f"If shapes do not broadcast, `slope` is a scalar NaN, {_NO_FIT}."
    return _join(description, suffix, summary, equation, remarks, parameters, returns, wrong_kind, problem)


def _crelu(suffix: str, description: Description) -> str:
    axis = ("axis : int, default -1", "The axis along which the output is twice as long as the input.")
    gradient = ("dy : array_like", "Gradient of the output, of its shape.")
    if suffix == "":
        summary, equation = f"{description.summary}.", description.plain
        remarks = [description.kink, description.remarks]
        parameters = [("x : array_like", f"Input of {_DATA}")]
        returns = [("y : ndarray", "Of the data's dtype, and of its shape but for the axis.")]
        problem = f"If there is {_NO_AXIS}, {_NO_FIT}."
    else:
        from_output = suffix == "_backward_from_output"
        summary = f"Gradient of `crelu` with respect to its input{', from the output' if from_output else ''}."
        equation = f"dx = {description.plain_derivative}" + (", where y = crelu(x)" if from_output else "")
        remarks = [description.kink, description.from_output if from_output else ""]
        data = ("y : array_like", f"Output of {_DATA}") if from_output else ("x : array_like", f"Input of {_DATA}")
        parameters = [gradient, data]
        returns = [("dx : ndarray", "Gradient of the input, of the data's dtype and the input's shape.")]
        halves = "the axis has no halves, " if from_output else ""
        problem = f"If there is {_NO_AXIS}, {halves}`dy` does not fit, {_NO_FIT}."
    parameters += [axis, _OUT]
    wrong_kind = f", is masked, `axis` is no integer, {_NO_CAST}"
    return _join(description, suffix, summary, equation, remarks, parameters, returns, wrong_kind, problem)


_OWN = {"maxout": _maxout, "rrelu": _rrelu, "crelu": _crelu}


def _over_rows(name: str, suffix: str, description: Description) -> str:
    if suffix == "":
        summary, equation = f"{description.summary}.", description.plain
        remarks = [description.remarks, description.kink]
    else:
        output = suffix == "_backward_from_output"
        summary = f"Gradient of `{name}` with respect to its input{', from the output' if output else ''}."
        equation = f"dx = {description.plain_derivative}, where y = {name}(x)"
        remarks = [description.from_output if output else description.kink]
    remarks += [
        "Sums are taken in float64 in a fixed order: the same bits for every memory layout and number of threads. An "
        "empty axis gives an empty array.",
    ]
    array = "y : array_like" if suffix == "_backward_from_output" else "x : array_like"
    words = f"{'Output' if array[0] == 'y' else 'Input'} of one dimension or more, of {_DATA}"
    parameters = [(array, words)]
    if suffix != "":
        parameters.insert(0, ("dy : array_like", "Gradient of the output; all but the axis broadcasts."))
    keywords = (
        "**kwargs",
        "Every other keyword of a generalized ufunc: axes, casting, order, dtype, subok, signature.",
    )
    axis = ("axis : int, default -1", "The axis to sum over, by keyword or in the place of `out`.")
    parameters += [axis, _OUT, keywords]
    returns = [(f"{'dx' if suffix else 'y'} : ndarray", "Of the data's dtype and shape.")]
    wrong_kind = f", `axis` is no integer, {_NO_CAST}"
    problem = f"If there is {_NO_AXIS}, `{array[0]}` is 0-d, shapes do not fit, {_NO_FIT}."
    return _join(description, suffix, summary, equation, remarks, parameters, returns, wrong_kind, problem)


def _operands_example(function: str, suffix: str, values: Sequence[float], learned: bool) -> str:
    """An example of the ufunc under ``numact.function`` with these values of the parameters."""
    arguments = ", ".join([*(["1.0"] if suffix else []), "x", *map(repr, values)])
    return (
        f">>> x = np.array([0.5, 2.0])\n>>> y = na.ufuncs.{function}({arguments})\n"
        f">>> np.array_equal(y, na.{function}({arguments}){'[0]' if learned else ''})\nTrue"
    )


def docstring(
    name: str,
    suffix: str,
    kind: Kind,
    description: Description,
    defaults: dict[str, float | None],
    operands: bool = False,
) -> str:
    """The docstring of ``name + suffix``; `defaults` holds the activation's parameters and their defaults.

    A backward that returns the gradient of a learned parameter too is told from ``description.learned``. With
    `operands` it is that of the ufunc under the function, of which every parameter is an operand.
    """
    if name in _OWN:
        return _OWN[name](suffix, description)
    if kind == "axis":
        return _over_rows(name, suffix, description)
    gated = kind == "gated"
    learned = description.learned and suffix == "_backward"
    alone, learned = learned and operands, learned and not operands
    arrays = ["gate", "value"] if gated else ["x"]
    if suffix == "":
        summary, equation = f"{description.summary}.", description.plain
        remarks = [description.kink, description.remarks]
    elif suffix == "_backward":
        of = "gate and its value" if gated else f"input{' and its parameter' if learned else ''}"
        summary = f"Gradient of `{name}` with respect to its {of}."
        equation = description.plain_derivative
        if not gated:
            equation = f"dx = dy * {name}'(x)\n{equation.partition(';')[0] if alone else equation}"
        remarks = [
            description.kink,
            "NaN at NaN, accurate in saturation too; `dy` multiplies the derivative as IEEE numbers do, but that an "
            "infinite one may stay infinite at infinity.",
        ]
        if learned:
            (parameter,) = defaults
            equation = f"{equation}\nd{parameter} = sum(dy * d {name} / d {parameter}) over what it was broadcast to"
            remarks.append(
                "The parameter's gradient is summed in float64 in a fixed order: the same bits for every memory "
                "layout and number of threads."
            )
        if alone:
            remarks.append(f"`numact.{name}_backward` gives the gradient of the parameter too.")
    else:
        summary = f"Gradient of `{name}` with respect to its input, from the output."
        equation = f"dx = dy * {name}'(x), where y = {name}(x)"
        remarks = [description.kink, description.from_output]

    from_output = suffix == "_backward_from_output"
    parameters: list[Entry] = []
    if suffix != "":
        parameters.append(("dy : array_like", "Gradient of the output, broadcast against the other arrays."))
    for array in ["y"] if from_output else arrays:
        parameters.append((f"{array} : array_like", f"{'Output' if from_output else 'Input'} of {_DATA}"))
    for parameter, default in defaults.items():
        head = f"{parameter} : array_like" + ("" if default is None or operands else f", default {default:g}")
        rule = "A scalar, or an array that broadcasts; it never changes the dtype of the result."
        if operands:
            rule += " Outside of its domain the formula counts, or the result is NaN."
        else:
            wrong = ", and the gradient is wrong where one hides the input" if from_output else ""
            rule += f" Elements of an array are not checked: outside of its domain the formula counts{wrong}."
        parameters.append((head, f"{description.parameters[parameter]} {rule}"))
    two = suffix == "_backward" and (learned or gated)
    parameters += ([_TWO_OUT] if two else [_OUT]) + ([] if learned else [_KEYWORDS])

    results = ["y"] if suffix == "" else [f"d{array}" for array in arrays]
    returns = [(f"{each} : ndarray or scalar", "Of the data's dtype and shape.") for each in results]
    if learned:
        (parameter,) = defaults
        returns.append((f"d{parameter} : ndarray or scalar", f"Of the data's dtype and the shape of `{parameter}`."))
    wrong_kind = (
        f", {'an array is masked, ' if learned else ''}{'a parameter is not real, ' if defaults else ''}{_NO_CAST}"
    )
    problem = "If shapes do not broadcast, "
    if defaults and not operands:
        told = not (from_output and "does not tell" in description.from_output)
        problem += f"a scalar parameter is outside its domain{'' if told else ' or hides the input from the output'}, "
    problem += f"{_NO_FIT}."
    if operands and defaults:
        values = [0.25 if default is None else default for default in defaults.values()]
        example = _operands_example(name + suffix, suffix, values, alone)
        description = description._replace(examples={suffix: example})
    return _join(description, suffix, summary, equation, remarks, parameters, returns, wrong_kind, problem)
