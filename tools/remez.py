"""Minimax polynomials by the Remez exchange, in 60-digit arithmetic.

Used by the ``fit_*.py`` scripts, which print the constants that the headers in ``cpp/lanes`` carry.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence

import mpmath
from mpmath import mp, mpf

mp.dps = 60

Function = Callable[[mpf], mpf]


def remez(
    f: Function, powers: Sequence[int], weight: Function, lower: mpf, upper: mpf, *, rounds: int = 30, grid: int = 2000
) -> tuple[list[mpf], mpf]:
    """Coefficients c minimising max |weight(x) (f(x) - sum c_k x^powers[k])| over [lower, upper], and that maximum."""

    def nodes(count: int) -> list[mpf]:
        middle, half = (lower + upper) / 2, (upper - lower) / 2
        return [middle - half * mpmath.cos(mpmath.pi * (2 * i + 1) / (2 * count)) for i in range(count)]

    unknowns = len(powers)
    points = nodes(grid)
    table = [(weight(x), f(x), [x**k for k in powers]) for x in points]
    reference = [bisect.bisect_left(points, x) for x in nodes(unknowns + 1)]
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
        # One extremum per run of equal sign, the smallest ends dropped until the count fits.
        extrema = [0]
        for i in range(1, grid):
            if (errors[i] > 0) != (errors[extrema[-1]] > 0):
                extrema.append(i)
            elif abs(errors[i]) > abs(errors[extrema[-1]]):
                extrema[-1] = i
        while len(extrema) > unknowns + 1:
            extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
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
