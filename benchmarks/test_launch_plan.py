import pytest
from workflows.launch_plan import launch_plans_beside, launch_plans_in_a_row

from pytest_flyteperf.gate import TIMER_GATE

GATE = (*TIMER_GATE, "pods", "attempts")
"""A parent looks at its children every 30 s, Flyte's default: its duration says nothing else."""


@pytest.mark.flyteperf(warmups=0, repeats={"short": 1, "default": 1, "full": 5}, gate=GATE)
def test_launch_plan_chain(flyteperf):
    """Launch plans one after another: a child is created, then noticed (flyteorg/flyte#6873).

    Guards workflows that share others. Counts and working time gate, waits do not: each link waits
    for Propeller's next look at its children, half a minute at most.
    """
    length = flyteperf.sized(short=1, default=2, full=3)
    assert flyteperf(launch_plans_in_a_row(length), a=7) == 7
    assert flyteperf.shape.nodes["launch plan"] == length
    assert flyteperf.shape.executions == 1 + length


@pytest.mark.flyteperf(warmups=0, repeats={"short": 1, "default": 2, "full": 5}, gate=GATE)
def test_launch_plan_fan(flyteperf):
    """Launch plans side by side: they count towards max-parallelism (flyteorg/flyte#1716).

    Guards fan-outs over tenants or days. Gated and timed as the chain of launch plans.
    """
    width = flyteperf.sized(short=3, default=10, full=25)
    assert flyteperf(launch_plans_beside(width), a=7) == [7] * width
    assert flyteperf.shape.nodes["launch plan"] == width
    assert flyteperf.shape.executions == 1 + width
