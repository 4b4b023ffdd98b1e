"""The SGD step on float16 and bfloat16: the float32 step of a master, and its rounding."""

import copy
import itertools
import subprocess
import sys

import numpy as np
import pytest
from test_sgd import LAYOUTS, OPTIONS, bits, draw, in_layout

import numact as na
from numact import _runtime, reference


@pytest.fixture(params=["float16", "bfloat16"])
def half(request):
    if request.param == "float16":
        return np.dtype(np.float16)
    return np.dtype(pytest.importorskip("ml_dtypes").bfloat16)


@pytest.fixture(params=na.available_isas())
def level(request):
    chosen = na.isa()
    _runtime._native.choose_isa(request.param)
    yield request.param
    _runtime._native.choose_isa(chosen)


def every_half(half):
    return np.arange(1 << 16, dtype=np.uint16).view(half)


def assert_same(got, expected):
    """Bit for bit, but for the sign and payload of NaN."""
    assert got.dtype == expected.dtype
    with np.errstate(invalid="ignore"):
        nan = np.isnan(expected)
        np.testing.assert_array_equal(np.isnan(got), nan)
    unsigned = f"u{got.dtype.itemsize}"
    np.testing.assert_array_equal(got[~nan].view(unsigned), expected[~nan].view(unsigned))


# ---- Rounding and widening ----


def test_results_are_rounded_to_nearest_even(half, level):
    """Every half, the middle between it and the next, and the float32 on either side of the middle."""
    with np.errstate(all="ignore"):  # signalling NaN
        exact = every_half(half).astype(np.float32)
    exact = exact[np.isfinite(exact)].reshape(2, -1)
    largest = float(exact[0, -1])
    beyond = np.float64([2 * largest - float(exact[0, -2])])  # where the next number would be
    up = np.concatenate([exact[0].astype(np.float64), beyond])
    middle = ((up[:-1] + up[1:]) / 2).astype(np.float32)
    x = np.concatenate([exact[0], middle, np.nextafter(middle, 0), np.nextafter(middle, np.inf), [np.inf, 1e-45, 3e38]])
    x = np.concatenate([x, -x, [np.nan]]).astype(np.float32)
    with np.errstate(over="ignore"):
        expected = x.astype(half)
    param = np.zeros(x.shape, half)
    na.sgd_step(param, -x, lr=1.0)
    nonzero = x != 0  # 0 - 0 is 0, whatever the sign
    assert_same(param[nonzero], expected[nonzero])


def test_every_half_is_widened_exactly(half, level):
    values = every_half(half)
    with np.errstate(invalid="ignore"):
        exact = values.astype(np.float32)
    # as a gradient
    param, master = np.zeros_like(values), np.zeros(values.shape, np.float32)
    na.sgd_step(param, values, lr=1.0, master=master)
    nonzero = exact != 0
    assert_same(master[nonzero], -exact[nonzero])
    # as a parameter, alone and taken over by its master
    for master in (None, np.full(values.shape, np.nan, np.float32)):
        param = values.copy()
        na.sgd_step(param, np.zeros_like(values), lr=1.0, master=master)
        assert_same(param, values)
        if master is not None:
            assert_same(master, exact)


# ---- The master ----


def test_updates_below_half_an_ulp_arrive(half):
    steps, lr = 10_000, 2.0**-15  # halves below 1 are 2^-11 and 2^-8 apart
    grad = np.ones(300, half)
    forgetful, param = np.ones_like(grad), np.ones_like(grad)
    master = param.astype(np.float32)
    kept = np.ones_like(grad)
    optimizer = na.SGD([kept], lr=lr)
    for _ in range(steps):
        na.sgd_step(forgetful, grad, lr=lr)
        na.sgd_step(param, grad, lr=lr, master=master)
        optimizer.step([grad])
    exact = np.full(grad.shape, 1 - steps * lr, np.float32)
    assert bits(forgetful) == bits(grad)
    assert bits(master) == bits(optimizer.state_dict()["masters"][0]) == bits(exact)
    assert bits(param) == bits(kept) == bits(exact.astype(half))


@pytest.mark.parametrize("options", [*OPTIONS, {"momentum": 0.9, "max_norm": 3.0}])
@pytest.mark.parametrize("grad_dtype", ["half", np.float32])
def test_a_run_is_the_float32_run_rounded(half, options, grad_dtype):
    params = [draw(shape, np.float32, 5).astype(half) for shape in [(7, 33), (), (0, 4), (1000,)]]
    exact = [p.astype(np.float32) for p in params]
    optimizer, float32 = na.SGD(params, lr=0.1, **options), na.SGD(exact, lr=0.1, **options)
    for t in range(5):
        grads = [draw(p.shape, np.float32, 10 * t) for p in params]
        grads = [g.astype(half if grad_dtype == "half" else grad_dtype) for g in grads]
        if t == 1:
            grads[3] = None
        optimizer.step(grads)
        float32.step([None if g is None else g.astype(np.float32) for g in grads])
        assert optimizer.last_norm == float32.last_norm
    state, velocities = optimizer.state_dict(), float32.state_dict()["velocities"]
    for i, want in enumerate(exact):
        assert params[i].dtype == half
        assert bits(params[i]) == bits(want.astype(half))
        assert bits(state["masters"][i]) == bits(want)
        if options["momentum"] > 0:
            assert state["velocities"][i].dtype == np.float32
            assert bits(state["velocities"][i]) == bits(velocities[i])


@pytest.mark.parametrize("options", OPTIONS)
def test_step_with_and_without_master_is_the_float32_step(half, options):
    start, grad = (draw((37, 11), np.float32, seed).astype(half) for seed in range(2))
    velocity, exact = draw((37, 11), np.float32, 2), start.astype(np.float32)
    same_velocity, master = velocity.copy(), exact.copy()
    param, remembered, remembered_velocity = start.copy(), start.copy(), velocity.copy()
    na.sgd_step(exact, grad.astype(np.float32), velocity, lr=0.1, **options)
    na.sgd_step(param, grad, same_velocity, lr=0.1, **options)
    na.sgd_step(remembered, grad, remembered_velocity, lr=0.1, master=master, **options)
    assert bits(param) == bits(remembered) == bits(exact.astype(half))
    assert bits(velocity) == bits(same_velocity) == bits(remembered_velocity)
    assert bits(master) == bits(exact)


def test_the_reference_agrees(half):
    param, grad = (draw(500, np.float32, seed).astype(half) for seed in range(2))
    velocity, master = draw(500, np.float32, 2), param.astype(np.float32)
    param[::7] = 2
    expected = copy.deepcopy((param, velocity, master))
    options = {"lr": 0.125, "momentum": 0.5, "weight_decay": 0.25, "maximize": True}
    na.sgd_step(param, grad, velocity, master=master, **options)
    reference.sgd_step(expected[0], grad, expected[1], master=expected[2], **options)
    np.testing.assert_allclose(velocity, expected[1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(master, expected[2], rtol=0, atol=1e-6)
    np.testing.assert_allclose(param.astype(np.float32), expected[0].astype(np.float32), rtol=2.0**-7)


def test_an_edited_parameter_is_taken_over(half):
    param = np.ones(600, half)
    optimizer = na.SGD([param], lr=2.0**-15)
    grad = np.ones_like(param)
    for _ in range(3):
        optimizer.step([grad])
    assert bits(param) == bits(np.ones_like(param))
    param[5], param[300], param[599] = 0.5, np.inf, -0.0
    optimizer.step([grad])
    expected = np.full(param.shape, 1 - 4 * 2.0**-15, np.float32)
    expected[[5, 300, 599]] = 0.5 - 2.0**-15, np.inf, -(2.0**-15)
    assert bits(optimizer.state_dict()["masters"][0]) == bits(expected)
    param[:] = 0.0
    master = np.full(param.shape, -0.0, np.float32)
    na.sgd_step(param, np.full_like(param, -0.0), lr=1.0, master=master)
    assert not np.signbit(master).any()


def test_a_master_beyond_the_halves_is_kept():
    param, master = np.full(3, np.inf, np.float16), np.full(3, 70000, np.float32)
    na.sgd_step(param, np.ones(3, np.float32), lr=10000.0, master=master)
    assert (master == 60000).all()
    assert (param == np.float16(60000)).all()


def test_nan_and_infinity(half):
    param, master = np.ones(3, half), np.ones(3, np.float32)
    grad = np.array([np.nan, np.inf, 1.0], np.float32).astype(half)
    for _ in range(2):
        na.sgd_step(param, grad, lr=0.25, master=master)
    assert_same(param.astype(np.float32), np.array([np.nan, -np.inf, 0.5], np.float32))
    assert_same(master, np.array([np.nan, -np.inf, 0.5], np.float32))


def test_no_floating_point_warnings(half):
    with np.errstate(all="raise"):
        param = every_half(half).copy()
        na.SGD([param], lr=0.5, momentum=0.5, max_norm=1.0).step([every_half(half)])
        na.sgd_step(param, np.full(param.shape, 3e38, np.float32), lr=1.0)


# ---- Layouts, threads, levels ----


@pytest.mark.parametrize("shape", [(5, 7, 3), (3, 200), (300,), ()])
def test_layouts_give_the_same_bits_and_touch_nothing_else(half, shape):
    layouts = [name for name in LAYOUTS if shape or name not in ("negative", "every second", "padded rows")]
    combinations = [*zip(*[layouts] * 4, strict=True), *(np.random.default_rng(0).choice(layouts, (60, 4)).tolist())]
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
    for grad_dtype in (half, np.float32):
        values = [
            draw(shape, np.float32, seed).astype(dtype) for seed, dtype in enumerate([half, grad_dtype, "f4", "f4"])
        ]
        values[3][...] = values[0]
        values[3] *= 1 + 2.0**-20
        param, grad, velocity, master = want = [v.copy() for v in values]
        na.sgd_step(param, grad, velocity, master=master, **options)
        for names in combinations:
            placed = [in_layout(v, name) for v, name in zip(values, names, strict=True)]
            (param, base), (grad, _), (velocity, _), (master, _) = placed
            na.sgd_step(param, grad, velocity, master=master, **options)
            assert [bits(array) for array, _ in placed] == [bits(w) for w in want], names
            if names[0] in ("every second", "padded rows"):
                param[...] = 0
                assert not base.any(), names


def large_case(half):
    shapes = [(300, 500), (7,), (40001,), (0,), (200, 200)]
    params = [draw(s, np.float32, 3).astype(dtype) for s, dtype in itertools.product(shapes, [half, np.float32])]
    params[-2] = params[-2].T
    params[4] = params[4][::2]
    optimizer = na.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.01, max_norm=1.0)
    norms = []
    for t in range(3):
        grads = [draw(p.shape, np.float32, 10 + t) for p in params]
        optimizer.step([g.astype(p.dtype) if t < 2 else g for p, g in zip(params, grads, strict=True)])
        norms.append(optimizer.last_norm.hex())
    state = optimizer.state_dict()
    arrays = [*params, *state["velocities"], *(m for m in state["masters"] if m is not None)]
    return [bits(a) for a in arrays], norms


def test_results_do_not_depend_on_threads(half):
    with na.num_threads(1):
        alone = large_case(half)
    for threads in (2, 3, 8):
        _runtime._native._pretend_cpus(threads)
        try:
            with na.num_threads(threads):
                assert large_case(half) == alone
        finally:
            _runtime._native._pretend_cpus(0)


def test_levels_agree(half):
    chosen, results = na.isa(), {}
    try:
        for name in na.available_isas():
            _runtime._native.choose_isa(name)
            results[name] = large_case(half)
    finally:
        _runtime._native.choose_isa(chosen)
    assert len({tuple(norms) for _, norms in results.values()}) == 1
    fused = [arrays for name, (arrays, _) in results.items() if name != "x86-64"]
    assert all(arrays == fused[0] for arrays in fused)


# ---- Clipping and skipping ----


@pytest.mark.parametrize("grad_dtype", ["half", np.float32])
def test_clipping(half, grad_dtype):
    grads = [draw((300, 200), np.float32, 1), draw(50, np.float32, 2).T, np.ones((), np.float32)]
    grads = [g.astype(half if grad_dtype == "half" else grad_dtype) for g in grads]
    norm = np.sqrt(sum(np.sum(g.astype(np.float64) ** 2) for g in grads))
    for max_norm in (1.0, np.inf):
        params = [np.zeros(g.shape, half) for g in grads]
        optimizer = na.SGD(params, lr=1.0, max_norm=max_norm)
        assert optimizer.step(grads)
        assert optimizer.last_norm == pytest.approx(norm, rel=1e-14)
        factor = np.float32(min(1.0, max_norm / (norm + 1e-6)))
        for p, g, master in zip(params, grads, optimizer.state_dict()["masters"], strict=True):
            np.testing.assert_array_equal(master, -factor * g.astype(np.float32))
            np.testing.assert_array_equal(p, master.astype(half))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("grad_dtype", ["half", np.float32])
def test_skip_nonfinite_leaves_everything(half, grad_dtype, value):
    params = [draw((40, 9), np.float32).astype(half), draw(40000, np.float32).astype(half)]
    optimizer = na.SGD(params, lr=0.1, momentum=0.9, skip_nonfinite=True)
    good = [np.ones(p.shape, half if grad_dtype == "half" else grad_dtype) for p in params]
    bad = [good[0], good[1].copy()]
    bad[1][-1] = value
    assert optimizer.step(good) is True
    params[0][3, 4] = 7  # an edit is taken over by the next step, not by one that is skipped
    before, state = copy.deepcopy(params), optimizer.state_dict()
    assert optimizer.step(bad) is False
    assert [bits(p) for p in params] == [bits(p) for p in before]
    again = optimizer.state_dict()
    for name in ("velocities", "masters"):
        assert [bits(a) for a in again[name]] == [bits(a) for a in state[name]]
    assert optimizer.step(good) is True


# ---- State ----


def test_state_round_trip(half):
    def grads(t):
        return [draw(p.shape, np.float32, 20 + t).astype(p.dtype) for p in params]

    params = [draw((4, 5), np.float32, 1).astype(half), draw(6, np.float64, 2), draw((3, 300), np.float32, 3)]
    params[2] = params[2].T.astype(half)
    optimizer = na.SGD(params, lr=[0.1, 0.2, 0.3], momentum=0.9, weight_decay=0.1, max_norm=2.0)
    first = optimizer.state_dict()
    assert first["velocities"] == [None] * 3
    assert first["masters"][1] is None
    assert_same(first["masters"][2], params[2].astype(np.float32))
    optimizer.step(grads(0))
    state, saved = optimizer.state_dict(), copy.deepcopy(params)
    for t in (1, 2):
        optimizer.step(grads(t))

    resumed = na.SGD(saved, lr=1.0)
    resumed.load_state_dict(copy.deepcopy(state))
    for t in (1, 2):
        resumed.step(grads(t))
    assert [bits(p) for p in saved] == [bits(p) for p in params]
    for name in ("velocities", "masters"):
        arrays = zip(resumed.state_dict()[name], optimizer.state_dict()[name], strict=True)
        assert all((a is None and b is None) or bits(a) == bits(b) for a, b in arrays)

    for given in (state["masters"][0], resumed.state_dict()["masters"][0]):
        given[...] = 77  # the optimizer has copies
    assert not (resumed.state_dict()["masters"][0] == 77).any()


def test_state_without_masters(half):
    """As float32 parameters had it before there were masters, and for parameters that have been narrowed since."""
    exact = np.array([1.0, 2.0], np.float32)
    optimizer = na.SGD([exact], lr=0.5, momentum=0.5)
    optimizer.step([np.ones(2, np.float32)])
    state = optimizer.state_dict()
    assert state.pop("masters") == [None]
    for param in (exact.copy(), exact.astype(half)):
        resumed = na.SGD([param], lr=1.0)
        resumed.load_state_dict(state)
        resumed.step([np.ones_like(param)])
        assert param.tolist() == [-0.25, 0.75]


def test_loading_a_wrong_state_changes_nothing(half):
    params = [np.ones((2, 3), half), np.ones(4, np.float32)]
    optimizer = na.SGD(params, lr=0.1, momentum=0.9)
    optimizer.step([np.ones_like(p) for p in params])
    good = optimizer.state_dict()
    master, nothing = good["masters"]
    assert nothing is None
    for masters, velocity, error, match in [
        ([master], None, ValueError, "1 masters for 2 params"),
        ([master, good["velocities"][1]], None, TypeError, r"masters\[1\] belongs to a half-precision parameter"),
        ([master.T, None], None, ValueError, r"masters\[0\] has shape \(3, 2\)"),
        ([master.astype(half), None], None, TypeError, r"masters\[0\] has dtype .* kept in float32"),
        ([[1.0], None], None, TypeError, r"masters\[0\] must be a numpy.ndarray"),
        ([master, None], np.ones((2, 3), half), TypeError, r"velocities\[0\] has dtype .* kept in float32"),
    ]:
        velocities = good["velocities"] if velocity is None else [velocity, good["velocities"][1]]
        with pytest.raises(error, match=match):
            optimizer.load_state_dict({**good, "masters": masters, "velocities": velocities})
        assert bits(optimizer.state_dict()["masters"][0]) == bits(master)


# ---- Refusals ----


def refused(error, match, param, grad, velocity=None, master=None, **options):
    arrays = [a for a in (param, grad, velocity, master) if isinstance(a, np.ndarray)]
    before = [a.copy() for a in arrays]
    momentum = 0.0 if velocity is None else 0.9
    with pytest.raises(error, match=match):
        na.sgd_step(param, grad, velocity, **{"lr": 0.1, "momentum": momentum, "master": master, **options})
    assert [bits(a) for a in arrays] == [bits(a) for a in before]


def test_dtypes(half):
    def ones(dtype):
        return np.ones(3, dtype)

    for wrong in (np.float64, np.int32, np.longdouble, object):
        refused(TypeError, f"grad has dtype .*{half.name}: convert it to that or float32", ones(half), ones(wrong))
        refused(TypeError, "velocity has dtype .* kept in float32", ones(half), ones(half), ones(wrong))
    for wrong in (np.float64, half, bool):
        refused(TypeError, "master has dtype .* kept in float32", ones(half), ones(half), None, ones(wrong))
    refused(TypeError, "velocity has dtype .* kept in float32", ones(half), ones(half), ones(half))
    for dtype in (np.float32, np.float64):
        refused(TypeError, "grad has dtype", ones(dtype), ones(half))
        refused(TypeError, "half-precision", ones(dtype), ones(dtype), None, ones(np.float32))


def test_other_narrow_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for wrong in (ml_dtypes.float8_e4m3fn, ml_dtypes.int4):
        refused(TypeError, "param has dtype .* made for float16, bfloat16", np.ones(3, wrong), np.ones(3, wrong))
    param = np.ones(3, ml_dtypes.bfloat16)
    refused(TypeError, "grad has dtype float16, but param has dtype bfloat16", param, np.ones(3, np.float16))
    refused(TypeError, "grad has dtype bfloat16, but param has dtype float16", np.ones(3, np.float16), param)


def test_shapes_and_kinds(half):
    a, kept = np.ones((2, 3), half), np.ones((2, 3), np.float32)
    refused(ValueError, "grad has shape", a, a.T.copy())
    refused(ValueError, r"velocity has shape \(3,\)", a, a.copy(), kept[0].copy())
    refused(ValueError, r"master has shape \(3, 2\)", a, a.copy(), None, kept.T)
    refused(TypeError, "master must be a numpy.ndarray, not list", a, a.copy(), None, [1.0])
    refused(TypeError, "master is a masked array", a, a.copy(), None, np.ma.masked_array(kept))
    refused(ValueError, "momentum=0.9 needs a velocity.*float32 for half precision", a, a.copy(), momentum=0.9)
    for name in ("lr", "momentum", "weight_decay", "dampening"):
        refused(ValueError, f"{name}.*too large .* computed in float32", a, a.copy(), kept, **{name: 1e39})


def test_read_only_and_overlapping(half):
    a, kept = np.ones(6, half), np.ones(6, np.float32)
    frozen = kept.copy()
    frozen.flags.writeable = False
    refused(TypeError, "master is read-only", a, a.copy(), None, frozen)
    refused(TypeError, "velocity is read-only", a, a.copy(), frozen)
    na.sgd_step(np.ones_like(a), frozen, lr=0.1)
    refused(
        ValueError,
        "elements of master share memory",
        a,
        a.copy(),
        None,
        np.lib.stride_tricks.as_strided(kept, (6,), (0,)),
    )
    refused(ValueError, "share memory", a, a.copy(), kept, kept)
    refused(ValueError, "grad and master share memory", a, kept, None, kept)
    refused(ValueError, "grad and velocity share memory", a, kept, kept[::-1])
    base = np.ones(6, np.float32)
    refused(ValueError, "param and master share memory", base.view(half)[:6], a, None, base)
    with pytest.raises(ValueError, match="share memory"):
        na.SGD([a, a[:3]], lr=0.1)


def test_ml_dtypes_is_not_imported_and_may_come_later():
    code = (
        "import sys, numpy as np, numact as na\n"
        "na.SGD([np.ones(3, np.float16)], lr=0.1).step([np.ones(3, np.float16)])\n"
        "assert 'ml_dtypes' not in sys.modules\n"
    )
    later = (
        "import ml_dtypes\n"
        "a = np.ones(3, ml_dtypes.bfloat16)\n"
        "na.SGD([a], lr=0.5).step([np.ones_like(a)])\n"
        "assert (a == 0.5).all()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    pytest.importorskip("ml_dtypes")
    subprocess.run([sys.executable, "-c", code + later], check=True)
