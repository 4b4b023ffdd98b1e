"""Largest errors of every function, forward and backward, beside PyTorch, JAX, SciPy and thinc.

Run ``python benchmarks/accuracy.py``; ``--only relu tanh``, ``--dtype float32`` and ``--points N`` make it shorter,
``--between 1e-6 10`` leaves out tails and subnormal inputs, ``--csv FILE`` writes every measurement, ``--markdown
FILE`` the tables. Libraries that are not installed are left out: ``pip install "numact[bench]"`` gets all but PyTorch,
``pip install torch --index-url https://download.pytorch.org/whl/cpu`` that one.

Inputs: all 65,536 of float16 and bfloat16. Of float32 and float64, ``--points`` numbers, half of them random bit
patterns, which is all exponents alike, half where the functions bend (magnitudes 2^-12 to 2^11, around kinks, roots and
the ends of exp); and 33 neighbours each of the values where something happens. Gradients with dy = 1 and with finite dy
of random bit patterns. Rows of softmax and its kin: 2 to 1000 elements, of everyday sizes and of all exponents.
Parameters have their default values, the weight of prelu is 0.25.

Errors are in units in the last place of the exact value, which is numact's reference in extended precision with the
parameters as cast; below the normal numbers in smallest subnormals. An infinite result stands for the first power of
two that is not finite. Two units differ: within 1/8 of a sign change of f' (gelu, silu ...) it is 2^-24 |dy| for
float32, 2^-53 |dy| for float64 and so on; for gradients of softmax and its kin, and of parameters, which are sums, it
is an ulp of the sum of the terms' magnitudes. Results of a wrong kind are counted apart, and a NaN only there:

  n  NaN where the exact value is a number, or a number where it is NaN
  i  infinite where the exact value is less than half the largest number, or finite where it is far beyond
  z  0 in place of a normal number
  f  flushed: 0 in place of a subnormal of 5 units or more
  s  a zero of the wrong sign, but in softmax and its kin

Any slope between those of the two sides is right at a kink, and some give 0 at NaN: such inputs are left out of the
others' gradients, whose conventions are not numact's. They run as their users run them, JAX compiled (XLA treats
subnormal numbers as 0), gradients by autograd and vjp. Where a library has no such function, or none with the same
definition, the place is empty.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib
import importlib.metadata
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import numact as na
from numact import _build, reference

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from ulp import FORMATS, LONG, ROOTS, Array, bit_patterns, errors, everyday, spacing

Arrays = tuple[Array, ...]
WEIGHT = 0.25  # of prelu, which has no default
GATES = {"geglu": "gelu", "swiglu": "silu"}  # those whose gate's f' changes sign
# Kinks, the ends of exponentials, and thresholds of their approximations.
EVENTS = (0.0, 1e-4, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 17.0, 20.0, 88.0, 104.0, 709.0, 745.0)
LENGTHS = (2, 3, 10, 100, 1000)  # of rows
DIRECTIONS = ("forward", "backward, dy = 1", "backward, any dy")
COLUMNS = ("numact", "precise", "torch", "jax", "scipy", "thinc")


# --- inputs and exact values ---


@dataclass(frozen=True)
class Output:
    """What one output should be, and the unit of its error."""

    name: str
    exact: Array
    unit: Array
    near: Array | None = None  # True where f' changes sign, and the unit is not an ulp
    signed: bool = True  # whether the sign of a zero means something: not in a sum


@dataclass
class Question:
    """A function's inputs, and its outputs in extended precision for parameters as cast."""

    name: str
    direction: str
    data: Arrays  # dy first in a gradient
    parameters: tuple[Any, ...]
    answer: Callable[..., list[Output]]
    kinks: Array | None = None  # True where the slope is a matter of convention
    answers: dict[tuple[Any, ...], list[Output]] = field(default_factory=dict)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.data[0].dtype

    def exact(self, parameter_type: Any) -> list[Output]:
        """With parameters cast to the given type."""
        cast = tuple(LONG(parameter_type(p)) for p in self.parameters)
        if cast not in self.answers:
            self.answers[cast] = self.answer(*cast)
        return self.answers[cast]


def wide(arrays: Iterable[Array]) -> list[Array]:
    return [a.astype(LONG) for a in arrays]


@dataclass(frozen=True)
class Draw:
    """How many inputs of float32 and float64 are drawn, and the magnitudes kept, if not all."""

    points: int
    between: tuple[float, float] | None

    def __call__(self, dtype: np.dtype[Any], rng: np.random.Generator) -> Array:
        """All values of a half; of the others random bit patterns, everyday sizes and neighbours of events."""
        if dtype.itemsize == 2:
            x = np.arange(1 << 16, dtype=np.uint16).view(dtype)
        else:
            limits = np.finfo(dtype)
            events = np.array([*EVENTS, limits.tiny, np.sqrt(limits.max), limits.max, -np.log(limits.tiny)], dtype)
            bits = np.concatenate([events, -events]).view(f"i{dtype.itemsize}")
            near = (bits[:, np.newaxis] + np.arange(-16, 17, dtype=bits.dtype)).ravel().view(dtype)
            ends = np.array([np.inf, -np.inf, np.nan], dtype)
            half = self.points // 2
            drawn = [bit_patterns(rng, dtype, half), everyday(rng, dtype, -(-self.points // 6))[: self.points - half]]
            x = np.concatenate([*drawn, near[np.isfinite(near)], ends])
        if self.between is None:
            return x
        low, high = self.between
        return x[(np.abs(x) >= low) & (np.abs(x) <= high)]


def gradients(x: Array, shape: tuple[int, ...], rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    """dy by direction: ones, and finite numbers of all exponents."""
    yield DIRECTIONS[1], np.ones(shape, x.dtype)
    drawn = bit_patterns(rng, x.dtype, int(np.prod(shape)))
    drawn = drawn[np.isfinite(drawn)]
    yield DIRECTIONS[2], np.resize(drawn, shape)


def gradient(name: str, output: str, x: Array, scale: Array, exact: Array, dtype: Any, *parameters: Any) -> Output:
    """A gradient whose error is in units of 2^-digits * scale where f' changes sign."""
    unit = spacing(exact, dtype)
    root = ROOTS[name](*parameters) if name in ROOTS else None
    if root is None:
        return Output(output, exact, unit)
    digits, lowest, _ = FORMATS[np.dtype(dtype).name]
    near = np.abs(x - root[0]) <= root[1]
    coarse = np.maximum(np.abs(scale) * LONG(2) ** -digits, LONG(2) ** lowest)
    return Output(output, exact, np.where(near, coarse, unit), near)


def kinks(slope: Callable[[Array], Array], x: Array) -> Array:
    """Where the slopes of the two sides differ, sought at round numbers, which defaults are; and at NaN."""
    where = (np.abs(x) < 64) & (np.mod(x * 1024, 1) == 0)
    left, right = (slope(np.nextafter(x[where], LONG(side))) for side in (-np.inf, np.inf))
    result = np.isnan(x)
    result[where] = np.abs(right - left) > 1e-3 * np.maximum(np.abs(left), np.abs(right))
    return result


def elementwise(record: Any, dtype: np.dtype[Any], draw: Draw, rng: np.random.Generator) -> Iterator[Question]:
    name = record.name
    parameters = tuple(WEIGHT if p.default is None else p.default for p in record.parameters)
    value, slope = getattr(reference, name), getattr(reference, f"{name}_derivative")
    x = draw(dtype, rng)
    (xw,) = wide([x])

    def forward(*p: Any) -> list[Output]:
        exact = value(xw, *p)
        return [Output("y", exact, spacing(exact, dtype))]

    slopes: dict[tuple[Any, ...], Array] = {}

    def backward(dy: Array, *p: Any) -> list[Output]:
        if p not in slopes:
            slopes[p] = slope(xw, *p)
        exact = dy * slopes[p]
        return [gradient(name, "dx", xw, dy, exact, dtype, *p)]

    yield Question(name, DIRECTIONS[0], (x,), parameters, forward)
    bends = kinks(lambda at: slope(at, *map(LONG, parameters)), xw)
    for direction, dy in gradients(x, x.shape, rng):
        yield Question(name, direction, (dy, x), parameters, partial(backward, *wide([dy])), bends)
    if len(record.returns[1]) == 2:
        yield from parameter_gradient(record, dtype, parameters, rng)


def parameter_gradient(
    record: Any, dtype: np.dtype[Any], parameters: tuple[Any, ...], rng: np.random.Generator
) -> Iterator[Question]:
    """Sums over 1000 rows, one for each of 64 elements of the parameter; columns of all sizes."""
    x, dy = (rng.standard_normal((1000, 64)) * np.exp2(rng.uniform(-8, 5, 64)) for _ in range(2))
    x, dy = x.astype(dtype), dy.astype(dtype)

    def answer(p: Any) -> list[Output]:
        terms = getattr(reference, f"{record.name}_backward")(*wide([dy, x]), np.full(x.shape, p))[1]
        return [
            Output(record.returns[1][1], terms.sum(axis=0), spacing(np.abs(terms).sum(axis=0), dtype), signed=False)
        ]

    yield Question(record.name, f"gradient of {record.parameters[0].name}", (dy, x), parameters, answer)


def gated(record: Any, dtype: np.dtype[Any], draw: Draw, rng: np.random.Generator) -> Iterator[Question]:
    name = record.name
    gate = draw(dtype, rng)
    gate = gate[np.isfinite(gate)]
    value = rng.permutation(gate)
    value[::3] = 1
    f, backward = getattr(reference, name), getattr(reference, f"{name}_backward")
    gw, vw = wide([gate, value])

    def forward() -> list[Output]:
        exact = f(gw, vw)
        return [Output("y", exact, spacing(exact, dtype))]

    def answer(dy: Array) -> list[Output]:
        dgate, dvalue = backward(dy, gw, vw)
        first = gradient(GATES.get(name, name), "dgate", gw, dy * vw, dgate, dtype)
        return [first, Output("dvalue", dvalue, spacing(dvalue, dtype))]

    yield Question(name, DIRECTIONS[0], (gate, value), (), forward)
    bends = kinks(lambda at: backward(np.ones_like(at), at, np.ones_like(at))[0], gw)
    for direction, dy in gradients(gate, gate.shape, rng):
        yield Question(name, direction, (dy, gate, value), (), partial(answer, *wide([dy])), bends)


def magnitudes(name: str, dy: Array, x: Array) -> Array:
    """Sums of the terms' magnitudes in the gradient of softmax and its kin."""
    y, size = getattr(reference, name)(x), np.abs(dy)
    if name == "log_softmax":
        return np.asarray(size + np.exp(y) * size.sum(axis=-1, keepdims=True))
    return np.asarray(y * (size + (y * size).sum(axis=-1, keepdims=True)))


def over_axis(record: Any, dtype: np.dtype[Any], draw: Draw, rng: np.random.Generator) -> Iterator[Question]:
    name = record.name
    f, backward = getattr(reference, name), getattr(reference, f"{name}_backward")
    signed = name in ("maxout", "crelu")
    for length in LENGTHS:
        if name == "maxout" and length > 256:
            continue
        rows = max(draw.points // (len(LENGTHS) * length), 20)
        x = (rng.standard_normal((rows, length)) * np.exp2(rng.uniform(-12, 7, (rows, 1)))).astype(dtype)
        patterns = bit_patterns(rng, dtype, x.size)
        x[::2] = np.resize(patterns[np.isfinite(patterns)], x[::2].shape)
        (xw,) = wide([x])
        y, *which = f(xw) if name == "maxout" else (f(xw),)
        yield Question(name, DIRECTIONS[0], (x,), (), lambda y=y: [Output("y", y, spacing(y, dtype), signed=signed)])
        tied = (xw == y[..., np.newaxis]).sum(axis=-1, keepdims=True) > 1 if which else None
        for direction, dy in gradients(x, y.shape, rng):
            (dyw,) = wide([dy])
            exact = backward(dyw, *which, length) if which else backward(dyw, xw)
            unit = spacing(exact if signed else magnitudes(name, dyw, xw), dtype)
            bends = None if tied is None else np.broadcast_to(tied, exact.shape)
            yield Question(
                name, direction, (dy, x), (), lambda e=exact, u=unit: [Output("dx", e, u, signed=signed)], bends
            )


def random(record: Any, dtype: np.dtype[Any], draw: Draw, rng: np.random.Generator) -> Iterator[Question]:
    """rrelu with the slopes that it used: the mean of its bounds."""
    x = draw(dtype, rng)
    slope = record.forward(x)[1]
    xw, sw = wide([x, slope])

    def forward() -> list[Output]:
        exact = reference.leaky_relu(xw, sw)
        return [Output("y", exact, spacing(exact, dtype))]

    def backward(dy: Array) -> list[Output]:
        exact = dy * reference.leaky_relu_derivative(xw, sw)
        return [Output("dx", exact, spacing(exact, dtype))]

    yield Question(record.name, DIRECTIONS[0], (x,), (), forward)
    for direction, dy in gradients(x, x.shape, rng):
        yield Question(record.name, direction, (dy, x, slope), (), partial(backward, *wide([dy])))


QUESTIONS = {"elementwise": elementwise, "gated": gated, "axis": over_axis, "random": random}


# --- who answers ---


class Numact:
    """One tier at one ISA level."""

    others = False

    def __init__(self, tier: str, level: str) -> None:
        self.tier, self.level = tier, level
        self.column = "numact" if tier == "standard" else "precise"
        self.label = f"{self.column} {level}"
        self.ufuncs, self.functions = _build.make(level, tier == "precise", "numact")

    def parameter_type(self, dtype: np.dtype[Any]) -> Any:
        return np.float64 if dtype == np.float64 or (self.tier == "precise" and dtype == np.float32) else np.float32

    def answer(self, question: Question) -> Arrays | None:
        name, data, parameters = question.name, question.data, question.parameters
        backward = f"{name}_backward"
        if question.direction == DIRECTIONS[0]:
            y = self.functions[name](*data, *parameters)
            return y[:1] if isinstance(y, tuple) else (y,)
        if question.direction not in DIRECTIONS:
            weight = np.full(data[1].shape[1:], parameters[0])
            return (self.functions[backward](*data, weight)[1],)
        if name == "maxout":
            dy, x = data
            return (self.functions[backward](dy, self.functions[name](x)[1], x.shape[-1]),)
        result = self.ufuncs.get(backward, self.functions[backward])(*data, *parameters)
        return result if isinstance(result, tuple) else (result,)


class Peer:
    """A library: its functions of the data and parameters, and its way of differentiating them."""

    others = True
    half = True
    tier = level = ""
    column: str
    version: str
    functions: dict[str, Callable[..., Any]]

    @property
    def label(self) -> str:
        return self.column

    def parameter_type(self, dtype: np.dtype[Any]) -> Any:
        return np.float64 if dtype == np.float64 else np.float32

    def answer(self, question: Question) -> Arrays | None:
        if question.name not in self.functions or (question.dtype.itemsize == 2 and not self.half):
            return None
        f = self.functions[question.name]
        if question.direction == DIRECTIONS[0]:
            return (self.forward(f, question.data, question.parameters),)
        if question.direction in DIRECTIONS:
            return self.backward(f, question.name, question.data, question.parameters)
        dy, x = question.data
        weight = np.full(x.shape[1:], question.parameters[0], x.dtype)
        result = self.backward(f, question.name, (dy, x, weight), ())
        return None if result is None else result[1:]

    def forward(self, f: Callable[..., Any], data: Arrays, parameters: tuple[Any, ...]) -> Array:
        return np.asarray(f(*data, *parameters))

    def backward(self, f: Callable[..., Any], name: str, data: Arrays, parameters: tuple[Any, ...]) -> Arrays | None:
        return None


class Torch(Peer):
    column = "torch"

    def __init__(self) -> None:
        import torch
        import torch.nn.functional as F

        self.torch, self.version = torch, torch.__version__
        self.functions = {
            "relu": F.relu,
            "relu6": F.relu6,
            "leaky_relu": F.leaky_relu,
            "prelu": lambda x, weight: F.prelu(x, torch.as_tensor(weight, dtype=x.dtype)),
            "threshold": F.threshold,
            "hard_shrink": F.hardshrink,
            "soft_shrink": F.softshrink,
            "elu": F.elu,
            "selu": F.selu,
            "celu": F.celu,
            "sigmoid": torch.sigmoid,
            "log_sigmoid": F.logsigmoid,
            "hard_sigmoid": F.hardsigmoid,
            "tanh": torch.tanh,
            "hard_tanh": F.hardtanh,
            "tanh_shrink": F.tanhshrink,
            "softsign": F.softsign,
            "softplus": F.softplus,
            "gelu": F.gelu,
            "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
            "silu": F.silu,
            "hard_swish": F.hardswish,
            "mish": F.mish,
            "glu": lambda gate, value: F.glu(torch.cat([value, gate], -1)),
            "reglu": lambda gate, value: F.relu(gate) * value,
            "geglu": lambda gate, value: F.gelu(gate) * value,
            "swiglu": lambda gate, value: F.silu(gate) * value,
            "softmax": lambda x: F.softmax(x, -1),
            "log_softmax": lambda x: F.log_softmax(x, -1),
            "softmin": lambda x: F.softmin(x, -1),
            "maxout": lambda x: torch.max(x, -1).values,
        }

    def tensor(self, a: Array) -> Any:
        a = np.array(a)  # writable and contiguous
        if a.dtype.name == "bfloat16":
            return self.torch.from_numpy(a.view(np.int16)).view(self.torch.bfloat16)
        return self.torch.from_numpy(a)

    def array(self, t: Any) -> Array:
        t = t.detach()
        if t.dtype == self.torch.bfloat16:
            return np.asarray(t.view(self.torch.int16).numpy().view("bfloat16"))
        return np.asarray(t.numpy())

    def forward(self, f: Callable[..., Any], data: Arrays, parameters: tuple[Any, ...]) -> Array:
        with self.torch.no_grad():
            return self.array(f(*map(self.tensor, data), *parameters))

    def backward(self, f: Callable[..., Any], name: str, data: Arrays, parameters: tuple[Any, ...]) -> Arrays | None:
        dy, *operands = map(self.tensor, data)
        for operand in operands:
            operand.requires_grad_()
        return tuple(map(self.array, self.torch.autograd.grad(f(*operands, *parameters), operands, dy)))


class Jax(Peer):
    column = "jax"

    def __init__(self) -> None:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        import jax

        jax.config.update("jax_enable_x64", True)
        nn, jnp = jax.nn, jax.numpy
        self.jax, self.version = jax, jax.__version__
        self.functions = {
            "relu": nn.relu,
            "relu6": nn.relu6,
            "leaky_relu": nn.leaky_relu,
            "prelu": nn.leaky_relu,
            "elu": nn.elu,
            "selu": nn.selu,
            "celu": nn.celu,
            "sigmoid": nn.sigmoid,
            "log_sigmoid": nn.log_sigmoid,
            "hard_sigmoid": nn.hard_sigmoid,
            "tanh": nn.tanh,
            "hard_tanh": lambda x, *_: nn.hard_tanh(x),
            "softsign": nn.soft_sign,
            "softplus": lambda x, *_: nn.softplus(x),
            "squareplus": nn.squareplus,
            "gelu": lambda x: nn.gelu(x, approximate=False),
            "gelu_tanh": lambda x: nn.gelu(x, approximate=True),
            "silu": nn.silu,
            "hard_swish": nn.hard_swish,
            "mish": nn.mish,
            "glu": lambda gate, value: nn.glu(jnp.concatenate([value, gate], -1)),
            "reglu": lambda gate, value: nn.relu(gate) * value,
            "geglu": lambda gate, value: nn.gelu(gate, approximate=False) * value,
            "swiglu": lambda gate, value: nn.silu(gate) * value,
            "softmax": nn.softmax,
            "log_softmax": nn.log_softmax,
            "softmin": lambda x: nn.softmax(-x),
            "maxout": lambda x: jnp.max(x, -1),
        }

    def forward(self, f: Callable[..., Any], data: Arrays, parameters: tuple[Any, ...]) -> Array:
        return np.asarray(self.jax.jit(lambda *operands: f(*operands, *parameters))(*data))

    def backward(self, f: Callable[..., Any], name: str, data: Arrays, parameters: tuple[Any, ...]) -> Arrays | None:
        def pulled(dy: Any, *operands: Any) -> Any:
            return self.jax.vjp(lambda *each: f(*each, *parameters), *operands)[1](dy)

        return tuple(map(np.asarray, self.jax.jit(pulled)(*data)))


class SciPy(Peer):
    column = "scipy"
    half = False  # gives float32

    def __init__(self) -> None:
        import scipy
        from scipy import special

        self.version = scipy.__version__
        self.functions = {
            "sigmoid": special.expit,
            "log_sigmoid": special.log_expit,
            "gelu": lambda x: x * special.ndtr(x),
            "softmax": lambda x: special.softmax(x, axis=-1),
            "log_softmax": lambda x: special.log_softmax(x, axis=-1),
            "softmin": lambda x: special.softmax(-x, axis=-1),
        }
        if hasattr(special, "softplus"):  # since 1.16
            self.functions["softplus"] = lambda x, *_: special.softplus(x)


class Thinc(Peer):
    column = "thinc"
    half = False  # refused, or run as float32

    def __init__(self) -> None:
        from thinc.api import get_ops

        ops = get_ops("cpu")
        self.version = importlib.metadata.version("thinc")
        self.functions = {
            "relu": ops.relu,
            "relu6": ops.relu_k,
            "sigmoid": ops.sigmoid,
            "hard_tanh": lambda x, *_: ops.hard_tanh(x),
            "gelu": ops.gelu,
            "gelu_tanh": ops.gelu_approx,
            "silu": ops.swish,
            "hard_swish": ops.hard_swish_mobilenet,
            "mish": ops.mish,
            "dish": ops.dish,
            "softmax": ops.softmax,
            "maxout": lambda x: ops.maxout(x[:, np.newaxis])[0][:, 0],
        }
        self.gradients: dict[str, Callable[..., Any]] = {
            "relu": lambda dy, x: ops.backprop_relu(dy, ops.relu(x)),
            "relu6": ops.backprop_relu_k,
            "sigmoid": lambda dy, x: ops.backprop_sigmoid(dy, ops.sigmoid(x)),
            "hard_tanh": lambda dy, x, *_: ops.backprop_hard_tanh(dy, x),
            "gelu": ops.backprop_gelu,
            "gelu_tanh": ops.backprop_gelu_approx,
            "silu": lambda dy, x: ops.backprop_swish(dy, x, ops.swish(x)),
            "hard_swish": ops.backprop_hard_swish_mobilenet,
            "mish": ops.backprop_mish,
            "dish": ops.backprop_dish,
            "softmax": lambda dy, x: ops.backprop_softmax(ops.softmax(x), dy),
            "maxout": lambda dy, x: ops.backprop_maxout(
                dy[:, np.newaxis], ops.maxout(x[:, np.newaxis])[1], x.shape[-1]
            )[:, 0],
        }

    def backward(self, f: Callable[..., Any], name: str, data: Arrays, parameters: tuple[Any, ...]) -> Arrays | None:
        return (np.asarray(self.gradients[name](*data, *parameters)),)


# --- measuring ---


@dataclass
class Row:
    """The largest error of one output, where it is, and how many results are of a wrong kind."""

    function: str
    dtype: str
    way: str  # the question's direction
    parameters: tuple[Any, ...]
    output: str
    contender: Numact | Peer
    ulp: float
    at: dict[str, str]
    root: float | None  # the largest error where f' changes sign
    kinds: dict[str, int]
    inputs: int

    @property
    def direction(self) -> str:
        """For a function of two outputs with the gradient's name."""
        return self.way if self.output in ("y", "dx") else self.way.replace("backward", self.output)

    @property
    def label(self) -> tuple[str, str, str]:
        return self.function, self.dtype, self.direction

    @property
    def bound(self) -> float | None:
        if self.contender.others or self.way not in DIRECTIONS:
            return None
        return na.activations[self.function].max_ulp.get((self.dtype, self.contender.tier, self.way.partition(",")[0]))

    @property
    def largest(self) -> float:
        return max(self.ulp, self.root or 0)

    @property
    def mark(self) -> str:
        return " !" if self.bound is not None and self.ulp > self.bound else ""

    @property
    def letters(self) -> str:
        return "".join(kind for kind, count in self.kinds.items() if count)

    @property
    def counts(self) -> str:
        return " ".join(f"{kind}:{count}" for kind, count in self.kinds.items() if count)

    def merged(self, other: Row) -> Row:
        """Of two sets of inputs."""
        worse = self if self.ulp >= other.ulp else other
        kinds = {kind: count + other.kinds[kind] for kind, count in self.kinds.items()}
        root = None if self.root is None or other.root is None else max(self.root, other.root)
        return replace(self, ulp=worse.ulp, at=worse.at, root=root, kinds=kinds, inputs=self.inputs + other.inputs)


def number(ulp: float) -> str:
    if ulp > 1e6:
        return ">1e6"
    return f"{ulp:.3f}" if ulp < 10 else f"{ulp:.0f}"


def wrong_kinds(got: Array, output: Output) -> dict[str, Array]:
    """By letter, which results are of a wrong kind; the module's docstring says what each means."""
    exact, dtype = output.exact, got.dtype
    digits, lowest, beyond = FORMATS[dtype.name]
    size, limit = np.abs(exact), LONG(2) ** beyond
    normal = size >= LONG(2) ** (lowest + digits - 1)
    vanished = (got == 0) & (size > 4 * output.unit)
    signed = output.signed if output.near is None else ~output.near
    return {
        "n": np.isnan(got) != np.isnan(exact),
        "i": np.where(np.isinf(got), size < limit / 2, np.isfinite(got) & (size > 2 * limit)),
        "z": vanished & normal,
        "f": vanished & ~normal,
        "s": (got == 0) & ~vanished & signed & ~np.isnan(exact) & (np.signbit(got) != np.signbit(exact)),
    }


def place(question: Question, shape: tuple[int, ...], index: int) -> dict[str, str]:
    """The input that attains an error, by name."""
    kind = na.activations[question.name].kind
    names = ["gate", "value"] if kind == "gated" else ["x"]
    if question.direction != DIRECTIONS[0]:
        names = ["dy", *names]
    if kind != "axis" and all(a.shape == shape for a in question.data[: len(names)]):
        return {name: str(a.flat[index]) for name, a in zip(names, question.data, strict=False)}
    rows, length = question.data[-1].shape
    return {"element": f"[{', '.join(map(str, np.unravel_index(index, shape)))}] for {rows} x {length}"}


def measured(question: Question, contender: Numact | Peer, got: Array, output: Output) -> Row:
    kinds = wrong_kinds(got, output)
    counted = ~question.kinks if contender.others and question.kinks is not None else np.ones(got.shape, bool)
    sign = (got == 0) & (np.signbit(got) != np.signbit(output.exact))
    error = errors(np.where(sign, -got, got), output.exact, output.unit)
    error = np.where(counted & ~kinds["n"], error, 0)
    ulp = error if output.near is None else np.where(output.near, 0, error)
    worst = int(np.argmax(ulp))
    return Row(
        function=question.name,
        dtype=question.dtype.name,
        way=question.direction,
        parameters=question.parameters,
        output=output.name,
        contender=contender,
        ulp=float(ulp.flat[worst]),
        at=place(question, got.shape, worst),
        root=None if output.near is None else float(np.max(error, where=output.near, initial=0)),
        kinds={kind: int(np.count_nonzero(wrong & counted)) for kind, wrong in kinds.items()},
        inputs=int(np.count_nonzero(counted)),
    )


@np.errstate(all="ignore")
def measure(
    names: list[str], dtypes: list[np.dtype[Any]], draw: Draw, contenders: list[Numact | Peer]
) -> tuple[list[Row], list[str]]:
    """All rows, and what could not be measured."""
    rows: dict[tuple[str, ...], Row] = {}
    failures: dict[str, None] = {}
    for name in names:
        record = na.activations[name]
        for dtype in dtypes:
            print(f"\r{name} {dtype.name}".ljust(40), end="", file=sys.stderr, flush=True)
            for question in QUESTIONS[record.kind](record, dtype, draw, np.random.default_rng(0)):
                for contender in contenders:
                    try:
                        results = contender.answer(question)
                        if results is not None and results[0].dtype != dtype:
                            raise TypeError(f"gives {results[0].dtype}")
                    except Exception as problem:  # of any kind: what others raise for dtypes that they do not take
                        if not contender.others:
                            raise
                        reason = str(problem).strip().partition("\n")[0][:60]
                        failures[f"{contender.label} {name} {dtype.name}, {question.direction}: {reason}"] = None
                        continue
                    if results is None:
                        continue
                    outputs = question.exact(contender.parameter_type(dtype))
                    for got, output in zip(results, outputs, strict=True):
                        row = measured(question, contender, got, output)
                        key = (*row.label, contender.label)
                        rows[key] = row if key not in rows else rows[key].merged(row)
    print("\r".ljust(40), end="\r", file=sys.stderr)
    return list(rows.values()), list(failures)


# --- tables ---

Table = list[list[str]]


def summary(rows: list[Row], columns: list[str]) -> Table:
    """One line for each function, dtype and direction; numact's figures are the largest of all levels."""
    lines: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in rows:
        line, column = lines.setdefault(row.label, {}), row.contender.column
        line[column] = row if column not in line else line[column].merged(row)
    table = [["function", "dtype", "direction", *columns]]
    for label, line in lines.items():
        cells = {column: f"{number(row.largest)}{row.mark} {row.letters}".strip() for column, row in line.items()}
        table.append([*label, *(cells.get(column, "") for column in columns)])
    return table


def totals(rows: list[Row]) -> Table:
    """One line for each dtype and library: the largest error, and how many functions give results of a wrong kind."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.dtype, row.contender.label), []).append(row)
    table = [["dtype", "library", "measured", "largest", "above 4 ulp", "above 1e6 ulp", "NaN or inf", "0 or flushed"]]
    for label, group in sorted(groups.items(), key=lambda item: list(FORMATS).index(item[0][0])):
        counts = (
            len(group),
            number(max(row.largest for row in group)),
            sum(row.largest > 4 for row in group),
            sum(row.largest > 1e6 for row in group),
            sum(row.kinds["n"] + row.kinds["i"] > 0 for row in group),
            sum(row.kinds["z"] + row.kinds["f"] > 0 for row in group),
        )
        table.append([*label, *map(str, counts)])
    return table


def details(rows: list[Row]) -> Table:
    head = ["function", "dtype", "direction", "library", "ulp", "bound", "at", "near root", "wrong kinds", "inputs"]
    table = [head]
    for row in rows:
        bound = "" if row.bound is None else f"{row.bound:g}"
        at = ", ".join(f"{name} = {value}" for name, value in row.at.items()) if row.ulp else ""
        root = "" if row.root is None else number(row.root)
        cells = [number(row.ulp) + row.mark, bound, at, root, row.counts, str(row.inputs)]
        table.append([*row.label, row.contender.label, *cells])
    return table


def as_text(table: Table) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in table)


def as_markdown(table: Table) -> str:
    lines = [table[0], ["---"] * len(table[0]), *table[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_csv(path: str, rows: list[Row]) -> None:
    """The columns of tests/native/exhaustive, and more."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        head = "library name parameters direction output dy dtype tier levels max_ulp worst_x worst_dy root_error wrong"
        writer.writerow([*head.split(), "nan", "infinity", "zero", "flushed", "sign_of_zero", "inputs"])
        for row in rows:
            direction, _, dy = row.way.partition(", ")
            dy = dy.replace("dy", "").strip(" =")
            x = " ".join(value for name, value in row.at.items() if name != "dy")
            what = [row.function, " ".join(f"{p:g}" for p in row.parameters), direction, row.output, dy]
            figures = [row.ulp, x, row.at.get("dy", ""), row.root, sum(row.kinds.values()), *row.kinds.values()]
            build = [row.dtype, row.contender.tier, row.contender.level]
            library = row.contender.column if row.contender.others else "numact"
            writer.writerow([library, *what, *build, *figures, row.inputs])


def peers() -> tuple[list[Peer], list[str]]:
    """Those that are installed, and the names of those that are not."""
    found: list[Peer] = []
    missing = []
    for library in (Torch, Jax, SciPy, Thinc):
        try:
            found.append(library())
        except ImportError:
            missing.append(library.column)
    return found, missing


def available_dtypes() -> dict[str, np.dtype[Any]]:
    result = {"float16": np.dtype(np.float16)}
    with contextlib.suppress(ImportError):
        result["bfloat16"] = np.dtype(importlib.import_module("ml_dtypes").bfloat16)
    return {**result, "float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}


def arguments() -> argparse.Namespace:
    dtypes = available_dtypes()
    parser = argparse.ArgumentParser(description="Largest errors in ulp, beside PyTorch, JAX, SciPy and thinc.")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=na.activations, help="these functions")
    parser.add_argument("--dtype", nargs="+", choices=dtypes, default=list(dtypes), help="these dtypes")
    parser.add_argument(
        "--points", type=int, default=100_000, help="inputs of float32 and float64 (default: %(default)s)"
    )
    parser.add_argument("--between", type=float, nargs=2, metavar=("LOW", "HIGH"), help="magnitudes of x (not of rows)")
    parser.add_argument("--csv", metavar="FILE", help="write every measurement to FILE")
    parser.add_argument("--markdown", metavar="FILE", help="write the tables to FILE")
    args = parser.parse_args()
    if args.points < 1000:
        parser.error(f"--points must be at least 1000, got {args.points}")
    args.dtype = [dtypes[name] for name in args.dtype]
    args.only = args.only or list(na.activations)
    return args


def main() -> None:
    if np.finfo(LONG).nmant < 63:
        sys.exit(
            "accuracy.py: long double has no more than 53 bits here, too few for exact values; use Linux on x86-64"
        )
    args = arguments()
    start = time.perf_counter()
    others, missing = peers()
    own = [Numact(tier, level) for tier in ("standard", "precise") for level in na.available_isas()]
    rows, failures = measure(args.only, args.dtype, Draw(args.points, args.between), [*own, *others])

    versions = [f"numact {na.__version__}", f"NumPy {np.__version__}", *(f"{p.label} {p.version}" for p in others)]
    points = f"{args.points} points" + (" between {:g} and {:g}".format(*args.between) if args.between else "")
    head = f"Largest errors in ulp. {', '.join(versions)}; {points}, {time.perf_counter() - start:.0f} s."
    if missing:
        head += f" Not installed: {', '.join(missing)}."
    columns = [column for column in COLUMNS if any(row.contender.column == column for row in rows)]
    tables = {
        "Summary": (
            "Largest of all ISA levels. After it: ! beyond numact's bound, results of a wrong kind "
            "(n NaN, i infinite, z zero, f flushed, s sign of zero).",
            summary(rows, columns),
        ),
        "Libraries": ("A measurement is a function and direction.", totals(rows)),
        "Details": (
            "By ISA level, the input that attains it, and the number of results of each wrong kind.",
            details(rows),
        ),
    }
    notes = "\n".join(["Could not be measured:", *failures]) if failures else ""
    print(head)
    for title, (caption, table) in tables.items():
        print(f"\n{title}\n{caption}\n\n{as_text(table)}")
    if notes:
        print(f"\n{notes}")
    if args.csv:
        write_csv(args.csv, rows)
    if args.markdown:
        sections = [f"## {title}\n{caption}\n\n{as_markdown(table)}" for title, (caption, table) in tables.items()]
        Path(args.markdown).write_text("\n\n".join([head, *sections, *filter(None, [notes])]) + "\n")


if __name__ == "__main__":
    main()
