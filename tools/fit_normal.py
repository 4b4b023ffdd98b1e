"""Constants of cpp/lanes/normal.hpp: Phi(-a) exp(a^2/2) = q P(t), q = 2c / (a + c), t = 1 - q = (a - c)/(a + c).

Run ``python tools/fit_normal.py``. c = 4.5 is the best of 3.5, 3.75, ... 6 for both degrees together. The interval ends
where exp(-a^2/2) has vanished, also times the two largest factors of a gated gradient.
"""

from __future__ import annotations

import mpmath
from mpmath import mpf

from remez import remez, show

C = mpf("4.5")


def p(t: mpf) -> mpf:
    a = 2 * C / (1 - t) - C
    return mpmath.erfc(a / mpmath.sqrt(2)) / 2 * mpmath.exp(a * a / 2) / (1 - t)


def relative(t: mpf) -> mpf:
    return 1 / p(t)


for degree, highest in ((10, mpf("24.5")), (22, mpf("66.3"))):
    coefficients, error = remez(p, range(degree + 1), relative, mpf(-1), 1 - 2 * C / (highest + C), grid=600)
    show(f"P of degree {degree} up to a = {float(highest)}, relative error", coefficients, error)
    print("// the first two in full:", *(mpmath.nstr(c, 22) for c in coefficients[:2]))
