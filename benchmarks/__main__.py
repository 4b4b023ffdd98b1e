"""``python -m benchmarks [SECTION]``: numact beside the libraries one would use instead, and the limits of the machine.

A section is a module of this package:

- its docstring's first line is its help;
- ``add_arguments(parser)`` adds options of its own beside ``--seconds`` and ``--output``;
- ``duration(args)`` estimates how many seconds ``run`` takes;
- ``run(args)`` measures and yields a ``Table`` or a ``Picture`` of benchmarks.report when it has one.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from . import peers  # imports PyTorch before numact, so that it runs as it does alone
from .report import Picture

from numact.cli.bench import seconds  # isort: skip

SECTIONS = (
    "cells", "rows", "gated", "gradients", "stats", "halves", "layouts", "sgd", "calls", "threads", "chain", "training",
    "estimator", "package",
)  # fmt: skip


def sections() -> dict[str, ModuleType]:
    return {name: importlib.import_module(f"{__package__}.{name}") for name in SECTIONS}


def add_section(parser: argparse.ArgumentParser, modules: Sequence[ModuleType]) -> None:
    """The common options and those of the sections."""
    parser.add_argument(
        "--seconds",
        type=seconds,
        default=0.1,
        metavar="S",
        help="time for a contender in a cell (default: %(default)s)",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="write tables, CSV and pictures here too")
    for module in modules:
        module.add_arguments(parser)


def run(name: str, module: ModuleType, args: argparse.Namespace) -> None:
    """One section: prints its tables; with --output DIR also DIR/name.md, DIR/name_*.csv and DIR/name_*.png."""
    needed = module.duration(args)
    about = f"{needed / 60:.0f} minutes" if needed >= 90 else f"{needed:.0f} seconds"
    print(f"{name}: about {about}", file=sys.stderr, flush=True)
    texts = []
    measured = False
    for each in module.run(args):
        measured = True
        if isinstance(each, Picture):
            if args.output:
                each.figure.savefig(args.output / f"{name}_{each.name}.png")
            continue
        if args.output:
            each.write_csv(args.output / f"{name}_{each.name}.csv")
        if each.printed:
            print(each.text() + "\n", flush=True)
            texts.append(each.markdown())
    if not measured:
        raise SystemExit(f"{name}: nothing to measure, no function here begins with {' or '.join(args.functions)}")
    if args.output and texts:
        (args.output / f"{name}.md").write_text("\n\n".join([f"# {name}", *texts]) + "\n")


def main(argv: Sequence[str] | None = None) -> None:
    modules = sections()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run all sections, or one.")
    commands = parser.add_subparsers(metavar="SECTION", dest="section")
    for name, module in modules.items():
        summary = (module.__doc__ or name).splitlines()[0]
        add_section(commands.add_parser(name, help=summary, description=module.__doc__), [module])
    everything = commands.add_parser("all", help="every section, which is the default")
    add_section(everything, [])
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help")):
        argv.insert(0, "all")
    args = parser.parse_args(argv)
    if args.output:
        args.output.mkdir(parents=True, exist_ok=True)
    chosen = list(modules) if args.section == "all" else [args.section]
    for note in peers.notes():
        print(note, file=sys.stderr)
    for name in chosen:
        options: Any = args
        if args.section == "all":
            common = ["--seconds", str(args.seconds), *(["--output", str(args.output)] if args.output else [])]
            options = parser.parse_args([name, *common])
        run(name, modules[name], options)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
