"""Constants of cpp/activations/tanh_shrink.hpp, with t = x^2.

Run ``python tools/fit_tanh_shrink.py``. x - tanh(x) = x t / (3 + t + t k(t)) and tanh(x) = x r(t), k and r quotients of
polynomials; each error is relative to the left side.
"""

from __future__ import annotations

import mpmath
from mpmath import mpf

from remez import rational_remez, show

TINY = mpf(10) ** -9


def k(t: mpf) -> mpf:
    if t < TINY:
        return mpf(1) / 5 - t / 175
    x = mpmath.sqrt(t)
    return (x * t / (x - mpmath.tanh(x)) - 3) / t - 1


def r(t: mpf) -> mpf:
    if t < TINY:
        return 1 - t / 3 + 2 * t * t / 15
    x = mpmath.sqrt(t)
    return mpmath.tanh(x) / x


for degrees, limit in (((3, 3), "8.5"), ((8, 8), "18.5")):
    above, below, error = rational_remez(k, degrees, lambda t: t / (3 + t + t * k(t)), mpf(0), mpf(limit) ** 2)
    show(f"k, the numerator of degree {degrees[0]}, |x| <= {limit}, error relative to x - tanh(x)", above, error)
    show(f"k, the denominator of degree {degrees[1]}", below, error)
above, below, error = rational_remez(r, (5, 5), lambda t: 1 / r(t), mpf(0), mpf("10.2") ** 2)
show("r, the numerator of degree 5, |x| <= 10.2, error relative to tanh(x)", above, error)
show("r, the denominator of degree 5", below, error)
