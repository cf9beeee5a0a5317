import pytest
from workflows.map import wide_map


@pytest.mark.flyteperf(repeats={"short": 2, "default": 6, "full": 10})
def test_map(flyteperf):
    """A wide map task: the array node's rounds over all its sub-tasks (flyteorg/flyte#2739)."""
    width = flyteperf.sized(short=10, default=50, full=500)
    assert flyteperf(wide_map, numbers=list(range(width))) == list(range(1, width + 1))
