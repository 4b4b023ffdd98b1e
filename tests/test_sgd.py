"""The SGD step: the formula in float64, every layout, clipping, skipping, state, and refusals that write nothing."""

import copy
import itertools
import pickle
import threading
import warnings

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

import numact as na
from numact import _runtime, reference

DTYPES = [np.float32, np.float64]
OPTIONS = [
    {"momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov, "maximize": up}
    for momentum, dampening, weight_decay, nesterov, up in itertools.product(
        [0.0, 0.9], [0.0, 0.25], [0.0, 0.01], [False, True], [False, True]
    )
    if not nesterov or (momentum > 0 and dampening == 0)
]


def draw(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def in_layout(values, layout):
    """Return a writable array of the same values in another layout, and the memory it lies in."""
    size, dtype = values.dtype.itemsize, values.dtype
    if layout == "contiguous":
        base = view = np.empty_like(values, order="C")
    elif layout == "transposed":
        base = np.empty(values.shape[::-1], dtype)
        view = base.T
    elif layout == "negative":
        base = np.empty_like(values, order="C")
        view = base[(slice(None, None, -1),) * values.ndim]
    elif layout == "every second":
        base = np.zeros(tuple(2 * n for n in values.shape), dtype)
        view = base[(slice(None, None, 2),) * values.ndim]
    elif layout == "padded rows":
        base = np.zeros((*values.shape[:-1], values.shape[-1] + 3), dtype)
        view = base[..., : values.shape[-1]]
    elif layout == "big-endian":
        base = view = np.empty(values.shape, dtype.newbyteorder(">"))
    elif layout == "unaligned":
        base = np.zeros(values.size * size + 1, np.uint8)
        view = base[1:].view(dtype).reshape(values.shape)
    view[...] = values
    return view, base


LAYOUTS = ["contiguous", "transposed", "negative", "every second", "padded rows", "big-endian", "unaligned"]


def stepped(param, grad, velocity, *, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, **flags):
    """Return param and velocity after a step in float64, and the sums of the magnitudes of their terms."""
    dtype = param.dtype.type
    lr, momentum, weight_decay = (float(dtype(x)) for x in (lr, momentum, weight_decay))
    options = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, **flags}
    options["dampening"] = 1 - float(dtype(1 - dampening))
    param, grad, velocity = (np.array(x, dtype=np.float64) for x in (param, grad, velocity))
    sums = abs(param), abs(grad), abs(velocity)
    reference.sgd_step(param, grad, velocity, **options)
    reference.sgd_step(*sums, **{**options, "lr": -lr, "maximize": False})
    return param, velocity, sums[0], sums[2]


def assert_close(got, expected, magnitude, ulps=4):
    np.testing.assert_array_less(
        abs(got.astype(np.float64) - expected), ulps * np.finfo(got.dtype).eps * magnitude + np.finfo(got.dtype).tiny
    )


def bits(a):
    return np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<")).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", OPTIONS)
def test_step_is_the_formula(options, dtype):
    param, grad, velocity = (draw((37, 11), dtype, seed) for seed in range(3))
    want_param, want_velocity, param_sum, velocity_sum = stepped(param, grad, velocity, lr=0.1, **options)
    given = grad.copy()
    assert na.sgd_step(param, grad, velocity, lr=0.1, **options) is None
    assert_close(param, want_param, param_sum)
    assert_close(velocity, want_velocity, velocity_sum)
    assert bits(grad) == bits(given)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", OPTIONS)
def test_optimizer_is_pytorchs_loop(options, dtype):
    """Parameters, gradients and buffers as the documentation of torch.optim.SGD describes them."""
    params = [draw(shape, dtype, 5) for shape in [(7, 3), (), (0, 4), (65,)]]
    expected = [p.astype(np.float64) for p in params]
    buffers = [None] * len(params)
    optimizer = na.SGD(params, lr=0.1, **options)
    for t in range(1, 6):
        grads = [draw(p.shape, dtype, 10 * t) for p in params]
        if t in (1, 3):
            grads[3] = None
        assert optimizer.step(grads) is True
        for i, grad in enumerate(grads):
            if grad is None:
                continue
            g = -grad.astype(np.float64) if options["maximize"] else grad.astype(np.float64)
            g = g + options["weight_decay"] * expected[i]
            if options["momentum"] != 0:
                if buffers[i] is None:
                    buffers[i] = g
                else:
                    buffers[i] = options["momentum"] * buffers[i] + (1 - options["dampening"]) * g
                g = g + options["momentum"] * buffers[i] if options["nesterov"] else buffers[i]
            expected[i] = expected[i] - 0.1 * g
    for got, want in zip(params, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=50 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 7, 3), (3, 200), (400, 3), (1, 1), (300,), ()])
def test_layouts_give_the_same_bits_and_touch_nothing_else(shape, dtype):
    values = [draw(shape, dtype, seed) for seed in range(3)]
    want = [v.copy() for v in values]
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
    na.sgd_step(*want, **options)
    layouts = [name for name in LAYOUTS if shape or name not in ("negative", "every second", "padded rows")]
    for names in itertools.product(layouts, repeat=3):
        (param, base), (grad, _), (velocity, _) = (in_layout(v, n) for v, n in zip(values, names, strict=True))
        na.sgd_step(param, grad, velocity, **options)
        assert bits(param) == bits(want[0]), names
        assert bits(velocity) == bits(want[2]), names
        if names[0] in ("every second", "padded rows"):
            param[...] = 0
            assert not base.any(), names


@hypothesis.given(data=st.data())
@hypothesis.settings(deadline=None, max_examples=150)
def test_any_strides(data):
    dtype = data.draw(st.sampled_from([np.dtype(code) for code in ("<f4", ">f4", "<f8", ">f8")]))
    base_shape = data.draw(st.lists(st.integers(0, 40), min_size=0, max_size=4).filter(lambda s: np.prod(s) < 20000))
    cut = [
        slice(data.draw(st.integers(0, 2)), None, data.draw(st.sampled_from([1, 1, 2, 3, -1, -2]))) for _ in base_shape
    ]
    axes = data.draw(st.permutations(range(len(base_shape))))
    base = draw(base_shape, dtype.newbyteorder("="), 1).astype(dtype)
    # The index that keeps a 0-d array an array.
    param = base[(..., *cut)].transpose(axes)
    grad = draw(param.shape, dtype.newbyteorder("="), 2)
    if data.draw(st.booleans()):
        grad = grad.copy(order="F")
    got, plain = param.copy(), np.array(param, dtype=dtype.newbyteorder("="))
    before = base.copy()
    options = {"lr": 0.5, "momentum": 0.9, "nesterov": True, "max_norm": 1.0}
    optimizers = na.SGD([param], **options), na.SGD([got], **options), na.SGD([plain], **options)
    for _ in range(2):
        for optimizer, g in zip(optimizers, (grad, grad, grad.copy(order="C")), strict=True):
            optimizer.step([g])
    assert bits(param) == bits(got) == bits(plain)
    assert optimizers[0].last_norm == optimizers[2].last_norm
    param[...] = before[(..., *cut)].transpose(axes)
    assert bits(base) == bits(before)


def test_lr_and_weight_decay_by_array():
    params = [np.ones(3), np.ones((2, 2), np.float32)]
    grads = [np.ones(3), np.ones((2, 2), np.float32)]
    optimizer = na.SGD(params, lr=[0.5, 0.25], weight_decay=np.array([0.0, 1.0]))
    assert optimizer.lr == (0.5, 0.25)
    optimizer.step(grads)
    assert (params[0] == 0.5).all()
    assert (params[1] == 0.5).all()
    optimizer.lr = 0.5
    assert optimizer.lr == 0.5
    optimizer.step(grads)
    assert (params[0] == 0).all()
    assert (params[1] == -0.25).all()
    for wrong, error in [(-1, ValueError), ([0.1], ValueError), ([0.1, np.nan], ValueError), ("0.1", TypeError)]:
        with pytest.raises(error):
            optimizer.lr = wrong
    with pytest.raises(ValueError, match="too large"):
        optimizer.lr = 1e39
    assert optimizer.lr == 0.5
    optimizer.step(grads)
    assert (params[0] == -0.5).all()


def test_numbers_of_all_kinds_are_taken():
    param = np.ones(2)
    for lr in (1, np.float32(1), np.int8(1), np.array(1.0)):
        na.sgd_step(param, np.ones(2), lr=lr)
    assert (param == -3).all()


def test_no_weight_decay_leaves_infinite_parameters_alone():
    param = np.array([np.inf, 1.0])
    na.sgd_step(param, np.ones(2), lr=0.5)
    assert param.tolist() == [np.inf, 0.5]


def test_velocity_is_left_alone_without_momentum():
    velocity = np.full(3, 7.0)
    na.sgd_step(np.ones(3), np.ones(3), velocity, lr=0.1, dampening=0.5)
    assert (velocity == 7).all()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_clipping(dtype, order):
    grads = [draw((300, 200), dtype, 1), draw(50, dtype, 2), np.zeros((0,), dtype), np.ones((), dtype)]
    grads = [np.asarray(g, order=order) for g in grads]
    norm = np.sqrt(sum(np.sum(g.astype(np.float64) ** 2) for g in grads))
    for max_norm in (1.0, 0.0, 1e4, np.inf):
        params = [np.zeros_like(g) for g in grads]
        optimizer = na.SGD(params, lr=1.0, max_norm=max_norm)
        assert optimizer.last_norm is None
        assert optimizer.step(grads)
        assert optimizer.last_norm == pytest.approx(norm, rel=1e-14)
        factor = min(1.0, max_norm / (norm + 1e-6))
        for p, g in zip(params, grads, strict=True):
            np.testing.assert_allclose(p, -factor * g, rtol=2 * np.finfo(dtype).eps)
    optimizer.step([None, None, None, grads[3]])
    assert optimizer.last_norm == 1


def test_norm_is_right_where_squares_leave_the_range():
    for size in (1e300, 1e-300, 5e-324, 1e160, 1e-170):
        param, grad = np.zeros(4), np.full(4, size)
        optimizer = na.SGD([param], lr=1.0, max_norm=1.0, skip_nonfinite=True)
        assert optimizer.step([grad])
        assert optimizer.last_norm == pytest.approx(2 * size, rel=1e-15)
        np.testing.assert_allclose(param, -grad * min(1, 1 / (2 * size + 1e-6)), rtol=1e-14)
    param = np.zeros(4)
    optimizer = na.SGD([param], lr=1.0, max_norm=1.0, skip_nonfinite=True)
    assert optimizer.step([np.full(4, 1.5e308)])  # the norm itself is beyond float64, its direction is not
    np.testing.assert_allclose(param, -0.5, rtol=1e-14)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_skip_nonfinite_leaves_everything(dtype, value):
    params = [draw((40, 9), dtype), draw(40000, dtype)]
    optimizer = na.SGD(params, lr=0.1, momentum=0.9, dampening=0.5, skip_nonfinite=True)
    good = [np.ones_like(p) for p in params]
    bad = [good[0], good[1].copy()]
    bad[1][-1] = value
    for _ in range(2):  # before and after the first step that is applied
        before, state = copy.deepcopy(params), optimizer.state_dict()
        assert optimizer.step(bad) is False
        assert not np.isfinite(optimizer.last_norm)
        assert [bits(p) for p in params] == [bits(p) for p in before]
        for v, w in zip(optimizer.state_dict()["velocities"], state["velocities"], strict=True):
            assert (v is None and w is None) or bits(v) == bits(w)
        assert optimizer.step(good) is True
    fresh = [before.copy() for before in (draw((40, 9), dtype), draw(40000, dtype))]
    other = na.SGD(fresh, lr=0.1, momentum=0.9, dampening=0.5)
    other.step(good)
    other.step(good)
    assert [bits(p) for p in params] == [bits(p) for p in fresh]


def test_nonfinite_gradients_without_skip():
    def after(grads, **options):
        params = [np.ones(2), np.ones(1)]
        assert na.SGD(params, lr=0.5, **options).step([np.array(g) for g in grads])
        return [p.tolist() for p in params]

    assert after([[np.inf, 1.0], [1.0]]) == [[-np.inf, 0.5], [0.5]]
    assert np.isnan(np.concatenate(after([[np.nan, 1.0], [1.0]], max_norm=1.0))).all()
    first, second = after([[np.inf, 1.0], [1.0]], max_norm=1.0)
    assert np.isnan(first[0])
    assert first[1] == 1
    assert second == [1]


def test_no_floating_point_warnings():
    with np.errstate(all="raise"):
        param = np.array([1.0, 1e-320, np.nan, np.inf])
        na.SGD([param], lr=0.5, momentum=0.5, max_norm=1.0).step([np.array([1e300, 1e-310, np.inf, np.nan])])
        na.sgd_step(np.full(3, 3e38, np.float32), np.full(3, -3e38, np.float32), lr=1.0)


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_copy_is_refused(make):
    with pytest.raises(TypeError, match=r"cannot be copied or pickled: keep its state_dict\(\)"):
        make(na.SGD([np.ones(3)], lr=0.1))


def test_state_round_trip():
    def fresh():
        return [draw((4, 5), np.float32, 1), draw(6, np.float64, 2).astype(">f8"), draw((3, 3), np.float64, 3).T]

    def grads(t):
        return [draw(p.shape, p.dtype.newbyteorder("="), 20 + t) if t or i else None for i, p in enumerate(fresh())]

    params = fresh()
    optimizer = na.SGD(params, lr=[0.1, 0.2, 0.3], momentum=0.9, nesterov=True, weight_decay=0.1, max_norm=2.0)
    optimizer.step(grads(0))
    state = optimizer.state_dict()
    assert state["velocities"][0] is None
    assert state["lr"] == [0.1, 0.2, 0.3]
    saved = copy.deepcopy(params)
    optimizer.step(grads(1))
    optimizer.step(grads(2))

    resumed = na.SGD(saved, lr=1.0)
    resumed.load_state_dict(state)
    assert resumed.lr == (0.1, 0.2, 0.3)
    again = resumed.state_dict()
    assert again.keys() == state.keys()
    assert {k: v for k, v in again.items() if k != "velocities"} == {
        k: v for k, v in state.items() if k != "velocities"
    }
    for v in state["velocities"][1:]:
        v[...] = 77  # the optimizer has copies
    resumed.step(grads(1))
    resumed.step(grads(2))
    assert [bits(p) for p in saved] == [bits(p) for p in params]


def test_loading_a_wrong_state_changes_nothing():
    params = [np.ones((2, 3), np.float32), np.ones(4)]
    optimizer = na.SGD(params, lr=0.1, momentum=0.9)
    optimizer.step([np.ones_like(p) for p in params])
    good = optimizer.state_dict()
    velocities = good["velocities"]
    for wrong, error in [
        ([], TypeError),
        ({}, ValueError),
        ({**good, "extra": 1}, ValueError),
        ({k: v for k, v in good.items() if k != "velocities"}, ValueError),
        ({**good, "lr": -1.0}, ValueError),
        ({**good, "lr": [0.1]}, ValueError),
        ({**good, "momentum": np.nan}, ValueError),
        ({**good, "momentum": 0.0}, ValueError),
        ({**good, "velocities": velocities[:1]}, ValueError),
        ({**good, "velocities": velocities[::-1]}, (TypeError, ValueError)),
        ({**good, "velocities": [velocities[0].T, velocities[1]]}, ValueError),
        ({**good, "velocities": [velocities[0].astype(np.float64), velocities[1]]}, TypeError),
        ({**good, "velocities": [[1.0], velocities[1]]}, TypeError),
    ]:
        with pytest.raises(error):
            optimizer.load_state_dict(wrong)
        state = optimizer.state_dict()
        assert [bits(v) for v in state.pop("velocities")] == [bits(v) for v in velocities]
        assert state == {k: v for k, v in good.items() if k != "velocities"}


class TestRefused:
    """Each refusal, with nothing written."""

    @staticmethod
    def refused(error, param, grad, velocity=None, match=None, **options):
        arrays = [a for a in (param, grad, velocity) if isinstance(a, np.ndarray)]
        before = [a.copy() for a in arrays]
        with pytest.raises(error, match=match):
            na.sgd_step(param, grad, velocity, **{"lr": 0.1, "momentum": 0.0 if velocity is None else 0.9, **options})
        assert [bits(a) for a in arrays] == [bits(a) for a in before]

    @pytest.mark.parametrize(
        "options",
        [
            {"lr": -1.0},
            {"lr": np.nan},
            {"lr": np.inf},
            {"momentum": -0.1},
            {"momentum": np.nan},
            {"momentum": np.inf},
            {"dampening": np.nan},
            {"dampening": np.inf},
            {"weight_decay": -0.1},
            {"weight_decay": np.nan},
            {"nesterov": True, "momentum": 0.0},
            {"nesterov": True, "dampening": 0.5},
        ],
    )
    def test_numbers(self, options):
        self.refused(ValueError, np.ones(3), np.ones(3), np.ones(3), **options)
        with pytest.raises(ValueError, match=r"must be|needs"):
            na.SGD([np.ones(3)], **{"lr": 0.1, "momentum": 0.9, **options})

    @pytest.mark.parametrize("name", ["lr", "momentum", "dampening", "weight_decay"])
    @pytest.mark.parametrize("value", ["0.1", 1j, None, {}, np.array("a")])
    def test_not_numbers(self, name, value):
        match = f"{name} must be a real number"
        self.refused(TypeError, np.ones(3), np.ones(3), np.ones(3), match=match, **{name: value})

    @pytest.mark.parametrize("name", ["lr", "momentum", "dampening", "weight_decay"])
    def test_integers_beyond_floats(self, name):
        self.refused(ValueError, np.ones(3), np.ones(3), np.ones(3), match=f"{name} is too large", **{name: 10**400})

    @pytest.mark.parametrize("name", ["nesterov", "maximize", "skip_nonfinite"])
    @pytest.mark.parametrize("value", ["False", 1, None])
    def test_flags(self, name, value):
        match = f"{name} must be True or False"
        with pytest.raises(TypeError, match=match):
            na.SGD([np.ones(3)], lr=0.1, momentum=0.9, **{name: value})
        if name != "skip_nonfinite":
            self.refused(TypeError, np.ones(3), np.ones(3), np.ones(3), match=match, momentum=0.9, **{name: value})

    def test_sgd_step_takes_one_lr(self):
        self.refused(TypeError, np.ones(3), np.ones(3), lr=[0.1])
        self.refused(TypeError, np.ones(3), np.ones(3), weight_decay=[0.1])

    @pytest.mark.parametrize("name", ["lr", "momentum", "weight_decay", "dampening"])
    def test_numbers_beyond_float32(self, name):
        a = np.ones(3, np.float32)
        self.refused(ValueError, a, a.copy(), a.copy(), match=f"{name}.*too large", **{name: 1e39})

    @pytest.mark.parametrize("max_norm", [-1.0, np.nan])
    def test_max_norm(self, max_norm):
        with pytest.raises(ValueError, match="max_norm"):
            na.SGD([np.ones(2)], lr=0.1, max_norm=max_norm)

    def test_velocity_missing(self):
        self.refused(ValueError, np.ones(3), np.ones(3), momentum=0.9, match="needs a velocity")

    def test_master(self):
        self.refused(TypeError, np.ones(3), np.ones(3), match="half-precision", master=np.ones(3))

    @pytest.mark.parametrize("dtype", [np.int32, np.complex128, np.longdouble, bool, object, "U3", "f4,f4"])
    def test_dtypes(self, dtype):
        self.refused(TypeError, np.ones(3).astype(dtype), np.ones(3), match="param has dtype")
        self.refused(TypeError, np.ones(3), np.ones(3).astype(dtype), match="grad has dtype")
        self.refused(TypeError, np.ones(3), np.ones(3), np.ones(3).astype(dtype), match="velocity has dtype")

    def test_dtypes_differ(self):
        self.refused(TypeError, np.ones(3, np.float32), np.ones(3), match="float64, but param has dtype float32")
        self.refused(TypeError, np.ones(3), np.ones(3), np.ones(3, np.float32), match="velocity has dtype")

    def test_not_arrays(self):
        self.refused(TypeError, [1.0], np.ones(1), match="param must be a numpy.ndarray, not list")
        self.refused(TypeError, np.ones(1), [1.0], match="grad must be a numpy.ndarray, not list")
        self.refused(TypeError, np.ones(1), np.ones(1), [1.0], match="velocity must be a numpy.ndarray, not list")
        self.refused(TypeError, np.ma.masked_array(np.ones(2)), np.ones(2), match="masked")
        self.refused(TypeError, np.ones(2), np.ma.masked_array(np.ones(2)), match="masked")

    def test_not_lists(self):
        optimizer = na.SGD([np.ones(2)], lr=0.1)
        for wrong in (None, 3, np.ones(2)):
            with pytest.raises(TypeError, match="params must be a list of arrays, not"):
                na.SGD(wrong, lr=0.1)
            with pytest.raises(TypeError, match="grads must be a list of arrays, not"):
                optimizer.step(wrong)
        for name in ("velocities", "masters"):
            with pytest.raises(TypeError, match=f"state must have a list of {name}, not NoneType"):
                optimizer.load_state_dict({**optimizer.state_dict(), name: None})

    def test_shapes(self):
        self.refused(ValueError, np.ones((2, 3)), np.ones((3, 2)), match=r"grad has shape \(3, 2\)")
        self.refused(ValueError, np.ones((2, 3)), np.ones(3), match="nothing is broadcast")
        self.refused(ValueError, np.ones(3), np.ones(3), np.ones((3, 1)), match="velocity has shape")

    def test_read_only(self):
        frozen = np.ones(3)
        frozen.flags.writeable = False
        self.refused(TypeError, frozen, np.ones(3), match="param is read-only")
        self.refused(TypeError, np.ones(3), np.ones(3), frozen, match="velocity is read-only")
        na.sgd_step(np.ones(3), frozen, lr=0.1)

    def test_shared_memory(self):
        a, base = np.ones(6), np.ones(9)
        for grad in (a, a[::-1]):
            self.refused(ValueError, a, grad, match="grad and param share memory")
        self.refused(ValueError, base[:6], base[3:], match="share memory")
        self.refused(ValueError, np.ones(6), a, a, match="grad and velocity share memory")
        self.refused(ValueError, a, np.ones(6), a, match="param and velocity share memory")
        # Interleaved, but apart:
        pairs = np.ones((6, 2))
        na.sgd_step(pairs[:, 0], pairs[:, 1], lr=1.0)
        assert pairs.tolist() == [[0.0, 1.0]] * 6

    def test_overlap_with_itself(self):
        for view in (
            as_strided(np.ones(1), (3,), (0,)),
            as_strided(np.ones(4), (2, 3), (8, 8)),
            as_strided(np.ones(3)[1:], (2,), (-4,)),
        ):
            self.refused(ValueError, view, np.ones(view.shape, view.dtype), match="share memory with each other")
        # Length 1 along an axis of stride 0 is no overlap.
        na.sgd_step(as_strided(np.ones(3), (1, 3), (0, 8)), np.ones((1, 3)), lr=0.1)

    def test_lists(self):
        a, b = np.ones(3), np.ones(3)
        with pytest.raises(TypeError, match="wrap it in a list"):
            na.SGD(a, lr=0.1)
        with pytest.raises(ValueError, match="empty"):
            na.SGD([], lr=0.1)
        with pytest.raises(ValueError, match=r"params\[0\] and params\[1\] share memory"):
            na.SGD([a, a], lr=0.1)
        with pytest.raises(ValueError, match="share memory"):
            na.SGD([b, a[:2], a[1:]], lr=0.1)
        with pytest.raises(TypeError, match=r"params\[1\] must be"):
            na.SGD([a, 3.0], lr=0.1)
        columns = np.ones((5, 40), np.float32)
        na.SGD([columns[:, i] for i in range(40)], lr=0.1)

    @pytest.mark.parametrize("momentum", [0.0, 0.9])
    def test_grads(self, momentum):
        params = [np.ones(3), np.ones((2, 2), np.float32)]
        optimizer = na.SGD(params, lr=0.1, momentum=momentum)
        good = [np.ones(3), np.ones((2, 2), np.float32)]
        for grads, error, match in [
            (good[:1], ValueError, "1 grads for 2 params"),
            ([*good, None], ValueError, "3 grads for 2 params"),
            (good[0], TypeError, "wrap it in a list"),
            (3, TypeError, "must be a list of arrays, not int"),
            ([good[0], 1.0], TypeError, r"grads\[1\] must be"),
            ([good[0], np.ones((2, 2))], TypeError, r"grads\[1\] has dtype float64, but params\[1\]"),
            ([good[0], np.ones(4, np.float32)], ValueError, r"grads\[1\] has shape \(4,\)"),
            ([params[0], good[1]], ValueError, r"grads\[0\] and params\[0\] share memory"),
            ([good[0], params[1].T], ValueError, r"grads\[1\] and params\[1\] share memory"),
        ]:
            with pytest.raises(error, match=match):
                optimizer.step(grads)
            assert all((p == 1).all() for p in params)
        assert optimizer.step(iter(good))

    def test_params_changed_behind_our_back(self):
        def change_flags(a):
            a.flags.writeable = False

        def change_size(a):
            a.resize(1000, refcheck=False)

        def change_dtype(a):
            a.dtype = ">f8"

        for change in (change_flags, change_size, change_dtype):
            param = np.ones(6)
            optimizer = na.SGD([param], lr=0.1)
            if change is change_dtype:
                with warnings.catch_warnings():  # later versions of NumPy deprecate it
                    warnings.simplefilter("ignore", DeprecationWarning)
                    change(param)
            else:
                change(param)
            with pytest.raises(ValueError, match="since it was handed over"):
                optimizer.step([np.ones(param.shape)])


def large_case(**options):
    shapes = [(300, 500), (7,), (40001,), (0,), (200, 200)]
    params = [draw(s, dtype, 3) for s, dtype in itertools.product(shapes, DTYPES)]
    params[-1] = params[-1].T
    params[-2] = params[-2][:, ::2]
    optimizer = na.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.01, max_norm=1.0, **options)
    for t in range(2):
        optimizer.step([draw(p.shape, p.dtype, 10 + t) for p in params])
    return [bits(p) for p in params], optimizer.last_norm.hex()


def test_results_do_not_depend_on_threads():
    with na.num_threads(1):
        alone = large_case()
    for threads in (2, 3, 8):
        _runtime._native._pretend_cpus(threads)
        try:
            with na.num_threads(threads):
                assert large_case() == alone
        finally:
            _runtime._native._pretend_cpus(0)


def test_norm_does_not_depend_on_the_isa_level():
    chosen = na.isa()
    results = {}
    try:
        for name in na.available_isas():
            _runtime._native.choose_isa(name)
            results[name] = large_case()
    finally:
        _runtime._native.choose_isa(chosen)
    # The second step's gradients are the same, whatever the parameters are.
    assert len({norm for _, norm in results.values()}) == 1
    fused = [params for name, (params, _) in results.items() if name != "x86-64"]
    assert all(params == fused[0] for params in fused)


def test_two_threads_cannot_step_one_optimizer_at_a_time():
    params = [np.zeros(1 << 21)]
    grads = [np.ones(1 << 21)]
    optimizer = na.SGD(params, lr=1.0)
    applied, errors = [], []

    def steps():
        for _ in range(10):
            try:
                applied.append(optimizer.step(grads))
            except RuntimeError as error:
                errors.append(str(error))

    threads = [threading.Thread(target=steps) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(applied) + len(errors) == 20
    assert (params[0] == -len(applied)).all()
    assert set(errors) <= {"a step of this SGD is running in another thread"}


def test_many_axes():
    param = np.flip(draw((1, 2) * 16, np.float64).transpose(range(31, -1, -1)), -1)
    want = param.copy()
    grad = draw(param.shape, np.float64, 1)
    na.sgd_step(param, grad, lr=0.5)
    reference.sgd_step(want, grad, lr=0.5)
    np.testing.assert_allclose(param, want, rtol=0, atol=1e-15)


def test_repr():
    text = repr(na.SGD([np.ones(2)], lr=0.5))
    assert text.startswith("SGD(<1 array>, lr=0.5, momentum=0.0")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [100, 1000])
def test_the_place_within_a_cache_line_changes_nothing(dtype, n):
    rng = np.random.default_rng(0)
    start, grad = rng.normal(size=(2, n)).astype(dtype)
    results = []
    for offset in range(17):
        param = np.empty(n + offset, dtype)[offset:]
        param[...] = start
        optimizer = na.SGD([param], lr=0.1, momentum=0.9, weight_decay=0.01)
        for _ in range(2):
            optimizer.step([grad])
        (velocity,) = optimizer.state_dict()["velocities"]
        results.append((param.copy(), velocity))
        kept = optimizer._native.velocities()[0]
        assert kept.ctypes.data % 64 == param.ctypes.data % 64
    for param, velocity in results[1:]:
        np.testing.assert_array_equal(param, results[0][0])
        np.testing.assert_array_equal(velocity, results[0][1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"nesterov": True, "weight_decay": 0.1}], ids=str)
def test_arrays_beyond_the_caches_give_the_same_bits(dtype, options, rng):
    n, distance = (3 << 20) + 5, 1 << 28  # lines of the first-level cache that collide on Zen processors
    memory = np.empty(2 * distance, np.uint8)
    param, velocity = (memory[begin:].view(dtype)[1 : n + 1] for begin in (0, distance))
    grad = rng.normal(size=n).astype(dtype)
    param[:], velocity[:] = rng.normal(size=(2, n))
    pieces = [each.copy() for each in (param, grad, velocity)]
    for begin in range(0, n, 10_000):
        na.sgd_step(*(each[begin : begin + 10_000] for each in pieces), lr=0.1, momentum=0.9, **options)
    na.sgd_step(param, grad, velocity, lr=0.1, momentum=0.9, **options)
    assert param.tobytes() == pieces[0].tobytes()
    assert velocity.tobytes() == pieces[2].tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_of_numbers(dtype):
    """A gradient with the shape of a parameter without axes is a NumPy scalar, as a ufunc returns it."""
    weight, x = np.array(0.25, dtype), np.array([-1, 2], dtype)
    _, gradient = na.prelu_backward(np.ones_like(x), x, weight)
    assert isinstance(gradient, dtype)
    na.sgd_step(weight, gradient, lr=0.5)
    assert weight == 0.75
    na.SGD([weight], lr=0.5, momentum=0.9).step([gradient])
    assert weight == 1.25
    with pytest.raises(TypeError, match=r"convert it with \.astype"):
        na.sgd_step(weight, np.float16(1), lr=0.5)
