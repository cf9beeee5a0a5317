"""What every test of the gate begins with."""

import pytest

from pytest_flyteperf.gate import statistics


@pytest.fixture(autouse=True, scope="session")
def _fresh():
    """What is remembered of earlier runs in this process is no answer of the code: see mutmut."""
    for cached in (statistics.rank_below, statistics.t_quantile, statistics._arrangements):
        cached.cache_clear()
