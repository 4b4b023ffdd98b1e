"""What the tests share: functions of every level and tier, operands that reach the hard places, exact comparison."""

import functools
import itertools
from types import SimpleNamespace

import numpy as np

import numact as na
from numact import _build, _native

LEVELS = na.available_isas()
TIERS = ("standard", "precise")
DTYPES = (np.float32, np.float64)
SUFFIXES = ("", "_backward", "_backward_from_output")
ELEMENTWISE = [name for name, record in na.activations.items() if record.kind == "elementwise"]
LEARNED = [name for name in ELEMENTWISE if len(na.activations[name].returns[1]) == 2]
# (level, tier) in an order that puts the level in use first.
BUILDS = [(level, tier) for level in reversed(LEVELS) for tier in TIERS]


@functools.cache
def build(level, tier):
    """Ufuncs and public functions of one tier at one level; the native side has room for a limited number of these."""
    ufuncs, functions = _build.make(level, tier == "precise", "numact")
    return SimpleNamespace(ufuncs=ufuncs, functions=functions, level=level, tier=tier)


class Case(SimpleNamespace):
    """One elementwise function: its ufunc takes `arrays` data arrays and then `parameters` parameters."""

    def __repr__(self):
        return self.name


def _cases():
    for name, suffix in itertools.product(ELEMENTWISE, SUFFIXES):
        record = na.activations[name]
        if suffix == "_backward_from_output" and record.backward_from_output is None:
            continue
        yield Case(
            name=name + suffix,
            activation=name,
            suffix=suffix,
            record=record,
            arrays=1 if suffix == "" else 2,
            parameters=len(record.parameters),
        )


def _gated_cases():
    """The functions of gate and value; the backward of each has two outputs."""
    for name, record in na.activations.items():
        if record.kind == "gated":
            yield Case(name=name, activation=name, suffix="", record=record, arrays=2, parameters=0)
            yield Case(
                name=f"{name}_backward", activation=name, suffix="_backward", record=record, arrays=3, parameters=0
            )


# The domains of the parameters where the output must tell the input's side.
FROM_OUTPUT = {name: [parameter[3] for parameter in parameters] for name, _, parameters in _native.catalogue()}
CASES = list(_cases())
GATED = list(_gated_cases())
BY_NAME = {case.name: case for case in CASES}
WITH_PARAMETERS = [case for case in CASES if case.parameters]
TWO_INPUTS = [case for case in CASES if case.arrays + case.parameters == 2]


def promised(kind, dtype, tier, direction):
    """What no function of a kind may exceed, in ulp."""
    backward = direction != "forward"
    if dtype == "bfloat16" or np.dtype(dtype).itemsize == 2:
        return 0.501
    if tier == "precise" and np.dtype(dtype) == np.float32:
        return 0.75
    if kind == "axis":
        return 8 if backward else 4
    return (5 if backward else 3.5) if kind == "gated" else (4 if backward else 2.5)


def parameter_dtype(dtype, tier):
    """The dtype to which parameters are cast."""
    return np.dtype(np.float64 if tier == "precise" else dtype)


def defaults(case):
    """Parameters for a case: the defaults, 0.25 where there is none."""
    return [0.25 if parameter.default is None else parameter.default for parameter in case.record.parameters]


def special_values(dtype):
    """Signed zeros, subnormals, largest numbers, infinities, NaN and the ends of the interesting range."""
    limits = np.finfo(dtype)
    positive = [0, limits.smallest_subnormal, limits.tiny, limits.eps, 0.5, 1, 2, 17, 90, 700, limits.max, np.inf]
    values = np.array([*positive, np.nan], dtype)
    return np.concatenate([values, -values])


def values(rng, dtype, n):
    """n values: normal numbers of several sizes and every special one, in an order drawn anew."""
    special = special_values(dtype)
    drawn = np.concatenate([rng.normal(size=n), 20 * rng.normal(size=n), 1e-3 * rng.normal(size=n)]).astype(dtype)
    result = np.concatenate([special, drawn])[: max(n, len(special))]
    return rng.permutation(result)[:n]


def operands(rng, case, dtype, tier, n, *, special=True):
    """Data and parameter arrays of length n for the ufunc of a case."""
    draw = values if special else (lambda rng, dtype, n: rng.normal(scale=3, size=n).astype(dtype))
    data = [draw(rng, dtype, n) for _ in range(case.arrays)]
    given = [rng.uniform(0, 2, n).astype(parameter_dtype(dtype, tier)) for _ in range(case.parameters)]
    return data + given


def one_by_one(ufunc, *arrays):
    """The ufunc called on one element at a time."""
    arrays = np.broadcast_arrays(*arrays)
    dtype = arrays[0].dtype.newbyteorder("=")
    result = np.empty(arrays[0].shape, dtype)
    for index in np.ndindex(result.shape):
        result[index] = ufunc(*(array[index] for array in arrays))
    return result


def bits(array):
    """Each element as an unsigned integer: tells zeros of either sign and NaNs apart."""
    array = np.ascontiguousarray(array, np.asarray(array).dtype.newbyteorder("="))
    return array.view(f"u{array.dtype.itemsize}")


def assert_same_bits(got, expected, label, *inputs):
    """Equal dtype, shape and bits; shows function, first differing place, its inputs, what was expected and got."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.dtype.newbyteorder("=") == expected.dtype, f"{label}: dtype {got.dtype}, expected {expected.dtype}"
    assert got.shape == expected.shape, f"{label}: shape {got.shape}, expected {expected.shape}"
    # Sign and payload of a NaN are left open, as IEEE 754 leaves them.
    both_nan = (got != got) & (expected != expected)
    different = np.atleast_1d((bits(got) != bits(expected)) & ~both_nan)
    if different.any():
        place = tuple(int(i) for i in np.argwhere(different)[0])
        shown = [np.broadcast_to(each, expected.shape)[place if expected.ndim else ()] for each in inputs]
        one, other = (np.atleast_1d(each)[place] for each in (got, expected))
        message = f"{label} at {place} of shape {expected.shape} ({different.sum()} differ): "
        raise AssertionError(f"{message}input {shown!r}, expected {other!r}, got {one!r}")


class Guarded:
    """An array anywhere in a buffer whose other bytes must stay what they are."""

    pattern = 0xA5

    def __init__(self, shape, dtype, *, steps=None, offset=64, margin=64):
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        dtype = np.dtype(dtype)
        steps = (1,) * len(shape) if steps is None else tuple(steps)
        strides, width = [], dtype.itemsize
        for length, step in zip(reversed(shape), reversed(steps), strict=True):
            strides.insert(0, step * width)
            width *= max(1, abs(step) * max(1, length))
        low = sum(min(0, (length - 1) * stride) for length, stride in zip(shape, strides, strict=True) if length)
        size = offset - low + width + margin
        self.memory = np.full(size + 64, self.pattern, np.uint8)
        start = -self.memory.ctypes.data % 64 + offset - low
        self.array = np.ndarray(shape, dtype, self.memory, start, strides)
        touched = np.zeros(size + 64, bool)
        covered = np.ndarray((*shape, dtype.itemsize), bool, touched, start, (*strides, 1))
        covered[...] = True
        self.free = ~touched

    def check(self, label):
        written = np.flatnonzero(self.free & (self.memory != self.pattern))
        assert not written.size, f"{label}: bytes {written[:8].tolist()} beside the output were written"
