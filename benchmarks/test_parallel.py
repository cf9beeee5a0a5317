import pytest
from workflows.parallel import held_tasks_beside, nodes_beside, tasks_beside

from pytest_flyteperf.gate import DEFAULT_GATE


@pytest.mark.flyteperf(repeats={"short": 2, "default": 6, "full": 20})
def test_parallel_tasks(flyteperf):
    """Many short tasks at once: one round serves all of them in turn (flyteorg/flyte#3866).

    Guards fan-outs: working time gates the round, pods and node events gate exactly.
    """
    width = flyteperf.sized(short=6, default=20, full=25)
    assert flyteperf(tasks_beside(width), a=0) == [1] * width
    assert flyteperf.shape.pods == flyteperf.shape.nodes["task"] == width


@pytest.mark.flyteperf(repeats={"short": 2, "default": 6, "full": 15})
def test_held_tasks(flyteperf):
    """More tasks than max-parallelism: those held back start as others end (flyteorg/flyte#1716).

    How soon a place that was freed is taken shows as Flyte waiting for its next evaluation, so
    Flyte overhead gates it. Guards who shares a cluster. Places are counted: the limit must hold.
    """
    width = flyteperf.sized(short=4, default=12, full=50)
    at_once = flyteperf.sized(short=2, default=4, full=25)
    assert flyteperf(held_tasks_beside(width, at_once), a=0) == [1] * width
    assert flyteperf.shape.pods == flyteperf.shape.nodes["task"] == width
    assert 1 < flyteperf.shape.pods_at_once <= at_once


@pytest.mark.flyteperf(
    repeats={"short": 3, "default": 9, "full": 5},
    timeout=300,
    gate=(*DEFAULT_GATE, "pods", "attempts", "handles"),
)
def test_wide_workflow(flyteperf):
    """Many nodes at once, no pods: what a round costs as the object grows (flyteorg/flyte#4569).

    Guards wide workflows. Handles gate beside the default: a round that outgrows its worker's time
    would be cut into more of them.
    """
    width = flyteperf.sized(short=25, default=100, full=1_000)
    assert flyteperf(nodes_beside(width), a=7) == [7] * width
    assert flyteperf.shape.nodes["task"] == width
    assert flyteperf.shape.pods == 0
