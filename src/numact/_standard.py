"""The functions of the standard tier at the chosen ISA level, made once."""

from __future__ import annotations

from . import _build

ufuncs, functions = _build.make(_build.chosen_level(), False, "numact")
