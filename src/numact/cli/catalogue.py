"""``numact list`` and ``numact info``: the catalogue in the terminal."""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numact as na
from numact._descriptions import DESCRIPTIONS

from ._common import activation


def signature(record: na.Activation) -> str:
    """Name and parameters with their defaults, as in ``elu(alpha=1)``."""
    shown = [p.name if p.default is None else f"{p.name}={p.default:g}" for p in record.parameters]
    return f"{record.name}({', '.join(shown)})" if shown else record.name


def interval(record: na.Activation) -> str:
    """The range, as in ``-1 ... inf``."""
    return " ... ".join(f"{end:.5g}" for end in record.output_range)


def bounds(record: na.Activation, dtype: str, tier: str) -> str:
    """The error bounds forward and backward, as in ``2.5 / 4``."""
    return " / ".join(f"{record.max_ulp[dtype, tier, direction]:g}" for direction in ("forward", "backward"))


def dtypes_and_tiers(record: na.Activation) -> list[tuple[str, str]]:
    """The (dtype, tier) for which there are bounds."""
    return list(dict.fromkeys((dtype, tier) for dtype, tier, _ in record.max_ulp))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _as_json(record: na.Activation) -> dict[str, Any]:
    """The record without its functions; infinity, which JSON does not have, is null."""
    return {
        "name": record.name,
        "kind": record.kind,
        "returns": record.returns,
        "parameters": [{"name": p.name, "default": p.default, "domain": p.domain} for p in record.parameters],
        "formula": record.formula,
        "derivative": record.derivative,
        "output_range": [end if math.isfinite(end) else None for end in record.output_range],
        "zero_centered": record.zero_centered,
        "saturates": record.saturates,
        "monotonic": record.monotonic,
        "source": record.source,
        "max_ulp": [
            {"dtype": dtype, "tier": tier, "direction": direction, "bound": bound}
            for (dtype, tier, direction), bound in record.max_ulp.items()
        ],
    }


def _list(args: argparse.Namespace) -> None:
    if args.json:
        print(json.dumps([_as_json(record) for record in na.activations.values()], indent=2))
        return
    head = ["activation", "range", "zero-centred", "saturates", "monotonic", "float32 ulp", "precise"]
    rows = [
        [
            signature(record),
            interval(record),
            _yes(record.zero_centered),
            record.saturates,
            _yes(record.monotonic),
            bounds(record, "float32", "standard"),
            bounds(record, "float32", "precise"),
        ]
        for record in na.activations.values()
    ]
    print(_table(head, rows))
    print("\nError bounds forward / backward in units in the last place. More on one: numact info NAME")


def _info(args: argparse.Namespace) -> None:
    record, description = na.activations[args.name], DESCRIPTIONS[args.name]
    entries = [
        ("kind", record.kind),
        ("formula", description.plain),
        ("derivative", description.plain_derivative),
        ("LaTeX", record.formula),
        ("", record.derivative),
        *((f"{p.name}", description.parameters[p.name]) for p in record.parameters),
        ("returns", f"{', '.join(record.returns[0])}; backward {', '.join(record.returns[1])}"),
        ("from output", "yes" if record.backward_from_output else "no"),
        ("range", interval(record)),
        ("zero-centred", _yes(record.zero_centered)),
        ("saturates", record.saturates),
        ("monotonic", _yes(record.monotonic)),
        *(
            (f"{dtype} {tier}", f"{bounds(record, dtype, tier)} ulp forward / backward")
            for dtype, tier in dtypes_and_tiers(record)
        ),
        ("at kinks" if record.kind in ("elementwise", "gated") else "conventions", description.kink),
        ("remarks", description.remarks),
        ("paper", record.source),
    ]
    width = max(len(key) for key, _ in entries) + 2
    print(textwrap.fill(f"{signature(record)}: {description.summary}", 100, break_on_hyphens=False) + "\n")
    for key, text in entries:
        lines = [
            line
            for part in text.splitlines()
            for line in textwrap.wrap(part.strip(), 100 - width, break_on_hyphens=False)
        ]
        for i, line in enumerate(lines):
            print(f"{'' if i else key:{width}}{line}")


def add_commands(commands: Any) -> None:
    """``list`` and ``info``."""
    parser = commands.add_parser(
        "list", help="the catalogue as a table", description="Print every activation with what is recorded of it."
    )
    parser.add_argument("--json", action="store_true", help="the records but for functions and worst inputs, as JSON")
    parser.set_defaults(run=_list)
    parser = commands.add_parser(
        "info", help="one activation in full", description="Print what is recorded of one activation."
    )
    parser.add_argument("name", type=activation, metavar="NAME", help="an activation; 'numact list' shows them all")
    parser.set_defaults(run=_info)
