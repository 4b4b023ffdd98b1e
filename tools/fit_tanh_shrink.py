"""Constants of cpp/activations/tanh_shrink.hpp: x - tanh(x) = x t p(t), t = x^2, for |x| below the switch.

Run ``python tools/fit_tanh_shrink.py``. The error is relative to x - tanh(x).
"""

from __future__ import annotations

import mpmath
from mpmath import mpf

from remez import remez, show


def p(t: mpf) -> mpf:
    if t < mpf(10) ** -8:
        return mpf(1) / 3 - 2 * t / 15 + 17 * t**2 / 315 - 62 * t**3 / 2835
    x = mpmath.sqrt(t)
    return (x - mpmath.tanh(x)) / (x * t)


for degree, switch in ((6, "0.75"), (13, "0.75")):
    coefficients, error = remez(p, range(degree + 1), lambda t: 1 / p(t), mpf(0), mpf(switch) ** 2)
    show(f"p of degree {degree}, |x| <= {switch}, error relative to x - tanh(x)", coefficients, error)
