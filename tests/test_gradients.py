"""Every backward against central differences of its forward, and from-output forms against those from the input."""

import numpy as np
import pytest
import support
from support import CASES, LEARNED

import numact as na
from numact import reference

FROM_OUTPUT = [case for case in CASES if case.suffix == "_backward_from_output"]
BACKWARD = [case for case in CASES if case.suffix == "_backward"]
PARAMETERS = {
    "leaky_relu": (0.01, 0.5, -0.25),
    "prelu": (0.25, -0.5, 1.5),
    "threshold": ((1.0, 0.0), (-0.75, -2.5)),
    "hard_shrink": (0.5, 1.75),
    "soft_shrink": (0.5, 1.75),
    "elu": (1.0, 0.25, 3.0),
    "hard_tanh": ((-1.0, 1.0), (-0.75, 3.5)),
    "celu": (1.0, 0.25, 3.0),
    "softplus": (1.0, 0.25, 3.0),
    "squareplus": (4.0, 0.25, 0.0),
    "swish": (1.0, 0.5, -2.0, 0.0),
}
# Where a function has a kink besides 0.
KINKS = {
    "relu6": lambda: [6],
    "threshold": lambda threshold, value: [threshold],
    "hard_shrink": lambda lambd: [-lambd, lambd],
    "soft_shrink": lambda lambd: [-lambd, lambd],
    "hard_sigmoid": lambda: [-3, 3],
    "hard_swish": lambda: [-3, 3],
    "hard_tanh": lambda min_val, max_val: [min_val, max_val],
}


def parameters_of(case):
    given = PARAMETERS[case.activation] if case.parameters else [()]
    return [list(each) if isinstance(each, tuple) else [each] for each in given]


def points(rng, kinks=()):
    """Away from the kinks by more than a step of the difference."""
    x = np.concatenate([rng.normal(scale=3, size=300), rng.uniform(-20, 20, 200)])
    return x[np.all([np.abs(x - kink) > 1e-2 for kink in (0, *kinks)], axis=0)]


def difference(f, x, step):
    """Central difference of fourth order."""
    return (8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (12 * step)


def assert_close(got, expected, limit, label, *inputs):
    error = np.abs(got - expected)
    worst = np.argmax(error / limit)
    assert (error <= limit).all(), (
        f"{label}: inputs {[np.broadcast_to(each, got.shape)[worst] for each in inputs]}, "
        f"expected {expected[worst]!r}, got {got[worst]!r}, error {error[worst]:.3g}, "
        f"limit {np.broadcast_to(limit, got.shape)[worst]:.3g}"
    )


@pytest.mark.parametrize("case", BACKWARD, ids=str)
def test_central_differences(built, case, rng):
    """Steps of 2e-3: truncation below 1e-10, rounding below 1e-12."""
    forward, backward = built.ufuncs[case.activation], built.ufuncs[case.name]
    for parameters in parameters_of(case):
        x = points(rng, KINKS.get(case.activation, lambda *_: ())(*parameters))
        dy = rng.normal(size=x.size)
        expected = dy * difference(lambda x: forward(x, *parameters), x, 2e-3)  # noqa: B023
        got = backward(dy, x, *parameters)
        assert_close(got, expected, 1e-9 * np.abs(dy), f"{case.name}{parameters} {built.level} {built.tier}", dy, x)


@pytest.mark.parametrize("name", LEARNED)
def test_central_differences_in_the_parameter(built, name, rng):
    x = points(rng)
    dy = rng.normal(size=x.size)
    for value in PARAMETERS[name]:
        forward, backward = built.ufuncs[name], built.functions[f"{name}_backward"]
        expected = dy * difference(lambda p: forward(x, p), np.full(x.size, value), 1e-3)  # noqa: B023
        dx, each = backward(dy, x, np.full(x.size, value))
        limit = 1e-9 * np.abs(dy) * (1 + x**4)
        assert_close(each, expected, limit, f"{name}_backward {built.level} {built.tier}, {value}", dy, x)
        total = backward(dy, x, value)[1]
        assert abs(total - each.sum()) <= 1e-13 * np.abs(each).sum(), f"{name}: expected {each.sum()!r}, got {total!r}"
        np.testing.assert_array_equal(dx, built.ufuncs[f"{name}_backward"](dy, x, value))


@pytest.mark.parametrize("case", BACKWARD, ids=str)
def test_float32_gives_what_float64_does(built, case, rng):
    """Single precision: within 8 ulp of |dy| times the larger of |f'| and 1."""
    x, dy = points(rng).astype(np.float32), rng.normal(size=1).astype(np.float32)
    for parameters in parameters_of(case):
        got = built.ufuncs[case.name](dy, x, *parameters)
        cast = np.array(parameters, support.parameter_dtype(np.float32, built.tier)).astype(float)
        expected = built.ufuncs[case.name](dy.astype(float), x.astype(float), *cast)
        limit = 8 * np.spacing(np.maximum(np.abs(expected), np.abs(dy)).astype(np.float32))
        assert_close(got, expected, limit, f"{case.name}{parameters} {built.level} {built.tier}", dy, x)


@pytest.mark.parametrize("case", FROM_OUTPUT, ids=str)
def test_from_output_agrees_with_from_input(built, dtype, case, rng):
    """Where the output is away from saturation: y has an error of 2.5 ulp, which f' as a function of y multiplies."""
    x = points(rng).astype(dtype)
    x = x[(x > -3) & (x < 3)] if case.record.saturates == "both" else x[x > -3]
    dy = rng.normal(size=x.size).astype(dtype)
    eps = np.finfo(dtype).eps
    for parameters in parameters_of(case):
        if len(parameters) == 1 and parameters[0] < 0:
            continue
        y = built.ufuncs[case.activation](x, *parameters)
        got = built.ufuncs[case.name](dy, y, *parameters)
        expected = built.ufuncs[f"{case.activation}_backward"](dy, x, *parameters)
        # |d f'/d y| is at most 2 and f' at least 0.009 of its largest there.
        limit = 12 * eps * np.abs(dy) * max(1, *parameters, 1.76)
        assert_close(got, expected, limit, f"{case.name}{parameters} {built.level} {built.tier}", dy, x, y)


@pytest.mark.parametrize("case", FROM_OUTPUT, ids=str)
def test_from_output_is_its_formula(built, dtype, case, rng):
    """Against the plain formula in long double, of the same y; a few roundings of the sum inside."""
    y = rng.uniform(-0.999, 0.999, 500).astype(dtype)
    y = np.abs(y) if case.record.output_range[0] == 0 else -np.abs(y) if case.record.output_range[1] == 0 else y
    dy = rng.normal(size=500).astype(dtype)
    eps = np.finfo(dtype).eps
    for parameters in parameters_of(case):
        if len(parameters) == 1 and parameters[0] < 0:
            continue
        cast = [np.array(each, support.parameter_dtype(dtype, built.tier)) for each in parameters]
        got = built.ufuncs[case.name](dy, y, *cast)
        wide = [each.astype(np.longdouble) for each in (dy, y, *cast)]
        expected = getattr(reference, case.name)(*wide)
        limit = 3 * eps * np.abs(dy) * max(1, *parameters, 1.76)
        assert_close(got, expected, limit, f"{case.name}{parameters} {built.level} {built.tier}", dy, y)


def test_gradient_of_maxout(built, rng):
    """Only the piece that won moves the output."""
    x = rng.normal(size=(6, 4, 5))
    for axis in range(3):
        y, which = built.functions["maxout"](x, axis)
        dy = rng.normal(size=y.shape)
        dx = built.functions["maxout_backward"](dy, which, x.shape[axis], axis)
        for index in np.ndindex(x.shape):
            moved = x.copy()
            moved[index] += 1e-7
            change = ((built.functions["maxout"](moved, axis)[0] - y) * dy).sum() / 1e-7
            assert abs(change - dx[index]) <= 1e-6, f"maxout axis {axis} at {index}: {change} and {dx[index]}"


def test_catalogue_says_what_is_returned(rng):
    x = rng.normal(size=(4, 3))
    for name, record in na.activations.items():
        parameters = [0.5 if each.default is None else each.default for each in record.parameters]
        arrays = [x] * (2 if record.kind == "gated" else 1)
        result = record.forward(*arrays, *parameters)
        results = result if isinstance(result, tuple) else (result,)
        assert len(results) == len(record.returns[0]), name
        if name == "maxout":
            gradient = record.backward(results[0], results[1], 3)
        elif name == "rrelu":
            gradient = record.backward(x, x, results[1])
        elif name == "crelu":
            gradient = record.backward(results[0], x)
        else:
            gradient = record.backward(x, *arrays, *parameters)
        assert (len(gradient) if isinstance(gradient, tuple) else 1) == len(record.returns[1]), name
        assert record.returns[1][0] == ("dgate" if record.kind == "gated" else "dx"), name
