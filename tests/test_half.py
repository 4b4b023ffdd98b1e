"""float16 and bfloat16: every bit pattern through every function, promotion, layouts, and bfloat16's late arrival."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import support
from support import CASES, Guarded, assert_same_bits
from ulp import FORMATS, LONG, ROOTS, errors

import numact as na
from numact import precise, reference

try:
    from ml_dtypes import bfloat16
except ImportError:
    bfloat16 = None

HALVES = [
    pytest.param(np.float16, id="float16"),
    pytest.param(bfloat16, id="bfloat16", marks=pytest.mark.skipif(bfloat16 is None, reason="needs ml_dtypes")),
]


def every_value(dtype):
    return np.arange(65_536, dtype=np.uint16).view(dtype)


def near_root(case, x, parameters):
    """Where f' changes sign: there the error is bounded by half an ulp of dy instead."""
    roots = ROOTS[case.activation](*parameters) if case.activation in ROOTS else None
    return np.zeros(x.shape, bool) if roots is None else np.abs(x.astype(LONG) - roots[0]) <= roots[1]


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("case", [case for case in CASES if case.suffix != "_backward_from_output"], ids=str)
@np.errstate(invalid="ignore", over="ignore")  # of the oracle's casts
def test_every_input(case, dtype):
    """Half an ulp and no more than a thousandth beyond, for all 65,536 inputs; backward with dy of several sizes."""
    x = every_value(dtype)
    parameters = [np.float32(p) for p in support.defaults(case)]
    wide = [LONG(p) for p in parameters]
    functions = {"numact": getattr(na, case.name), "numact.precise": getattr(precise, case.name)}
    for gradient in [None] if case.suffix == "" else [1.0, -0.0123, 300.0]:
        if gradient is None:
            data, exact = [x], getattr(reference, case.activation)(x.astype(LONG), *wide)
        else:
            dy = np.full(x.shape, gradient, dtype)
            slope = getattr(reference, f"{case.activation}_derivative")(x.astype(LONG), *wide)
            data, exact = [dy, x], dy.astype(LONG) * slope
        results = [function(*data, *parameters) for function in functions.values()]
        got = results[0][0] if isinstance(results[0], tuple) else results[0]
        other = results[1][0] if isinstance(results[1], tuple) else results[1]
        assert got.dtype == dtype
        assert_same_bits(other, got, f"precise.{case.name} is the standard tier's")
        error = errors(got, exact)
        if gradient is not None:
            near = near_root(case, x, wide)
            digits, lowest, _ = FORMATS[np.dtype(dtype).name]
            unit = max(np.ldexp(1.0, np.frexp(abs(gradient))[1] - digits), np.ldexp(1.0, lowest))
            error = np.where(near, np.abs(got.astype(LONG) - exact) / unit, error)
        worst = int(np.argmax(error))
        assert error[worst] <= 0.501, (
            f"{case.name}({x[worst]!r}), dy = {gradient}: expected {exact[worst]!r}, got {got[worst]!r}, "
            f"{float(error[worst]):.4f} ulp"
        )


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_layouts(case, dtype, rng):
    """The same bits for every length, stride and offset, beside the scalar result; no neighbour is written."""
    ufunc = getattr(na.ufuncs, case.name)
    for n in (1, 7, 16, 33, 300):
        data = [rng.normal(scale=4, size=n).astype(dtype) for _ in range(case.arrays)]
        given = [rng.uniform(0.1, 2, n).astype(np.float32) for _ in range(case.parameters)]
        expected = support.one_by_one(ufunc, *data, *given)
        for step in (1, -1, 2, 3):
            inputs = []
            for array in data:
                stepped = Guarded(n, dtype, steps=(step,))
                stepped.array[...] = array
                inputs.append(stepped.array)
            out = Guarded(n, dtype, steps=(step,))
            ufunc(*inputs, *given, out=out.array)
            assert_same_bits(out.array, expected, f"{case.name}, n = {n}, step {step}", *data)
            out.check(case.name)


@pytest.mark.parametrize("dtype", HALVES)
def test_threads_change_nothing(dtype, rng):
    x = rng.normal(size=300_001).astype(dtype)
    with na.num_threads(1):
        expected = na.silu(x)
    with na.num_threads(2):
        assert_same_bits(na.silu(x), expected, "silu")


@pytest.mark.parametrize("dtype", HALVES)
def test_promotion(dtype):
    x = np.array([-1.0, 2.0], dtype)
    assert na.relu(x).dtype == dtype
    assert na.relu(x[0]).dtype == dtype
    assert na.leaky_relu(x, 0.1).dtype == dtype
    assert na.leaky_relu(x, np.full(2, 0.1)).dtype == dtype
    assert na.leaky_relu(x, negative_slope=np.float64(0.1)).dtype == dtype
    assert na.tanh_backward(1.0, x).dtype == dtype
    assert na.tanh_backward(x, 2).dtype == dtype
    assert na.tanh_backward(x, x.astype(np.float32)).dtype == np.float32
    assert na.tanh_backward(x.astype(np.float64), x).dtype == np.float64
    assert na.tanh([1, 2], dtype=dtype).dtype == dtype
    assert na.tanh(np.array([1.0, 2.0], np.float32), out=np.empty(2, dtype)).dtype == dtype
    with pytest.raises(TypeError):
        na.tanh_backward(x, np.ones(2, np.complex64))


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", support.LEARNED)
def test_parameter_gradient(name, dtype, rng):
    """Sums in float64 of the exact terms, rounded once to the data's dtype."""
    dy, x = (rng.normal(size=(50, 40)).astype(dtype) for _ in range(2))
    parameter = np.full(40, 0.25, np.float32)
    dx, got = getattr(na, f"{name}_backward")(dy, x, parameter)
    wide = [each.astype(np.float64) for each in (dy, x)]
    _, expected = getattr(reference, f"{name}_backward")(*wide, parameter.astype(np.float64))
    assert dx.dtype == got.dtype == dtype
    assert_same_bits(got, expected.astype(dtype), f"{name}_backward")


@pytest.mark.parametrize("dtype", HALVES)
def test_maxout(dtype, rng):
    x = rng.normal(size=(6, 5, 4)).astype(dtype)
    for axis in (0, 1, 2, -1):
        y, which = na.maxout(x, axis)
        wide, same = na.maxout(x.astype(np.float32), axis)
        assert_same_bits(y, wide.astype(dtype), "maxout")
        np.testing.assert_array_equal(which, same)
        dx = na.maxout_backward(y, which, x.shape[axis], axis)
        assert dx.dtype == dtype
        np.testing.assert_array_equal(dx.astype(np.float32).sum(axis), y.astype(np.float32))


@pytest.mark.skipif(bfloat16 is None, reason="needs ml_dtypes")
@pytest.mark.parametrize("order", ["import numact as na, ml_dtypes", "import ml_dtypes, numact as na"])
def test_bfloat16_in_any_order_of_import(order):
    """A loop of the ufunc's own, whichever package came first and whatever was called before."""
    code = (
        f"{order}\nimport numpy as np\nna.gelu(np.ones(3, np.float32)) if hasattr(na, 'gelu') else None\n"
        "b = ml_dtypes.bfloat16\nx = np.array([-1.0, 2.0], b)\n"
        "assert na.silu(x).dtype == b and na.elu(x, 0.5).dtype == b and na.ufuncs.elu(1.0, x[0]).dtype != object\n"
        "assert na.silu.resolve_dtypes((np.dtype(b), None)) == (np.dtype(b), np.dtype(b))\n"
        "from numact import precise\nassert precise.silu(x).dtype == b and na.silu_backward(1.0, x).dtype == b\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(bfloat16 is None, reason="needs ml_dtypes")
@pytest.mark.parametrize(
    "call",
    [
        "na.gelu(x, dtype=b)",
        "na.gelu(x.astype(np.float32), signature=(b, b), casting='unsafe')",
        "na.softmax(x, dtype=b)",
        "na.swiglu.reduce(x, dtype=b)",
        "na.swiglu_backward(x, x, x, dtype=b)[1]",
    ],
)
def test_first_call_asks_for_bfloat16(call):
    code = (
        "import ml_dtypes, numact as na, numpy as np\nb = np.dtype(ml_dtypes.bfloat16)\nx = np.ones((2, 3), b)\n"
        f"assert ({call}).dtype == b\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(bfloat16 is None, reason="needs ml_dtypes")
def test_numact_does_not_import_ml_dtypes():
    code = "import sys, numact, numpy as np; numact.silu(np.ones(3, np.float16)); assert 'ml_dtypes' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(bfloat16 is None, reason="needs ml_dtypes")
def test_eight_bit_floats_are_refused():
    import ml_dtypes

    with pytest.raises(TypeError, match="expected float16"):
        na.relu(np.ones(3, ml_dtypes.float8_e5m2))
