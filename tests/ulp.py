"""Errors in units in the last place, and inputs drawn by bit pattern."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LONG = np.longdouble


# Bits of the significand, exponents of the smallest subnormal and of the first power of two that is infinite.
FORMATS = {
    "float16": (11, -24, 16),
    "bfloat16": (8, -133, 128),
    "float32": (24, -149, 128),
    "float64": (53, -1074, 1024),
}
SWISH_ROOT = LONG("-1.2784645427610737951")  # of 1 + e^t + t
# Where f' changes sign, and the distance within which the bound of its backward is absolute.
ROOTS = {
    "gelu": lambda: (LONG("-0.75179152469356445746"), 0.125),
    "gelu_tanh": lambda: (LONG("-0.75246142207101625849"), 0.125),
    "quick_gelu": lambda: (SWISH_ROOT / LONG("1.702"), 0.125),
    "silu": lambda: (SWISH_ROOT, 0.125),
    "swish": lambda beta: (SWISH_ROOT / beta, 0.125 / abs(beta)) if beta else None,
    "hard_swish": lambda: (LONG(-1.5), 0.125),
    "mish": lambda: (-1.1924312145154952, 0.125),
    "dish": lambda: (-0.78615137775742329, 0.125),
}
# Kinks, roots of f', and where exponentials overflow, underflow or no longer count beside 1.
CENTRES = (0.0, 1.0, -1.0, -0.7517915246935645, float(SWISH_ROOT), -14.0, -38.0, -88.0, -104.0, -708.0, -745.0, 17.0)


def spacing(exact: Array, dtype: Any) -> Array:
    """Distance of neighbours of ``dtype`` at an exact value; the smallest subnormal below the normal numbers."""
    digits, lowest, beyond = FORMATS[np.dtype(dtype).name]
    _, exponent = np.frexp(np.minimum(np.abs(exact), LONG(2) ** beyond))
    exponent = np.maximum(np.minimum(exponent, beyond) - digits, lowest)
    return np.ldexp(LONG(1), np.where(exact == 0, lowest, exponent))


def errors(got: Array, exact: Array, unit: Array | None = None) -> Array:
    """Error of every element in ulp, or in units; infinity where the kind is wrong (NaN, sign of zero).

    An infinite result stands for the first power of two beyond the largest number.
    """
    beyond = LONG(2) ** FORMATS[got.dtype.name][2]
    with np.errstate(all="ignore"):
        limited = np.clip(exact, -beyond, beyond)
        value = np.clip(got.astype(LONG), -beyond, beyond)
        ulp = np.abs(value - limited) / (spacing(exact, got.dtype) if unit is None else unit)
    nan = np.isnan(exact)
    ulp = np.where(nan, np.where(np.isnan(got), 0, np.inf), np.where(np.isnan(got), np.inf, ulp))
    wrong_sign = ~nan & (got == 0) & (np.signbit(got) != np.signbit(exact))
    return np.asarray(np.where(wrong_sign, np.inf, ulp))


def bit_patterns(rng: np.random.Generator, dtype: Any, n: int) -> Array:
    """Numbers of all exponents and signs, subnormals and infinities included, NaN left out."""
    kind = np.dtype(f"u{np.dtype(dtype).itemsize}")
    x = rng.integers(0, np.iinfo(kind).max, n, dtype=kind, endpoint=True).view(dtype)
    return x[~np.isnan(x)]


def everyday(rng: np.random.Generator, dtype: Any, n: int) -> Array:
    """Where the functions bend: magnitudes from 2^-12 to 2^11, and the neighbourhoods of kinks and roots."""
    magnitude = np.exp2(rng.uniform(-12, 11, n)) * rng.choice([-1.0, 1.0], n)
    around = rng.choice(CENTRES, n)
    near = around + rng.normal(0, 1, n) * np.exp2(rng.uniform(-30, 2, n))
    return np.concatenate([magnitude, near, rng.uniform(-10, 10, n)]).astype(dtype)


def worst(
    name: str, x: Array, got: Array, exact: Array, limit: float, *more: Array, unit: Array | None = None
) -> str | None:
    """None where every error is within the limit, in ulp or in units, else a sentence that shows the worst case."""
    error = errors(got, exact, unit)
    i = int(np.argmax(error))
    if error[i] <= limit:
        return None
    shown = ", ".join(repr(float(a[i])) for a in (x, *more))
    size = f"{float(error[i]):.4f} " + ("ulp" if unit is None else f"times {float(unit[i])!r}")
    return f"{name}({shown}): expected {exact[i]!r}, got {got[i]!r}, {size}, limit {limit}"
