"""Constants of cpp/lanes/normal.hpp, in the order in which they stand there, and a series of cpp/activations/gelu.hpp.

Run ``python tools/fit_normal.py``. What has most weight where a is large is left out of the fit and exact: the tail is
D / (sqrt(2 pi) a D + N), by N / D = 1 / tail - sqrt(2 pi) a; the slope (root - a) (1 + N / D).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mpmath
from mpmath import mpf

from remez import nodes, rational, remez, show

ROOT_OF_2PI = mpmath.sqrt(2 * mpmath.pi)
# Double holds sqrt(2 pi) rounded; N is times what the rounding did.
ROUNDED_BY = mpf(float(ROOT_OF_2PI)) / ROOT_OF_2PI


def tail(a: mpf) -> mpf:
    """Phi(-a) exp(a^2/2)."""
    return mpmath.erfc(a / mpmath.sqrt(2)) / 2 * mpmath.exp(a * a / 2)


def central(square: mpf) -> mpf:
    """(Phi(x) - 1/2) / x."""
    x = mpmath.sqrt(square)
    return mpmath.erf(x / mpmath.sqrt(2)) / 2 / x


def relative_to_phi(square: mpf) -> mpf:
    x = mpmath.sqrt(square)
    return x / (mpmath.erfc(x / mpmath.sqrt(2)) / 2)


ROOT = mpmath.findroot(lambda a: ROOT_OF_2PI * tail(a) - a, 0.75)


def rest_of_tail(a: mpf) -> mpf:
    return 1 / tail(a) - ROOT_OF_2PI * a


def rest_of_slope(a: mpf) -> mpf:
    return (ROOT_OF_2PI * tail(a) - a) / (ROOT - a) - 1


def relative_to_slope(a: mpf) -> mpf:
    return 1 / (1 + rest_of_slope(a))


def points(lower: float, upper: float) -> list[mpf]:
    """Nodes in (a - 3) / (a + 3), denser where a is small."""
    ends = [(mpf(a) - 3) / (mpf(a) + 3) for a in (lower, upper)]
    return [3 * (1 + t) / (1 - t) for t in nodes(ends[0], ends[1], 600)]


def show_rational(
    name: str,
    f: Callable[[mpf], mpf],
    weight: Callable[[mpf], mpf],
    degrees: tuple[int, int],
    interval: Sequence[float],
    *,
    single: bool = False,
    factor: mpf | int = 1,
) -> None:
    n, d, error = rational(f, degrees, weight, points(*interval))
    title = f"{name}, degrees {degrees} for a from {interval[0]} to {interval[1]}"
    show(f"{title}: N", [factor * c for c in n], error, single=single)
    show(f"{title}: D", d, error, single=single)


for degree in (3, 7):
    coefficients, error = remez(central, range(degree + 1), relative_to_phi, mpf(2) ** -30, mpf(1) / 4, grid=600)
    show(f"(Phi(x) - 1/2) / x of degree {degree} in x^2, relative to Phi", coefficients, error)
print("// sqrt(2 pi), root:", mpmath.nstr(ROOT_OF_2PI, 34), mpmath.nstr(ROOT, 30))
print("// sqrt(2 pi) in double is too large by", mpmath.nstr(ROUNDED_BY - 1, 10))
series = [(2 * k + 2) / ((2 * k + 1) * ROOT_OF_2PI) / mpf(-2) ** k / mpmath.factorial(k) for k in range(10)]
show("(gelu'(x) - 1/2) / x in x^2, next term for |x| < 1/4", series[:9], abs(series[9]) / 4**19)
show_rational("tail", rest_of_tail, tail, (4, 5), (0, 24.5))
show_rational("tail", rest_of_tail, tail, (3, 4), (0.5, 14), single=True)
show_rational("tail", rest_of_tail, tail, (9, 10), (0.5, 66.3), factor=ROUNDED_BY)
show_rational("slope", rest_of_slope, relative_to_slope, (4, 5), (0, 24.5))
show_rational("slope", rest_of_slope, relative_to_slope, (9, 10), (0, 66.3))
