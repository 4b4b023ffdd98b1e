"""The command ``numact``: the catalogue as a table, one record, pictures, speed, and a demonstration."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import numact as na

from . import bench, catalogue, demo, plot
from ._common import CommandError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="numact", description="Activation functions for NumPy arrays.")
    parser.add_argument("--version", action="version", version=f"numact {na.__version__}")
    commands = parser.add_subparsers(metavar="command", dest="command", required=True)
    for module in (demo, catalogue, plot, bench):
        module.add_commands(commands)
    return parser


def _give_up_output_that_fails() -> None:
    """Write what is still to be written, or nothing more at exit either."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with ``argv``, by default that of the process; returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        args.run(args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except CommandError as error:
        print(f"numact {args.command}: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except MemoryError as error:
        print(f"numact {args.command}: not enough memory: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        _give_up_output_that_fails()
        if isinstance(error, BrokenPipeError):  # the reader of the output has gone
            return 141
        print(f"numact {args.command}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0
