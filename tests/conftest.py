"""Fixtures of all tests."""

import numpy as np
import pytest
import support


@pytest.fixture
def rng():
    return np.random.default_rng(20240229)


@pytest.fixture(params=support.BUILDS, ids="-".join)
def built(request):
    """Ufuncs and functions of one level and tier, made once for the whole session."""
    return support.build(*request.param)


@pytest.fixture(params=support.DTYPES, ids=lambda dtype: dtype.__name__)
def dtype(request):
    return request.param
