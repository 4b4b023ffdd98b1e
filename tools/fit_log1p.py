"""Constants of cpp/lanes/log1p.hpp: log1p(f) = s (1 + w p(w)) with s = f / (1 + f/2), w = s^2, for f in [0, 1].

Run ``python tools/fit_log1p.py``. It is the series of 2 atanh(s/2); the error is relative to log1p. Then log1p(e) =
e / (1 + e (1/2 - e q(e))), q a quotient of polynomials, the error again relative to log1p.
"""

from __future__ import annotations

import mpmath
from mpmath import mpf

from remez import rational_remez, remez, show

BOUND = mpf(4) / 9


def p(w: mpf) -> mpf:
    """(log1p(f) / s - 1) / w."""
    if w < mpf(10) ** -12:
        return mpf(1) / 12 + w / 80 + w * w / 448
    half = mpmath.sqrt(w) / 2
    return (mpmath.atanh(half) / half - 1) / w


def relative_to_log1p(w: mpf) -> mpf:
    return w / (1 + w * p(w))


def q(e: mpf) -> mpf:
    """(1/2 - (e / log1p(e) - 1) / e) / e."""
    if e < mpf(10) ** -9:
        return mpf(1) / 12 - e / 24
    return (mpf(1) / 2 - (e / mpmath.log1p(e) - 1) / e) / e


for degree in (4, 9):
    coefficients, error = remez(p, range(degree + 1), relative_to_log1p, mpf(0), BOUND)
    show(f"p of degree {degree}, error relative to log1p", coefficients, error)
for degrees in ((2, 2), (5, 5)):
    above, below, error = rational_remez(
        q, degrees, lambda e: e * e / (1 + e * (mpf(1) / 2 - e * q(e))), mpf(0), mpf(1)
    )
    show(f"q, the numerator of degree {degrees[0]}, error relative to log1p", above, error)
    show(f"q, the denominator of degree {degrees[1]}", below, error)
