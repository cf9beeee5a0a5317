import pytest
from workflows.parallel import nodes_beside

from pytest_flyteperf.gate import DEFAULT_GATE


@pytest.mark.flyteperf(
    repeats={"short": 2, "default": 5, "full": 5}, gate=(*DEFAULT_GATE, "pods", "attempts")
)
def test_thousand_nodes(flyteperf):
    """What 1,000 more nodes cost, no pods: every write carries them all (flyteorg/flyte#4569).

    Guards large workflows: what gates are the slopes of working time, duration and CRD writes.
    """
    for width in flyteperf.over(short=(5, 25), default=(25, 50, 100), full=(100, 300, 1_000)):
        assert flyteperf(nodes_beside(width), a=7) == [7] * width
        assert flyteperf.shape.nodes["task"] == width
        assert flyteperf.shape.pods == 0
