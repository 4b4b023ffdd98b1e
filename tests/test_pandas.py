"""Series and DataFrames of pandas: what comes back for them, and that estimators keep their names."""

from __future__ import annotations

import numpy as np
import pytest

import numact as na
from numact import nn

pd = pytest.importorskip("pandas")


@pytest.fixture
def frame(rng):
    x = pd.DataFrame(rng.normal(size=(120, 3)), columns=["height", "width", "depth"])
    x.index = [f"row {i}" for i in range(120)]
    return x


@pytest.mark.parametrize("name", ["gelu", "softmax"])
def test_functions_keep_index_and_names(frame, name):
    function = getattr(na, name)
    pd.testing.assert_frame_equal(
        function(frame), pd.DataFrame(function(frame.to_numpy()), frame.index, frame.columns), check_exact=True
    )
    column = frame["width"]
    pd.testing.assert_series_equal(
        function(column), pd.Series(function(column.to_numpy()), frame.index, name="width"), check_exact=True
    )


def test_training_takes_them(frame):
    losses = []
    for x, labels in ((frame, frame["width"] > 0), (frame.to_numpy(), frame["width"].to_numpy() > 0)):
        model = nn.mlp([3, 8, 2], rng=np.random.default_rng(0))
        losses.append(nn.fit(model, x, labels, epochs=2, rng=np.random.default_rng(1)).loss)
    assert losses[0] == losses[1]


def test_estimators_know_the_names_of_features(frame):
    estimators = pytest.importorskip("numact.sklearn", exc_type=ImportError)
    options = {"hidden_layer_sizes": 8, "learning_rate_init": 0.1, "tol": 0.01, "random_state": 0}
    y = pd.Series(np.where(frame["width"] > 0, "wide", "narrow"), frame.index)
    classifier = estimators.MLPClassifier(**options).fit(frame, y)
    assert classifier.feature_names_in_.tolist() == [*frame.columns]
    assert classifier.classes_.tolist() == ["narrow", "wide"]
    assert classifier.score(frame, y) > 0.9
    regressor = estimators.MLPRegressor(**options).fit(frame, frame[["width", "depth"]])
    assert regressor.predict(frame).shape == (120, 2)
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame.rename(columns={"width": "breadth"}))
