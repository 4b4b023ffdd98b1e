"""Layers of numact.nn: memory and working in place, batch normalisation, dropout, gates, freezing, exchange, state."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
import weakref

import numpy as np
import pytest
from support import ELEMENTWISE, LEVELS, assert_same_bits, build
from test_nn import NETWORKS, networks

import numact as na
from numact import _native, nn, reference
from numact.nn._activations import forward_with_slope

DIFFERS_IN_TRAINING = ("batch normalisation",)


def small(*middle, units=8, seed=0):
    """A network of 6 columns in and 3 out around the layers given."""
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Dense(6, 8), *middle, nn.Dense(units, 3), rng=rng)


def batch(rows=5, columns=6, dtype=np.float32, seed=1):
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(dtype)


# --- memory ---


def layers_of_every_kind(columns):
    """Groups of layers that keep the number of columns."""
    half = columns // 2
    for name, record in na.activations.items():
        if record.kind != "gated" and name not in ("prelu", "rrelu", "maxout", "crelu"):
            yield [nn.Dense(columns, columns), nn.Activate(name)]
    yield [nn.Dense(columns, columns)]
    yield [nn.Activate("relu"), nn.Dense(columns, columns, bias=False), nn.Activate("gelu")]
    yield [nn.Dense(columns, columns), nn.PReLU(columns)]
    yield [nn.Dense(columns, columns), nn.Swish()]
    yield [nn.Dense(columns, columns), nn.RReLU()]
    yield [nn.Dense(columns, half), nn.Activate("crelu")]
    yield [nn.Maxout(columns, columns)]
    for name in ("glu", "reglu", "geglu", "swiglu"):
        yield [nn.Dense(columns, columns), nn.Gated(name), nn.Dense(half, columns)]
    yield [nn.Dense(columns, columns), nn.BatchNorm(columns), nn.Activate("silu"), nn.Dropout(0.5)]
    yield [nn.Dropout(0.5), nn.Sequential(nn.Dense(columns, columns), nn.Activate("tanh"))]
    yield [nn.Dense(columns, columns), nn.Swish(columns)]
    yield [nn.Dense(columns, columns), nn.Activate("leaky_relu", negative_slope=np.full(columns, 0.1))]


def peak_of_a_step(model, x, dy):
    """Most bytes that steps allocate when all memory is there."""
    optimizer = na.SGD([p.value for p in model.parameters], lr=1e-6, momentum=0.9) if model.parameters else None
    rows = len(x)

    def step(n):
        model.forward(x[:n], training=True)
        model.backward(dy[:n])
        if optimizer:
            optimizer.step([p.grad for p in model.parameters])

    step(rows)
    step(rows - 3)  # the last batch of an epoch
    tracemalloc.start()
    try:
        for n in (rows, rows - 3, rows):
            step(n)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("layers", list(layers_of_every_kind(64)), ids=lambda layers: repr(layers[-1]))
@pytest.mark.parametrize("given", [np.float32, np.float64])
def test_a_step_allocates_nothing_of_the_size_of_its_data(layers, given):
    rows, columns = 5000, 64  # 1.3 MB in float32
    model = nn.Sequential(*layers, rng=np.random.default_rng(0))
    peak = peak_of_a_step(model, batch(rows, columns, given), np.ones((rows, columns), np.float32))
    # NumPy's conversions need blocks, learned activations up to half a byte an element for sums, and blocks.
    learned = any(isinstance(layer, (nn.PReLU, nn.Swish)) for layer in layers)
    assert peak < rows * columns * (1 if learned else 0.5)


TAKERS = {
    "Dense": lambda: nn.Dense(64, 64),
    "relu": lambda: nn.Activate("relu"),
    "gelu": lambda: nn.Activate("gelu"),
    "softmax": lambda: nn.Activate("softmax"),
    "Gated": lambda: nn.Gated("swiglu"),
    "RReLU": lambda: nn.RReLU(rng=np.random.default_rng(0)),
    "PReLU": lambda: nn.PReLU(64),
    "BatchNorm": lambda: nn.BatchNorm(64),
    "Dropout": lambda: nn.Dropout(0.5, rng=np.random.default_rng(0)),
}


@pytest.mark.parametrize("given", [np.uint8, np.int64, bool, ">f4", ">f8"])
@pytest.mark.parametrize("name", TAKERS)
def test_input_of_another_dtype_is_converted_in_kept_memory(name, given):
    rows, columns = 5000, 64
    layer, twin = TAKERS[name](), TAKERS[name]()
    x = np.random.default_rng(0).integers(0, 9, (rows, columns)).astype(given)
    dy = np.ones_like(layer.forward(x, training=True))
    assert peak_of_a_step(layer, x, dy) < rows * columns * (1 if name == "PReLU" else 0.6)

    # The same as with one converted before, however large the batch before it was, and whatever the evaluation.
    for name, array in twin.state.items():
        array[...] = layer.state[name]
    for name, each in twin.generators.items():
        each.bit_generator.state = layer.generators[name].bit_generator.state
    native = np.float32 if given == ">f4" else np.float64
    for n in (20, 7, 13):
        y, expected = layer.forward(x[:n], training=True), twin.forward(x[:n].astype(native), training=True)
        assert y.dtype == expected.dtype == expected.dtype.newbyteorder("=")
        np.testing.assert_array_equal(y, expected)
        evaluated = layer.forward(x[20:])
        kept = evaluated.copy()
        layer.forward(x[30:])
        np.testing.assert_array_equal(evaluated, kept)
        np.testing.assert_array_equal(layer.backward(y.copy()), twin.backward(y.copy()))


@pytest.mark.parametrize(("name", "kept", "gradients"), [("relu", 1, 2), ("gelu", 2, 0)])
def test_gradients_take_the_place_of_what_is_used_up(name, kept, gradients):
    depth, rows, columns = 8, 20_000, 64
    layers = [layer for _ in range(depth) for layer in (nn.Dense(columns, columns), nn.Activate(name))]
    layers.append(nn.Dense(columns, 1))
    model = nn.Sequential(*layers[:8], nn.Sequential(*layers[8:]), rng=np.random.default_rng(0))
    x, dy = batch(rows, columns), np.ones((rows, 1), np.float32)
    assert len(model.parameters) == 2 * depth + 2  # draws the weights
    tracemalloc.start()
    try:
        model.forward(x, training=True)
        saved = model.saved_bytes
        model.backward(dy, input_gradient=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert saved == (1 + kept * depth) * x.nbytes
    assert model.saved_bytes == 0
    assert kept * depth + gradients <= peak / x.nbytes < kept * depth + gradients + 0.5


MIDDLE = {
    "dense": lambda: nn.Dense(6, 6),
    "maxout": lambda: nn.Maxout(6, 6),
    "relu": lambda: nn.Activate("relu"),
    "gelu": lambda: nn.Activate("gelu"),
    "softmax": lambda: nn.Activate("softmax"),
    "prelu": lambda: nn.PReLU(6),
    "dropout": lambda: nn.Dropout(0.3, rng=np.random.default_rng(2)),
    "batch norm": lambda: nn.BatchNorm(6),
    "gated": lambda: nn.Sequential(nn.Dense(6, 4), nn.Gated("swiglu"), nn.Dense(2, 6)),
}


@pytest.mark.parametrize("first", MIDDLE)
@pytest.mark.parametrize("second", MIDDLE)
def test_work_in_place_gives_what_layer_by_layer_gives(first, second):
    """No layer overwrites what another one still needs."""
    middle = [MIDDLE[name]() for name in (first, second, first)]
    model = nn.Sequential(nn.Dense(6, 6), *middle, nn.Dense(6, 3), rng=np.random.default_rng(0))
    assert model.parameters  # draws the weights
    other = copy.deepcopy(model)
    x, dy = batch(), batch(columns=3)
    y = x
    for layer in other:
        y = layer.forward(y, training=True)
    np.testing.assert_array_equal(model.forward(x, training=True), y)
    gradient = dy
    for layer in reversed(other.layers):
        gradient = layer.backward(gradient)
    np.testing.assert_array_equal(model.backward(dy), gradient)
    for p, q in zip(model.parameters, other.parameters, strict=True):
        np.testing.assert_array_equal(p.grad, q.grad, err_msg=p.name)


def test_activations_work_in_place_and_arrays_count_once():
    x = batch()
    in_place, kept = small(nn.Activate("tanh")), small(nn.Activate("gelu"))
    for model in (in_place, kept):
        assert model.saved_bytes == 0
        model.forward(x, training=True)
    assert in_place.saved_bytes == 4 * (5 * 6 + 5 * 8)  # the input and the output of tanh, which the last layer shares
    assert kept.saved_bytes == 4 * (5 * 6 + 2 * 5 * 8)
    dense, tanh, last = in_place.layers
    assert dense._y.take((5, 8), np.dtype(np.float32)) is tanh._kept[0] is last._kept[0]
    # Where the output does not tell the gradient, the input is kept as well.
    assert small(nn.Activate("leaky_relu", negative_slope=0.1)).layers[1]._from_output
    for name, parameters in [
        ("leaky_relu", {"negative_slope": -0.1}),
        ("elu", {"alpha": -1.0}),
        ("threshold", {"value": 2.0}),
        ("leaky_relu", {"negative_slope": np.full(8, 0.1)}),
    ]:
        assert not nn.Activate(name, **parameters)._from_output


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("leaky_relu", {"negative_slope": -0.5}),
        ("elu", {"alpha": -1.0}),
        ("threshold", {"threshold": -1.0, "value": 2.0}),
        ("leaky_relu", {"negative_slope": np.linspace(-1, 1, 8)}),
        ("hard_tanh", {"min_val": -0.7, "max_val": 0.3}),
    ],
)
def test_gradient_where_the_output_may_not_tell_it(name, parameters):
    """In a Sequential the same gradient as from the input."""
    layer = nn.Activate(name, **parameters)
    model = nn.Sequential(nn.Dense(6, 8, initial_bias=0.3), layer, rng=np.random.default_rng(0))
    x, dy = batch(50), batch(50, 8, seed=2)
    z = model[0].forward(x)
    model.forward(x, training=True)
    model.backward(dy)
    dz = na.activations[name].backward(dy, z, **parameters)
    np.testing.assert_allclose(model[0].weight.grad, x.T @ dz, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in DIFFERS_IN_TRAINING])
def test_training_and_evaluation_give_the_same_bits(name):
    model = NETWORKS[name]
    x = batch(7, 4, np.float64)
    np.testing.assert_array_equal(model.forward(x, training=True), model.forward(x))


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_of_changing_size(name):
    """Memory kept from other batches leaves no trace."""
    model = networks()[name]
    fresh = copy.deepcopy(model)
    dy = batch(9, 3, np.float64)
    for rows in (9, 4, 1, 9):
        x = batch(rows, 4, np.float64, seed=rows)
        other = copy.deepcopy(fresh)
        y, expected = model.forward(x, training=True), other.forward(x, training=True)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(model.backward(dy[:rows]), other.backward(dy[:rows]))
        for p, q in zip(model.parameters, other.parameters, strict=True):
            np.testing.assert_array_equal(p.grad, q.grad)


@pytest.mark.parametrize("name", NETWORKS)
def test_float32_against_float64(name):
    model, exact = networks(np.float32)[name], networks(np.float64)[name]
    for p, q in zip(exact.all_parameters, model.all_parameters, strict=True):
        p.value[...] = q.value
    x, dy = batch(40, 4), batch(40, 3, seed=2)
    for single in (x.astype(np.float64), x) if name == "activation first and last" else (x,):
        y, expected = model.forward(single, training=True), exact.forward(x.astype(np.float64), training=True)
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
        dx, expected = model.backward(dy), exact.backward(dy.astype(np.float64))
        np.testing.assert_allclose(dx, expected, rtol=1e-3, atol=1e-4)
        for p, q in zip(model.parameters, exact.parameters, strict=True):
            np.testing.assert_allclose(p.grad, q.grad, rtol=1e-3, atol=1e-4)


def test_a_layer_of_ones_own_is_not_overwritten():
    """What it returns, and what it is given, may be anyone's."""

    class Identity(nn.Layer):
        def forward(self, x, training=False):
            return np.asarray(x)

        def backward(self, dy):
            return np.asarray(dy)

    model = nn.Sequential(Identity(), nn.Activate("tanh"), Identity(), nn.Dropout(0.5, rng=np.random.default_rng(0)))
    x, dy = batch(), batch(seed=2)
    x.flags.writeable = dy.flags.writeable = False
    model.forward(x, training=True)
    assert np.all(model[1]._kept[0] == na.tanh(x))
    model.backward(dy)
    for training in (False, True):
        nn.Sequential(Identity(), nn.Activate("tanh"), nn.PReLU()).forward(x, training)
    assert nn.Sequential(Identity(), nn.Dense(6, 2)).parameters[0].name == "1.weight"


def test_evaluation_returns_new_arrays():
    x = batch()
    for model in (nn.Sequential(nn.Dropout(0.5)), nn.Dropout(0.5)):
        y = model.forward(x)
        assert not np.shares_memory(x, y)
        np.testing.assert_array_equal(x, y)


def test_no_input_gradient():
    model = small(nn.Activate("relu"), nn.BatchNorm(8), nn.PReLU(8))
    x, dy = batch(), batch(columns=3)
    model.forward(x, training=True)
    model.backward(dy)
    expected = [p.grad.copy() for p in model.parameters]
    for p in model.parameters:
        p.grad[...] = np.nan
    with pytest.raises(RuntimeError, match=r"layer 4: .* needs a call of forward\(x, training=True\) before it"):
        model.backward(dy)  # what forward kept is used up
    model.forward(x, training=True)
    assert model.backward(dy, input_gradient=False) is None
    for p, grad in zip(model.parameters, expected, strict=True):
        np.testing.assert_array_equal(p.grad, grad)


# --- Activate that keeps a derivative ---

WITH_SLOPE = [name for name in ELEMENTWISE if forward_with_slope(name) is not None]


def test_which_activations_keep_their_derivative():
    assert WITH_SLOPE == ["gelu", "gelu_tanh", "quick_gelu", "silu", "mish"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", WITH_SLOPE)
def test_output_and_derivative_at_once(name, dtype, level):
    rng = np.random.default_rng(3)
    edges = [0, 0.25, 0.5, 1, 5, 6, 8, 15, 20, 39, 40, 112, 760, 1e30, np.finfo(dtype).max, np.inf]
    x = np.concatenate([3 * rng.normal(size=20001), rng.uniform(-45, 45, 20000), edges, np.negative(edges)])
    x = x.astype(dtype)
    y, slope = np.empty_like(x), np.empty_like(x)
    assert _native.make_forward_with_slope(level, name)(x, y, slope) is not None
    assert_same_bits(y, build(level, "standard").functions[name](x), name, x)
    # The derivative has two terms, f(x)/x and the rest; they cancel where it is 0.
    exact = x.astype(np.longdouble)
    with np.errstate(all="ignore"):
        derivative = getattr(reference, f"{name}_derivative")(exact)
        mean = np.where((exact == 0) | np.isinf(exact), derivative, getattr(reference, name)(exact) / exact)
    terms = np.abs(mean) + np.abs(derivative - mean)
    bound = 4 * np.finfo(dtype).eps * terms + np.finfo(dtype).smallest_normal
    assert np.all(np.abs(slope - derivative) <= bound), x[np.abs(slope - derivative) > bound]
    missing = np.array([np.nan, -np.nan, 1.0], dtype)
    assert np.isnan(_native.make_forward_with_slope(level, name)(missing, missing, missing.copy())[1][:2]).all()


@pytest.mark.parametrize("name", WITH_SLOPE)
def test_activate_takes_every_input_it_keeps_a_derivative_of(name):
    x = batch(7, 5, np.float64)
    unaligned = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    unaligned[...] = x
    dy = batch(7, 5, np.float64, seed=2)
    expected = na.activations[name].backward(dy, x)
    for given in (x, np.asfortranarray(x), x[::-1][::-1], np.repeat(x, 2, axis=1)[:, ::2], unaligned, x.astype(">f8")):
        before = given.copy()
        layer = nn.Activate(name)
        np.testing.assert_array_equal(layer.forward(given, training=True), layer.forward(given))
        np.testing.assert_allclose(layer.backward(dy), expected, rtol=1e-14, atol=1e-15)
        np.testing.assert_array_equal(given, before)


# --- Dense without bias, Gated ---


def test_dense_without_bias():
    layer = nn.Dense(2, 2, initial_weight=[[1, 2], [3, 4]], bias=False)
    assert layer.bias is None
    assert [p.name for p in layer.parameters] == ["weight"]
    np.testing.assert_array_equal(layer.forward([[1, 1]], training=True), [[4, 6]])
    np.testing.assert_array_equal(layer.backward(np.ones((1, 2))), [[3, 7]])
    assert repr(layer) == "Dense(2, 2, bias=False)"
    assert repr(nn.Maxout(2, 2, bias=False)) == "Maxout(2, 2, pieces=2, bias=False)"


@pytest.mark.parametrize("name", ["glu", "reglu", "geglu", "swiglu"])
def test_gated(name):
    x, dy = batch(columns=8, dtype=np.float64), batch(columns=4, dtype=np.float64, seed=2)
    layer = nn.Gated(name)
    np.testing.assert_array_equal(layer.forward(x, training=True), getattr(na, name)(x[:, :4], x[:, 4:]))
    expected = np.concatenate(getattr(na, f"{name}_backward")(dy, x[:, :4], x[:, 4:]), axis=1)
    np.testing.assert_array_equal(layer.backward(dy), expected)
    assert layer.activation == name


# --- BatchNorm ---


def test_batch_norm_in_training():
    layer = nn.BatchNorm(3, momentum=0.8, eps=1e-3, dtype=np.float64)
    layer.weight.value[...] = [1, 2, 3]
    layer.bias.value[...] = [0, -1, 5]
    x = np.random.default_rng(0).normal([0, 5, -2], [1, 3, 0.1], (50, 3))
    expected = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3) * [1, 2, 3] + [0, -1, 5]
    np.testing.assert_allclose(layer.forward(x, training=True), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(layer.running_mean, 0.2 * x.mean(0), rtol=1e-13)
    np.testing.assert_allclose(layer.running_variance, 0.8 + 0.2 * x.var(0, ddof=1), rtol=1e-13)

    mean, variance = layer.running_mean.copy(), layer.running_variance.copy()
    expected = (x - mean) / np.sqrt(variance + 1e-3) * [1, 2, 3] + [0, -1, 5]
    np.testing.assert_allclose(layer.forward(x), expected, rtol=1e-12, atol=1e-13)
    layer.forward(x[:1], training=True)  # one row tells no variance
    np.testing.assert_array_equal(layer.running_mean, mean)
    np.testing.assert_array_equal(layer.running_variance, variance)


def test_batch_norm_over_all_leading_axes():
    x = batch(12, 3, np.float64)
    flat, cube = nn.BatchNorm(3, dtype=np.float64), nn.BatchNorm(3, dtype=np.float64)
    y = flat.forward(x, training=True)
    np.testing.assert_array_equal(cube.forward(x.reshape(3, 4, 3), training=True), y.reshape(3, 4, 3))
    np.testing.assert_array_equal(cube.running_variance, flat.running_variance)


def test_batch_norm_of_a_mean_far_from_zero():
    """float32 data loses no more than its own rounding."""
    noise = np.random.default_rng(0).normal(size=(10_000, 2))
    x = (1000 + noise).astype(np.float32)
    wide = x.astype(np.float64)
    expected = (wide - wide.mean(0)) / np.sqrt(wide.var(0) + 1e-5)
    np.testing.assert_allclose(nn.BatchNorm(2).forward(x, training=True), expected, atol=2e-4)


def test_frozen_batch_norm_uses_the_running_statistics():
    layer = nn.BatchNorm(3, dtype=np.float64)
    layer.running_mean[...] = [1, 2, 3]
    layer.running_variance[...] = [4, 0.25, 1]
    layer.freeze()
    x, dy = batch(columns=3, dtype=np.float64), batch(columns=3, dtype=np.float64, seed=2)
    np.testing.assert_array_equal(layer.forward(x, training=True), layer.forward(x))
    np.testing.assert_array_equal(layer.running_mean, [1, 2, 3])
    scale = 1 / np.sqrt(layer.running_variance + 1e-5)
    np.testing.assert_allclose(layer.backward(dy), dy * scale, rtol=1e-14)
    assert np.all(layer.weight.grad == 0)


def test_batch_norm_trains_again_when_unfrozen():
    layer = nn.BatchNorm(3)
    layer.freeze()
    layer.forward(batch(columns=3), training=True)
    layer.unfreeze()
    layer.forward(batch(columns=3), training=True)
    layer.backward(batch(columns=3))
    assert np.all(layer.running_mean != 0)
    assert np.all(layer.weight.grad != 0)


# --- Dropout ---


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9])
def test_dropout(dtype, rate):
    layer = nn.Dropout(rate, rng=np.random.default_rng(0))
    x, dy = np.ones((400, 500), dtype), np.full((400, 500), 3, dtype)
    y = layer.forward(x, training=True).copy()
    dropped = y == 0
    assert abs(dropped.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / x.size) + 1e-12
    np.testing.assert_allclose(y[~dropped], 1 / (1 - rate), rtol=1e-6)
    np.testing.assert_array_equal(layer.backward(dy), 3 * y)
    assert y.dtype == dtype
    again = layer.forward(x, training=True)
    assert rate == 0 or not np.array_equal(again, y)
    seeded = nn.Dropout(rate, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(seeded.forward(x, training=True), y)


def test_dropout_draws_from_the_generator_of_the_sequential():
    rng, own = np.random.default_rng(0), np.random.default_rng(1)
    model = small(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5, rng=own)))
    assert model.generators.keys() == {"1.rng", "2.0.rng"}
    assert model.generators["2.0.rng"] is own
    outer = nn.Sequential(nn.Dropout(0.5), rng=rng)
    assert outer.generators == {"0.rng": rng}
    x = batch()
    kept = own.bit_generator.state, model.generators["1.rng"].bit_generator.state
    first = model.forward(x, training=True).copy()
    own.bit_generator.state, model.generators["1.rng"].bit_generator.state = kept
    np.testing.assert_array_equal(model.forward(x, training=True), first)
    assert nn.Dropout(0.5).forward(x, training=True).shape == x.shape  # alone it seeds itself


# --- RReLU ---


def test_rrelu():
    layer = nn.RReLU(0.1, 0.5, rng=np.random.default_rng(0))
    x, dy = -np.ones((400, 500)), np.full((400, 500), 3.0)
    x[0] = 2
    np.testing.assert_allclose(layer.forward(x), np.where(x > 0, x, 0.3 * x), rtol=1e-15)
    y = layer.forward(x, training=True).copy()
    np.testing.assert_array_equal(y[0], 2)
    slope = -y[1:]
    assert slope.min() >= 0.1
    assert slope.max() < 0.5
    assert abs(slope.mean() - 0.3) < 4 * 0.4 / np.sqrt(12 * slope.size)
    dx = layer.backward(dy)
    np.testing.assert_array_equal(dx[0], 3)
    np.testing.assert_allclose(dx[1:], 3 * slope, rtol=1e-15)
    again = nn.Sequential(nn.RReLU(0.1, 0.5), rng=np.random.default_rng(0))
    np.testing.assert_array_equal(again.forward(x, training=True), y)
    seeded = nn.RReLU(0.1, 0.5, rng=np.random.default_rng(0))
    model = nn.Sequential(seeded, nn.Dense(500, 3, dtype=np.float64))
    model.forward(x, training=True)  # the gradient goes through in place
    dx = model.backward(np.ones((400, 3)))
    np.testing.assert_allclose(dx, np.where(x > 0, 1, -y) * model[1].weight.value.sum(axis=1), rtol=1e-12)
    assert repr(layer) == "RReLU(0.1, 0.5)"
    with pytest.raises(ValueError, match="lower <= upper"):
        nn.RReLU(0.5, 0.1)


# --- freezing, exchange, state ---


def test_freeze():
    model = small(nn.BatchNorm(8), nn.Sequential(nn.PReLU(8), nn.Maxout(8, 8)))
    names = [p.name for p in model.parameters]
    assert names == [
        "0.weight", "0.bias", "1.weight", "1.bias", "2.0.weight", "2.1.weight", "2.1.bias", "3.weight", "3.bias"
    ]  # fmt: skip
    x, dy = batch(), batch(columns=3)
    model.forward(x, training=True)
    expected_dx = model.backward(dy).copy()
    expected = {p.name: p.grad.copy() for p in model.parameters}
    frozen = copy.deepcopy(model)
    frozen[1].running_mean[...] = 0
    for p in frozen.all_parameters:
        p.grad[...] = np.nan
    frozen[0].freeze()
    frozen[2][0].freeze()
    frozen.forward(x, training=True)
    dx = frozen.backward(dy)
    for p in frozen.all_parameters:
        if p.name in ("0.weight", "0.bias", "2.0.weight"):
            assert np.all(np.isnan(p.grad))
        else:
            np.testing.assert_array_equal(p.grad, expected[p.name])
    np.testing.assert_array_equal(dx, expected_dx)

    model.freeze(-1)
    assert (model.frozen, model[2].frozen) == (False, True)
    assert [p.name for p in model.parameters] == ["3.weight", "3.bias"]
    assert [p.name for p in model.all_parameters] == names
    model.forward(x, training=True)
    assert model.backward(dy, input_gradient=False) is None
    model.freeze()
    assert model.frozen
    assert model.parameters == []
    model.forward(x, training=True)
    assert model.backward(dy, input_gradient=False) is None
    model.forward(x, training=True)
    assert model.backward(dy).shape == x.shape
    model[2].frozen = False
    assert not any(layer.frozen for layer in model[2])
    model.unfreeze()
    assert not model.frozen
    assert [p.name for p in model.parameters] == names


def test_training_a_frozen_model_changes_the_head_alone():
    model = small(nn.BatchNorm(8), nn.Activate("relu"))
    model.freeze(-1)
    before = {name: array.copy() for name, array in model.state.items()}
    optimizer = na.SGD([p.value for p in model.parameters], lr=0.1)
    for _ in range(3):
        _, dy = nn.softmax_cross_entropy(model.forward(batch(), training=True), [0, 1, 2, 0, 1])
        model.backward(dy, input_gradient=False)
        optimizer.step([p.grad for p in model.parameters])
    for name, array in model.state.items():
        assert np.array_equal(array, before[name]) != name.startswith("3.")


def test_replace():
    model = small(nn.Activate("relu"))
    model.forward(batch(), training=True)
    kept = model[0].weight
    model.replace(-1, nn.Dense(8, 5), rng=np.random.default_rng(3))
    assert model.forward(batch()).shape == (5, 5)
    assert model[0].weight is kept
    assert [p.value.shape for p in model.parameters] == [(6, 8), (8,), (8, 5), (5,)]
    with pytest.raises(RuntimeError, match="layer 2: backward of Dense"):
        model.backward(np.ones((5, 5)))
    again = small(nn.Activate("relu"))
    again.replace(2, nn.Dense(8, 5), rng=np.random.default_rng(3))
    np.testing.assert_array_equal(again[2].weight.value, model[2].weight.value)

    # The new weights suit what follows.
    wide = nn.Sequential(nn.Dense(300, 300), nn.Activate("relu"), rng=np.random.default_rng(0))
    wide.replace(0, nn.Dense(300, 300), rng=np.random.default_rng(0))
    assert wide[0].weight.value.std() == pytest.approx(np.sqrt(2 / 300), rel=0.02)

    layers = model.layers
    for index, layer, error, message in [
        (3, nn.Dense(8, 5), IndexError, "no layer 3 in a Sequential of 3"),
        (-4, nn.Dense(8, 5), IndexError, "no layer -4"),
        (0, "relu", TypeError, r"replace takes a layer, got 'relu'; write nn\.Activate\('relu'\)"),
        ("0", nn.Dense(8, 5), TypeError, "index must be an integer, got '0'"),
        (0, model[2], ValueError, "given twice"),
    ]:
        with pytest.raises(error, match=message):
            model.replace(index, layer)
        assert model.layers == layers


def test_sequence():
    model = small(nn.Activate("relu"))
    assert len(model) == 3
    assert list(model) == list(model.layers)
    assert model[-1] is model.layers[2]
    with pytest.raises(IndexError):
        model[3]


def test_state():
    model = small(nn.BatchNorm(8), nn.Sequential(nn.PReLU(8), nn.Swish()))
    assert list(model.state) == [
        "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_variance", "2.0.weight", "2.1.beta",
        "3.weight", "3.bias",
    ]  # fmt: skip
    assert model.state["1.running_mean"] is model[1].running_mean
    model.freeze()
    assert len(model.state) == 10
    other = small(nn.BatchNorm(8), nn.Sequential(nn.PReLU(8), nn.Swish()), seed=5)
    model.forward(batch(), training=True)
    for name, array in other.state.items():
        array[...] = model.state[name]
    np.testing.assert_array_equal(other.forward(batch()), model.forward(batch()))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("name", NETWORKS)
def test_copies(name, duplicate):
    """A copy computes the same and shares nothing, neither memory nor what is kept for backward."""
    model = networks()[name]
    x, dy = batch(columns=4, dtype=np.float64), batch(columns=3, dtype=np.float64)
    y = model.forward(x, training=True).copy()
    twin = duplicate(model)
    assert twin.saved_bytes == 0
    with pytest.raises(RuntimeError, match="needs a call of forward"):
        twin.backward(dy)
    np.testing.assert_array_equal(twin.forward(x, training=True), y)
    np.testing.assert_array_equal(twin.backward(dy), model.backward(dy))
    for a, b in zip(model.state.values(), twin.state.values(), strict=True):
        assert not np.shares_memory(a, b)


def test_initialisers_look_through_batch_norm_and_dropout():
    rng = np.random.default_rng(0)
    nested = nn.Sequential(nn.BatchNorm(300), nn.Dropout(0.1))
    model = nn.Sequential(nn.Dense(300, 300), nested, nn.Activate("relu"), nn.Dense(300, 300), nn.Dropout(0.1), rng=rng)
    assert model[0].weight.value.std() == pytest.approx(np.sqrt(2 / 300), rel=0.02)
    assert model[3].weight.value.std() == pytest.approx(np.sqrt(1 / 300), rel=0.02)
    model = nn.Sequential(nn.Dense(300, 300), nn.Sequential(nn.Dropout(0.1), nn.Activate("selu")), rng=rng)
    assert model[0].weight.value.std() == pytest.approx(np.sqrt(1 / 300), rel=0.02)


def test_summary():
    model = nn.Sequential(
        nn.Dense(784, 256), nn.BatchNorm(256), nn.Activate("relu"), nn.Sequential(nn.Maxout(256, 10), nn.Dropout(0.2)),
    )  # fmt: skip
    model.freeze(2)
    assert model.summary(784, batch_size=100).splitlines() == [
        "     layer                      output      learned   frozen  saved bytes",
        "0    Dense(784, 256)            (100, 256)        0  200,960      313,600",
        "1    BatchNorm(256)             (100, 256)        0      512        1,024",
        "2    Activate('relu')           (100, 256)        0        0      102,400",
        "3.0  Maxout(256, 10, pieces=2)  (100, 10)     5,140        0        1,000",
        "3.1  Dropout(0.2)               (100, 10)         0        0        4,000",
        "     total                                    5,140  201,472      422,024",
    ]
    assert model.saved_bytes == 0
    assert np.all(model[1].running_mean == 0)
    assert "(32, 2, 7)" in nn.Sequential(nn.Dense(3, 7)).summary((2, 3))
    with pytest.raises(ValueError, match=r"layer 0: Dense\(784, 256\) takes an input of shape \(..., 784\), got"):
        model.summary(100)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        model.summary(784, batch_size=0)


# --- messages ---


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Gated("gelu"), ValueError, "unknown gated activation 'gelu'; did you mean .*'geglu'"),
        (lambda: nn.Activate("swiglu"), ValueError, r"use the layer nn.Gated\('swiglu'\)"),
        (lambda: nn.BatchNorm(0), ValueError, "features must be at least 1, got 0"),
        (lambda: nn.BatchNorm(3, momentum=1.5), ValueError, r"momentum must be in \[0, 1\], got 1.5"),
        (lambda: nn.BatchNorm(3, eps=0), ValueError, "eps must be greater than 0"),
        (lambda: nn.BatchNorm(3, eps=float("nan")), ValueError, "eps must be in"),
        (lambda: nn.BatchNorm(3, dtype=np.float16), TypeError, "dtype must be np.float32 or np.float64"),
        (lambda: nn.Dropout(1.0), ValueError, r"rate must be in \[0, 1\), got 1.0"),
        (lambda: nn.Dropout("half"), TypeError, "rate must be a real number, got 'half'"),
        (lambda: nn.Dropout(0.5, rng=3), TypeError, "rng must be a numpy.random.Generator"),
    ],
)
def test_construction_refuses(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "x", "error", "message"),
    [
        (nn.BatchNorm(3), np.ones((4, 2)), ValueError, r"BatchNorm\(3\) takes .* of shape \(..., 3\), got \(4, 2\)"),
        (nn.BatchNorm(3), np.ones((0, 3)), ValueError, r"BatchNorm\(3\) needs at least one row to train on"),
        (
            nn.BatchNorm(1),
            np.ones((4, 1), complex),
            TypeError,
            r"BatchNorm\(1\) takes NumPy's real numbers, got .* complex128",
        ),
        (nn.Gated("glu"), np.ones((4, 3)), ValueError, r"Gated\('glu'\) takes an input with an even number of columns"),
        (nn.Activate("relu"), np.ones(3, complex), TypeError, r"Activate\('relu'\) takes NumPy's real numbers"),
        (nn.Activate("crelu"), 1.0, ValueError, r"Activate\('crelu'\) takes an input of at least one dimension"),
        (nn.Activate("softmax"), 1.0, ValueError, r"Activate\('softmax'\) takes an input of at least one dimension"),
        (nn.Activate("elu", alpha=np.ones(3)), np.ones((4, 1)), ValueError, r"broadcast to, got shape \(4, 1\)"),
        (nn.Activate("elu", alpha=np.ones(3)), np.ones((4, 2)), ValueError, r"broadcast to, got shape \(4, 2\)"),
        (nn.Dropout(0.5), np.ones(3, complex), TypeError, r"Dropout\(0.5\) takes NumPy's real numbers"),
    ],
)
def test_forward_refuses(layer, x, error, message):
    state = {name: array.copy() for name, array in layer.state.items()}
    with pytest.raises(error, match=message):
        layer.forward(x, training=True)
    for name, array in layer.state.items():
        np.testing.assert_array_equal(array, state[name])


@pytest.mark.parametrize(
    "layer", [nn.Gated("glu"), nn.BatchNorm(4), nn.Dropout(0.5), nn.Activate("crelu"), nn.Activate("softmax")], ids=repr
)
def test_backward_refuses(layer):
    dy = np.ones((5, {"glu": 2, "crelu": 8}.get(layer.activation, 4)))
    with pytest.raises(RuntimeError, match=r"needs a call of forward\(x, training=True\) before it"):
        layer.backward(dy)
    layer.forward(np.ones((5, 4)), training=True)
    for wrong in (dy[:4], dy[:, :1], dy.ravel()):
        with pytest.raises(ValueError, match="takes dy of the output's shape"):
            layer.backward(wrong)
    layer.backward(dy)


def test_errors_name_the_position():
    model = nn.Sequential(nn.Dense(6, 8), nn.Sequential(nn.Activate("relu"), nn.Dense(7, 3)))
    x = batch()
    with pytest.raises(ValueError, match=r"^layer 0: Dense\(6, 8\) takes an input of shape \(..., 6\), got \(5, 4\)$"):
        model.forward(x[:, :4])
    with pytest.raises(ValueError, match=r"^layer 1, Sequential.*: layer 1: Dense\(7, 3\) takes .*, got \(5, 8\)$"):
        model.forward(x, training=True)
    model = small(nn.Activate("relu"))
    model.forward(x, training=True)
    model.replace(2, nn.Dense(4, 3))
    with pytest.raises(ValueError, match="layer 2"):
        model.forward(x, training=True)
    with pytest.raises(RuntimeError, match=r"^layer 2: backward of Dense\(4, 3\) needs a call of forward"):
        model.backward(np.ones((5, 3)))
    model = small(nn.Activate("relu"))
    model.forward(x, training=True)
    with pytest.raises(ValueError, match=r"^layer 2: backward of Dense\(8, 3\) takes dy of .* \(5, 3\), got \(5, 4\)"):
        model.backward(np.ones((5, 4)))


def everything(model):
    """All that a training forward may change, and the gradients."""
    arrays = {**model.state, **{f"{p.name}.grad": p.grad for p in model.all_parameters}}
    generators = {name: repr(each.bit_generator.state) for name, each in model.generators.items()}
    return {name: array.tobytes() for name, array in arrays.items()}, generators, model.saved_bytes


MOVING = {
    "batch norm": lambda: nn.BatchNorm(8),
    "dropout": lambda: nn.Dropout(0.5),
    "rrelu": lambda: nn.RReLU(),
    "nested": lambda: nn.Sequential(nn.BatchNorm(8), nn.Sequential(nn.Dropout(0.5))),
}


@pytest.mark.parametrize("moving", MOVING)
@pytest.mark.parametrize(
    "unfit",
    [
        nn.Dense(7, 8),
        nn.Maxout(7, 8),
        nn.BatchNorm(7),
        nn.PReLU(7),
        nn.Swish(7),
        nn.Activate("elu", alpha=np.ones(7)),
        nn.Sequential(nn.Dense(8, 7), nn.Gated("glu")),
        nn.Sequential(nn.Sequential(nn.Dense(7, 8))),
    ],
    ids=repr,
)
def test_a_forward_that_fails_changes_nothing(moving, unfit):
    """Whether the layer was there from the start or took, in a Sequential inside, the place of one that fitted."""
    x = batch()
    new = small(MOVING[moving](), copy.deepcopy(unfit))
    exchanged = small(MOVING[moving](), nn.Sequential(nn.Dense(8, 8)))
    exchanged.forward(x, training=True)
    exchanged[2].replace(0, copy.deepcopy(unfit))
    for model in (new, exchanged):
        before = everything(model)
        with pytest.raises(ValueError, match=r"^layer 2.* takes an input .*got .*\(5, [78]\)$"):
            model.forward(x, training=True)
        assert everything(model) == before


@pytest.mark.parametrize("moving", MOVING)
def test_a_forward_that_fails_leaves_the_batch_before(moving):
    model = small(MOVING[moving](), nn.Activate("tanh"))
    x, dy = batch(), batch(columns=3)
    assert model.parameters  # draws the weights
    twin = copy.deepcopy(model)
    for each in (model, twin):
        each.forward(x, training=True)
    before = everything(model)
    for wrong in (x[:, :4], x.T, x[0, 0], x.astype(complex)):
        with pytest.raises((ValueError, TypeError), match=r"^layer 0: Dense\(6, 8\) takes"):
            model.forward(wrong, training=True)
        assert everything(model) == before
    np.testing.assert_array_equal(model.backward(dy), twin.backward(dy))


def test_a_single_sample_that_a_later_layer_refuses_changes_nothing():
    model = nn.Sequential(nn.Dropout(0.5), nn.Dense(6, 3), rng=np.random.default_rng(0))
    model.forward(batch()[0], training=True)
    before = everything(model)
    with pytest.raises(ValueError, match=r"layer 1: Dense\(6, 3\) takes .* got \(4,\)"):
        model.forward(batch(columns=4)[0], training=True)
    assert everything(model) == before


def test_a_dtype_that_a_later_layer_refuses_changes_nothing():
    model = nn.Sequential(nn.Dropout(0.5), nn.Activate("tanh"))
    model.forward(batch(), training=True)
    before = everything(model)
    with pytest.raises(TypeError, match="layer 1, "):
        model.forward(batch().astype(np.longdouble), training=True)
    assert everything(model) == before


def test_a_forward_that_fails_in_training_only_is_forgotten():
    """The layers before the one that failed keep another batch than those behind it."""

    class Failing(nn.Layer):
        fails = False

        def forward(self, x, training=False):
            if training and self.fails:
                raise ValueError("fails")
            return x

        def backward(self, dy):
            return dy

    model = small(Failing())
    model.forward(batch(), training=True)
    model[1].fails = True
    with pytest.raises(ValueError, match=r"layer 1, .*Failing.*: fails"):
        model.forward(batch(seed=3), training=True)
    with pytest.raises(RuntimeError, match=r"layer 2: .* needs a call of forward"):
        model.backward(batch(columns=3))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_backward_that_fails_changes_nothing(name):
    model = networks()[name]
    x, dy = batch(columns=4, dtype=np.float64), batch(columns=3, dtype=np.float64)
    model.forward(x, training=True)
    expected = [model.backward(dy).copy(), *(p.grad.copy() for p in model.parameters)]
    model.forward(-x, training=True)
    model.backward(dy)
    model.forward(x, training=True)
    before = everything(model)
    for wrong in (dy[:4], dy[:, :1], dy[:, :0], dy.ravel(), dy[np.newaxis], 1.0):
        with pytest.raises(ValueError, match=r"takes dy of the output's shape \(5, 3\), got"):
            model.backward(wrong)
    with pytest.raises(TypeError, match="takes dy of floating-point numbers"):
        model.backward(dy.astype(int))
    assert everything(model) == before
    for a, b in zip(expected, [model.backward(dy), *(p.grad for p in model.parameters)], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_batch_of_a_known_kind_is_not_tried_first():
    """Lengths and dtypes that take turns are tried once each, and again when a layer has been replaced."""

    class Counting(nn.Layer):
        evaluations = 0

        def forward(self, x, training=False):
            self.evaluations += not training
            return x

        def backward(self, dy):
            return dy

    counting = Counting()
    inner = nn.Sequential(counting, nn.Dense(6, 6))
    model = nn.Sequential(nn.Dense(6, 6), inner)
    batches = [np.ones((rows, length, 6), dtype) for rows in (4, 3) for length in (5, 7) for dtype in "fd"]
    for expected in (4, 8):
        for x in 3 * batches:
            model.forward(x, training=True)
        assert counting.evaluations == expected
        inner.replace(1, nn.Dense(6, 6))


def test_a_replaced_layer_is_let_go():
    """By the Sequential at once, by copies of one around it too."""
    model = nn.Sequential(nn.Dense(6, 100), nn.Dense(100, 3))
    model.forward(batch(), training=True)
    replaced = weakref.ref(model[0])
    model.replace(0, nn.Dense(6, 100))
    assert replaced() is None
    outer = nn.Sequential(nn.Sequential(nn.Dense(6, 1000)), nn.Activate("relu"))
    outer.forward(batch(), training=True)
    outer[0].replace(0, nn.Dense(6, 1))
    assert len(pickle.dumps(outer)) < 6 * 1000 * 4
    assert outer.parameters
    replaced = weakref.ref(outer[0][0].weight.value)
    outer.forward(batch(), training=True)
    outer[0].replace(0, nn.Dense(6, 2))
    outer.forward(batch())
    assert [p.value.shape for p in outer.parameters] == [(6, 2), (2,)]
    assert replaced() is None


def test_parameters_are_the_same_objects_from_step_to_step():
    model = small(nn.Sequential(nn.PReLU(8), nn.BatchNorm(8)))
    first = model.parameters
    assert all(a is b for a, b in zip(model.parameters, first, strict=True))
    assert all(a is b for a, b in zip(model.all_parameters, first, strict=True))
    model.freeze(1)
    assert [p.name for p in model.parameters] == [p.name for p in first[2:]]
    model.unfreeze()
    for again, p in zip(model.parameters, first, strict=True):
        assert (again.name, again.value is p.value, again.grad is p.grad) == (p.name, True, True)


def test_batch_norm_of_large_means(rng):
    """Without training off by no more than the rounding of the mean: nothing cancels."""
    x = (1e6 + rng.normal(0, 0.1, (256, 2))).astype(np.float32)
    layer = nn.BatchNorm(2, momentum=0.0)
    layer.forward(x, training=True)
    expected = (x - layer.running_mean) / np.sqrt(layer.running_variance + 1e-5)
    half = np.spacing(np.float32(1e6)) / 2
    np.testing.assert_allclose(layer.forward(x), expected, atol=1.01 * half / np.sqrt(layer.running_variance.min()))
