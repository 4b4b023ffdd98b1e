"""numact.sklearn: scikit-learn's own checks of an estimator, and what they do not look at."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
import re
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
import joblib
import scipy.sparse
import sklearn.neural_network
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.estimator_checks import parametrize_with_checks

import numact as na
from numact import nn
from numact.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IRIS, SPECIES = load_iris(return_X_y=True)
IRIS = scale(IRIS)
NAMES = np.array(["setosa", "versicolor", "virginica"])
TWO = SPECIES != 0
TARGETS = np.stack([IRIS[:, 3], IRIS[:, 2] - IRIS[:, 1]], axis=1)

FLOAT32 = {"activation": "swiglu", "dtype": "float32"}

# Checks that cannot hold, with the reason.
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "a row given twice makes other batches than one of weight 2",
}
EXPECTED_FAILURES_OF_FLOAT32 = {
    "check_classifiers_train": "compares accurate logarithms with those of probabilities rounded to 1 or 0",
    "check_regressor_multioutput": "wants predictions of float64",
}


def expected_failures(estimator):
    return EXPECTED_FAILURES | (EXPECTED_FAILURES_OF_FLOAT32 if estimator.dtype == "float32" else {})


@parametrize_with_checks(
    [cls(**options) for cls in (MLPClassifier, MLPRegressor) for options in ({}, FLOAT32)],
    expected_failed_checks=expected_failures,
)
def test_estimator_checks(estimator, check):
    check(estimator)


def short(cls, **parameters):
    options = {"learning_rate_init": 0.1, "batch_size": 32, "max_iter": 30, "tol": 0, "random_state": 0}
    return cls(**{"hidden_layer_sizes": 16} | options | parameters)


def weights(estimator):
    return np.concatenate([value.ravel() for value in estimator.model_.state.values()])


# Activations and options


@pytest.mark.parametrize("name", [*na.activations, "identity"])
def test_every_activation(name):
    classifier = short(MLPClassifier, activation=name, batch_norm=name in ("softmin", "log_softmax", "softmax"))
    assert classifier.fit(IRIS, SPECIES).score(IRIS, SPECIES) > 0.9
    assert short(MLPRegressor, activation=name, max_iter=5).fit(IRIS, TARGETS).predict(IRIS).shape == (150, 2)


@pytest.mark.parametrize(
    ("activation", "parameters", "expected"),
    [
        ("leaky_relu", {"negative_slope": 0.3}, "Activate('leaky_relu', negative_slope=0.3)"),
        ("maxout", {"pieces": 3}, "Maxout(4, 16, pieces=3)"),
        ("prelu", {"weight": 0.1}, "PReLU(16)"),
        ("swish", {"beta": 2.0}, "Swish(16)"),
    ],
)
def test_parameters_of_the_activation(activation, parameters, expected):
    options = {"activation": activation, "activation_parameters": parameters}
    estimator = short(MLPClassifier, max_iter=1, **options)
    estimator.fit(IRIS, SPECIES)
    assert expected in repr(estimator.model_)
    plain = short(MLPClassifier, max_iter=1, activation=activation).fit(IRIS, SPECIES)
    assert not np.array_equal(plain.predict_proba(IRIS), estimator.predict_proba(IRIS))


def test_is_nn_fit():
    classifier = short(
        MLPClassifier, hidden_layer_sizes=(16, 8), activation="gelu", alpha=0.32, dropout=0.1, n_iter_no_change=99
    )
    classifier.fit(IRIS, SPECIES)
    rng = np.random.default_rng(np.random.RandomState(0).randint(np.iinfo(np.int32).max))
    model = nn.mlp([4, 16, 8, 3], "gelu", dropout=0.1, dtype=np.float64, rng=rng)
    decay = [0.01 if p.value.ndim == 2 else 0.0 for p in model.parameters]
    history = nn.fit(
        model, IRIS, SPECIES, lr=0.1, momentum=0.9, nesterov=True, weight_decay=decay, max_norm=1.0, epochs=30,
        batch_size=32, rng=rng,
    )  # fmt: skip
    assert classifier.loss_curve_ == history.loss
    assert np.array_equal(classifier.predict_proba(IRIS), na.softmax(model.forward(IRIS)))
    assert (classifier.n_iter_, classifier.t_, classifier.n_layers_) == (30, 30 * 150, 4)
    assert (classifier.loss_, classifier.best_loss_) == (history.loss[-1], min(history.loss))


def test_regressor_is_nn_fit_on_half_the_loss():
    regressor = short(MLPRegressor, activation="gelu", early_stopping=True, alpha=0.32, max_norm=None, max_iter=5)
    regressor.fit(IRIS, TARGETS[:, 0])
    rng = np.random.default_rng(np.random.RandomState(0).randint(np.iinfo(np.int32).max))
    model = nn.mlp([4, 16, 1], "gelu", dtype=np.float64, rng=rng)
    (x, y), validation = nn.split(IRIS, TARGETS[:, :1], fraction=0.1, rng=rng)
    decay = [2 * 0.01 if p.value.ndim == 2 else 0.0 for p in model.parameters]
    history = nn.fit(
        model, x, y, loss="mean_squared_error", lr=0.05, momentum=0.9, nesterov=True, weight_decay=decay, epochs=5,
        batch_size=32, validation=validation, rng=rng,
    )  # fmt: skip
    np.testing.assert_allclose(np.multiply(regressor.loss_curve_, 2), history.loss, rtol=1e-12)
    np.testing.assert_allclose(regressor.validation_scores_, history.validation_metric, rtol=1e-12)


LABELLED = (IRIS[:, :3] > 0).astype(int)


@pytest.mark.parametrize(
    ("cls", "y", "out"),
    [
        (MLPRegressor, TARGETS[:, 0], "identity"),
        (MLPRegressor, IRIS[:, :3] ** 2, "identity"),
        (MLPClassifier, TWO, "logistic"),
        (MLPClassifier, SPECIES, "softmax"),
        (MLPClassifier, LABELLED, "logistic"),
    ],
)
def test_equal_settings_step_as_scikit_learn(cls, y, out):
    options = {
        "hidden_layer_sizes": (8, 5), "activation": "logistic", "learning_rate_init": 0.3, "alpha": 0.3,
        "batch_size": 50, "shuffle": False, "momentum": 0.0, "nesterovs_momentum": False, "random_state": 0,
    }  # fmt: skip
    ours = cls(max_norm=None, **options)
    theirs = getattr(sklearn.neural_network, cls.__name__)(solver="sgd", **options)
    for i in range(3):
        for estimator in (ours, theirs):
            classes = {"classes": np.unique(y) if y.ndim == 1 else range(3)} if cls is MLPClassifier else {}
            estimator.partial_fit(IRIS, y, **classes)
        pairs = list(zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True))
        for mine, other in pairs:
            if i == 0:
                mine[...] = other
            np.testing.assert_allclose(mine, other, rtol=1e-10)
    penalty = 0.3 / 2 / 50 * sum(np.sum(weight**2) for weight in ours.coefs_)
    assert ours.loss_ + penalty == pytest.approx(theirs.loss_, rel=0.01)
    assert ours.out_activation_ == theirs.out_activation_ == out
    predicted, expected = ours.predict(IRIS), theirs.predict(IRIS)
    assert (predicted.shape, predicted.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(predicted, expected, rtol=1e-10)
    assert ours.score(IRIS, y) == pytest.approx(theirs.score(IRIS, y))
    if cls is MLPClassifier:
        assert np.array_equal(ours.classes_, theirs.classes_)
        np.testing.assert_allclose(ours.predict_proba(IRIS), theirs.predict_proba(IRIS), rtol=1e-10)


@pytest.mark.parametrize("activation", ["relu", "maxout", "glu"])
def test_weights_by_scikit_learns_names(activation):
    new = MLPClassifier()
    for name in ("coefs_", "intercepts_", "out_activation_"):
        assert not hasattr(new, name)
    fitted = short(MLPClassifier, max_iter=1, activation=activation, batch_norm=True).fit(IRIS, SPECIES)
    copied = pickle.loads(pickle.dumps(fitted))
    columns = 16 if activation == "relu" else 32
    assert [w.shape for w in copied.coefs_] == [(4, columns), (16, 3)]
    assert [b.shape for b in copied.intercepts_] == [(columns,), (3,)]
    assert all(map(np.array_equal, copied.coefs_ + copied.intercepts_, fitted.coefs_ + fitted.intercepts_))
    assert copied.out_activation_ == "softmax"
    assert not hasattr(clone(fitted), "coefs_")
    with pytest.raises(AttributeError):
        fitted.coefs_ = []


def test_several_labels():
    classifier = short(MLPClassifier, early_stopping=True, max_iter=100)
    classifier.fit(IRIS, LABELLED, sample_weight=np.arange(150) % 4)
    assert classifier.score(IRIS, LABELLED) > 0.9
    assert 0 < max(classifier.validation_scores_) <= 1
    p = classifier.predict_proba(IRIS)
    np.testing.assert_allclose(np.exp(classifier.predict_log_proba(IRIS)), p, rtol=1e-12)
    assert np.array_equal(classifier.predict(IRIS), p > 0.5)
    assert classifier.set_params(early_stopping=False).fit(IRIS, SPECIES).predict(IRIS).shape == (150,)
    classifier.set_params(warm_start=True)
    with pytest.raises(ValueError, match=r"y must have shape \(150,\) as before, got \(150, 3\)"):
        classifier.fit(IRIS, LABELLED)
    with pytest.raises(ValueError, match=r"y of shape \(rows, labels\) must be 0 or 1"):
        MLPClassifier().fit(IRIS, LABELLED + np.arange(3))
    with pytest.raises(ValueError, match=r"y has 3 labels, but the classes are \[0, 1\]"):
        MLPClassifier().partial_fit(IRIS, LABELLED, classes=[0, 1])
    with pytest.raises(TypeError, match="y must be dense, got csr"):
        MLPClassifier().fit(IRIS, scipy.sparse.csr_array(LABELLED))


def test_unknown_parameters_name_the_class():
    for cls in (MLPClassifier, MLPRegressor):
        with pytest.raises(TypeError, match=rf"^{cls.__name__}\.__init__\(\) got an unexpected .* 'solver'"):
            cls(solver="adam")


def test_shares_names_with_scikit_learn():
    """Whoever knows theirs knows ours, and a grid of parameters serves both."""
    for ours, theirs in (
        (MLPClassifier, sklearn.neural_network.MLPClassifier),
        (MLPRegressor, sklearn.neural_network.MLPRegressor),
    ):
        # Of other solvers, and of schedules that are functions here.
        absent = {"loss", "solver", "power_t", "beta_1", "beta_2", "epsilon", "max_fun"}
        assert set(theirs().get_params()) - set(ours().get_params()) == absent & set(theirs().get_params())
        for method in ("fit", "partial_fit", "predict", "score"):
            own, expected = ([*inspect.signature(getattr(cls, method)).parameters] for cls in (ours, theirs))
            new = {"sample_weight"} - {*expected}  # which theirs take since 1.7
            assert [name for name in own if name not in new] == expected


def test_float32_is_kept():
    for x, dtype, expected in (
        (IRIS, None, np.float64),
        (IRIS.astype(np.float32), None, np.float32),
        (IRIS, "float32", np.float32),
        (IRIS.astype(np.float32), np.float64, np.float64),
    ):
        classifier = short(MLPClassifier, dtype=dtype).fit(x, SPECIES)
        assert {value.dtype for value in classifier.model_.state.values()} == {np.dtype(expected)}
        assert classifier.predict_proba(x).dtype == expected
        assert classifier.score(x, SPECIES) > 0.9


def test_fit_starts_anew():
    """With data of another dtype, other columns and classes."""
    classifier = short(MLPClassifier, max_iter=2)
    classifier.fit(IRIS.astype(np.float32), SPECIES)
    classifier.fit(IRIS[:, :3], TWO)
    assert classifier.predict_proba(IRIS[:, :3]).dtype == np.float64
    assert classifier.predict(IRIS[:, :3]).dtype == bool


def test_binary_is_one_sigmoid():
    y = np.where(TWO, "yes", "no")
    classifier = short(MLPClassifier).fit(IRIS, y)
    assert classifier.n_outputs_ == 1
    assert classifier.classes_.tolist() == ["no", "yes"]
    p = classifier.predict_proba(IRIS)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-15)
    np.testing.assert_allclose(classifier.predict_log_proba(IRIS), np.log(p), rtol=1e-12, atol=1e-15)
    assert np.array_equal(classifier.predict(IRIS), classifier.classes_[p.argmax(axis=1)])
    assert classifier.score(IRIS, y) == 1


@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-14)])
@pytest.mark.parametrize("y", [NAMES[SPECIES], TWO])
def test_logarithms_where_probabilities_are_zero_and_one(dtype, rtol, y):
    classifier = short(MLPClassifier, dtype=dtype).fit(IRIS, y)
    far = 1e5 * IRIS
    assert (classifier.predict_proba(far) == 0).any()
    assert (classifier.predict_proba(far) == 1).any()
    assert np.isfinite(classifier.predict_log_proba(far)).all()
    np.testing.assert_allclose(np.exp(classifier.predict_log_proba(IRIS)), classifier.predict_proba(IRIS), rtol=rtol)


def test_several_targets_and_one():
    regressor = short(MLPRegressor, max_iter=100).fit(IRIS, TARGETS)
    assert regressor.score(IRIS, TARGETS) > 0.95
    for y in (TARGETS[:, 0], TARGETS[:, :1]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert short(MLPRegressor).fit(IRIS, y).predict(IRIS).shape == (150,)


def test_weights_of_samples():
    """Weight 0 is absence, also for the classes' order of draws; early stopping takes weights along."""
    w = (np.arange(150) % 3 != 0).astype(float)
    kept = w > 0
    one = short(MLPClassifier).fit(IRIS, SPECIES, sample_weight=w)
    other = short(MLPClassifier).fit(IRIS[kept], SPECIES[kept])
    np.testing.assert_allclose(one.predict_proba(IRIS), other.predict_proba(IRIS), rtol=1e-9)
    short(MLPRegressor, early_stopping=True).fit(IRIS, TARGETS, sample_weight=w)
    heavy = np.where(SPECIES == 2, 100.0, 1.0)
    assert np.mean(short(MLPClassifier, max_iter=3).fit(IRIS, SPECIES, heavy).predict(IRIS) == 2) > 0.4


# How it goes on and how it ends


def test_early_stopping_keeps_the_best():
    classifier = short(
        MLPClassifier, early_stopping=True, n_iter_no_change=3, max_iter=500, learning_rate_init=1.0, tol=1e-3
    ).fit(IRIS, SPECIES)  # fmt: skip
    assert classifier.n_iter_ < 500
    assert len(classifier.validation_scores_) == len(classifier.loss_curve_) == classifier.n_iter_
    assert classifier.best_validation_score_ == max(classifier.validation_scores_)
    assert classifier.best_loss_ is None
    plain = short(MLPClassifier).fit(IRIS, SPECIES)
    assert (plain.validation_scores_, plain.best_validation_score_) == (None, None)


def test_ends_when_the_loss_does_not_fall():
    classifier = short(MLPClassifier, tol=10.0, n_iter_no_change=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert classifier.fit(IRIS, SPECIES).n_iter_ == 6  # the first epoch, and more than 4 without
    theirs = sklearn.neural_network.MLPClassifier(solver="sgd", tol=10.0, n_iter_no_change=4)
    assert theirs.fit(IRIS, SPECIES).n_iter_ == 6
    endless = short(MLPClassifier, tol=10.0, n_iter_no_change=np.inf, max_iter=15)
    with pytest.warns(ConvergenceWarning, match="max_iter=15 epochs reached"):
        assert endless.fit(IRIS, SPECIES).n_iter_ == 15


def test_not_converged_is_a_warning():
    with pytest.warns(ConvergenceWarning, match="max_iter=3 epochs reached"):
        short(MLPClassifier, max_iter=3).fit(IRIS, SPECIES)


def test_partial_fit():
    classifier = short(MLPClassifier)
    for i in range(60):
        rows = slice(i % 3, None, 3)
        classifier.partial_fit(IRIS[rows], NAMES[SPECIES[rows]], classes=NAMES)
    assert classifier.score(IRIS, NAMES[SPECIES]) > 0.95
    assert (classifier.n_iter_, classifier.t_, len(classifier.loss_curve_)) == (60, 60 * 50, 60)
    with pytest.raises(ValueError, match=r"y has the classes \['other'\], which are not among"):
        classifier.partial_fit(IRIS[:2], ["other", "setosa"])
    with pytest.raises(ValueError, match=r"classes were .* in the first call, got"):
        classifier.partial_fit(IRIS, NAMES[SPECIES], classes=["setosa", "other"])
    with pytest.raises(ValueError, match="first call of partial_fit needs classes"):
        MLPClassifier().partial_fit(IRIS, SPECIES)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        MLPRegressor(early_stopping=True).partial_fit(IRIS, TARGETS)
    regressor = short(MLPRegressor).partial_fit(IRIS, TARGETS)
    with pytest.raises(ValueError, match="y must have 2 targets as before, got 1"):
        regressor.partial_fit(IRIS, TARGETS[:, 0])


def test_warm_start_continues():
    cold = short(MLPClassifier, max_iter=5)
    assert np.array_equal(weights(cold.fit(IRIS, SPECIES)), weights(clone(cold).fit(IRIS, SPECIES)))
    warm = short(MLPClassifier, max_iter=5, warm_start=True).fit(IRIS, SPECIES)
    first, model = warm.loss_, warm.model_
    warm.fit(IRIS, SPECIES)
    assert warm.model_ is model
    assert warm.loss_ < first
    assert (warm.n_iter_, len(warm.loss_curve_)) == (5, 10)
    with pytest.raises(ValueError, match=r"warm_start needs the classes \[0, 1, 2\] again, got \[0, 1\]"):
        warm.fit(IRIS, SPECIES % 2)
    for wrong in (
        {"activation": "nope"},
        {"dtype": "int8"},
        {"initial_weight": "glorot"},
        {"activation_parameters": 3},
    ):
        with pytest.raises((TypeError, ValueError), match=r"nope|int8|glorot|mapping"):
            clone(warm).fit(IRIS, SPECIES).set_params(**wrong).fit(IRIS, SPECIES)
    with pytest.raises(ValueError, match="unknown schedule 'adaptive'"):
        warm.set_params(learning_rate="adaptive").partial_fit(IRIS, SPECIES)


def through_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda estimator: pickle.loads(pickle.dumps(estimator)), through_joblib]
)
def test_copies_go_on_as_the_original(copied):
    """Velocities and generators included."""
    original = short(MLPClassifier, dropout=0.2, activation="prelu", batch_norm=True)
    original.partial_fit(IRIS, SPECIES, classes=range(3)).partial_fit(IRIS, SPECIES)
    other = copied(original)
    assert np.array_equal(original.predict_proba(IRIS), other.predict_proba(IRIS))
    for estimator in (original, other):
        estimator.partial_fit(IRIS, SPECIES)
    assert np.array_equal(weights(original), weights(other))


def test_divergence_says_what_to_do():
    with pytest.raises(ValueError, match=r"in epoch 1, step \d+; .* or standardise the features"):
        short(MLPRegressor, learning_rate_init=1e200, max_norm=None).fit(IRIS, TARGETS)


def test_interrupt_is_a_warning(monkeypatch):
    def interrupt(self, run):
        if run.epoch == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(nn.Callback, "on_epoch_end", lambda self, run: None)
    monkeypatch.setattr("numact.sklearn._Printer.on_epoch_end", interrupt)
    classifier = short(MLPClassifier, verbose=True)
    with pytest.warns(UserWarning, match="interrupted"):
        classifier.fit(IRIS, SPECIES)
    assert classifier.n_iter_ == 3
    assert classifier.score(IRIS, SPECIES) > 0.5
    classifier.partial_fit(IRIS, SPECIES)
    monkeypatch.setattr("numact.sklearn._Printer.on_epoch_end", lambda self, run: signal.raise_signal(signal.SIGINT))
    with pytest.warns(UserWarning, match="interrupted"):
        classifier.partial_fit(IRIS, SPECIES)


def test_verbose(capsys):
    short(MLPClassifier, verbose=True, max_iter=2).fit(IRIS, SPECIES)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" = ")[0] for line in lines] == ["Iteration 1, loss", "Iteration 2, loss"]


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"activation": "rellu"}, ValueError, "unknown activation 'rellu'; did you mean 'relu'"),
        (
            {"activation": "relu", "activation_parameters": {"slope": 1}},
            TypeError,
            "relu takes no parameters, got slope",
        ),
        ({"activation": "glu", "activation_parameters": {"slope": 1}}, TypeError, "glu takes no parameters, got slope"),
        ({"activation": "prelu", "activation_parameters": {"slope": 1}}, TypeError, "prelu takes weight, got slope"),
        ({"activation": "maxout", "activation_parameters": {"piece": 3}}, TypeError, "maxout takes pieces, got piece"),
        ({"activation": "rrelu", "activation_parameters": {"low": 0}}, TypeError, "rrelu takes lower, upper, got low"),
        ({"activation": "identity", "activation_parameters": {"a": 0}}, TypeError, "identity takes no parameters"),
        ({"hidden_layer_sizes": (16, 0)}, ValueError, "hidden_layer_sizes must be at least 1, got 0"),
        ({"hidden_layer_sizes": "16"}, TypeError, "hidden_layer_sizes must be an integer, got '16'"),
        ({"learning_rate": "adaptive"}, ValueError, "unknown schedule 'adaptive'"),
        *(
            ({name: value}, ValueError, f"{name} must be at least 0 and finite, got {value}")
            for name in ("alpha", "learning_rate_init", "tol", "momentum")
            for value in (-1, np.nan, np.inf)
        ),
        *(
            ({name: value}, ValueError, f"{name} must be at least 0 and below 1, got {value}")
            for name in ("dropout", "validation_fraction")
            for value in (-1, np.nan, 1.0)
        ),
        *(
            ({name: "no"}, TypeError, f"{name} must be True or False, got 'no'")
            for name in ("batch_norm", "shuffle", "warm_start", "nesterovs_momentum", "early_stopping")
        ),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1"),
        ({"n_iter_no_change": None}, TypeError, "n_iter_no_change must be an integer, got None"),
        *(
            ({name: "much"}, TypeError, f"{name} must be a real number, got 'much'")
            for name in ("dropout", "alpha", "learning_rate_init", "tol", "momentum", "validation_fraction")
        ),
        ({"activation_parameters": 3}, TypeError, "activation_parameters must be a mapping .*, got 3"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"batch_size": "all"}, ValueError, "batch_size must be 'auto' or an integer, got 'all'"),
        ({"initial_weight": "glorot"}, ValueError, "unknown initialiser 'glorot'"),
        ({"dtype": "float16"}, TypeError, "dtype must be np.float32 or np.float64, got float16"),
        *(
            ({"early_stopping": True, "validation_fraction": fraction}, ValueError, f"^validation_fraction{message}")
            for fraction, message in ((0, " must lie between 0 and 1"), (0.001, "=0.001 of 150 rows .*sets 0 aside"))
        ),
    ],
)
def test_refused(parameters, error, message):
    for cls, y in ((MLPClassifier, SPECIES), (MLPRegressor, TARGETS)):
        with pytest.raises(error, match=message):
            cls(**parameters).fit(IRIS, y)


@pytest.mark.parametrize(
    ("parameters", "x", "y"),
    [
        ({}, IRIS[:, :3], SPECIES / 7),
        ({"activation": "rellu"}, IRIS, TWO),
        ({"learning_rate": "cosin"}, IRIS, TWO),
        ({"early_stopping": True, "validation_fraction": 0.001}, IRIS, TWO),
        ({"learning_rate_init": 1e200, "max_norm": None}, IRIS, TWO),
    ],
)
def test_errors_change_nothing(parameters, x, y):
    classifier = short(MLPClassifier, max_iter=2).fit(IRIS, NAMES[SPECIES])
    before = {**vars(classifier), **classifier.get_params(), **parameters}
    probabilities = classifier.predict_proba(IRIS)
    with pytest.raises(ValueError, match=r"type|unknown|sets 0 aside|in epoch 1"):
        classifier.set_params(**parameters).fit(x, y)
    assert vars(classifier) == before
    assert np.array_equal(classifier.predict_proba(IRIS), probabilities)
    new = short(MLPClassifier)
    with pytest.raises(TypeError, match="alpha must be a real number, got None"):
        clone(new).set_params(alpha=None).partial_fit(IRIS, SPECIES, classes=range(3))
    with pytest.raises(ValueError, match="NaN"):
        new.partial_fit(np.full_like(IRIS, np.nan), SPECIES, classes=range(3))
    assert vars(new) == new.get_params()


def test_interrupted_before_the_training_changes_nothing(monkeypatch):
    def interrupted(self, rows):
        raise KeyboardInterrupt

    classifier = short(MLPClassifier, max_iter=2).fit(IRIS, NAMES[SPECIES])
    before = {**vars(classifier)}
    monkeypatch.setattr(MLPClassifier, "_new_optimizer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(IRIS[:, :3], SPECIES)
    assert vars(classifier) == before


def test_without_scikit_learn():
    """Nothing but the module itself needs it, and it says so."""
    code = (
        "import sys, numact.nn; assert not {'sklearn', 'tqdm'} & set(sys.modules); sys.modules['sklearn.base'] = None\n"
        "try: import numact.sklearn\n"
        "except ImportError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"numact.sklearn needs scikit-learn 1.6 or newer \(.*\); .*'numact\[sklearn\]'\n", run.stdout)


# Among other tools of scikit-learn


def test_pipeline_and_grid_search():
    x, y = load_digits(return_X_y=True)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), short(MLPClassifier, dtype="float32", max_iter=10)),
        {"mlpclassifier__activation": ["mish", "maxout"], "mlpclassifier__alpha": [0.0, 0.01]},
        cv=3,
        error_score="raise",
    ).fit(x[::2], y[::2])
    assert len(search.cv_results_["params"]) == 4
    assert search.score(x[1::2], y[1::2]) > 0.9


def test_docstrings_name_every_parameter():
    for cls in (MLPClassifier, MLPRegressor):
        docstring = inspect.getdoc(cls)
        for name in cls().get_params():
            assert f"\n{name} : " in docstring, name
        assert "{" not in docstring.replace('{"negative_slope": 0.1}', "")


def test_partial_fit_decays_by_the_rows_of_its_own_steps(rng):
    x = rng.normal(size=(50, 3))
    model = MLPRegressor(4, alpha=1.0, random_state=0)

    def decay():
        return model._optimizer.state_dict()["weight_decay"][0]

    model.partial_fit(x[:1], x[:1, 0])
    assert decay() == 1
    velocity = model._optimizer.state_dict()["velocities"][0]
    model.partial_fit(x, x[:, 0])
    assert decay() == 1 / 50
    assert np.any(velocity)
    model.set_params(alpha=0.0).partial_fit(x, x[:, 0])
    assert decay() == 0


def test_early_stopping_leaves_out_rows_without_weight(rng):
    x, weight = rng.normal(size=(30, 3)), (np.arange(30) % 3 == 0) * 1.0
    for seed in range(10):
        model = MLPRegressor(4, max_iter=2, early_stopping=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, x[:, 0], weight)
        assert len(model.validation_scores_) == 2
