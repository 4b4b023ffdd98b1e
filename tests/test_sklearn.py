"""numact.sklearn: scikit-learn's own checks of an estimator, and what they do not look at."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")
from sklearn.utils.estimator_checks import parametrize_with_checks

from numact.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Checks that cannot hold, with the reason.
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "a row given twice makes other batches than one of weight 2",
}


@parametrize_with_checks([MLPClassifier(), MLPRegressor()], expected_failed_checks=lambda estimator: EXPECTED_FAILURES)
def test_estimator_checks(estimator, check):
    check(estimator)
