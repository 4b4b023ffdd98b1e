"""Training by nn.fit: the loop, its history, schedules, callbacks, how it ends; preparation of data."""

from __future__ import annotations

import itertools
import math
import pickle
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.sparse

import numact as na
from numact import nn

RNG = np.random.default_rng(5)
X = RNG.normal(size=(103, 4)).astype(np.float32)
LABELS = (X[:, 0] * X[:, 1] > 0).astype(np.int64) + (X[:, 2] > 1)
TARGETS = np.stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])], axis=1)
CLASSES = 3


def network(outputs=CLASSES, seed=0, dtype=np.float32, dropout=0.0):
    return nn.mlp([4, 16, outputs], "tanh", dropout=dropout, dtype=dtype, rng=np.random.default_rng(seed))


def weights(model):
    return {name: value.copy() for name, value in model.state.items()}


def same(one, other):
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


# The loop


@pytest.mark.parametrize("shuffle", [True, False])
def test_is_the_loop_of_the_textbook(shuffle):
    by_hand = network()
    optimizer = na.SGD([p.value for p in by_hand.parameters], lr=0.1, momentum=0.9)
    rng = np.random.default_rng(3)
    losses, hits = [], []
    for _ in range(3):
        total = right = 0
        for x, labels in nn.batches(X, LABELS, batch_size=16, rng=rng, shuffle=shuffle):
            logits = by_hand.forward(x, training=True)
            right += np.sum(logits.argmax(axis=1) == labels)
            loss, dlogits = nn.softmax_cross_entropy(logits, labels)
            by_hand.backward(dlogits)
            optimizer.step([p.grad for p in by_hand.parameters])
            total += loss * len(x)
        losses.append(total / len(X))
        hits.append(right / len(X))

    model = network()
    history = nn.fit(
        model, X, LABELS, epochs=3, batch_size=16, shuffle=shuffle, rng=np.random.default_rng(3), lr=0.1, momentum=0.9
    )
    assert same(weights(model), weights(by_hand))
    assert (history.loss, history.metric) == (losses, hits)
    assert history.metric_name == "accuracy"
    assert history.steps == 3 * 7
    assert history.stopped == "epochs"
    assert history.lr == [0.1] * 3
    assert all(math.isnan(v) for v in history.validation_loss + history.validation_metric)
    for seconds, rate in zip(history.seconds, history.samples_per_second, strict=True):
        assert seconds > 0
        assert rate == len(X) / seconds


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "binary_cross_entropy_with_logits", "mean_squared_error"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_loss_learns(loss, dtype):
    y = {"softmax_cross_entropy": LABELS, "mean_squared_error": TARGETS}.get(loss, (TARGETS > 0).astype(int))
    model = network(3 if y.ndim == 1 else 2, dtype=dtype)
    history = nn.fit(model, X, y, loss=loss, lr=0.1, epochs=60, rng=np.random.default_rng(0), validation=(X, y))
    assert history.loss[-1] < history.loss[0] / 2
    assert history.metric[-1] > 0.85
    if loss == "mean_squared_error":
        assert history.metric_name == "r2"
        expected = 1 - np.mean((model.forward(X) - y) ** 2) / np.mean((y - y.mean(axis=0)) ** 2)
    else:
        output = model.forward(X)
        expected = np.mean(output.argmax(axis=1) == y) if y.ndim == 1 else np.mean((output > 0) == y)
    assert history.validation_metric[-1] == pytest.approx(expected, rel=1e-5)


def test_loss_of_ones_own():
    def absolute(output, y, sample_weight=None):
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        difference = output - y
        scale = (weight / weight.sum() / y.shape[1])[:, np.newaxis]
        return float(np.sum(np.abs(difference) * scale)), (np.sign(difference) * scale).astype(np.float32)

    model = network(2)
    history = nn.fit(model, X, TARGETS, loss=absolute, lr=0.1, epochs=60, sample_weight=np.ones(len(X)))
    assert history.loss[-1] < history.loss[0] / 2
    assert history.metric_name is None
    assert all(map(math.isnan, history.metric))


@pytest.mark.parametrize(("result", "got"), [(0.5, "float"), ((0.5,), "1 values"), (np.zeros(2), "ndarray")])
def test_loss_of_ones_own_returns_a_pair(result, got):
    model = network(2)
    before = weights(model)
    with pytest.raises(TypeError, match=rf"loss must return the pair \(mean loss, .*\), got {got}"):
        nn.fit(model, X, TARGETS, loss=lambda output, y: result)
    assert same(weights(model), before)


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "binary_cross_entropy_with_logits", "mean_squared_error"])
def test_steps_allocate_nothing_of_the_size_of_the_data(loss):
    """After the first epoch, of which the layers keep their memory."""
    rows, columns = 1000, 256
    x = RNG.normal(size=(2 * rows, columns)).astype(np.float32)
    y = RNG.integers(0, 2, 2 * rows) if loss == "softmax_cross_entropy" else np.zeros((2 * rows, columns), np.float32)
    peaks = []

    class Peaks(nn.Callback):
        def on_step(self, run):
            if run.epoch > 1 and run.step % 2 == 0:
                peaks.append(tracemalloc.get_traced_memory()[1] - self.before)
            tracemalloc.reset_peak()
            self.before, _ = tracemalloc.get_traced_memory()

    model = nn.mlp([columns, columns, columns], rng=np.random.default_rng(0))
    tracemalloc.start()
    try:
        nn.fit(model, x, y, loss=loss, batch_size=rows, epochs=3, callbacks=[Peaks()])
    finally:
        tracemalloc.stop()
    assert len(peaks) == 2
    # Two arrays of bool for the accuracy of many outputs, blocks of some losses: not one of floats.
    assert max(peaks) < 0.6 * rows * columns * 4


def test_a_single_layer_is_a_model():
    names = []

    class Names(nn.Callback):
        def on_output(self, run, name, layer, y):
            assert layer is run.model
            names.append(name)

    layer = nn.Dense(4, 3, rng=np.random.default_rng(0))
    history = nn.fit(layer, X, LABELS, epochs=5, lr=0.1, callbacks=[Names()])
    assert history.loss[-1] < history.loss[0]
    assert set(names) == {""}


def test_frozen_layers_stay():
    model = network()
    model.freeze(-1)
    before = weights(model)
    nn.fit(model, X, LABELS, epochs=1)
    changed = {name for name, value in model.state.items() if not np.array_equal(value, before[name])}
    assert changed == {"2.weight", "2.bias"}
    model.freeze()
    with pytest.raises(ValueError, match="nothing to learn"):
        nn.fit(model, X, LABELS, epochs=1)


@pytest.mark.parametrize(
    "change",
    [lambda model: model.freeze(-1), lambda model: model.replace(-1, nn.Dense(16, 5))],
    ids=["freeze", "replace"],
)
@pytest.mark.parametrize(
    ("method", "at"),
    [
        ("on_train_begin", "epoch 1, step 0"),
        ("on_output", "epoch 1, step 1"),
        ("on_step", "epoch 1, step 1"),
        ("on_epoch_end", "epoch 2, step 4"),
    ],
)
def test_a_callback_that_changes_what_is_learned_is_refused(method, at, change):
    """Before the step in which the optimizer would go on with arrays that the model no longer uses."""
    model = network()
    before = []

    def called(self, run, *output):
        change(run.model)
        before.append(weights(run.model))

    callback = type("Change", (nn.Callback,), {method: called})()
    with pytest.raises(ValueError, match=f"by {at} a callback has .* end the training by run.stop"):
        nn.fit(model, X, LABELS, batch_size=30, epochs=2, callbacks=[callback])
    assert same(weights(model), before[-1])


def test_a_callback_may_change_the_layers_when_the_training_is_over():
    class Change(nn.Callback):
        def on_epoch_end(self, run):
            if run.epoch == 2:
                run.model.replace(-1, nn.Dense(16, 5))

    model = network()
    nn.fit(model, X, LABELS, epochs=2, callbacks=[Change()], restore_best=True)
    assert model.forward(X).shape == (103, 5)


def test_integers_and_other_floats_are_converted():
    small = RNG.integers(0, 5, (50, 4)).astype(np.uint8)
    labels = small[:, 0] % 3
    results = []
    for x in (small, small.astype(np.float64), small.astype(np.float16), small.tolist(), small.astype(">f4")):
        model = network()
        nn.fit(model, x, labels, epochs=2, rng=np.random.default_rng(0))
        results.append(weights(model))
    assert all(same(results[0], other) for other in results[1:])


def test_data_stays():
    x, y, w = X.copy(), LABELS.copy(), np.ones(len(X))
    for array in (x, y, w):
        array.flags.writeable = False
    nn.fit(network(), x, y, sample_weight=w, epochs=1, validation=0.2)
    assert np.array_equal(x, X)


def test_weights_of_samples():
    """Weight 0 is absence; weights that are all alike change nothing; a weight of 2 is that row twice."""
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 2, len(X))

    def trained(x, y, w, **options):
        model = network()
        history = nn.fit(model, x, y, sample_weight=w, epochs=3, rng=np.random.default_rng(2), **options)
        return weights(model), history.loss, history.metric

    kept = counts > 0
    absent, *absent_history = trained(X[kept], LABELS[kept], None)
    zero, *zero_history = trained(X, LABELS, counts * 3)
    for name, value in absent.items():
        np.testing.assert_allclose(zero[name], value, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(zero_history, absent_history, rtol=1e-6)

    twice, *_ = trained(np.repeat(X, 2, axis=0), np.repeat(LABELS, 2), None, batch_size=206, shuffle=False)
    doubled, *_ = trained(X, LABELS, np.full(len(X), 2.0), batch_size=103, shuffle=False)
    for name, value in twice.items():
        np.testing.assert_allclose(doubled[name], value, rtol=1e-5, atol=1e-6)


def test_optimizer_of_ones_own():
    model = network()
    optimizer = na.SGD([p.value for p in model.parameters], lr=[0.1, 0.2, 0.1, 0.2])
    history = nn.fit(model, X, LABELS, optimizer=optimizer, epochs=2, schedule=lambda epoch, epochs: 0.5)
    assert history.lr == [[0.05, 0.1, 0.05, 0.1]] * 2
    assert optimizer.lr == (0.1, 0.2, 0.1, 0.2)
    with pytest.raises(ValueError, match="other arrays than the model learns"):
        nn.fit(network(), X, LABELS, optimizer=optimizer)
    with pytest.raises(TypeError, match="momentum given beside an optimizer"):
        nn.fit(model, X, LABELS, optimizer=optimizer, momentum=0.5)


# Schedules


def test_schedules_multiply_the_learning_rate():
    seen = []

    class Rates(nn.Callback):
        def on_step(self, run):
            seen.append(run.optimizer.lr)

    for schedule in (nn.CosineSchedule(warmup=1, final=0.1), nn.StepSchedule(every=1, factor=0.5), "cosine"):
        seen.clear()
        model = network()
        history = nn.fit(model, X, LABELS, epochs=3, batch_size=26, lr=0.2, schedule=schedule, callbacks=[Rates()])
        function = nn.CosineSchedule() if schedule == "cosine" else schedule
        expected = [0.2 * function((i + 0.5) / 4, 3) for i in range(12)]
        np.testing.assert_allclose(seen, expected)
        assert history.lr == seen[3::4]


def test_a_callback_sets_the_learning_rate_of_the_epochs_that_follow():
    """The schedule multiplies it, and it is what stays."""

    class Halve(nn.Callback):
        def on_epoch_end(self, run):
            run.optimizer.lr /= 2

    for schedule in ("constant", lambda epoch, epochs: 0.5):
        model = network()
        optimizer = na.SGD([p.value for p in model.parameters], lr=0.4)
        history = nn.fit(
            model, X, LABELS, epochs=4, batch_size=26, optimizer=optimizer, schedule=schedule,
            callbacks=[Halve(), Interrupt(3 * 4 + 2)],
        )  # fmt: skip
        factor = 1.0 if schedule == "constant" else 0.5
        assert (history.lr, history.stopped) == ([0.4 * factor, 0.2 * factor, 0.1 * factor], "interrupt")
        assert optimizer.lr == 0.05


@pytest.mark.parametrize("schedule", [math.hypot, lambda epoch, epochs: 0.5])
def test_a_schedule_is_any_function_of_two(schedule):
    nn.fit(network(), X, LABELS, epochs=1, schedule=schedule)


@pytest.mark.parametrize("schedule", [lambda epoch, epochs: "much", lambda epoch, epochs: None])
def test_a_schedule_returns_a_number(schedule):
    model = network()
    before = weights(model)
    with pytest.raises(TypeError, match=r"what the schedule returns must be a real number, got ('much'|None)"):
        nn.fit(model, X, LABELS, schedule=schedule)
    assert same(weights(model), before)


def test_cosine_ends_at_its_final_part():
    schedule = nn.CosineSchedule(warmup=2, final=0.25)
    assert [schedule(epoch, 12) for epoch in (0, 1, 2)] == [0, 0.5, 1]
    assert schedule(7, 12) == pytest.approx(0.625)
    assert schedule(12, 12) == pytest.approx(0.25)
    falling = [schedule(epoch, 12) for epoch in np.linspace(2, 12, 50)]
    assert falling == sorted(falling, reverse=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.ConstantSchedule(warmup=-1), "warmup must be a number of epochs of at least 0, got -1"),
        (lambda: nn.StepSchedule(every=0), "every must be a number of epochs above 0, got 0"),
        (lambda: nn.StepSchedule(factor=math.nan), "factor must be a number of at least 0, got nan"),
        (lambda: nn.CosineSchedule(final=math.inf), "final must be a number of at least 0, got inf"),
    ],
)
def test_schedules_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("warmup", lambda: nn.ConstantSchedule(warmup="2")),
        ("every", lambda: nn.StepSchedule(every="2")),
        ("factor", lambda: nn.StepSchedule(factor="2")),
        ("final", lambda: nn.CosineSchedule(final="2")),
        ("fraction", lambda: nn.split(X, fraction="2")),
        ("epsilon", lambda: nn.Whiten(epsilon="2")),
        ("dead", lambda: nn.Monitor(dead="2")),
    ],
)
def test_what_is_no_number_is_named(name, make):
    with pytest.raises(TypeError, match=f"{name} must be a real number, got '2'"):
        make()


# Callbacks


def test_callbacks_see_everything():
    calls = []

    class Seen(nn.Callback):
        def on_train_begin(self, run):
            calls.append("begin")
            assert (run.epoch, run.step, run.epochs, run.steps_per_epoch) == (0, 0, 2, 4)

        def on_output(self, run, name, layer, y):
            calls.append(name)
            assert run.model.layers[int(name)] is layer
            self.output = y.copy()
            if name == "0":
                expected = run.x @ layer.weight.value + layer.bias.value
                np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)

        def on_step(self, run):
            calls.append(f"step {run.step} of epoch {run.epoch}")
            assert np.array_equal(run.output, self.output)
            loss, dlogits = nn.softmax_cross_entropy(self.output, run.y)
            assert run.loss == loss
            gradients = {p.name: p.grad for p in run.model.parameters}
            np.testing.assert_allclose(gradients["2.bias"], dlogits.sum(axis=0), rtol=1e-4, atol=1e-6)

        def on_epoch_end(self, run):
            calls.append(f"end of epoch {run.epoch}")
            assert len(run.history) == run.epoch
            assert run.history.validation_loss[-1] > 0

        def on_train_end(self, run):
            calls.append("end")

    nn.fit(network(), X, LABELS, epochs=2, batch_size=30, validation=(X, LABELS), callbacks=[Seen()])
    steps = [[*"012", f"step {s} of epoch {1 + (s > 4)}"] for s in range(1, 9)]
    first, second = itertools.chain(*steps[:4]), itertools.chain(*steps[4:])
    assert calls == ["begin", *first, "end of epoch 1", *second, "end of epoch 2", "end"]


def test_callbacks_change_nothing():
    class Looking(nn.Callback):
        def on_output(self, run, name, layer, y):
            assert np.isfinite(y).all()

    results = []
    for callbacks in ([], [Looking()]):
        model = network(dropout=0.3)
        nn.fit(model, X, LABELS, epochs=3, rng=np.random.default_rng(0), callbacks=callbacks)
        results.append(weights(model))
    assert same(*results)


def test_outputs_of_nested_layers_have_their_names():
    names = set()

    class Names(nn.Callback):
        def on_output(self, run, name, layer, y):
            names.add(name)

    inner = nn.Sequential(nn.Dense(16, 16), nn.Activate("relu"))
    nn.fit(nn.Sequential(nn.Dense(4, 16), inner, nn.Dense(16, 3)), X, LABELS, epochs=1, callbacks=[Names()])
    assert names == {"0", "1.0", "1.1", "2"}


def test_callback_stops():
    class Stop(nn.Callback):
        def on_step(self, run):
            if run.epoch == 2:
                run.stop("enough")

    history = nn.fit(network(), X, LABELS, epochs=50, callbacks=[Stop()])
    assert (len(history), history.stopped) == (2, "enough")


@pytest.mark.parametrize(("reason", "error"), [("", ValueError), (None, TypeError)])
def test_reason_to_stop(reason, error):
    class Stop(nn.Callback):
        def on_step(self, run):
            run.stop(reason)

    with pytest.raises(error, match="reason must"):
        nn.fit(network(), X, LABELS, callbacks=[Stop()])


def test_callbacks_are_callbacks():
    with pytest.raises(TypeError, match=r"derived from nn\.Callback, got <function"):
        nn.fit(network(), X, LABELS, callbacks=[lambda run: None])


# Validation and early stopping


def test_validation_fraction_is_a_stratified_split():
    model = network()
    history = nn.fit(model, X, LABELS, epochs=2, validation=0.25, rng=np.random.default_rng(4), lr=0.1)
    rng = np.random.default_rng(4)
    rest, part = nn.split(X, LABELS, fraction=0.25, stratify=LABELS, rng=rng)
    again = network()
    other = nn.fit(again, *rest, epochs=2, validation=part, rng=rng, lr=0.1)
    assert same(weights(model), weights(again))
    assert history.validation_loss == other.validation_loss
    loss, _ = nn.softmax_cross_entropy(model.forward(part[0]), part[1])
    assert history.validation_loss[-1] == pytest.approx(loss)


def test_validation_data_may_have_weights():
    weight = np.arange(len(X)) % 3
    history = nn.fit(network(), X, LABELS, epochs=1, validation=(X, LABELS, weight))
    repeated = nn.fit(
        network(), X, LABELS, epochs=1, rng=np.random.default_rng(0),
        validation=(np.repeat(X, weight, axis=0), np.repeat(LABELS, weight)),
    )  # fmt: skip
    other = nn.fit(network(), X, LABELS, epochs=1, rng=np.random.default_rng(0), validation=(X, LABELS, weight))
    assert len(history) == 1
    assert other.validation_loss == pytest.approx(repeated.validation_loss)
    assert other.validation_metric == pytest.approx(repeated.validation_metric)


def diverging(epoch, epochs):
    """Learns for three epochs, then unlearns."""
    return 1.0 if epoch < 3 else 30.0


@pytest.mark.parametrize("restore_best", [None, True, False])
def test_early_stopping(restore_best):
    states = []

    class States(nn.Callback):
        def on_epoch_end(self, run):
            states.append(weights(run.model))

    model = network()
    history = nn.fit(
        model, X, LABELS, epochs=50, lr=0.1, schedule=diverging, validation=(X, LABELS), patience=4,
        restore_best=restore_best, callbacks=[States()], rng=np.random.default_rng(0),
    )  # fmt: skip
    best = history.best_epoch
    assert history.stopped == "patience"
    assert best == 1 + int(np.argmin(history.validation_loss))
    assert len(history) == best + 4
    kept = len(history) if restore_best is False else best
    assert same(weights(model), states[kept - 1])


def test_min_delta():
    """Improvements below it do not count; without validation the training loss does."""
    history = nn.fit(network(), X, LABELS, epochs=50, lr=1e-6, patience=3, min_delta=0.01)
    assert history.loss[-1] < history.loss[0]
    assert (len(history), history.stopped) == (4, "patience")


def test_patience_goes_on_where_the_history_ends():
    """As without interruption, but for the best of the epochs before, which are not there any more."""

    def train(model, optimizer, rng, epochs, history=None):
        return nn.fit(
            model, X, LABELS, epochs=epochs, patience=4, schedule=diverging, validation=(X, LABELS), restore_best=False,
            optimizer=optimizer, rng=rng, history=history,
        )  # fmt: skip

    def start():
        model = network()
        return model, na.SGD([p.value for p in model.parameters], lr=0.1), np.random.default_rng(0)

    whole, parts = start(), start()
    expected = train(*whole, 50)
    assert expected.stopped == "patience"
    history = train(*parts, len(expected) - 2)
    assert history.stopped == "epochs"
    assert train(*parts, 50, history) is history
    assert (len(history), history.stopped) == (len(expected), "patience")
    assert history.validation_loss == expected.validation_loss
    assert same(weights(parts[0]), weights(whole[0]))


# The ends


class Interrupt(nn.Callback):
    def __init__(self, step):
        self.step = step

    def on_step(self, run):
        if run.step == self.step:
            raise KeyboardInterrupt


def test_interrupt_returns_the_history():
    ended = []

    class End(nn.Callback):
        def on_train_end(self, run):
            ended.append(run.history.stopped)

    model, other = network(), network()
    optimizer = na.SGD([p.value for p in model.parameters], lr=0.1)
    history = nn.fit(
        model, X, LABELS, epochs=9, batch_size=103, optimizer=optimizer, schedule="cosine",
        callbacks=[Interrupt(4), End()], rng=np.random.default_rng(0),
    )  # fmt: skip
    assert (len(history), history.stopped, ended) == (3, "interrupt", ["interrupt"])
    assert optimizer.lr == 0.1
    expected = nn.fit(
        other, X, LABELS, epochs=3, batch_size=103, rng=np.random.default_rng(0), lr=0.1, momentum=0,
        schedule=lambda epoch, epochs: nn.CosineSchedule()(epoch, 9),
    )  # fmt: skip
    assert same(weights(model), weights(other))
    assert history.loss == expected.loss


def test_interrupt_while_the_history_is_written():
    class Late(list):
        def append(self, value):
            super().append(value)
            if len(self) == 3:
                raise KeyboardInterrupt

    history = nn.History(metric=Late())
    assert nn.fit(network(), X, LABELS, epochs=9, history=history) is history
    assert {len(column) for column in history.as_dict().values()} == {2}


def test_interrupt_during_validation():
    """The history has whole epochs only."""
    calls = []

    def loss(output, y):
        calls.append(len(y))
        if calls.count(40) == 3:  # once in each epoch
            raise KeyboardInterrupt
        return nn.softmax_cross_entropy(output, y)

    history = nn.fit(network(), X, LABELS, loss=loss, validation=(X[:40], LABELS[:40]), batch_size=50, epochs=9)
    assert (len(history), history.steps, history.stopped) == (2, 6, "interrupt")
    assert {len(column) for column in history.as_dict().values()} == {2}


@pytest.mark.parametrize("restore_best", [None, True, False])
def test_interrupt_leaves_the_best_weights(restore_best):
    """Unless told otherwise; a training that ends by itself without patience stays as it is."""
    model = network()
    options = {"lr": 0.1, "schedule": diverging, "validation": (X, LABELS), "batch_size": 26}
    history = nn.fit(
        model, X, LABELS, epochs=50, callbacks=[Interrupt(10 * 4 + 1)], restore_best=restore_best,
        rng=np.random.default_rng(0), **options,
    )  # fmt: skip
    assert history.stopped == "interrupt"
    loss, _ = nn.softmax_cross_entropy(model.forward(X), LABELS)
    best, last = min(history.validation_loss), history.validation_loss[-1]
    assert best < last
    assert loss == pytest.approx(last if restore_best is False else best)
    model = network()
    history = nn.fit(model, X, LABELS, epochs=10, restore_best=restore_best, rng=np.random.default_rng(0), **options)
    loss, _ = nn.softmax_cross_entropy(model.forward(X), LABELS)
    assert loss == pytest.approx(min(history.validation_loss) if restore_best else history.validation_loss[-1])


def test_divergence_names_epoch_and_step():
    class Poison(nn.Callback):
        def on_step(self, run):
            self.before = weights(run.model)
            if run.step == 6:
                run.model.parameters[2].grad[0, 0] = math.inf

    model, poison = network(), Poison()
    with pytest.raises(nn.DivergedError, match="gradients are not finite in epoch 2, step 6") as caught:
        nn.fit(model, X, LABELS, batch_size=26, callbacks=[poison])
    assert same(weights(model), poison.before)
    assert (caught.value.epoch, caught.value.step, len(caught.value.history)) == (2, 6, 1)
    assert caught.value.history.stopped == "diverged"
    again = pickle.loads(pickle.dumps(caught.value))  # as from another process
    assert (type(again), str(again), again.epoch, again.step) == (nn.DivergedError, str(caught.value), 2, 6)
    assert (again.history.loss, again.history.stopped) == (caught.value.history.loss, "diverged")

    losses = iter([1.0, 2.0, math.nan])
    model, poison = network(), Poison()
    with pytest.raises(nn.DivergedError, match=r"the loss became nan in epoch 1, step 3; the weights are those before"):
        nn.fit(model, X, LABELS, loss=lambda output, y: (next(losses), output), callbacks=[poison])
    assert not same(weights(model), poison.before)  # those of step 2
    model = network(2)
    with pytest.raises(nn.DivergedError):
        nn.fit(model, X, TARGETS, loss="mean_squared_error", lr=1e30, batch_size=10)
    assert all(np.isfinite(value).all() for value in weights(model).values())


def test_divergence_leaves_running_statistics():
    class Poison(nn.Callback):
        def on_step(self, run):
            if run.step == 3:
                run.model.state["0.weight"][...] = math.inf

        def on_epoch_end(self, run):
            self.before = {name: weights(run.model)[name] for name in ("1.running_mean", "1.running_variance")}

    model = nn.mlp([4, 8, 3], batch_norm=True, rng=np.random.default_rng(0))
    poison = Poison()
    with pytest.raises(nn.DivergedError, match="the loss became nan in epoch 4, step 4"):
        nn.fit(model, X, LABELS, batch_size=103, callbacks=[poison])
    for name, value in poison.before.items():
        assert np.array_equal(model.state[name], value)


def test_what_a_callback_raises_ends_the_training():
    ended = []

    class Fails(nn.Callback):
        def on_epoch_end(self, run):
            raise RuntimeError("disk full")

        def on_train_end(self, run):
            ended.append(True)

    with pytest.raises(RuntimeError, match="disk full"):
        nn.fit(network(), X, LABELS, callbacks=[Fails()])
    assert ended


def test_progress_bar(monkeypatch, capsys):
    nn.fit(network(), X, LABELS, epochs=2)
    assert capsys.readouterr() == ("", "")  # no terminal
    nn.fit(network(), X, LABELS, epochs=2, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "/2 [" in err
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a bar that runs over its end
        nn.fit(network(), X, LABELS, batch_size=11, epochs=3, progress=True)
    assert "3.0/3 [" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm", None)
    nn.fit(network(), X, LABELS, epochs=1)
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    with pytest.raises(ImportError, match=r"pip install 'numact\[progress\]'"):
        nn.fit(network(), X, LABELS, epochs=1, validation=0.5, progress=True, rng=rng)
    assert rng.bit_generator.state == before


def test_history_is_a_dict_of_lists():
    history = nn.fit(network(), X, LABELS, epochs=3, validation=0.2)
    columns = history.as_dict()
    assert {len(column) for column in columns.values()} == {3}
    assert columns["epoch"] == [1, 2, 3]
    assert columns["loss"] == history.loss
    columns["loss"].clear()
    assert len(history) == 3


# What is refused, with nothing changed


def changed(array, at, value):
    array = array.copy()
    array[at] = value
    return array


REFUSED = [
    ((X[:0], LABELS[:0]), {}, ValueError, r"x has no rows, its shape is \(0, 4\)"),
    ((scipy.sparse.csr_array(X), LABELS), {}, TypeError, r"x is sparse \(csr_array\): pass its \.toarray\(\)"),
    ((X, LABELS[:-1]), {}, ValueError, r"x and y must have the same length .* got shapes \(103, 4\) and \(102,\)"),
    (
        (X[:, :3], LABELS),
        {},
        ValueError,
        r"^x of shape \(103, 3\) .*Dense\(4, 16\) takes an input of shape \(\.\.\., 4\)",
    ),
    ((changed(X, (7, 2), np.nan), LABELS), {}, ValueError, r"x must be finite in float32, but element \(7, 2\) is nan"),
    ((changed(X.astype(float), (7, 2), 1e300), LABELS), {}, ValueError, r"finite in float32, but element \(7, 2\)"),
    ((X.astype(complex), LABELS), {}, TypeError, "x must be real numbers, got dtype complex128"),
    ((X, changed(LABELS, 3, 3)), {}, ValueError, r"y must lie in 0..2, the model has 3 outputs; label 3 is 3"),
    ((X, changed(LABELS, 3, -1)), {}, ValueError, "label 3 is -1"),
    ((X, LABELS.astype(float)), {}, TypeError, r"y must be integers, .*, got dtype float64; .* y\.astype\(int\)"),
    ((X, np.eye(3, dtype=int)[LABELS]), {}, ValueError, r"for one-hot rows pass y\.argmax\(axis=1\)"),
    ((X, LABELS[:, np.newaxis]), {}, ValueError, r"y must have shape \(rows,\), .*, got \(103, 1\); pass y\.ravel"),
    ((X, np.eye(3)[LABELS]), {}, TypeError, r"for one-hot rows y\.argmax\(axis=1\)"),
    ((X, LABELS), {"learning_rate": 0.1}, TypeError, "fit has no parameter 'learning_rate'; did you mean lr"),
    ((X, LABELS), {"loss": "softmax_crossentropy"}, ValueError, "did you mean 'softmax_cross_entropy'"),
    ((X, LABELS), {"loss": 3}, TypeError, "loss must be named by a string, got 3"),
    ((X, LABELS), {"schedule": "cosin"}, ValueError, "unknown schedule 'cosin'; did you mean 'cosine'"),
    ((X, LABELS), {"epoch": 3}, TypeError, "fit has no parameter 'epoch'; did you mean epochs"),
    ((X, LABELS), {"schedule": nn.StepSchedule}, TypeError, r"schedule must be an instance, nn\.StepSchedule\(\)"),
    ((X, LABELS), {"schedule": lambda e: 0.1}, TypeError, r"schedule is called with \(epochs done, epochs\): too many"),
    ((X, LABELS), {"shuffle": "no"}, TypeError, "shuffle must be True or False, got 'no'"),
    ((X, LABELS), {"restore_best": "no"}, TypeError, "restore_best must be True or False, got 'no'"),
    ((X, LABELS), {"patience": True}, TypeError, "patience must be an integer, got True"),
    ((X, LABELS), {"lr": -1}, ValueError, "lr must be at least 0"),
    ((X, LABELS), {"epochs": 0}, ValueError, "epochs must be at least 1"),
    ((X, LABELS), {"batch_size": 2.5}, TypeError, "batch_size must be an integer"),
    ((X, LABELS), {"patience": 0}, ValueError, "patience must be at least 1"),
    ((X, LABELS), {"min_delta": -1}, ValueError, "min_delta must be a number of at least 0"),
    ((X, LABELS), {"min_delta": "small"}, TypeError, "min_delta must be a real number, got 'small'"),
    (
        (X, LABELS),
        {"validation": (X, LABELS), "history": []},
        TypeError,
        r"history must be an nn\.History, .*, got list",
    ),
    ((X, LABELS), {"callbacks": nn.Monitor()}, TypeError, r"callbacks must be a list of nn\.Callback, got <.*Monitor"),
    ((X, LABELS), {"rng": 0}, TypeError, "rng must be a numpy.random.Generator"),
    ((X, LABELS), {"sample_weight": np.ones(5)}, ValueError, "x and y and sample_weight must have the same length"),
    ((X, LABELS), {"sample_weight": -np.ones(103)}, ValueError, "sample_weight must be at least 0, got -1"),
    ((X, LABELS), {"sample_weight": np.zeros(103)}, ValueError, "sample_weight is zero for every row"),
    ((X, LABELS), {"sample_weight": np.full(103, np.nan)}, ValueError, "sample_weight must be finite"),
    ((X, LABELS), {"sample_weight": np.ones((103, 1))}, ValueError, r"sample_weight must have shape \(rows,\)"),
    ((X, LABELS), {"sample_weight": ["a"] * 103}, TypeError, "sample_weight must be real numbers"),
    ((X, LABELS), {"sample_weight": np.full(103, 1e307)}, ValueError, "sample_weight must have a finite sum"),
    ((X, LABELS), {"optimizer": "adam"}, TypeError, r"optimizer must be a numact\.SGD, got str"),
    ((X, LABELS), {"validation": 1.5}, ValueError, "fraction must lie between 0 and 1"),
    ((X, LABELS), {"validation": 1}, TypeError, "validation must be a fraction such as 0.1"),
    ((X, LABELS), {"validation": (X, LABELS + 1)}, ValueError, "validation y must lie in 0..2"),
    ((X, LABELS), {"validation": (X[:, 1:], LABELS)}, ValueError, r"^validation x of shape \(103, 3\) does not fit"),
    ((X, LABELS), {"validation": 0.001}, ValueError, "sets 0 aside"),
    ((X, LABELS), {"validation": 0.2, "history": nn.History()}, ValueError, "needs its validation data as arrays"),
]


@pytest.mark.parametrize(("data", "options", "error", "message"), REFUSED)
def test_refused(data, options, error, message):
    model, rng = network(), np.random.default_rng(0)
    before, state = weights(model), rng.bit_generator.state
    with pytest.raises(error, match=message):
        nn.fit(model, *data, **{"rng": rng} | options)
    assert same(weights(model), before)
    assert rng.bit_generator.state == state


def test_labels_for_one_output():
    message = r'y must lie in 0\.\.0, the model has 1 output; .* take loss="binary_cross_entropy_with_logits" and y of'
    with pytest.raises(ValueError, match=message):
        nn.fit(network(1), X, LABELS > 0)


def test_bool_labels_are_0_and_1():
    one, other = network(2), network(2)
    for model, labels in ((one, LABELS > 0), (other, (LABELS > 0).astype(int))):
        nn.fit(model, X, labels, epochs=2, validation=0.2, rng=np.random.default_rng(0))
    assert same(weights(one), weights(other))


def test_batch_norm_needs_batches_of_two_rows():
    model = nn.mlp([4, 8, 3], batch_norm=True, rng=np.random.default_rng(0))
    before = weights(model)
    for x, labels, batch_size in ((X, LABELS, 1), (X[:1], LABELS[:1], 32)):
        with pytest.raises(ValueError, match=r"layer 1, BatchNorm\(8\), .*of two rows or more .*or freeze the layer"):
            nn.fit(model, x, labels, batch_size=batch_size)
        assert same(weights(model), before)
    nn.fit(model, X, LABELS, batch_size=102, epochs=1)  # the last batch has one row
    model[1].freeze()
    nn.fit(model, X, LABELS, batch_size=1, epochs=1)
    sequences = nn.Sequential(nn.BatchNorm(4), nn.Dense(4, 2), rng=np.random.default_rng(0))
    nn.fit(
        sequences, X[:100].reshape(20, 5, 4), TARGETS[:100].reshape(20, 5, 2), batch_size=1, loss="mean_squared_error"
    )


@pytest.mark.parametrize(
    ("name", "loss", "warned"),
    [
        ("softmax", "softmax_cross_entropy", True),
        ("log_softmax", "softmax_cross_entropy", True),
        ("sigmoid", "binary_cross_entropy_with_logits", True),
        ("sigmoid", "mean_squared_error", False),
        ("softmax", nn.softmax_cross_entropy, False),
    ],
)
def test_losses_that_take_logits(name, loss, warned):
    model = nn.Sequential(network(2), nn.Activate(name))
    y = LABELS > 0 if "softmax" in name else TARGETS > 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nn.fit(model, X, y, loss=loss, epochs=1)
    assert len(caught) == warned
    for each in caught:
        assert f"{loss} takes logits: leave out the last layer, Activate('{name}')" in str(each.message)
        assert each.filename == __file__


def test_stop_is_called_not_set():
    class Stop(nn.Callback):
        def on_epoch_end(self, run):
            run.stop = True

    with pytest.raises(AttributeError, match="'stop' is read-only"):
        nn.fit(network(), X, LABELS, epochs=2, callbacks=[Stop()])


def test_targets_whose_squares_overflow_diverge_without_warning():
    with pytest.raises(nn.DivergedError, match="the loss became inf"):
        nn.fit(network(2, dtype=np.float64), X, TARGETS.astype(float) * 1e300, loss="mean_squared_error")


def test_model_is_a_layer():
    with pytest.raises(TypeError, match=r"model must be a layer, usually an nn\.Sequential, got ndarray"):
        nn.fit(X, X, LABELS)
    with pytest.raises(ValueError, match=r"got \(103,\); pass y\.reshape\(-1, 1\)"):
        nn.fit(nn.mlp([X.shape[1], 1]), X, TARGETS[:, 0], loss="mean_squared_error")


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("mean_squared_error", TARGETS[:, 0], r"y must have the shape of the model's output, \(103, 2\), got \(103,\)"),
        ("mean_squared_error", changed(TARGETS, (4, 1), np.inf), r"y must be finite in float32, but element \(4, 1\)"),
        (
            "mean_squared_error",
            changed(TARGETS.astype(float), (4, 1), 1e300),
            r"y must be finite in float32, but element \(4, 1\)",
        ),
        ("binary_cross_entropy_with_logits", TARGETS, r"y must lie in 0\.\.1 for binary_cross_entropy_with_logits"),
    ],
)
def test_targets_refused(loss, y, message):
    with pytest.raises(ValueError, match=message):
        nn.fit(network(2), X, y, loss=loss)


# Data


def test_batches_take_any_number_of_arrays():
    rows = np.arange(10)
    for reuse in (False, True):
        seen = []
        for x, y, w in nn.batches(X[:10], rows, rows * 2.0, batch_size=4, rng=np.random.default_rng(0), reuse=reuse):
            assert np.array_equal(x, X[y])
            assert np.array_equal(w, y * 2)
            seen.append(y.copy())
        assert list(map(len, seen)) == [4, 4, 2]
        assert np.array_equal(np.concatenate(seen), np.random.default_rng(0).permutation(10))


def test_batches_reuse_their_arrays():
    addresses = {x.ctypes.data for (x,) in nn.batches(X, batch_size=8, reuse=True)}
    assert len(addresses) == 1
    kept = [x for (x,) in nn.batches(X, batch_size=8)]
    assert np.array_equal(np.sort(np.concatenate(kept), axis=0), np.sort(X, axis=0))


def test_batches_refuse_at_the_call():
    with pytest.raises(TypeError, match="at least one array"):
        nn.batches(batch_size=1)
    with pytest.raises(ValueError, match="x and y and array 2 must have the same length"):
        nn.batches(X, X, X[1:], batch_size=1)


def test_split():
    rows = np.arange(len(X))
    (x, rest), (_, part) = nn.split(X, rows, fraction=0.3, rng=np.random.default_rng(0))
    assert np.array_equal(np.sort(np.concatenate([rest, part])), rows)
    assert len(part) == round(0.3 * len(X))
    assert np.array_equal(x, X[rest])
    assert (np.diff(rest) > 0).all()

    _, (part,) = nn.split(rows, fraction=0.3, stratify=LABELS, rng=np.random.default_rng(0))
    for label in range(3):
        assert np.sum(LABELS[part] == label) == round(0.3 * np.sum(label == LABELS))
    _, (part,) = nn.split(rows, fraction=0.5, stratify=["a", "b"] * 51 + ["c"])
    assert len(part) == 26 + 26 + 0
    with pytest.raises(ValueError, match=r"fraction=0.1 of 3 rows leaves 3 and sets 0 aside"):
        nn.split(rows[:3], fraction=0.1)
    with pytest.raises(ValueError, match=r"in their classes leaves"):
        nn.split(rows[:3], fraction=0.3, stratify=[0, 1, 2])
    with pytest.raises(ValueError, match=r"stratify must have shape \(rows,\)"):
        nn.split(rows, stratify=X)


SCALINGS = [nn.Standardize(), nn.Standardize(per_feature=False), nn.Whiten()]


@pytest.mark.parametrize("scaling", SCALINGS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_scaling_is_undone_by_inverse(scaling, dtype):
    x = (100 * X @ RNG.normal(size=(4, 4)) + 50).astype(dtype)
    y = scaling.fit(x).transform(x)
    assert y.dtype == (np.float64 if dtype == np.int64 else dtype)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaling.inverse(y), x, rtol=1e-4, atol=1e-2)
    row = scaling.transform(x[3:4])
    np.testing.assert_allclose(row, y[3:4], rtol=1e-5, atol=1e-6)


def test_standard_deviation_is_one():
    x = X * [1, 10, 100, 1000] + 5
    np.testing.assert_allclose(nn.Standardize().fit(x).transform(x).std(axis=0), 1)
    whole = nn.Standardize(per_feature=False).fit(x)
    assert len(set(whole.scale)) == 1
    assert whole.transform(x).std() == pytest.approx(1)


def test_whitened_features_are_uncorrelated():
    x = X @ RNG.normal(size=(4, 4)) + 5
    whiten = nn.Whiten(epsilon=1e-12).fit(x)
    np.testing.assert_allclose(np.cov(whiten.transform(x).T, bias=True), np.eye(4), atol=1e-8)
    assert (np.diff(whiten.scale) <= 0).all()
    np.testing.assert_allclose(whiten.components.T @ whiten.components, np.eye(4), atol=1e-12)


@pytest.mark.parametrize("scaling", SCALINGS, ids=repr)
@pytest.mark.parametrize("constant", [0.0, 0.1, -1e8, 1e-30])
def test_constant_features_do_not_blow_up(scaling, constant):
    """The mean of many equal numbers is not exactly the number."""
    for x in (np.full((10007, 3), constant), np.column_stack([np.resize(X[:, 0], 10007), np.full(10007, constant)])):
        y = scaling.fit(x).transform(x)
        assert np.isfinite(y).all()
        np.testing.assert_allclose(y[:, -1], 0, atol=1e-6)
        np.testing.assert_allclose(scaling.inverse(y), x, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("make", [nn.Standardize, nn.Whiten])
def test_scaling_refuses(make):
    with pytest.raises(RuntimeError, match="has seen no data yet: call fit first"):
        make().transform(X)
    with pytest.raises(ValueError, match=r"x must be finite in float64, but element \(1, 0\) is nan"):
        make().fit(changed(X.astype(float), (1, 0), np.nan))
    with pytest.raises(ValueError, match=r"x must have shape \(rows, features\)"):
        make().fit(X[0])
    with pytest.raises(TypeError, match="x must be real numbers"):
        make().fit(X.astype(str))
    fitted = make().fit(X)
    with pytest.raises(ValueError, match=r"takes an array of shape \(rows, 4\), got \(103, 3\)"):
        fitted.transform(X[:, 1:])
    with pytest.raises(TypeError, match="x must be real numbers"):
        fitted.inverse(X.astype(complex))
    with pytest.raises(ValueError, match="epsilon must be above 0, got 0"):
        nn.Whiten(epsilon=0)


def test_best_epoch_counts_no_validation_loss_that_is_nan(rng):
    history = nn.History()
    for loss, validation in ((3.0, 5.0), (2.0, math.nan), (1.0, 6.0)):
        history.append(1, loss=loss, validation_loss=validation)
    assert history.best_epoch == 1
    history.validation_loss[:] = [math.nan] * 3
    assert history.best_epoch == 3


def test_interrupt_at_the_end_returns_the_history(rng):
    class Interrupt(nn.Callback):
        def on_train_end(self, run):
            raise KeyboardInterrupt

    x = rng.normal(size=(8, 2)).astype(np.float32)
    model = nn.Sequential(nn.Dense(2, 1), rng=rng)
    history = nn.fit(model, x, x[:, :1], loss="mean_squared_error", epochs=2, callbacks=[Interrupt()], rng=rng)
    assert (len(history), history.stopped) == (2, "interrupt")


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_standardize_of_extreme_scale(size):
    x = np.array([[size, 1.0], [-size, 2.0]])
    scaling = nn.Standardize().fit(x)
    np.testing.assert_allclose(scaling.scale, [size, 0.5])
    np.testing.assert_array_equal(scaling.transform(x), [[1, -1], [-1, 1]])
    np.testing.assert_allclose(nn.Standardize(per_feature=False).fit(x * [1, size]).scale, size * math.sqrt(0.625))


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_whiten_of_extreme_scale(size, rng):
    x = rng.normal(size=(100, 3))
    one, other = nn.Whiten().fit(x), nn.Whiten().fit(x * size)
    np.testing.assert_allclose(other.scale, one.scale * size)
    np.testing.assert_allclose(other.transform(x * size), one.transform(x), atol=1e-12)


@pytest.mark.parametrize("make", [nn.Standardize, nn.Whiten])
def test_data_too_large_to_scale(make):
    with pytest.raises(ValueError, match=r"the values of x are too large for float64: up to 1\.7e\+308"):
        make().fit(np.array([[1.7e308], [1.6e308], [1.7e308]]))


def test_cosine_after_a_warm_up_that_is_all(rng):
    assert nn.CosineSchedule(warmup=5, final=0.25)(5, 5) == 0.25


def test_rows_are_named_as_they_were_given():
    weight = np.ones(103)
    weight[:10] = 0
    x, labels = X.copy(), LABELS.copy()
    x[20, 1] = np.nan
    with pytest.raises(ValueError, match=r"element \(20, 1\) is nan"):
        nn.fit(network(), x, labels, sample_weight=weight)
    labels[30] = 9
    with pytest.raises(ValueError, match="label 30 is 9"):
        nn.fit(network(), X, labels, sample_weight=weight)


@pytest.mark.parametrize("factor", [-1.0, math.nan, math.inf])
def test_a_schedule_that_returns_no_factor(factor):
    with pytest.raises(ValueError, match=r"a schedule must return .* in epoch 2"):
        nn.fit(network(), X, LABELS, epochs=3, schedule=lambda epoch, epochs: factor if epoch > 1 else 1.0)


def test_every_callback_hears_of_the_end():
    heard = []

    class End(nn.Callback):
        def __init__(self, number):
            self.number = number

        def on_train_end(self, run):
            heard.append(self.number)
            if self.number == 1:
                raise RuntimeError("first")

    with pytest.raises(RuntimeError, match="first"):
        nn.fit(network(), X, LABELS, epochs=1, callbacks=[End(1), End(2), End(3)])
    assert heard == [1, 2, 3]


def test_a_refused_fit_leaves_whiten():
    whiten = nn.Whiten().fit([[1.0, 2.0], [3.0, 5.0]])
    large = [[1.7e308, 0.0], [1.6e308, 1.0], [1.7e308, 0.0]]
    with pytest.raises(ValueError, match="too large"):
        whiten.fit(large)
    np.testing.assert_array_equal(whiten.mean, [2, 3.5])
    new = nn.Whiten()
    with pytest.raises(ValueError, match="too large"):
        new.fit(large)
    with pytest.raises(RuntimeError, match="has seen no data yet"):
        new.transform([[1.0]])


def test_a_fraction_is_given_by_its_name():
    with pytest.raises(TypeError, match=r"split takes arrays, got 0\.2; did you mean fraction=0\.2\?"):
        nn.split(X, LABELS, 0.2)


def test_classes_that_are_not_numbers():
    with pytest.raises(ValueError, match="stratify must name a class for every row, but has NaN"):
        nn.split(np.arange(6), fraction=0.5, stratify=[math.nan] * 4 + [1, 1])


@pytest.mark.parametrize("stop", [4, -4, 99])
def test_freeze_positions_that_are_not_there(stop):
    model = network()
    with pytest.raises(IndexError, match="there are 3 layers"):
        model.freeze(stop)
    assert not any(layer.frozen for layer in model.layers if layer.parameters)
