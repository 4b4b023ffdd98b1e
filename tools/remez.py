"""Minimax polynomials by the Remez exchange, in 60-digit arithmetic.

Used by the ``fit_*.py`` scripts, which print the constants that the headers in ``cpp/lanes`` and ``cpp/activations``
carry. They need mpmath.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence

import mpmath
from mpmath import mp, mpf

mp.dps = 60

Function = Callable[[mpf], mpf]


def nodes(lower: mpf, upper: mpf, count: int) -> list[mpf]:
    """Chebyshev nodes of an interval."""
    middle, half = (lower + upper) / 2, (upper - lower) / 2
    return [middle - half * mpmath.cos(mpmath.pi * (2 * i + 1) / (2 * count)) for i in range(count)]


def remez(
    f: Function, powers: Sequence[int], weight: Function, lower: mpf, upper: mpf, *, rounds: int = 30, grid: int = 2000
) -> tuple[list[mpf], mpf]:
    """Coefficients c minimising max |weight(x) (f(x) - sum c_k x^powers[k])| over [lower, upper], and that maximum."""
    points = nodes(lower, upper, grid)
    table = [(weight(x), f(x), [x**k for k in powers]) for x in points]
    unknowns = len(powers)
    start = [bisect.bisect_left(points, x) for x in nodes(lower, upper, unknowns + 1)]
    return exchange(table, start, rounds=rounds)


def rational(
    f: Function,
    degrees: tuple[int, int],
    weight: Function,
    points: Sequence[mpf],
    *,
    rounds: int = 10,
) -> tuple[list[mpf], list[mpf], mpf]:
    """N and D, D(0) = 1, of the given degrees, that nearly minimise max |weight (f - N / D)| over the points.

    Loeb's iteration: f D - N is linear in the coefficients; its weight takes the D of the round before.
    """
    numerator, denominator = range(degrees[0] + 1), range(1, degrees[1] + 1)
    values, weights = [f(x) for x in points], [weight(x) for x in points]
    basis = [
        [x**k for k in numerator] + [-value * x**k for k in denominator]
        for x, value in zip(points, values, strict=True)
    ]
    unknowns, last = len(basis[0]), len(points) - 1
    start = [i * last // unknowns for i in range(unknowns + 1)]
    d = [(1 + x / 3) ** degrees[1] for x in points]
    for _ in range(rounds):
        table = [(w / each, value, row) for w, each, value, row in zip(weights, d, values, basis, strict=True)]
        coefficients, _ = exchange(table, start)
        n_coefficients, d_coefficients = coefficients[: degrees[0] + 1], [mpf(1), *coefficients[degrees[0] + 1 :]]
        d = [mpmath.polyval(d_coefficients[::-1], x) for x in points]
    errors = (
        abs(w * (value - mpmath.polyval(n_coefficients[::-1], x) / each))
        for w, value, x, each in zip(weights, values, points, d, strict=True)
    )
    return n_coefficients, d_coefficients, max(errors)


def alternation(errors: Sequence[mpf], count: int) -> list[int]:
    """Where the errors are extreme with alternating signs, at most `count` places."""
    extrema = [0]  # one per run of equal sign, the smallest ends dropped until the count fits
    for i in range(1, len(errors)):
        if (errors[i] > 0) != (errors[extrema[-1]] > 0):
            extrema.append(i)
        elif abs(errors[i]) > abs(errors[extrema[-1]]):
            extrema[-1] = i
    while len(extrema) > count:
        extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
    return extrema


def rational_remez(
    f: Function,
    degrees: tuple[int, int],
    weight: Function,
    lower: mpf,
    upper: mpf,
    *,
    rounds: int = 60,
    grid: int = 800,
) -> tuple[list[mpf], list[mpf], mpf]:
    """The same for a quotient of polynomials n and d, d(0) = 1: their coefficients, and the maximum."""
    above, below = degrees
    unknowns = above + below + 1
    points = nodes(lower, upper, grid)
    values, weights = [f(x) for x in points], [weight(x) for x in points]
    divisors = [mpf(1)] * grid
    reference = [int((i + 0.5) * grid / (unknowns + 1)) for i in range(unknowns + 1)]
    numerator: list[mpf] = []
    denominator: list[mpf] = []
    worst = mpf("inf")
    for _ in range(rounds):
        # n - f d = +-level d / weight, the d on the right from the solution before.
        level = mpf(0)
        for _ in range(6):
            matrix, right = mpmath.matrix(unknowns + 1), mpmath.matrix(unknowns + 1, 1)
            for row, index in enumerate(reference):
                x, value = points[index], values[index]
                for k in range(above + 1):
                    matrix[row, k] = x**k
                for k in range(1, below + 1):
                    matrix[row, above + k] = -value * x**k
                matrix[row, unknowns] = (-1) ** row * divisors[index] / weights[index]
                right[row] = value
            solution = mpmath.lu_solve(matrix, right)
            numerator = [solution[k] for k in range(above + 1)]
            denominator = [mpf(1), *(solution[above + k] for k in range(1, below + 1))]
            before, level = level, abs(solution[unknowns])
            divisors = [mpmath.polyval(denominator[::-1], x) for x in points]
            if abs(level - before) < level / 10**6:
                break
        errors = [
            w * (v - mpmath.polyval(numerator[::-1], x) / d)
            for x, v, w, d in zip(points, values, weights, divisors, strict=True)
        ]
        worst = max(abs(e) for e in errors)
        if worst < level * mpf("1.002"):
            break
        extrema = alternation(errors, unknowns + 1)
        if len(extrema) < unknowns + 1:
            break
        reference = extrema
    return numerator, denominator, worst


def exchange(
    table: Sequence[tuple[mpf, mpf, list[mpf]]], start: list[int], *, rounds: int = 30
) -> tuple[list[mpf], mpf]:
    """Coefficients c minimising max |weight (value - sum c_k basis_k)| over rows of a table, and that maximum."""
    unknowns, reference = len(start) - 1, start
    coefficients: list[mpf] = []
    worst = mpf("inf")
    for _ in range(rounds):
        matrix, right = mpmath.matrix(unknowns + 1), mpmath.matrix(unknowns + 1, 1)
        for row, index in enumerate(reference):
            w, value, basis = table[index]
            for column, entry in enumerate(basis):
                matrix[row, column] = entry
            matrix[row, unknowns] = (-1) ** row / w
            right[row] = value
        solution = mpmath.lu_solve(matrix, right)
        coefficients, level = [solution[i] for i in range(unknowns)], abs(solution[unknowns])
        errors = [w * (v - mpmath.fdot(coefficients, basis)) for w, v, basis in table]
        worst = max(abs(e) for e in errors)
        if worst < level * mpf("1.0005"):
            break
        extrema = alternation(errors, unknowns + 1)
        if len(extrema) < unknowns + 1:
            break
        reference = extrema
    return coefficients, worst


def show(title: str, coefficients: Sequence[mpf], error: mpf, *, single: bool = False) -> None:
    """Print the coefficients as hexadecimal literals, rounded to the type that will hold them."""
    print(f"// {title}: 2^{float(mpmath.log(error, 2)):.2f}")
    for c in coefficients:
        value = float(c)
        if single:
            with mpmath.workprec(24):
                value = float(+c)
        print(f"  {value.hex()}{'f' if single else ''}")
