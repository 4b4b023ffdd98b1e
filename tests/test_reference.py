"""The reference is the oracle of the other tests, so it is checked against mathematics alone."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path

import numpy as np
import pytest

import numact as na
from numact import reference

LONG = np.longdouble
UNARY = [
    ("sigmoid", ()),
    ("tanh", ()),
    ("relu", ()),
    ("leaky_relu", (0.01,)),
    ("leaky_relu", (-0.5,)),
    ("prelu", (0.25,)),
    ("relu6", ()),
    ("squared_relu", ()),
    ("threshold", (1.0, 0.0)),
    ("threshold", (-0.5, -3.0)),
    ("hard_shrink", (0.5,)),
    ("soft_shrink", (0.5,)),
    ("hard_sigmoid", ()),
    ("hard_tanh", (-1.0, 1.0)),
    ("hard_tanh", (-0.3, np.inf)),
    ("elu", (1.0,)),
    ("elu", (0.3,)),
    ("selu", ()),
    ("gelu", ()),
    ("gelu_tanh", ()),
    ("quick_gelu", ()),
    ("celu", (1.0,)),
    ("celu", (2.5,)),
    ("softplus", (1.0,)),
    ("softplus", (2.5,)),
    ("log_sigmoid", ()),
    ("tanh_shrink", ()),
    ("softsign", ()),
    ("squareplus", (4.0,)),
    ("squareplus", (0.0,)),
    ("mish", ()),
    ("dish", ()),
    ("silu", ()),
    ("swish", (1.0,)),
    ("swish", (0.0,)),
    ("swish", (-2.5,)),
    ("hard_swish", ()),
]
assert {name for name, _ in UNARY} == {name for name, record in na.activations.items() if record.kind == "elementwise"}
GATED = {"glu": "sigmoid", "reglu": "relu", "geglu": "gelu", "swiglu": "silu"}
FROM_OUTPUT = [case for case in UNARY if hasattr(reference, f"{case[0]}_backward_from_output") and case[1] != (-0.5,)]


def forward(name, x, *parameters):
    return getattr(reference, name)(x, *parameters)


def backward(name, dy, x, *parameters):
    dx = getattr(reference, f"{name}_backward")(dy, x, *parameters)
    return dx[0] if isinstance(dx, tuple) else dx


def same(actual, expected):
    """Equal with the sign of zero, NaN equal to NaN."""
    np.testing.assert_array_equal(actual, expected)
    finite = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(actual)[finite], np.signbit(expected)[finite])


def test_imports_numpy_only():
    """It stands on its own: loaded from its file, it needs no native module."""
    path = Path(reference.__file__)
    spec = importlib.util.spec_from_file_location("reference_alone", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert "numact" not in [name for name, _ in inspect.getmembers(module, inspect.ismodule)]
    assert module.relu(np.array([-1.0, 2.0])).tolist() == [0, 2]


def test_has_every_activation():
    for name, record in na.activations.items():
        assert hasattr(reference, name), name
        assert hasattr(reference, f"{name}_backward"), name
        assert hasattr(reference, f"{name}_backward_from_output") == (record.backward_from_output is not None), name


@pytest.mark.parametrize(("name", "parameters"), UNARY)
def test_derivative_is_that_of_the_forward_function(name, parameters):
    x = np.concatenate([np.linspace(-12, 12, 397), [-40, 40]]).astype(LONG)
    x = x[np.all([np.abs(x - kink) > 1e-3 for kink in (-3, -1, -0.5, -0.3, 0, 0.5, 1, 3, 6)], axis=0)]
    h = LONG(1e-6)
    expected = (forward(name, x + h, *parameters) - forward(name, x - h, *parameters)) / (2 * h)
    np.testing.assert_allclose(backward(name, np.ones_like(x), x, *parameters), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("name", "parameters"), FROM_OUTPUT)
def test_backward_from_output_equals_backward(name, parameters):
    x = np.linspace(-6, 6, 101).astype(LONG)
    dy = np.cos(x)
    y = forward(name, x, *parameters)
    actual = getattr(reference, f"{name}_backward_from_output")(dy, y, *parameters)
    np.testing.assert_allclose(actual, backward(name, dy, x, *parameters), rtol=1e-12)


@pytest.mark.parametrize(("name", "parameters"), UNARY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_accurate_in_the_tails(name, parameters, dtype):
    """Each dtype against long double with the same parameters, also where the textbook formula has lost everything."""
    low32, low64 = {"gelu": (12, 37), "gelu_tanh": (9, 20)}.get(name, (30, 250))  # normal numbers as far as there
    low = low32 if dtype == np.float32 else low64
    x = np.concatenate([np.linspace(-low, low, 801), np.geomspace(1e-30, 1, 50), -np.geomspace(1e-30, 1, 50)])
    x = x.astype(dtype)
    exact = [LONG(dtype(p)) for p in parameters]
    eps = np.finfo(dtype).eps
    has_sign_change = name in ("gelu", "gelu_tanh", "quick_gelu", "silu", "swish", "hard_swish", "mish", "dish")
    # The rounding of beta x, x / alpha or of t in gelu_tanh becomes a relative error of that size in the exponential.
    steepness = {
        "swish": lambda beta: abs(beta),
        "softplus": lambda beta: abs(beta),
        "celu": lambda alpha: 1 / alpha,
        "quick_gelu": lambda: 1.702,
        "gelu_tanh": lambda: 1.6 + 0.08 * low**2,
    }.get(name, lambda *_: 0)
    rtol = 8 * eps * max(1, steepness(*parameters) * low)
    for actual, expected in (
        (forward(name, x, *parameters), forward(name, x.astype(LONG), *exact)),
        (
            backward(name, np.ones_like(x), x, *parameters),
            backward(name, np.ones(len(x), LONG), x.astype(LONG), *exact),
        ),
    ):
        assert actual.dtype == dtype
        near = np.abs(expected) < 0.06 if has_sign_change else np.zeros(len(x), bool)
        near &= (np.abs(x) > 0.4) & (np.abs(x) < 1.7)
        np.testing.assert_allclose(actual[near].astype(LONG), expected[near], rtol=0, atol=4 * eps)
        smallest = 4 * LONG(np.finfo(dtype).smallest_subnormal)
        np.testing.assert_allclose(actual[~near].astype(LONG), expected[~near], rtol=rtol, atol=smallest)


def test_gradients_in_saturation_do_not_cancel():
    x = np.array([10.0, 15.0])
    np.testing.assert_allclose(reference.tanh_backward(1.0, x), 4 * np.exp(-2 * x), rtol=1e-8)
    np.testing.assert_allclose(reference.sigmoid_backward(1.0, 4 * x), np.exp(-4 * x), rtol=1e-15)
    np.testing.assert_allclose(reference.elu_backward(1.0, -3 * x, 2.0), 2 * np.exp(-3 * x), rtol=1e-15)


LIMITS = [  # name, parameters, f(-inf), f(inf), f'(-inf), f'(inf)
    ("sigmoid", (), 0.0, 1.0, 0.0, 0.0),
    ("tanh", (), -1.0, 1.0, 0.0, 0.0),
    ("relu", (), 0.0, np.inf, 0.0, 1.0),
    ("leaky_relu", (0.5,), -np.inf, np.inf, 0.5, 1.0),
    ("leaky_relu", (0.0,), -0.0, np.inf, 0.0, 1.0),
    ("prelu", (-0.5,), np.inf, np.inf, -0.5, 1.0),
    ("relu6", (), 0.0, 6.0, 0.0, 0.0),
    ("squared_relu", (), 0.0, np.inf, 0.0, np.inf),
    ("threshold", (1.0, -2.0), -2.0, np.inf, 0.0, 1.0),
    ("hard_shrink", (0.5,), -np.inf, np.inf, 1.0, 1.0),
    ("soft_shrink", (np.inf,), -0.0, 0.0, 0.0, 0.0),
    ("hard_sigmoid", (), 0.0, 1.0, 0.0, 0.0),
    ("hard_tanh", (-1.0, np.inf), -1.0, np.inf, 0.0, 0.0),
    ("elu", (2.0,), -2.0, np.inf, 0.0, 1.0),
    ("gelu", (), -0.0, np.inf, -0.0, 1.0),
    ("gelu_tanh", (), -0.0, np.inf, -0.0, 1.0),
    ("quick_gelu", (), -0.0, np.inf, -0.0, 1.0),
    ("hard_swish", (), -0.0, np.inf, 0.0, 1.0),
    ("celu", (2.0,), -2.0, np.inf, 0.0, 1.0),
    ("softplus", (2.0,), 0.0, np.inf, 0.0, 1.0),
    ("log_sigmoid", (), -np.inf, -0.0, 1.0, 0.0),
    ("tanh_shrink", (), -np.inf, np.inf, 1.0, 1.0),
    ("softsign", (), -1.0, 1.0, 0.0, 0.0),
    ("squareplus", (4.0,), 0.0, np.inf, 0.0, 1.0),
    ("squareplus", (0.0,), 0.0, np.inf, 0.0, 1.0),
    ("mish", (), -0.0, np.inf, -0.0, 1.0),
    ("dish", (), -0.0, np.inf, -0.0, 1.0),
    ("silu", (), -0.0, np.inf, -0.0, 1.0),
    ("swish", (3.0,), -0.0, np.inf, -0.0, 1.0),
    ("swish", (0.0,), -np.inf, np.inf, 0.5, 0.5),
    ("swish", (-1.0,), -np.inf, 0.0, 1.0, -0.0),
]


@pytest.mark.parametrize(("name", "parameters", "low", "high", "slope_low", "slope_high"), LIMITS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, LONG])
def test_limits_at_infinity(name, parameters, low, high, slope_low, slope_high, dtype):
    x = np.array([-np.inf, np.inf], dtype)
    same(forward(name, x, *parameters), np.array([low, high], dtype))
    same(backward(name, np.ones_like(x), x, *parameters), np.array([slope_low, slope_high], dtype))


@pytest.mark.parametrize(("name", "parameters"), UNARY)
def test_nan_gives_nan(name, parameters):
    x = np.array([np.nan])
    assert np.isnan(forward(name, x, *parameters))
    assert np.isnan(backward(name, np.ones(1), x, *parameters))


@pytest.mark.parametrize(
    ("name", "parameters", "slope"),
    [
        ("relu", (), 0),
        ("leaky_relu", (0.1,), 0.1),
        ("prelu", (0.3,), 0.3),
        ("elu", (0.7,), 0.7),
        ("selu", (), 1.0507009873554804934 * 1.6732632423543772848),
    ],
)
def test_value_and_gradient_at_the_kink_at_0(name, parameters, slope):
    x = np.array([-0.0, 0.0])
    same(forward(name, x, *parameters), x)
    np.testing.assert_array_equal(backward(name, np.ones(2), x, *parameters), slope)


@pytest.mark.parametrize(
    ("name", "parameters", "kinks", "values"),
    [
        ("relu6", (), [0, 6], [0, 6]),
        ("threshold", (1.0, -2.0), [1], [-2]),
        ("hard_shrink", (0.5,), [-0.5, 0.5], [-0.0, 0.0]),
        ("soft_shrink", (0.5,), [-0.5, 0.5], [-0.0, 0.0]),
        ("hard_sigmoid", (), [-3, 3], [0, 1]),
        ("hard_tanh", (-0.5, 2.0), [-0.5, 2], [-0.5, 2]),
    ],
)
def test_other_kinks(name, parameters, kinks, values):
    """The derivative is 0 there; the next numbers outside and inside have that of their side."""
    x = np.array(kinks, np.float64)
    same(forward(name, x, *parameters), np.array(values, np.float64))
    same(backward(name, np.ones(len(x)), x, *parameters), np.zeros(len(x)))
    below, above = (backward(name, np.ones(len(x)), np.nextafter(x, to), *parameters) for to in (-np.inf, np.inf))
    assert np.all((below == 0) != (above == 0))


@pytest.mark.parametrize(("name", "parameters"), UNARY)
def test_quiet(name, parameters):
    x = np.array([-np.inf, -1e308, -800, -1e-310, 0, 1e-310, 800, 1e308, np.inf, np.nan])
    with np.errstate(all="raise"):
        forward(name, x, *parameters)
        backward(name, x, x, *parameters)


@pytest.mark.parametrize(("name", "parameters"), UNARY)
@pytest.mark.parametrize(
    ("dtype", "result"), [(np.float32, np.float32), (np.int16, np.float64), (bool, np.float64), (LONG, LONG)]
)
def test_dtype(name, parameters, dtype, result):
    x = np.array([0, 1, 1], dtype)
    assert forward(name, x, *parameters).dtype == result
    assert backward(name, x, x, *parameters).dtype == result
    assert backward(name, 1.0, x, *parameters).dtype == result  # a Python scalar is weak


def test_hard_swish_at_its_kinks():
    np.testing.assert_array_equal(reference.hard_swish([-3.0, 3.0]), [0, 3])
    np.testing.assert_array_equal(reference.hard_swish_backward(1.0, np.array([-3.0, 3.0])), [0, 1])


@pytest.mark.parametrize(("name", "activation"), GATED.items())
def test_gated(name, activation):
    """act(gate) * value and its gradients by both arrays, which broadcast."""
    rng = np.random.default_rng(0)
    gate, dy = rng.normal(0, 3, (2, 4, 50)).astype(LONG)
    value = rng.normal(size=50).astype(LONG)
    np.testing.assert_array_equal(getattr(reference, name)(gate, value), getattr(reference, activation)(gate) * value)
    dgate, dvalue = getattr(reference, f"{name}_backward")(dy, gate, value)
    np.testing.assert_allclose(dgate, getattr(reference, f"{activation}_backward")(dy * value, gate), rtol=1e-17)
    np.testing.assert_allclose(dvalue, getattr(reference, activation)(gate) * dy, rtol=1e-17)


@pytest.mark.parametrize("name", GATED)
def test_gated_dtype(name):
    gate = np.array([0, 1, -1], np.float32)
    results = [getattr(reference, name)(gate, 2.0), *getattr(reference, f"{name}_backward")(1.0, gate, gate)]
    assert {each.dtype for each in results} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", ["prelu", "swish"])
@pytest.mark.parametrize("shape", [(), (1,), (5,), (4, 1), (3, 1, 5), (3, 4, 5)])
def test_parameter_gradient(name, shape):
    """Against central differences of sum(dy f(x, parameter)), for each element of the parameter."""
    rng = np.random.default_rng(0)
    x, dy = rng.normal(0, 2, (2, 3, 4, 5)).astype(LONG)
    parameter = rng.uniform(0.2, 2, shape).astype(LONG)
    dx, actual = getattr(reference, f"{name}_backward")(dy, x, parameter)
    assert dx.shape == x.shape
    assert actual.shape == shape
    h = LONG(1e-6)
    for index in np.ndindex(*shape):
        step = np.zeros(shape, LONG)
        step[index] = h
        change = forward(name, x, parameter + step) - forward(name, x, parameter - step)
        np.testing.assert_allclose(actual[index], np.sum(dy * change) / (2 * h), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", ["prelu", "swish"])
def test_parameter_gradient_is_summed_in_double(name):
    x = np.full(100_000, -1, np.float32)
    dy = np.where(np.arange(x.size) % 2, np.float32(1e8), np.float32(-1e8))
    dy[0] += np.float32(1e4)
    _, actual = getattr(reference, f"{name}_backward")(dy, x, 1.0)
    assert actual.dtype == np.float32
    per_dy = -1.0 if name == "prelu" else float(reference.sigmoid_backward(1.0, np.float64(1)))
    np.testing.assert_allclose(actual, per_dy * np.sum(dy, dtype=np.float64), rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_maxout(axis):
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    y, which = reference.maxout(x, axis)
    assert which.dtype == np.uint8
    np.testing.assert_array_equal(y, x.max(axis))
    dy = np.random.default_rng(1).normal(size=y.shape)
    dx = reference.maxout_backward(dy, which, x.shape[axis], axis)
    np.testing.assert_array_equal(dx != 0, x == np.expand_dims(y, axis))
    np.testing.assert_array_equal(dx.sum(axis), dy)


def test_maxout_ties_and_nan():
    x = np.array([[1, 1, 0], [0, np.nan, np.nan], [-0.0, 0.0, -0.0]])
    y, which = reference.maxout(x)
    same(y, np.array([1, np.nan, -0.0]))
    assert which.tolist() == [0, 1, 0]


@pytest.mark.parametrize("pieces", [0, 257])
def test_maxout_refuses(pieces):
    with pytest.raises(ValueError, match=f"takes 1 to 256 pieces, axis 1 has {pieces}"):
        reference.maxout(np.zeros((2, pieces)), axis=1)


def test_sgd_step():
    param, grad, velocity = np.array([1.0, -2.0]), np.array([0.5, 0.25]), np.array([0.1, 0.2])
    plain, momentum, nesterov = param.copy(), param.copy(), param.copy()
    reference.sgd_step(plain, grad, lr=0.1, weight_decay=0.01, dampening=0.5)
    np.testing.assert_allclose(plain, param - 0.1 * (grad + 0.01 * param))
    for stepped, extra in ((momentum, {"dampening": 0.25, "maximize": True}), (nesterov, {"nesterov": True})):
        v = velocity.copy()
        reference.sgd_step(stepped, grad, v, lr=0.1, momentum=0.9, **extra)
        expected = 0.9 * velocity + ((1 - 0.25) * -grad if "maximize" in extra else grad)
        np.testing.assert_allclose(v, expected)
        step = grad + 0.9 * expected if "nesterov" in extra else expected
        np.testing.assert_allclose(stepped, param - 0.1 * step)
    with pytest.raises(ValueError, match="momentum needs a velocity"):
        reference.sgd_step(param, grad, lr=0.1, momentum=0.9)
