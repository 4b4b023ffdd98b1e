"""Evaluates the LaTeX of a record: numbers, letters, fractions, powers, named functions, [condition] as 1 or 0.

Definitions may follow, behind commas: ``t^2 + s, s = x + t, t = 2x``, each in letters defined after it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from numact import reference

Value = Any

_erf = np.vectorize(math.erf, otypes=[float])
CONSTANTS = {"e": math.e, r"\pi": math.pi}
FUNCTIONS: dict[str, Callable[..., Value]] = {
    r"\max": np.maximum,
    r"\min": np.minimum,
    r"\exp": np.exp,
    r"\log": np.log,
    r"\ln": np.log,
    r"\tanh": np.tanh,
    r"\sinh": np.sinh,
    r"\cosh": np.cosh,
    r"\sigma": reference.sigmoid,
    r"\Phi": lambda x: 0.5 + 0.5 * _erf(x / math.sqrt(2)),
    r"\phi": lambda x: np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    r"\varphi": lambda x: np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    "erf": _erf,
    "sign": np.sign,
    "sgn": np.sign,
    "sech": lambda x: 1 / np.cosh(x),
    "softplus": lambda x: np.logaddexp(0, x),
}
RELATIONS = {"<": np.less, ">": np.greater, r"\le": np.less_equal, r"\leq": np.less_equal}
RELATIONS |= {r"\ge": np.greater_equal, r"\geq": np.greater_equal, "=": np.equal}
SPACES = r"\\[,;:! ]|\\(?:left|right|quad|[bB]igg?[lr]?)(?![a-zA-Z])|\s+"
TOKEN = re.compile(r"\\operatorname\{(\w+)\}|(\\[a-zA-Z]+|\d+(?:\.\d+)?|[a-zA-Z]'?|[-+*/^()\[\]{}|<>=,])")


def tokens(text: str) -> list[str]:
    result, place = [], 0
    text = re.sub(SPACES, " ", text)
    while place < len(text):
        if text[place] == " ":
            place += 1
            continue
        match = TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"latex: cannot read {text[place:]!r}; write it plainly or extend tests/latex.py")
        result.append(match[1] or match[2])
        place = match.end()
    return result


def parts(text: str) -> tuple[list[str], dict[str, list[str]]]:
    """The tokens of the formula, and of what defines each letter."""
    split, depth = [[]], 0
    for token in tokens(text):
        depth += (token in "([{") - (token in ")]}")
        if token == "," and depth == 0:
            split.append([])
        else:
            split[-1].append(token)
    if not all(part[1:2] == ["="] for part in split[1:]):
        raise ValueError(f"latex: expected definitions behind the commas of {text!r}")
    return split[0], {part[0]: part[2:] for part in split[1:]}


def symbols(text: str) -> list[str]:
    """The letters of parameters, in the order in which they first stand."""
    formula, definitions = parts(text)
    known = {"x", *definitions, *CONSTANTS, *FUNCTIONS, *RELATIONS, r"\frac", r"\dfrac", r"\tfrac", r"\sqrt", r"\cdot"}
    found = [*formula, *(token for definition in definitions.values() for token in definition)]
    return list(dict.fromkeys(token for token in found if re.match(r"\\?[a-zA-Z]", token) and token not in known))


class _Reader:
    """A recursive descent: sums of products of powers, a product written side by side."""

    ends = frozenset({"+", "-", ")", "]", "}", ",", *RELATIONS})

    def __init__(self, rest: list[str], names: Mapping[str, Value]) -> None:
        self.rest, self.names, self.inside_bars = rest, names, False

    def whole(self) -> Value:
        value = self.sum()
        if self.rest:
            raise ValueError(f"latex: {self.rest} left over")
        return value

    def peek(self) -> str:
        return self.rest[0] if self.rest else ""

    def take(self, expected: str | None = None) -> str:
        token = self.rest.pop(0) if self.rest else ""
        if expected is not None and token != expected:
            raise ValueError(f"latex: expected {expected!r}, got {token!r} before {self.rest}")
        return token

    def sum(self) -> Value:
        sign = -1 if self.peek() == "-" and self.take() else 1
        value = sign * self.product()
        while self.peek() in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        return value

    def product(self) -> Value:
        value = self.power()
        while self.peek() and self.peek() not in self.ends and not (self.peek() == "|" and self.inside_bars):
            if self.peek() in (r"\cdot", "*"):
                self.take()
                value = value * self.power()
            elif self.peek() == "/":
                self.take()
                value = value / self.power()
            else:
                value = value * self.power()
        return value

    def power(self) -> Value:
        value = self.atom()
        return value ** self.group() if self.peek() == "^" and self.take() else value

    def group(self) -> Value:
        """What is in braces, or one atom."""
        if self.peek() != "{":
            return self.atom()
        self.take()
        value = self.sum()
        self.take("}")
        return value

    def atom(self) -> Value:
        token = self.take()
        if token in (r"\frac", r"\dfrac", r"\tfrac"):
            return self.group() / self.group()
        if token == r"\sqrt":
            return np.sqrt(self.group())
        if token in FUNCTIONS:
            exponent = self.group() if self.peek() == "^" and self.take() else 1
            return FUNCTIONS[token](*self.arguments()) ** exponent
        if token in self.names:
            return self.names[token]
        if token in CONSTANTS:
            return CONSTANTS[token]
        if token == "[":
            return self.condition()
        if token == "|":
            self.inside_bars = True
            value = np.abs(self.sum())
            self.take("|")
            self.inside_bars = False
            return value
        if token in ("(", "{"):
            value = self.sum()
            self.take(")" if token == "(" else "}")
            return value
        return float(token)

    def arguments(self) -> list[Value]:
        if self.peek() != "(":
            return [self.power()]
        self.take()
        values = [self.sum()]
        while self.peek() == "," and self.take():
            values.append(self.sum())
        self.take(")")
        return values

    def condition(self) -> Value:
        left, holds = self.sum(), True
        while self.peek() in RELATIONS:
            relation = RELATIONS[self.take()]
            right = self.sum()
            holds, left = holds & relation(left, right), right
        self.take("]")
        return np.asarray(holds, float)


def evaluate(text: str, names: Mapping[str, Value]) -> Value:
    """The value of a formula, with the values of its letters."""
    formula, definitions = parts(text)
    names = dict(names)
    for letter, definition in reversed(definitions.items()):
        names[letter] = _Reader(definition, names).whole()
    return _Reader(formula, names).whole()
