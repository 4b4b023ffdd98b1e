"""Fixtures of all tests."""

import signal

import numpy as np
import pytest
import support

# Tests send Ctrl-C, also to processes that they start, which would inherit that it is ignored from a shell's `&`.
signal.signal(signal.SIGINT, signal.default_int_handler)


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


def pytest_collection_modifyitems(config, items):
    """float64 is the same in both tiers: in the precise one, the level in use is enough."""
    kept, dropped = [], []
    for item in items:
        given = getattr(item, "callspec", None)
        level, tier = (given and given.params.get("built")) or (None, None)
        same = tier == "precise" and level != support.BUILDS[0][0] and given.params.get("dtype") is np.float64
        (dropped if same else kept).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept
