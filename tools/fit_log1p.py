"""Constants of cpp/lanes/log1p.hpp: log1p(f) = s (1 + w p(w)) with s = f / (1 + f/2), w = s^2, for f in [0, 1].

Run ``python tools/fit_log1p.py``. It is the series of 2 atanh(s/2); the error is relative to log1p.
"""

from __future__ import annotations

import mpmath
from mpmath import mpf

from remez import remez, show

BOUND = mpf(4) / 9


def p(w: mpf) -> mpf:
    """(log1p(f) / s - 1) / w."""
    if w < mpf(10) ** -12:
        return mpf(1) / 12 + w / 80 + w * w / 448
    half = mpmath.sqrt(w) / 2
    return (mpmath.atanh(half) / half - 1) / w


def relative_to_log1p(w: mpf) -> mpf:
    return w / (1 + w * p(w))


for degree, single in ((3, True), (4, False), (9, False)):
    coefficients, error = remez(p, range(degree + 1), relative_to_log1p, mpf(0), BOUND)
    show(f"p of degree {degree}, error relative to log1p", coefficients, error, single=single)
