import pytest
from workflows.sub_workflow import sub_workflows_beside


@pytest.mark.flyteperf(repeats={"short": 3, "default": 8, "full": 30})
def test_sub_workflows(flyteperf):
    """Nested sub-workflows side by side, no pods: what their start and end nodes cost.

    Guards workflows made of workflows. CRD writes and events gate exactly, times beside them.
    """
    width = flyteperf.sized(short=5, default=20, full=100)
    assert flyteperf(sub_workflows_beside(width), a=7) == [7] * width
    assert flyteperf.shape.nodes["sub-workflow"] == 2 * width
    assert flyteperf.shape.nodes["start"] == flyteperf.shape.nodes["end"] == 1 + 2 * width
    assert flyteperf.shape.pods == 0
