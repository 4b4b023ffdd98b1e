"""nn.Monitor: what it records and what it warns of."""

import contextlib
import warnings

import numpy as np
import pytest

import numact as na
from numact import nn


@pytest.fixture
def data(rng):
    x = rng.normal(size=(320, 6)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(int)


def train(model, data, monitor, *before, **options):
    return nn.fit(model, *data, callbacks=[*before, monitor], rng=np.random.default_rng(1), **{"epochs": 2} | options)


def kinds(monitor):
    return {(each.kind, each.layer) for each in monitor.findings}


def test_records_what_the_layers_put_out(data, rng):
    model = nn.Sequential(nn.Dense(6, 16), nn.Activate("tanh"), nn.Dense(16, 2), rng=rng)
    seen = []

    class Look(nn.Callback):
        def on_output(self, run, name, layer, y):
            if name == "1":
                seen.append(np.array(y, float))

        def on_step(self, run):
            norms.append(np.sqrt(sum(np.sum(np.square(p.grad, dtype=float)) for p in layer.parameters)))

    layer, norms = model.layers[0], []
    monitor = nn.Monitor(every=3)
    nn.fit(model, *data, epochs=2, callbacks=[monitor, Look()], rng=rng)
    assert monitor.steps == list(range(1, 21, 3))
    record = monitor.layers["1"]
    assert record.title == "1 Activate('tanh')"
    for i, y in enumerate(seen[::3]):
        assert record.mean[i] == pytest.approx(y.mean(), rel=1e-6)
        assert record.std[i] == pytest.approx(y.std(), rel=1e-6)
        assert (record.min[i], record.max[i]) == (y.min(), y.max())
        assert record.saturated[i] == np.mean(np.abs(y) >= np.float32(0.99))
        assert record.zero[i] == record.nonfinite[i] == 0
    assert monitor.layers["0"].gradient_norm == pytest.approx(norms[::3], rel=1e-6)
    assert monitor.layers["1"].gradient_norm == []
    assert np.isnan(monitor.layers["2"].saturated).all()


def test_the_training_is_the_same_with_a_monitor(data):
    states = []
    for callbacks in ([], [nn.Monitor(every=1)]):
        model = nn.mlp([6, 16, 16, 2], "silu", rng=np.random.default_rng(0))
        nn.fit(model, *data, epochs=2, callbacks=callbacks, rng=np.random.default_rng(1))
        states.append(model.state)
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("name", na.activations)
def test_no_false_alarm(data, name):
    """A usual network, of any activation, is well."""
    if name in ("softmax", "softmin", "log_softmax"):
        pytest.skip("no hidden layer")
    parameters = {"threshold": {"threshold": 0.0}}.get(name, {})
    model = nn.mlp([6, 32, 32, 2], name, parameters, rng=np.random.default_rng(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(model, data, nn.Monitor(every=1), lr=0.01)


def test_an_interrupted_epoch_is_not_of_the_next_training(data):
    """Not even when the next model has other units."""

    class Interrupt(nn.Callback):
        def on_step(self, run):
            raise KeyboardInterrupt

    monitor = nn.Monitor(every=1, warn=False)
    dead = nn.Sequential(nn.Dense(6, 4, initial_bias=-100.0), nn.Activate("relu"), nn.Dense(4, 2))
    nn.fit(dead, *data, callbacks=[monitor, Interrupt()])
    train(nn.mlp([6, 16, 2], rng=np.random.default_rng(0)), data, monitor)
    assert monitor.findings == []


def test_the_lists_belong_to_the_steps(data, rng):
    """After a training that broke off in the middle of a step, and of layers that were frozen for a while."""

    class Interrupt(nn.Callback):
        def on_output(self, run, name, layer, y):
            if (run.epoch, name) == (2, "1"):
                raise KeyboardInterrupt

    model, monitor = nn.mlp([6, 16, 2], rng=rng), nn.Monitor(every=5, warn=False)
    model.freeze(-1)
    history = nn.fit(model, *data, epochs=2, callbacks=[monitor, Interrupt()], rng=rng)
    model.unfreeze()
    train(model, data, monitor, epochs=2, history=history)
    assert monitor.steps == [1, 6, 11, 16]
    for name, record in monitor.layers.items():
        assert len(record.mean) == len(record.dead) == 4
        assert len(record.gradient_norm) == (0 if name == "1" else 4)
    assert np.isnan(monitor.layers["0"].gradient_norm).tolist() == [True, True, False, False]
    assert np.isfinite(monitor.layers["2"].gradient_norm).all()


def test_another_training_has_its_own_records(data, rng):
    monitor = nn.Monitor(warn=False)
    dead = nn.Sequential(nn.Dense(6, 4, initial_bias=-100.0), nn.Activate("relu"), nn.Dense(4, 2), rng=rng)
    train(dead, data, monitor, epochs=1)
    steps, findings = monitor.steps, monitor.findings
    assert findings
    train(nn.Sequential(nn.Dense(6, 7), nn.Activate("tanh"), rng=rng), data, monitor, epochs=1)
    assert monitor.steps == steps
    assert monitor.findings == []
    assert [(name, each.title) for name, each in monitor.layers.items()] == [
        ("0", "0 Dense(6, 7)"),
        ("1", "1 Activate('tanh')"),
    ]


def test_dead_units(data, rng):
    first = nn.Dense(6, 16, initial_bias=np.where(np.arange(16) < 5, -100.0, 0.0))
    model = nn.Sequential(first, nn.Activate("relu"), nn.Dense(16, 2), rng=rng)
    monitor = nn.Monitor(every=1)
    with pytest.warns(nn.HealthWarning, match=r"1 Activate\('relu'\), epoch 1, step 10: 5 of 16 units are dead"):
        train(model, data, monitor)
    assert kinds(monitor) == {("dead", "1")}
    assert all(part >= 5 / 16 for part in monitor.layers["1"].dead)


def test_saturation(data, rng):
    model = nn.Sequential(
        nn.Dense(6, 16, initial_weight=20 * rng.normal(size=(6, 16))), nn.Activate("tanh"), nn.Dense(16, 2), rng=rng
    )
    monitor = nn.Monitor(every=1)
    with pytest.warns(nn.HealthWarning, match=r"1 Activate\('tanh'\).*of the outputs are saturated"):
        train(model, data, monitor)
    assert kinds(monitor) == {("saturated", "1")}


@pytest.mark.parametrize(
    ("name", "parameters", "kind"),
    [
        ("hard_tanh", {"min_val": -2.0, "max_val": 3.0}, "saturated"),
        ("elu", {"alpha": 0.5}, "dead"),
        ("threshold", {"threshold": 2.0, "value": 1.5}, "dead"),
        ("threshold", {"threshold": 2.0, "value": 0.0}, "dead"),
        ("softplus", {"beta": 2.0}, "dead"),
        ("threshold", {"threshold": 0.0, "value": 4.0}, None),
        ("elu", {"alpha": -0.5}, None),
        ("elu", {"alpha": np.full(16, 0.5)}, None),
    ],
)
def test_parameters_move_the_ends(data, rng, name, parameters, kind):
    """Where they leave it told by the output."""
    bias = -300.0 if kind == "dead" else 0.0
    first = nn.Dense(6, 16, initial_weight=50 * rng.normal(size=(6, 16)), initial_bias=bias)
    model = nn.Sequential(first, nn.Activate(name, **parameters), nn.Dense(16, 2), rng=rng)
    monitor = nn.Monitor(every=1, warn=False)
    train(model, data, monitor, lr=1e-6)
    assert {k for k, layer in kinds(monitor) if layer == "1"} - {"saturated" if kind == "dead" else ""} == {kind} - {
        None
    }
    assert np.isnan(monitor.layers["1"].saturated).all() == (kind is None)


def test_vanishing_gradients(data, rng):
    monitor = nn.Monitor(every=1, warn=False)
    train(nn.mlp([6, *[16] * 8, 2], "sigmoid", rng=rng), data, monitor)
    assert kinds(monitor) == {("vanishing", name) for name in "0246"}
    assert monitor.findings[0].message.startswith("0 Dense(6, 16), epoch 1, step 10: the gradients vanish")


def test_exploding_gradients(data, rng):
    deep = [nn.Dense(6, 16)]
    for _ in range(6):
        deep += [nn.Activate("relu"), nn.Dense(16, 16, initial_weight=2 * rng.normal(size=(16, 16)))]
    monitor = nn.Monitor(every=1, warn=False)
    train(nn.Sequential(*deep, nn.Dense(16, 2), rng=rng), data, monitor, lr=1e-9)
    assert ("exploding", "0") in kinds(monitor)
    assert monitor.findings[0].message.startswith("0 Dense(6, 16), epoch 1, step 1: the gradients explode")


@pytest.mark.parametrize("every", [1, 7])
def test_not_finite_outputs(data, rng, every):
    class Breaks(nn.Callback):
        def on_step(self, run):
            if run.step == 3:
                run.model.layers[2].weight.value[0, 0] = np.inf

    model = nn.mlp([6, 8, 8, 2], rng=rng)
    monitor = nn.Monitor(every=every)
    with (
        pytest.warns(nn.HealthWarning, match=r"2 Dense\(8, 8\), epoch 1, step 4: .* of the outputs are not finite"),
        pytest.raises(nn.DivergedError),
    ):
        nn.fit(model, *data, callbacks=[Breaks(), monitor], rng=rng)
    assert kinds(monitor) == {("nonfinite", "2")}


def test_not_finite_gradients(data, rng):
    class Breaks(nn.Callback):
        def on_step(self, run):
            if run.step == 3:
                run.model.layers[0].weight.grad[0, 0] = np.nan

    monitor = nn.Monitor()
    with pytest.warns(nn.HealthWarning, match="gradients of weight are not finite"), pytest.raises(nn.DivergedError):
        nn.fit(nn.mlp([6, 8, 2], rng=rng), *data, callbacks=[Breaks(), monitor], rng=rng)
    assert kinds(monitor) == {("nonfinite", "0")}


def test_warns_once_and_only_if_wanted(data, rng):
    model = nn.Sequential(nn.Dense(6, 4, initial_bias=-100.0), nn.Activate("relu"), nn.Dense(4, 2), rng=rng)
    monitor = nn.Monitor(warn=False)
    train(model, data, monitor, epochs=4)
    assert [each.kind for each in monitor.findings].count("dead") == 1


def test_plot(data, rng, tmp_path):
    monitor = nn.Monitor(every=2)
    with pytest.raises(RuntimeError, match="nothing is recorded"):
        monitor.plot()
    train(nn.mlp([6, 8, 8, 2], rng=rng), data, monitor)
    figure = monitor.plot(tmp_path / "health.png")
    assert (tmp_path / "health.png").stat().st_size > 10_000
    assert len(figure.axes) == 4


def test_plot_of_one_step_shows_it(data, rng):
    pytest.importorskip("matplotlib")
    monitor = nn.Monitor(every=1000)
    train(nn.mlp([6, 16, 2], rng=rng), data, monitor)
    for axes in monitor.plot().axes:
        assert all(line.get_marker() == "o" for line in axes.lines)


def test_warnings_name_the_line_that_called_fit(rng):
    """From each place that finds something, the end of a diverged training among them."""
    x = np.ones((8, 1))
    for weight, lr in ((1e6, 1e-9), (2.0, 1e308)):
        model = nn.Sequential(nn.Dense(1, 1, initial_weight=weight, dtype=float), rng=rng)
        with pytest.warns(nn.HealthWarning) as caught, contextlib.suppress(nn.DivergedError):
            nn.fit(model, x, x, loss="mean_squared_error", lr=lr, epochs=9, callbacks=[nn.Monitor(exploding=1e3)])
        assert {each.filename for each in caught} == {__file__}


def test_wrong_arguments():
    with pytest.raises(ValueError, match="every must be at least 1"):
        nn.Monitor(every=0)
    with pytest.raises(ValueError, match="saturated must be at least 0"):
        nn.Monitor(saturated=np.nan)


def test_squares_that_leave_the_range():
    model = nn.Sequential(nn.Dense(1, 1, dtype=float, initial_weight=[[0.0]]))
    monitor = nn.Monitor(warn=False)
    data = np.full((4, 1), 1e10), np.array([[1e150], [-1e150], [2e150], [0]])
    train(model, data, monitor, loss="mean_squared_error", epochs=1, lr=1e-300, momentum=0)
    assert monitor.layers["0"].gradient_norm == pytest.approx([1e160])
    assert kinds(monitor) == {("exploding", "0")}


def test_layers_that_a_callback_before_it_unfreezes(data, rng):
    class Unfreeze(nn.Callback):
        def on_epoch_end(self, run):
            run.model.unfreeze()
            run.stop("unfrozen")

    model = nn.Sequential(nn.Dense(6, 3), nn.Activate("relu"), nn.Dense(3, 2), rng=rng)
    model.freeze(-1)
    assert train(model, data, nn.Monitor(warn=False), Unfreeze(), epochs=3).stopped == "unfrozen"


@pytest.mark.parametrize(
    ("name", "units", "bias", "dead"), [("crelu", 8, 3.0, 0), ("relu6", 4, 50.0, 1), ("relu6", 4, -50.0, 1)]
)
def test_dead_where_the_gradient_is_0(data, rng, name, units, bias, dead):
    model = nn.Sequential(nn.Dense(6, 4, initial_bias=bias), nn.Activate(name), nn.Dense(units, 2), rng=rng)
    monitor = nn.Monitor(every=1, warn=False)
    train(model, data, monitor, epochs=1, lr=1e-6)
    assert set(monitor.layers["1"].dead) == {dead}
    assert (("dead", "1") in kinds(monitor)) == bool(dead)


def test_steps_of_layers_that_were_not_there_before(data, rng):
    model = nn.Sequential(nn.Dense(6, 3), nn.Activate("relu"), nn.Dense(3, 2), rng=rng)
    monitor = nn.Monitor(every=5, warn=False)
    history = train(model, data, monitor)
    before = len(monitor.steps)
    model.replace(1, nn.PReLU(3))
    train(model, data, monitor, epochs=4, history=history)
    norms = monitor.layers["1"].gradient_norm
    assert len(norms) == len(monitor.steps) == 2 * before
    assert np.isnan(norms).tolist() == [True] * before + [False] * before
    monitor.plot()


def test_vanishing_goes_by_the_root_mean_square(data, rng):
    model = nn.Sequential(nn.Dense(6, 6), nn.Dense(6, 6), nn.Dense(6, 2), rng=rng)

    class Gradients(nn.Callback):
        def on_step(self, run):
            sizes = (10**0.5 if run.step == 1 else 0, 1, (14 / 42) ** 0.5)  # of 10 steps, of 42, 42 and 14 weights
            for layer, size in zip(run.model.layers, sizes, strict=True):
                for p in layer.parameters:
                    p.grad[...] = 0
                    p.grad.flat[0] = size

    monitor = nn.Monitor(every=1, vanishing=0.5, exploding=1e9, warn=False)
    train(model, data, monitor, Gradients(), epochs=1, lr=0.0)
    assert kinds(monitor) == set()
