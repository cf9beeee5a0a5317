import pytest
from workflows.map import limited_map_of, map_of_texts, wide_map


@pytest.mark.flyteperf(repeats={"short": 2, "default": 5, "full": 10})
def test_map(flyteperf):
    """A wide map task: the array node's rounds over all its sub-tasks (flyteorg/flyte#2739)."""
    width = flyteperf.sized(short=10, default=50, full=500)
    assert flyteperf(wide_map, numbers=list(range(width))) == list(range(1, width + 1))
    assert flyteperf.shape.pods == flyteperf.shape.subtasks == width


@pytest.mark.flyteperf(repeats={"short": 2, "default": 6, "full": 10})
def test_limited_map(flyteperf):
    """A map task with a concurrency limit: each place that frees waits for the next round."""
    width = flyteperf.sized(short=4, default=15, full=100)
    at_once = flyteperf.sized(short=2, default=5, full=10)
    numbers = list(range(width))
    assert flyteperf(limited_map_of(at_once), numbers=numbers) == [n + 1 for n in numbers]
    assert flyteperf.shape.pods == flyteperf.shape.subtasks == width


@pytest.mark.flyteperf(repeats={"short": 2, "default": 6, "full": 10})
def test_map_of_texts(flyteperf):
    """A map task over large values: every sub-task reads the whole list (flyteorg/flyte#5483)."""
    width = flyteperf.sized(short=3, default=10, full=100)
    length = flyteperf.sized(short=10_000, default=100_000, full=100_000)
    assert flyteperf(map_of_texts, count=width, length=length) == [length] * width
    assert flyteperf.shape.subtasks == width
    assert flyteperf.shape.pods == width + 1
