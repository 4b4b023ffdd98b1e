"""Errors in units in the last place, and inputs drawn by bit pattern."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LONG = np.longdouble


def spacing(exact: Array, dtype: Any) -> Array:
    """Distance of neighbours of ``dtype`` at an exact value; the smallest subnormal below the normal numbers."""
    info = np.finfo(dtype)
    _, exponent = np.frexp(np.minimum(np.abs(exact), LONG(info.max)))
    lowest = int(np.log2(info.smallest_subnormal))
    return np.ldexp(LONG(1), np.where(exact == 0, lowest, np.maximum(exponent - info.nmant - 1, lowest)))


def errors(got: Array, exact: Array) -> Array:
    """Error of every element in ulp; infinity where the kind is wrong (NaN, infinity, sign of zero).

    An infinite result stands for the first power of two beyond the largest number.
    """
    info = np.finfo(got.dtype)
    beyond = LONG(2) * LONG(2) ** (info.maxexp - 1)
    with np.errstate(all="ignore"):
        limited = np.clip(exact, -beyond, beyond)
        value = np.clip(got.astype(LONG), -beyond, beyond)
        ulp = np.abs(value - limited) / spacing(exact, got.dtype)
    nan = np.isnan(exact)
    ulp = np.where(nan, np.where(np.isnan(got), 0, np.inf), np.where(np.isnan(got), np.inf, ulp))
    wrong_sign = ~nan & (got == 0) & (np.signbit(got) != np.signbit(exact))
    return np.asarray(np.where(wrong_sign, np.inf, ulp))


def bit_patterns(rng: np.random.Generator, dtype: Any, n: int) -> Array:
    """Numbers of all exponents and signs, subnormals and infinities included, NaN left out."""
    kind = np.uint32 if np.dtype(dtype).itemsize == 4 else np.uint64
    x = rng.integers(0, np.iinfo(kind).max, n, dtype=kind, endpoint=True).view(dtype)
    return x[~np.isnan(x)]


def everyday(rng: np.random.Generator, dtype: Any, n: int) -> Array:
    """Where the functions bend: magnitudes from 2^-12 to 2^11, and the neighbourhoods of kinks and roots."""
    magnitude = np.exp2(rng.uniform(-12, 11, n)) * rng.choice([-1.0, 1.0], n)
    around = rng.choice(
        [0.0, 1.0, -1.0, -0.7517915246935645, -1.2784645427610738, -14.0, -38.0, -88.0, -104.0, -708.0, -745.0, 17.0], n
    )
    near = around + rng.normal(0, 1, n) * np.exp2(rng.uniform(-30, 2, n))
    return np.concatenate([magnitude, near, rng.uniform(-10, 10, n)]).astype(dtype)


def worst(name: str, x: Array, got: Array, exact: Array, limit: float, *more: Array) -> str | None:
    """None where every error is within the limit, else a sentence that shows the worst case."""
    ulp = errors(got, exact)
    i = int(np.argmax(ulp))
    if ulp[i] <= limit:
        return None
    shown = ", ".join(repr(float(a[i])) for a in (x, *more))
    return f"{name}({shown}): expected {exact[i]!r}, got {got[i]!r}, {float(ulp[i]):.4f} ulp, limit {limit}"
