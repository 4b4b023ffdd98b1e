"""numact.nn: gradients of whole networks, initial weights, training, and every message."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from networks import drawing_networks, networks

import numact as na
from numact import nn

NETWORKS = networks()
DRAWING = drawing_networks()


def test_every_activation_has_a_layer():
    """Each name of the catalogue works in Activate, or is refused with the layer that there is instead, if any."""
    for name, record in na.activations.items():
        instead = {"prelu": "nn.PReLU", "maxout": "nn.Maxout", "rrelu": "nn.RReLU"}.get(name)
        if record.kind == "gated":
            instead = rf"nn.Gated\('{name}'\)"
        if instead is None:
            assert nn.Activate(name).activation == name
        else:
            with pytest.raises(ValueError, match=instead):
                nn.Activate(name)


@pytest.mark.parametrize("name", [*NETWORKS, *DRAWING])
@pytest.mark.parametrize("leading", [(5,), (2, 3), ()])
def test_gradients_of_whole_networks(name, leading):
    """All parameters and the input against central differences of a random projection of the output."""
    model = NETWORKS.get(name) or DRAWING[name]
    states = [(each, each.bit_generator.state) for each in model.generators.values()]

    def forward():
        for each, state in states:
            each.bit_generator.state = state
        return model.forward(x, training=True)

    rng = np.random.default_rng(3)
    x = rng.normal(size=(*leading, 4))
    dy = rng.normal(size=(*leading, 3))
    assert forward().shape == dy.shape
    dx = model.backward(dy).copy()
    grads = [p.grad.copy() for p in model.parameters]

    h = 1e-6
    for array, gradient in [(x, dx), *zip((p.value for p in model.parameters), grads, strict=True)]:
        assert gradient.shape == array.shape
        assert gradient.dtype == np.float64
        for index in np.ndindex(*array.shape):
            kept = array[index]
            array[index] = kept + h
            above = np.sum(dy * forward())
            array[index] = kept - h
            below = np.sum(dy * forward())
            array[index] = kept
            assert gradient[index] == pytest.approx((above - below) / (2 * h), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_set_not_added_in_the_same_arrays(name):
    model = NETWORKS[name]
    held = [p.grad for p in model.parameters]
    x, dy = np.random.default_rng(0).normal(size=(2, 5, 4))
    for _ in range(2):
        model.forward(x, training=True)
        model.backward(dy[:, :3])
    first = [g.copy() for g in held]
    model.forward(x, training=True)
    model.backward(dy[:, :3])
    for p, before, array in zip(model.parameters, first, held, strict=True):
        assert p.grad is array
        np.testing.assert_array_equal(p.grad, before)


@pytest.mark.parametrize("name", NETWORKS)
def test_input_and_gradient_are_left_alone(name):
    model = NETWORKS[name]
    x, dy = np.random.default_rng(0).normal(size=(2, 5, 4))
    dy = np.ascontiguousarray(dy[:, :3])
    x.flags.writeable = dy.flags.writeable = False
    model.forward(x, training=True)
    model.backward(dy)


@pytest.mark.parametrize("name", NETWORKS)
def test_evaluation_disturbs_nothing_kept(name):
    """Its arrays are new, and backward after it is that of the training forward before."""
    model = NETWORKS[name]
    x, dy = np.random.default_rng(0).normal(size=(2, 5, 4))
    dy = dy[:, :3]
    model.forward(x, training=True)
    expected = [model.backward(dy).copy(), *(p.grad.copy() for p in model.parameters)]
    y = model.forward(x)
    kept = y.copy()
    model.forward(x, training=True)
    model.forward(-x)
    got = [model.backward(dy), *(p.grad for p in model.parameters)]
    np.testing.assert_array_equal(y, kept)
    for a, b in zip(expected, got, strict=True):
        np.testing.assert_array_equal(a, b)


def test_empty_batch():
    model = NETWORKS["maxout"]
    assert model.forward(np.zeros((0, 4)), training=True).shape == (0, 3)
    assert model.backward(np.zeros((0, 3))).shape == (0, 4)
    assert all(np.all(p.grad == 0) for p in model.parameters)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype(dtype):
    """Of the parameters, whatever the input; float32 unless told."""
    for name, model in networks(dtype).items():
        assert all(p.value.dtype == p.grad.dtype == dtype for p in model.parameters)
        if not name.startswith("activation first"):
            for x in (np.ones((2, 4), np.float64), np.ones((2, 4), np.uint8), [[1, 2, 3, 4]]):
                assert model.forward(x, training=True).dtype == dtype
                assert model.backward(np.ones((len(x), 3))).dtype == dtype
    for layer in (nn.Dense(2, 3), nn.Maxout(2, 3), nn.PReLU(), nn.Swish()):
        assert all(p.value.dtype == np.float32 for p in layer.parameters)


def test_parameters():
    model = nn.Sequential(nn.Dense(4, 6), nn.PReLU(6), nn.Sequential(nn.Swish(), nn.Maxout(6, 2)))
    shapes = {p.name: p.value.shape for p in model.parameters}
    assert shapes == {
        "0.weight": (4, 6), "0.bias": (6,), "1.weight": (6,), "2.0.beta": (1,), "2.1.weight": (6, 4), "2.1.bias": (4,)
    }  # fmt: skip
    assert isinstance(model.parameters, list)
    first = model.layers[0].weight
    assert (model.parameters[0].value is first.value, model.parameters[0].grad is first.grad) == (True, True)
    assert repr(model.parameters[0]) == "Parameter('0.weight', shape=(4, 6), dtype=float32)"
    assert [layer.parameters for layer in (nn.Activate("relu"),)] == [[]]
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.value = np.zeros((4, 6))  # an optimizer may hold the old array


def test_repr():
    model = nn.Sequential(nn.Dense(4, 6), nn.PReLU(6), nn.Swish((6, 1)), nn.Maxout(6, 2), nn.Activate("elu", alpha=0.5))
    assert repr(model) == (
        "Sequential(Dense(4, 6), PReLU(6), Swish((6, 1)), Maxout(6, 2, pieces=2), Activate('elu', alpha=0.5))"
    )
    slopes = nn.Activate("leaky_relu", negative_slope=np.full((1, 100), 0.1))
    assert repr(slopes) == "Activate('leaky_relu', negative_slope=array of shape (1, 100))"

    class Own(nn.Layer):
        def forward(self, x, training=False):
            return x

        def backward(self, dy):
            return dy

    assert repr(Own()) == "Own()"


# --- initial weights ---

FAN_IN, FAN_OUT = 300, 200
VARIANCE = {"he": 2 / FAN_IN, "xavier": 2 / (FAN_IN + FAN_OUT), "lecun": 1 / FAN_IN}


def check_distribution(weights, family, distribution):
    w = weights.astype(np.float64)
    variance = VARIANCE[family]
    n = w.size
    assert abs(w.mean()) < 4 * math.sqrt(variance / n)
    kurtosis = 3 if distribution == "normal" else 9 / 5
    assert abs(w.var() / variance - 1) < 4 * math.sqrt((kurtosis - 1) / n)
    assert abs(np.mean(w**4) / w.var() ** 2 / kurtosis - 1) < 0.03
    if distribution == "uniform":
        assert np.abs(w).max() <= np.float32(math.sqrt(3 * variance))


@pytest.mark.parametrize("family", VARIANCE)
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_initialisers(family, distribution):
    rng = np.random.default_rng(0)
    layer = nn.Dense(FAN_IN, FAN_OUT, initial_weight=f"{family}_{distribution}", rng=rng)
    check_distribution(layer.weight.value, family, distribution)
    assert np.all(layer.bias.value == 0)


@pytest.mark.parametrize(
    ("following", "family"),
    [
        (nn.Activate("relu"), "he"),
        (nn.Activate("leaky_relu"), "he"),
        (nn.PReLU(), "he"),
        (nn.Activate("elu"), "he"),
        (nn.Activate("silu"), "he"),
        (nn.Activate("swish"), "he"),
        (nn.Swish(), "he"),
        (nn.Activate("selu"), "lecun"),
        (nn.Activate("sigmoid"), "xavier"),
        (nn.Activate("tanh"), "xavier"),
        (nn.Dense(FAN_OUT, 1), "xavier"),
        (nn.Sequential(nn.Activate("relu"), nn.Dense(FAN_OUT, 1)), "he"),
        (None, "xavier"),
    ],
)
def test_initialiser_follows_the_activation(following, family):
    layer = nn.Dense(FAN_IN, FAN_OUT)
    nn.Sequential(layer, *([following] if following else []), rng=np.random.default_rng(0))
    check_distribution(layer.weight.value, family, "normal")


def test_initial_weight_told_is_kept():
    told = nn.Dense(FAN_IN, FAN_OUT, initial_weight="xavier_uniform")
    nn.Sequential(told, nn.Activate("relu"), rng=np.random.default_rng(0))
    check_distribution(told.weight.value, "xavier", "uniform")

    given = np.arange(6.0).reshape(2, 3)
    layer = nn.Dense(2, 3, initial_weight=given, initial_bias=[1, 2, 3])
    nn.Sequential(layer, nn.Activate("relu"))
    np.testing.assert_array_equal(layer.weight.value, given)
    np.testing.assert_array_equal(layer.bias.value, [1, 2, 3])
    assert not np.shares_memory(layer.weight.value, given)

    used = nn.Dense(2, 3)
    used.weight.value[...] = 5
    nn.Sequential(used, nn.Activate("relu"))
    assert np.all(used.weight.value == 5)


def test_sizes_that_are_small_integers_do_not_overflow():
    hundred = np.int8(100)
    assert nn.Maxout(2, hundred, hundred).weight.value.shape == (2, 10000)
    assert nn.mlp(np.full(3, hundred), "glu").parameters[0].value.shape == (100, 200)


@pytest.mark.parametrize("pieces", [1, 2])
def test_maxout_keeps_the_mean_square(pieces):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 300))
    y = nn.Maxout(300, 400, pieces, rng=rng).forward(x)
    assert np.mean(y**2) == pytest.approx(1, rel=0.03)


def test_weights_are_seeded():
    def weights(seed, dtype=np.float32, own=None):
        layer = nn.Dense(3, 4, dtype=dtype, rng=own)
        model = nn.Sequential(layer, nn.Activate("relu"), nn.Dense(4, 4), rng=np.random.default_rng(seed))
        return [p.value for p in model.parameters]

    np.testing.assert_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1)[0], weights(2)[0])
    assert not np.array_equal(weights(1)[0][:, :3], weights(1)[2][:3, :3])
    np.testing.assert_array_equal(weights(1)[0], weights(1, np.float64)[0].astype(np.float32))
    own = weights(1, own=np.random.default_rng(9))[0]
    np.testing.assert_array_equal(own, weights(2, own=np.random.default_rng(9))[0])
    assert not np.array_equal(weights(None)[0], weights(None)[0])


# --- batches ---


def test_batches():
    x, y = np.arange(20).reshape(10, 2), np.arange(10)
    seen = list(nn.batches(x, y, batch_size=4, rng=np.random.default_rng(0)))
    assert [len(labels) for _, labels in seen] == [4, 4, 2]
    order = np.concatenate([labels for _, labels in seen])
    assert sorted(order) == list(range(10))
    assert list(order) != list(range(10))
    for images, labels in seen:
        np.testing.assert_array_equal(images, x[labels])
    assert [len(labels) for _, labels in nn.batches(x, y, batch_size=100)] == [10]
    assert list(nn.batches(x[:0], y[:0], batch_size=4)) == []


def test_batches_are_seeded_and_differ_between_epochs():
    def epochs():
        rng = np.random.default_rng(0)
        return [[y.tolist() for _, y in nn.batches(range(50), range(50), batch_size=8, rng=rng)] for _ in range(2)]

    assert epochs() == epochs()
    assert epochs()[0] != epochs()[1]


def test_batches_in_order_are_views():
    x = np.arange(10)
    seen = list(nn.batches(x, x, batch_size=3, shuffle=False))
    assert np.concatenate([a for a, _ in seen]).tolist() == x.tolist()
    assert all(np.shares_memory(a, x) for a, _ in seen)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"y": np.zeros(4)}, ValueError, r"same length along the first axis, got shapes \(5, 2\) and \(4,\)"),
        ({"y": 3}, ValueError, r"got shapes \(5, 2\) and \(\)"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": 2.5}, TypeError, "batch_size must be an integer, got 2.5"),
        ({"rng": 0}, TypeError, r"rng must be a numpy.random.Generator such as np.random.default_rng\(0\), got 0"),
    ],
)
def test_batches_refuse_at_the_call(arguments, error, message):
    options = {"y": np.zeros(5), "batch_size": 2} | arguments
    with pytest.raises(error, match=message):
        nn.batches(np.zeros((5, 2)), options.pop("y"), **options)


# --- messages of the layers ---


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Dense(0, 3), ValueError, "inputs must be at least 1, got 0"),
        (lambda: nn.Dense(3, "3"), TypeError, "units must be an integer, got '3'"),
        (lambda: nn.Dense(3, 3, dtype=int), TypeError, "dtype must be np.float32 or np.float64, got int64"),
        (lambda: nn.Dense(3, 3, rng=5), TypeError, "rng must be a numpy.random.Generator"),
        (
            lambda: nn.Dense(3, 3, initial_weight="he_norml"),
            ValueError,
            "unknown initialiser 'he_norml'; .*'he_normal'",
        ),
        (lambda: nn.Dense(3, 3, initial_weight="zeros"), ValueError, "known are he_normal, he_uniform, xavier_normal"),
        (
            lambda: nn.Dense(3, 2, initial_weight=np.zeros((2, 3))),
            ValueError,
            r"the initial weight must be a scalar or have shape \(3, 2\), got \(2, 3\)",
        ),
        (
            lambda: nn.Dense(3, 2, initial_bias=[1, 2, 3]),
            ValueError,
            r"the initial bias must be a scalar or have shape \(2,\), got \(3,\)",
        ),
        (
            lambda: nn.Dense(3, 2, initial_bias=1j),
            TypeError,
            "the initial bias must be real numbers, got dtype complex128",
        ),
        (lambda: nn.mlp(4), TypeError, r"widths must be a sequence such as \[64, 100, 10\], got 4"),
        (lambda: nn.Dense(True, 2), TypeError, "inputs must be an integer, got True"),
        (
            lambda: nn.Dense(3, 2, bias=False, initial_bias=1.0),
            ValueError,
            "bias=False leaves no bias that initial_bias",
        ),
        (lambda: nn.Dense(3, 2, initial_weight=math.nan), ValueError, "the initial weight must be finite in float32"),
        (lambda: nn.Dense(3, 2, initial_weight=1e300), ValueError, "the initial weight must be finite in float32"),
        (lambda: nn.mlp([4, 8.5, 3]), TypeError, r"widths\[1\] must be an integer, got 8\.5"),
        (lambda: nn.Maxout(3, 2, 257), ValueError, "pieces must be at most 256, got 257"),
        (lambda: nn.Maxout(3, 2, 0), ValueError, "pieces must be at least 1, got 0"),
        (lambda: nn.PReLU(0), ValueError, "shape must be at least 1, got 0"),
        (lambda: nn.Swish(initial="x"), TypeError, "the initial beta must be real numbers"),
        (lambda: nn.Activate("rellu"), ValueError, "unknown activation 'rellu'; did you mean 'relu'"),
        (lambda: nn.Activate("ReLU"), ValueError, "unknown activation 'ReLU'; did you mean 'relu'"),
        (lambda: nn.Activate("xyzzy"), ValueError, "unknown activation 'xyzzy'; known are .*sigmoid"),
        (lambda: nn.Activate(na.relu), TypeError, "the activation must be named by a string, got"),
        (lambda: nn.Activate("prelu", weight=0.2), ValueError, r"use the layer nn.PReLU\(units\)"),
        (lambda: nn.Activate("maxout"), ValueError, r"use the layer nn.Maxout\(inputs, units, pieces\)"),
        (lambda: nn.Activate("elu", slope=2), TypeError, "elu takes alpha, got slope"),
        (lambda: nn.Activate("relu", slope=2), TypeError, "relu takes no parameters, got slope"),
        (lambda: nn.Activate("elu", alpha=math.nan), ValueError, "(?i)nan"),
        (lambda: nn.Sequential(), ValueError, "Sequential needs at least one layer"),
        (lambda: nn.Sequential([nn.Activate("relu")]), TypeError, r"layers as separate arguments; argument 0 is \[Act"),
        (lambda: nn.Sequential("relu"), TypeError, r"argument 0 is 'relu'; write nn\.Activate\('relu'\)"),
        (lambda: nn.Sequential("glu"), TypeError, r"argument 0 is 'glu'; write nn\.Gated\('glu'\)"),
        (lambda: nn.Sequential(nn.Dense), TypeError, r"argument 0 is .*; give an instance, Dense\(\.\.\.\)"),
        (lambda: nn.Sequential(nn.PReLU()).freeze("all"), TypeError, "stop must be an integer, got 'all'"),
        (lambda: nn.Sequential(nn.Dense(2, 2), rng=1), TypeError, "rng must be a numpy.random.Generator"),
    ],
)
def test_construction_refuses(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_same_layer_twice_is_refused():
    layer = nn.Dense(3, 3)
    with pytest.raises(ValueError, match=r"the same object Dense\(3, 3\) is given twice"):
        nn.Sequential(layer, nn.Activate("relu"), layer)
    with pytest.raises(ValueError, match="is given twice"):
        nn.Sequential(layer, nn.Sequential(nn.Sequential(layer)))
    inner = nn.Sequential(nn.Dense(3, 3))
    outer = nn.Sequential(inner, nn.Activate("relu"))
    for sequential, index, other in ((outer, 1, outer), (inner, 0, outer), (outer, 1, nn.Sequential(inner[0]))):
        with pytest.raises(ValueError, match="is given twice"):
            sequential.replace(index, other)
    assert outer.forward(np.ones((2, 3))).shape == (2, 3)
    with pytest.raises(TypeError, match="rng must be a"):
        outer.replace(1, nn.Activate("tanh"), rng=0)
    assert repr(outer[1]) == "Activate('relu')"
    inner.replace(0, outer[1])  # of what is around it, a Sequential knows nothing
    for training in (False, True):
        with pytest.raises(ValueError, match=r"the same object Activate\('relu'\) is given twice"):
            outer.forward(np.ones((2, 3)), training=training)


@pytest.mark.parametrize(
    ("layer", "x", "error", "message"),
    [
        (
            nn.Dense(3, 2),
            np.zeros((4, 5)),
            ValueError,
            r"Dense\(3, 2\) takes an input of shape \(..., 3\), got \(4, 5\)",
        ),
        (nn.Dense(3, 2), 1.0, ValueError, r"takes an input of shape \(..., 3\), got \(\)"),
        (
            nn.Dense(3, 2),
            np.zeros((4, 3), complex),
            TypeError,
            "takes NumPy's real numbers, got an input of dtype complex128",
        ),
        (nn.Maxout(3, 2), np.zeros((4, 5)), ValueError, r"Maxout\(3, 2, pieces=2\) takes an input of shape \(..., 3\)"),
        (nn.PReLU(6), np.zeros((4, 5)), ValueError, r"PReLU\(6\) takes .* match its shape \(6,\), got \(4, 5\)"),
        (nn.PReLU(6), np.zeros((4, 1)), ValueError, r"match its shape \(6,\), got \(4, 1\)"),
        (nn.Swish((2, 3)), np.zeros(3), ValueError, r"Swish\(\(2, 3\)\) takes .* match its shape \(2, 3\), got \(3,\)"),
    ],
)
def test_forward_refuses(layer, x, error, message):
    with pytest.raises(error, match=message):
        layer.forward(x)


@pytest.mark.parametrize(
    "layer", [nn.Dense(3, 3), nn.Maxout(3, 3), nn.PReLU(3), nn.Swish(), nn.Activate("relu")], ids=repr
)
def test_backward_refuses(layer):
    x = np.ones((4, 3))
    layer.forward(x)
    with pytest.raises(RuntimeError, match=r"needs a call of forward\(x, training=True\) before it"):
        layer.backward(x)
    layer.forward(x, training=True)
    for dy in (np.ones((1, 3)), np.ones((3, 4)), np.ones(12)):
        with pytest.raises(ValueError, match=r"takes dy of the output's shape \(4, 3\), got "):
            layer.backward(dy)
    with pytest.raises(TypeError, match="takes dy of floating-point numbers, got dtype int64"):
        layer.backward(x.astype(int))


# --- training ---


def spirals(rng, n=300):
    """Two intertwined spirals: no linear classifier tells them apart."""
    labels = np.arange(n) % 2
    angle = np.sqrt(rng.uniform(0.05, 1, n)) * 2 * np.pi
    radius = angle / (2 * np.pi)
    turn = angle + np.pi * labels
    x = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    return (x * 2).astype(np.float32), labels


def hidden(name, inputs, units):
    if name == "maxout":
        return [nn.Maxout(inputs, units)]
    # Between jumps hard_shrink is the identity: only with wide ones does its gradient lead anywhere for certain.
    parameters = {"lambd": 1.0} if name == "hard_shrink" else {}
    activation = nn.PReLU(units) if name == "prelu" else nn.Activate(name, **parameters)
    return [nn.Dense(inputs, units), activation]


@pytest.mark.parametrize("name", [name for name, record in na.activations.items() if record.kind == "elementwise"])
def test_every_activation_learns(name):
    rates = {"sigmoid": 0.3, "hard_sigmoid": 1.0, "squared_relu": 0.005, "hard_shrink": 0.1}
    rng = np.random.default_rng(0)
    images, targets = spirals(rng)
    model = nn.Sequential(*hidden(name, 2, 32), *hidden(name, 32, 32), nn.Dense(32, 2), rng=rng)
    optimizer = na.SGD([p.value for p in model.parameters], lr=rates.get(name, 0.05), momentum=0.9)
    for _ in range(150):
        for x, labels in nn.batches(images, targets, batch_size=32, rng=rng):
            _, dlogits = nn.softmax_cross_entropy(model.forward(x, training=True), labels)
            model.backward(dlogits)
            optimizer.step([p.grad for p in model.parameters])
    accuracy = np.mean(model.forward(images).argmax(axis=1) == targets)
    assert accuracy > 0.97


def test_a_step_is_the_update_of_the_lecture():
    """One step of the whole loop in plain NumPy gives the same parameters."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(8, 4)), rng.integers(0, 3, 8)
    model = nn.Sequential(
        nn.Dense(4, 5, dtype=np.float64), nn.Activate("tanh"), nn.Dense(5, 3, dtype=np.float64), rng=rng
    )
    w1, b1, w2, b2 = (p.value.copy() for p in model.parameters)
    optimizer = na.SGD([p.value for p in model.parameters], lr=0.5)
    _, dlogits = nn.softmax_cross_entropy(model.forward(x, training=True), labels)
    dx = model.backward(dlogits)
    optimizer.step([p.grad for p in model.parameters])

    h = np.tanh(x @ w1 + b1)
    e = np.exp(h @ w2 + b2)
    d2 = (e / e.sum(axis=1, keepdims=True) - np.eye(3)[labels]) / 8
    d1 = (d2 @ w2.T) * (1 - h**2)
    expected = [w1 - 0.5 * x.T @ d1, b1 - 0.5 * d1.sum(0), w2 - 0.5 * h.T @ d2, b2 - 0.5 * d2.sum(0)]
    for p, value in zip(model.parameters, expected, strict=True):
        np.testing.assert_allclose(p.value, value, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(dx, d1 @ w1.T, rtol=1e-10, atol=1e-14)


def test_nested_sequential_follows_the_outer_one():
    """Its weights come from the outer generator, and its last layer knows what follows it outside."""

    def weights(seed):
        inner = nn.Sequential(nn.Dense(200, 300))
        model = nn.Sequential(inner, nn.Activate("relu"), nn.Dense(300, 2), rng=np.random.default_rng(seed))
        return [p.value for p in model.parameters]

    first, again, other = weights(0), weights(0), weights(1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert np.isclose(first[0].std(), np.sqrt(2 / 200), rtol=0.02)  # He


def test_half_precision_layers_are_refused_for_now():
    with pytest.raises(TypeError, match="float16"):
        nn.Dense(1, 2, dtype=np.float16)


def test_masked_arrays_are_refused():
    """Wherever the mask would be lost."""
    x, labels = np.ones((4, 3)), np.zeros(4, int)
    masked = np.ma.masked_array(x, mask=x > 0)
    model = nn.Sequential(nn.Dense(3, 3), rng=np.random.default_rng(0))
    scale = nn.Standardize().fit(x)
    model.forward(x, training=True)
    for call in (
        lambda: model.forward(masked),
        lambda: model.backward(masked),
        lambda: nn.Activate("relu").forward(masked),
        lambda: nn.Activate("relu").backward(masked),
        lambda: nn.softmax_cross_entropy(masked, labels),
        lambda: nn.softmax_cross_entropy(x, np.ma.masked_array(labels)),
        lambda: nn.mean_squared_error(x, masked),
        lambda: nn.mean_squared_error(x, x, sample_weight=masked[:, 0]),
        lambda: nn.fit(model, masked, labels),
        lambda: list(nn.batches(masked, batch_size=2)),
        lambda: nn.split(masked),
        lambda: scale.transform(masked),
        lambda: nn.Standardize().fit(masked),
        lambda: nn.Dense(3, 3, initial_weight=masked[:3]),
    ):
        with pytest.raises(TypeError, match="the mask of a masked array would be lost"):
            call()
