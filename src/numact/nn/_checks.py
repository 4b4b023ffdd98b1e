"""Checks of arguments that the modules of numact.nn share."""

from __future__ import annotations

import difflib
import numbers
import operator
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numact._functions import refuse_mask


def as_array(name: str, values: ArrayLike) -> NDArray[Any]:
    """``values`` as a plain array."""
    if type(values) is np.ndarray:
        return values
    refuse_mask(name, values)
    if hasattr(values, "toarray"):
        raise TypeError(f"{name} is sparse ({type(values).__name__}): pass its .toarray()")
    return np.asarray(values)


def integer(name: str, value: Any) -> int:
    """``value`` as an int."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None


def positive_int(name: str, value: Any) -> int:
    """``value`` as an int of at least 1."""
    number = integer(name, value)
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}")
    return number


def real(name: str, value: Any) -> float:
    """``value`` as a float."""
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    return float(value)


def float_dtype(dtype: Any) -> np.dtype[Any]:
    """``dtype`` as a real floating-point dtype."""
    result: np.dtype[Any] = np.dtype(dtype)
    if result not in (np.float32, np.float64):
        raise TypeError(f"dtype must be np.float32 or np.float64, got {result}")
    return result


def instance(name: str, value: Any, kind: type, what: str) -> None:
    """Refuse a ``value`` that is not of that kind."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {what}, got {type(value).__name__}")


def generator(rng: Any) -> np.random.Generator:
    """``rng``, or a freshly seeded Generator for None.

    A seed is refused: it would start anew at each use and give every layer, or every epoch, the same numbers.
    """
    if rng is None:
        return np.random.default_rng()
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator such as np.random.default_rng(0), got {rng!r}")
    return rng


def known(kind: str, name: Any, names: Iterable[str]) -> str:
    """``name`` if it is one of ``names``, else a ValueError that suggests what was meant."""
    names = list(names)
    if not isinstance(name, str):
        raise TypeError(f"the {kind} must be named by a string, got {name!r}")
    if name not in names:
        close = difflib.get_close_matches(name.lower(), names)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"known are {', '.join(names)}"
        raise ValueError(f"unknown {kind} {name!r}; {hint}")
    return name


def outside() -> int:
    """The ``stacklevel`` by which the caller's warning names the first line that is not of numact."""
    level, frame = 1, sys._getframe(1)
    # contextlib calls numact in its turn.
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in ("numact", "contextlib"):
        level, frame = level + 1, frame.f_back
    return level
