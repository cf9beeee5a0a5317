import pytest
from workflows.dynamic import nested_dynamic, wide_dynamic


@pytest.mark.flyteperf(warmups=0, repeats={"short": 2, "default": 1, "full": 5}, timeout=1_800)
def test_dynamic(flyteperf):
    """A dynamic task as wide as the map task: each round reads its workflow (flyteorg/flyte#899).

    Beside `map` it shows what an item costs as a node of its own, in bytes and in time. Guards
    wide dynamics: working time gates what a round reads, node events and pods gate exactly.
    Takes a minute, for two hundred pods are processes of this machine.
    """
    width = flyteperf.sized(short=8, default=200, full=500, nightly=2_000)
    assert flyteperf(wide_dynamic, numbers=list(range(width))) == list(range(1, width + 1))
    assert flyteperf.shape.nodes["task"] == width
    assert flyteperf.shape.pods == width + 1


@pytest.mark.flyteperf(repeats={"short": 2, "default": 5, "full": 10})
def test_nested_dynamic(flyteperf):
    """Dynamic tasks that call dynamic tasks: every level is compiled and read again and again.

    Guards dynamics in dynamics: blob reads show in working time, which gates, as do CRD writes.
    """
    width = flyteperf.sized(short=1, default=3, full=10)
    length = flyteperf.sized(short=1, default=2, full=5)
    assert flyteperf(nested_dynamic, a=0, width=width, length=length) == [length] * width
    assert flyteperf.shape.nodes["dynamic"] == 1 + width
    assert flyteperf.shape.nodes["task"] == width * length
