"""Writes the pages of ``docs`` that the catalogue tells: the activations, their errors, limits and special values.

Run ``python tools/make_docs.py`` with numact installed after a change of the catalogue; a test fails while the pages,
and the errors in the headers of ``cpp/activations``, are not what this writes. The special values are those of
``numact.reference`` in extended precision; tests compare the kernels with every entry.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import numact as na
from numact import _curves, reference
from numact._descriptions import DESCRIPTIONS
from numact.cli.catalogue import bounds, dtypes_and_tiers, interval, signature

Array = NDArray[Any]
LONG = np.longdouble
ROOT = Path(__file__).resolve().parent.parent
DOCS, HEADERS = ROOT / "docs", ROOT / "cpp" / "activations"

# "max" is the largest number, "tiny" the smallest normal, "sub" the smallest subnormal one.
POINTS = ("NaN", "-inf", "-max", "-tiny", "-sub", "-0.0", "0.0", "sub", "tiny", "max", "inf")
VALUES = ("1.0", "0.0", "max")
ROWS = tuple(
    tuple(row.split())
    for row in (
        "0.0 0.0", "-0.0 0.0", "0.0 -0.0", "-0.0 -0.0", "inf 0.0", "0.0 inf", "-inf 0.0", "0.0 -inf", "inf inf",
        "-inf -inf", "inf -inf", "-inf inf", "NaN 0.0", "0.0 NaN", "NaN inf", "max max", "max -max", "-max max",
        "sub 0.0", "-sub 0.0", "tiny 0.0", "-tiny 0.0",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """Data and parameters of ``function`` and the exact value of each of its results; data and results may be rows."""

    function: str
    data: tuple[Array, ...]
    parameters: tuple[Any, ...]
    exact: tuple[Array, ...]


def number(text: str, dtype: Any) -> Any:
    """A point as a number of the dtype."""
    info: Any = np.finfo(dtype) if np.dtype(dtype).kind == "f" else importlib.import_module("ml_dtypes").finfo(dtype)
    sizes = {"max": info.max, "tiny": info.tiny, "sub": info.smallest_subnormal}
    size = sizes.get(text.lstrip("-"))
    return dtype(text) if size is None else dtype(-size if text.startswith("-") else size)


@functools.cache
def kinks_elsewhere(name: str) -> list[float]:
    """The kinks but for 0, which is a place anyway, and so are its neighbours."""
    return [kink for kink in _curves.kinks(na.activations[name], reference) if kink != 0]


def places(record: na.Activation, dtype: Any) -> list[list[Array]]:
    """The operands of forward at every special place: points and what is at and beside the kinks, pairs, or rows."""
    if record.kind == "axis":
        return [[np.array([number(each, dtype) for each in row], dtype)] for row in ROWS]
    points = [np.asarray(number(each, dtype)) for each in POINTS]
    for kink in kinks_elsewhere(record.name):
        exact = dtype(kink)
        points += [np.asarray(each) for each in (np.nextafter(exact, dtype(-np.inf)), exact)]
        points.append(np.asarray(np.nextafter(exact, dtype(np.inf))))
    if record.kind == "gated":
        return [[gate, np.asarray(number(value, dtype))] for value in VALUES for gate in points]
    return [[point] for point in points]


def entries(record: na.Activation, dtype: Any, parameter_dtype: Any) -> Iterator[Entry]:
    """Every function of the record at every special place, dy = 1 (for a row: of its first output)."""
    given = tuple(parameter_dtype(value) for value in _curves.parameter_values(record))
    parameters = [LONG(value) for value in given]
    name = record.name
    with np.errstate(all="ignore"):
        for data in places(record, dtype):
            wide = [each.astype(LONG) for each in data]
            results = _curves.forward(record, wide, reference, parameters)
            yield Entry(name, tuple(data), given, results[:1])
            one = np.zeros(results[0].shape)
            one.flat[0] = 1
            dy = one.astype(dtype)
            gradients = _curves.backward(record, one.astype(LONG), wide, reference, parameters)
            if record.kind == "axis":  # where terms cancel, the sign of zero is left open
                gradients = tuple(each + 0 for each in gradients)
            # The other results of forward, maxout's winners and rrelu's slopes, are operands of backward.
            if "which" in record.returns[0]:
                yield Entry(f"{name}_backward", (dy, results[1]), (data[0].shape[-1],), gradients)
            elif record.kind == "random":
                yield Entry(f"{name}_backward", (dy, *data, results[1].astype(dtype)), (), gradients)
            else:
                yield Entry(f"{name}_backward", (dy, *data), given, gradients)
            if record.backward_from_output is not None:
                y = results[0].astype(dtype)
                function = getattr(reference, f"{name}_backward_from_output")
                dx = function(one.astype(LONG), y.astype(LONG), *parameters)
                yield Entry(f"{name}_backward_from_output", (dy, y), given, (dx,))


@np.errstate(over="ignore")
def shown(exact: Any) -> str:
    """A result of float32, in multiples of the special numbers where it is about as large."""
    info = np.finfo(np.float32)
    value = LONG(exact)
    size = abs(value)
    if np.isnan(value):
        return "NaN"
    if size < LONG(info.smallest_subnormal) / 4:
        return "-0.0" if np.signbit(value) else "0.0"
    if np.isinf(np.float32(value)):
        return "-inf" if value < 0 else "inf"
    for name, unit, near in (
        ("sub", info.smallest_subnormal, size < 1e-42),
        ("tiny", info.tiny, size < 1e-30),
        ("max", info.max, size > 1e30),
    ):
        if near:
            multiple = f"{float(value / LONG(unit)):.6g}"
            return {"1": name, "-1": f"-{name}"}.get(multiple, f"{multiple} {name}")
    text = f"{float(value):.6g}"
    return text if "." in text or "e" in text else f"{text}.0"


def row_shown(exact: Array) -> str:
    values = np.atleast_1d(exact)
    return shown(values[0]) if values.size == 1 else f"({', '.join(map(shown, values))})"


def table(lines: Sequence[Sequence[str]]) -> str:
    head, *rows = lines
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))


def special_values_of(record: na.Activation) -> str:
    """The section of one activation: a column for every place, or a line for every row of a function over an axis."""
    found = list(entries(record, np.float32, np.float32))
    by_function = {name: [e for e in found if e.function == name] for name in dict.fromkeys(e.function for e in found)}
    name = record.name
    forward, backward = by_function[name], by_function[f"{name}_backward"]
    parts = [f"## {signature(record)}"]
    if record.kind == "axis":
        lines = [["x", "y", "dx for dy = (1, 0, ...)"]]
        for one, other in zip(forward, backward, strict=True):
            lines.append([row_shown(each) for each in (one.data[0], one.exact[0], other.exact[0])])
        parts.append(table(lines))
    else:
        groups = VALUES if record.kind == "gated" else ("",)
        length = len(forward) // len(groups)
        for i, group in enumerate(groups):
            part = slice(i * length, (i + 1) * length)
            columns = [row_shown(entry.data[0]) for entry in forward[part]]
            del columns[len(POINTS) :]
            for kink in kinks_elsewhere(name):
                columns += [f"below {kink:g}", f"{kink:g}", f"above {kink:g}"]
            head = f"gate, value = {group}" if group else "x"
            labels = {name: [f"`{name}`"]}
            labels[f"{name}_backward"] = [f"`{each}`" for each in record.returns[1][: 2 if group else 1]]
            labels[f"{name}_backward_from_output"] = ["`dx` from output"]
            lines = [[head, *columns]]
            for function, entries_of in by_function.items():
                for j, label in enumerate(labels[function]):
                    lines.append([label, *(row_shown(entry.exact[j]) for entry in entries_of[part])])
            parts.append(table(lines))
    if DESCRIPTIONS[name].kink:
        parts.append(DESCRIPTIONS[name].kink)
    return "\n\n".join(parts)


def special_values() -> str:
    """docs/special_values.md."""
    return (
        "# Limits and special values\n\n"
        "Written by `tools/make_docs.py` from `numact.reference` in extended precision; the tests compare every entry "
        "with\nthe kernels, for every dtype, ISA level and tier and at every position of an array.\n\n"
        "`max` is the largest number of the dtype, `tiny` its smallest normal and `sub` its smallest subnormal "
        "number;\n`below` and `above` a kink mean the numbers next to it. Figures are those of float32 to six digits, "
        "at default parameters\n(weight 0.25 for `prelu`), and gradients are for dy = 1, those from the output for the "
        "exact output, rounded: `dy` multiplies\nthem as IEEE numbers do, but that an infinite one may stay infinite "
        "at an infinite x where the derivative is 0. A result "
        "between two\nnumbers is rounded, within the error bound: 0.5 sub to 0 or to sub, above "
        "max to inf. NaN in a data array gives NaN in every result that depends on it.\n"
        "No call raises a floating-point warning.\n\n"
        + "\n\n".join(map(special_values_of, na.activations.values()))
        + "\n"
    )


# Of the parameters, in formulas.
SYMBOLS = {
    "negative_slope": "s", "weight": "w", "lower": "l", "upper": "u", "threshold": "t", "value": "v", "b": "b",
    "min_val": "a", "max_val": "b", "lambd": r"\lambda", "alpha": r"\alpha", "beta": r"\beta",
}  # fmt: skip


def described(record: na.Activation) -> str:
    """The section of one activation in docs/activations.md."""
    description = DESCRIPTIONS[record.name]
    facts = [
        f"range {interval(record)}",
        f"{'' if record.zero_centered else 'not '}zero-centred",
        {"no": "does not saturate", "both": "saturates on both sides"}.get(
            record.saturates, f"saturates on the {record.saturates}"
        ),
        f"{'' if record.monotonic else 'not '}monotonic",
    ]
    lines = [f"- {', '.join(facts)}"]
    for parameter in record.parameters:
        default = "no default" if parameter.default is None else f"default {parameter.default:g}"
        symbol = SYMBOLS[parameter.name]
        if symbol not in record.formula:
            raise ValueError(f"{record.name}: {parameter.name} is not {symbol} in {record.formula}")
        lines.append(f"- $`{symbol}`$ is `{parameter.name}` ({default}): {description.parameters[parameter.name]}")
    lines.append(
        f"- returns {', '.join(record.returns[0])}; backward {', '.join(record.returns[1])}"
        + ("; there is a backward from the output" if record.backward_from_output else "")
    )
    limits = ", ".join(f"{d} {tier} {bounds(record, d, tier)}" for d, tier in dtypes_and_tiers(record))
    lines.append(f"- error bounds forward / backward in ulp: {limits}")
    lines += [f"- {text}" for text in (description.kink, description.remarks) if text]
    lines.append(f"- {record.source}")
    math = "```math\n{}\n```"
    formulas = [math.format("f = " + record.formula), math.format("f' = " + record.derivative)]
    return "\n\n".join([f"## {signature(record)}", f"{description.summary}.", *formulas, "\n".join(lines)])


def activations() -> str:
    """docs/activations.md."""
    return (
        "# Activations\n\n"
        "Written by `tools/make_docs.py` from the catalogue `numact.activations`. `[condition]` is 1 where the "
        "condition holds, else 0;\n$`\\sigma`$ is `sigmoid`, $`\\Phi`$ and $`\\varphi`$ are the normal distribution "
        "and its density, $`g`$ and $`v`$ gate and value;\n$`\\lambda`$ and $`\\alpha`$ of `selu` are "
        f"{reference._SELU_SCALE} and {reference._SELU_ALPHA}.\n"
        "`numact plot all` draws them, `numact list` prints them as a table, "
        "[special_values.md](special_values.md) has their limits.\n\n"
        + "\n\n".join(map(described, na.activations.values()))
        + "\n"
    )


ACCURACY = """\
Written by `tools/make_docs.py` from the catalogue. Errors in units in the last place of the exact value; the tests hold
every function to its bound, at every ISA level. Found on: all 65,536 inputs for float16 and bfloat16; for float32, by
`tests/native/exhaustive`, all 2^32 inputs at default parameters where the bound is finer than the promised 2.5 and 4,
every 61st where it is the promise itself, for other parameters and of gated functions (gates with a value of any size);
eight million inputs of all exponents for float64, by `tests/native/float64`; rows of softmax and its kin, maxout, crelu
and rrelu on samples by `benchmarks/accuracy.py`, which compares with other libraries too
([accuracy_beside_others.md](accuracy_beside_others.md)).

Gradients are for `dy = 1` and, on an eighth of the inputs, for a `dy` of any exponent whose product with f' is just
below a power of two, where rounding costs the most (float64: on all inputs). Where f' changes
sign (gelu, gelu_tanh, quick_gelu, silu, swish, hard_swish, mish, dish and their gated forms), within 1/8 of the root
the error is at most 2^-22 |dy| (`precise` 2^-24, float64 2^-51, halves half an ulp of dy) and not listed here. Below
the normal numbers a unit is the smallest subnormal. Gradients that are sums, of softmax and its kin and of learned
parameters, count in ulp of the sum of their terms' magnitudes; in those of softmax and its kin y counts as 0 below
exp(-1373) for float64 data. float16, bfloat16 and float64 are the same in both tiers.
"""


def accuracy_of(record: na.Activation) -> str:
    """The section of one activation in docs/accuracy.md."""
    lines = [["dtype", "tier", "direction", "bound", "largest found", "where"]]
    for (dtype, tier, direction), (error, where) in record.worst_input.items():
        if tier == "precise" and dtype != "float32":
            continue  # the standard tier's
        bound = record.max_ulp[dtype, tier, direction]
        lines.append([dtype, tier, direction, f"{bound:g}", f"{error:.4f}", where])
    return f"## {signature(record)}\n\n{table(lines)}"


def accuracy() -> str:
    """docs/accuracy.md."""
    return "# Accuracy\n\n" + ACCURACY + "\n" + "\n\n".join(map(accuracy_of, na.activations.values())) + "\n"


def errors_of(name: str) -> str:
    """The lines of an activation in its header."""
    found = na.activations[name].worst_input
    if not found:
        return f"//   {name} float32\n"  # not measured yet
    lines = []
    for dtype in ("float32", "float64"):
        for direction in ("forward", "backward"):
            error, where = found[dtype, "standard", direction]
            lines.append(f"//   {name} {dtype} {direction} {error:.4f}, {where}")
        if dtype == "float32":
            precise = (f"{found[dtype, 'precise', direction][0]:.4f}" for direction in ("forward", "backward"))
            lines.append(f"//   {name} precise float32 {', '.join(precise)}")
    return "\n".join(lines) + "\n"


def headers() -> dict[Path, str]:
    """The headers of activations, the errors of those that they list as they are now."""
    texts = {}
    for path in sorted(HEADERS.glob("*.hpp")):
        text = path.read_text()
        if listed := re.search(r"(?:^//   \w+ (?:float|precise).*\n)+", text, re.MULTILINE):
            names = dict.fromkeys(re.findall(r"^//   (\w+)", listed[0], re.MULTILINE))
            texts[path] = text.replace(listed[0], "".join(map(errors_of, names)))
    return texts


def pages() -> dict[Path, str]:
    """The text of every generated page."""
    made = {"accuracy": accuracy(), "activations": activations(), "special_values": special_values()}
    return {DOCS / f"{name}.md": text for name, text in made.items()}


if __name__ == "__main__":
    for path, text in {**pages(), **headers()}.items():
        path.write_text(text)
        print(path)
