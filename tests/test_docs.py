"""The generated pages: up to date, and every special value in them what the kernels give, at every position."""

from __future__ import annotations

import numpy as np
import pytest
import support
from support import assert_same_bits
from test_half import HALVES
from ulp import LONG, errors

import make_docs
import numact as na

LENGTHS = range(1, 71)

pytestmark = pytest.mark.skipif(np.finfo(LONG).nmant < 63, reason="needs an extended precision long double as oracle")


def test_pages_are_up_to_date():
    headers = make_docs.headers()
    assert len(headers) > 10
    for path, text in {**make_docs.pages(), **headers}.items():
        assert text.isascii()
        assert path.read_text() == text, f"{path}: run python tools/make_docs.py"


def test_every_activation_is_in_every_page():
    for text in make_docs.pages().values():
        titles = [line[3:].partition("(")[0] for line in text.splitlines() if line.startswith("## ")]
        assert titles == list(na.activations)


def test_figures_are_what_they_say():
    """The notation of the table, against numbers of float32."""
    info = np.finfo(np.float32)
    for value, text in [
        (info.max, "max"), (-info.max / 4, "-0.25 max"), (info.tiny, "tiny"), (-info.smallest_subnormal, "-sub"),
        (info.smallest_subnormal / LONG(2), "0.5 sub"), (LONG("1e-60"), "0.0"), (-LONG("1e-60"), "-0.0"),
        (LONG("1e60"), "inf"), (LONG("-1e4000"), "-inf"), (np.nan, "NaN"), (0.5, "0.5"), (-1, "-1.0"), (-0.0, "-0.0"),
    ]:  # fmt: skip
        assert make_docs.shown(value) == text


def caller(built, name, parameters):
    """The function of data arrays that takes these parameters, its results as a tuple."""
    function = built.ufuncs.get(name, built.functions[name])

    def call(*data):
        result = function(*data, *parameters)
        return result if isinstance(result, tuple) else (result,)

    return call


def limit(record, dtype, tier, function):
    direction = "backward" if "_backward" in function else "forward"
    if function.endswith("_from_output"):
        return support.promised(record.kind, dtype, tier, direction)
    return record.max_ulp[np.dtype(dtype).name, tier, direction]


@pytest.mark.parametrize("dtype", [*HALVES, *support.DTYPES])
@pytest.mark.parametrize("name", list(na.activations))
def test_special_values(built, dtype, name):
    """Every entry: exact where it is a number of the dtype, within the bound elsewhere; alike at every position."""
    record = na.activations[name]
    is_half = dtype not in (np.float32, np.float64)
    parameter_dtype = np.float32 if is_half else support.parameter_dtype(dtype, built.tier).type
    with np.errstate(over="ignore", invalid="ignore"):  # of the oracle's casts
        entries = list(make_docs.entries(record, dtype, parameter_dtype))
    for function in dict.fromkeys(entry.function for entry in entries):
        mine = [entry for entry in entries if entry.function == function]
        call = caller(built, function, mine[0].parameters)
        data = [np.stack(operands) for operands in zip(*(entry.data for entry in mine), strict=True)]
        alone = [call(*(each[i : i + 1] for each in data)) for i in range(len(mine))]
        # rrelu's slope, without an exact value, is left aside.
        singly = [np.concatenate([results[j] for results in alone]) for j in range(len(mine[0].exact))]
        for j, got in enumerate(singly):
            exact = np.stack([entry.exact[j] for entry in mine]).astype(LONG)
            if record.kind == "axis" and "_backward" in function:
                got, exact = got + got.dtype.type(0), exact + 0  # the sign of a zero is left open
            with np.errstate(over="ignore", invalid="ignore"):
                rounded = exact.astype(dtype)
            error = errors(got, exact)
            representable = rounded.astype(LONG) == exact
            assert_same_bits(got[representable], rounded[representable], f"{function} {built.level} {built.tier}")
            bad = np.argwhere(error > limit(record, dtype, built.tier, function))
            assert not bad.size, (
                f"{function} {built.level} {built.tier} at {mine[bad[0][0]].data}: expected {exact[tuple(bad[0])]!r}, "
                f"got {got[tuple(bad[0])]!r}, {float(error[tuple(bad[0])])} ulp"
            )
        tiled = [np.concatenate([each] * (2 + LENGTHS[-1] // len(mine))) for each in data]
        for j, one in enumerate(singly):
            repeated = np.concatenate([one] * (2 + LENGTHS[-1] // len(mine)))
            windows = [(start, start + n) for n in LENGTHS for start in range(len(mine))]
            got = np.concatenate([call(*(each[a:b] for each in tiled))[j] for a, b in windows])
            expected = np.concatenate([repeated[a:b] for a, b in windows])
            assert_same_bits(got, expected, f"{function} {built.level} {built.tier} in arrays of 1 to {LENGTHS[-1]}")
