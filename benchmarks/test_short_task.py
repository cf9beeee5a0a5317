import pytest
from workflows.short_task import short_task


@pytest.mark.flyteperf(repeats={"short": 3, "default": 20, "full": 60})
def test_short_task(flyteperf):
    """One short task: the least that Flyte adds to a pod, from submission to success.

    Guards everybody's first task. Flyte overhead and duration gate, pods and events exactly.
    """
    assert flyteperf(short_task, a=0) == 1
    assert flyteperf.shape.pods == flyteperf.shape.nodes["task"] == 1
