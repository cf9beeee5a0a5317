import pytest
from workflows.mixed import mixed_of


@pytest.mark.flyteperf(repeats={"short": 2, "default": 4, "full": 10})
def test_mixed(flyteperf):
    """A map and a fan-out beside a chain: what starves the chain shows (flyteorg/flyte#6809).

    Guards what real pipelines look like. Duration and Flyte overhead gate the chain's waits.
    """
    width = flyteperf.sized(short=3, default=8, full=30)
    length = flyteperf.sized(short=2, default=4, full=10)
    at_once = flyteperf.sized(short=4, default=4, full=25)
    workflow = mixed_of(width, length, at_once)
    assert flyteperf(workflow, numbers=[0] * width, a=0) == 2 * width + length
    assert flyteperf.shape.subtasks == width
    assert flyteperf.shape.pods == 2 * width + length + 1
