"""Constants of cpp/lanes/exp.hpp: expm1(r) = r + r^2 q(r) on |r| <= ln(2)/2, and ln(2) in two words.

Run ``python tools/fit_exp.py``. The interval is widened by 2^-10 for the rounding of the reduction.
"""

from __future__ import annotations

import mpmath
from mpmath import mpf

from remez import remez, show

BOUND = mpmath.log(2) / 2 * (1 + mpf(2) ** -10)


def q(r: mpf) -> mpf:
    if abs(r) < mpf(10) ** -12:
        return mpf(1) / 2 + r / 6 + r * r / 24
    return (mpmath.expm1(r) - r) / (r * r)


def relative_to_expm1(r: mpf) -> mpf:
    return r * r / abs(mpmath.expm1(r)) if r else mpf(0)


def split(value: mpf, leading_bits: int) -> tuple[float, float]:
    with mpmath.workprec(leading_bits):
        high = +value
    return float(high), float(value - high)


for degree, single in ((4, True), (5, False), (9, False)):
    free = [k for k in range(degree + 1)]
    # Weight 0 at r = 0 makes the system singular there; the grid never holds 0 exactly.
    coefficients, error = remez(q, free, relative_to_expm1, -BOUND, BOUND)
    show(f"q of degree {degree}, error relative to expm1", coefficients, error, single=single)
for name, bits in (("float: 15 + 24 bits", 15), ("double: 41 + 53 bits", 41)):
    high, low = split(mpmath.log(2), bits)
    print(f"// ln 2, {name}\n  {high.hex()} {low.hex()}")
