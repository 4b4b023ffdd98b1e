"""NumPy's scalars where Python's are expected: mypy checks this file, and a test runs it."""

import numpy as np

import numact as na
from numact import nn
from numact.sklearn import MLPClassifier, MLPRegressor

REAL, WHOLE = np.float32(0.25), np.int8(2)


def functions() -> None:
    param, data = np.ones(3), np.ones((2, 2))
    na.sgd_step(param, np.ones(3), np.zeros(3), lr=REAL, momentum=REAL, dampening=REAL, weight_decay=REAL)
    optimizer = na.SGD([param], REAL, REAL, REAL, REAL, max_norm=REAL)
    optimizer.lr = REAL
    optimizer.lr = np.array([0.1])
    na.activation_stats(data, np.int64(0), low=REAL, high=REAL, tolerance=REAL)
    na.activation_stats(data, (np.int64(0), 1))
    with na.num_threads(WHOLE):
        na.elu(data, REAL)
        na.rrelu(data, REAL, REAL)
        na.precise.rrelu(data, REAL, REAL)
        na.maxout(data, np.int64(0))
        na.maxout_backward(param, np.zeros(3, np.uint8), WHOLE, np.int8(0))
        na.crelu(data, np.int8(0))


def networks() -> None:
    for layer in (nn.PReLU(WHOLE), nn.PReLU((WHOLE, 2)), nn.Swish(WHOLE), nn.RReLU(REAL, REAL), nn.Dropout(REAL)):
        assert isinstance(layer, nn.Layer)
    nn.BatchNorm(WHOLE, momentum=REAL, eps=REAL)
    nn.Maxout(WHOLE, WHOLE, np.int8(100))
    nn.mlp(np.array([100, 100, 3], np.int8), "glu", dropout=REAL)
    model = nn.mlp([WHOLE, 2])
    model.replace(np.int8(0), nn.Dense(WHOLE, WHOLE))
    model.freeze(np.int8(0))
    assert model[np.int8(0)] is model.layers[0]
    model.summary((WHOLE,), WHOLE)
    x, labels = np.ones((9, 2)), np.zeros(9, int)
    assert len(list(nn.batches(x, batch_size=WHOLE))) == 5
    nn.split(x, fraction=REAL)
    nn.Whiten(epsilon=REAL)
    monitor = nn.Monitor(every=WHOLE, dead=REAL, saturated=REAL, vanishing=REAL, exploding=REAL, warn=False)
    for schedule in (nn.ConstantSchedule(REAL), nn.StepSchedule(REAL, REAL, REAL), nn.CosineSchedule(REAL, REAL)):
        nn.fit(
            model,
            x,
            labels,
            lr=REAL,
            epochs=WHOLE,
            batch_size=WHOLE,
            validation=REAL,
            patience=WHOLE,
            min_delta=REAL,
            schedule=schedule,
            callbacks=[monitor],
        )


def estimators() -> None:
    x, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
    for estimator in (MLPClassifier, MLPRegressor):
        estimator(np.array([WHOLE, WHOLE]))
        estimator(
            [WHOLE],
            dropout=REAL,
            alpha=REAL,
            batch_size=WHOLE,
            learning_rate_init=REAL,
            max_iter=np.int8(20),
            tol=REAL,
            momentum=REAL,
            max_norm=REAL,
            validation_fraction=REAL,
            n_iter_no_change=WHOLE,
        ).fit(x, y)
