import pytest
from workflows.branch import branches_of


@pytest.mark.flyteperf(repeats={"short": 3, "default": 8, "full": 50})
def test_branches(flyteperf):
    """Decisions one after another, no pods: a branch takes rounds of its own beside its node.

    Guards workflows with many conditions. CRD writes and events gate exactly, times beside them.
    """
    length = flyteperf.sized(short=3, default=15, full=50)
    assert flyteperf(branches_of(length), a=7) == 7
    assert flyteperf.shape.nodes["branch"] == flyteperf.shape.nodes["task"] == length
    assert flyteperf.shape.pods == 0
