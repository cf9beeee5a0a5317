import pytest
from workflows.map import limited_map_of, map_of_texts, wide_map


@pytest.mark.flyteperf(warmups=0, repeats={"short": 2, "default": 1, "full": 5}, timeout=1_800)
def test_map(flyteperf):
    """A wide map task: the array node's rounds over all its sub-tasks (flyteorg/flyte#2739).

    Guards wide maps: working time gates the rounds, pods and node events gate exactly.
    """
    width = flyteperf.sized(short=8, default=200, full=500, nightly=2_000)
    assert flyteperf(wide_map, numbers=list(range(width))) == list(range(1, width + 1))
    assert flyteperf.shape.pods == flyteperf.shape.subtasks == width


@pytest.mark.flyteperf(repeats={"short": 2, "default": 6, "full": 10})
def test_limited_map(flyteperf):
    """A map task with a concurrency limit: each place that frees waits for the next round.

    Guards maps that spare a database or a quota. Flyte overhead gates how long a place is free.
    """
    width = flyteperf.sized(short=4, default=15, full=100)
    at_once = flyteperf.sized(short=2, default=5, full=10)
    numbers = list(range(width))
    assert flyteperf(limited_map_of(at_once), numbers=numbers) == [n + 1 for n in numbers]
    assert flyteperf.shape.pods == flyteperf.shape.subtasks == width
    assert 1 < flyteperf.shape.pods_at_once <= at_once


@pytest.mark.flyteperf(repeats={"short": 2, "default": 6, "full": 10})
def test_map_of_texts(flyteperf):
    """A map task over large values: every sub-task reads the whole list (flyteorg/flyte#5483).

    Guards maps over texts and records. Working time gates, pods and node events gate exactly.
    """
    width = flyteperf.sized(short=3, default=10, full=20)
    length = flyteperf.sized(short=10_000, default=100_000, full=100_000)
    assert flyteperf(map_of_texts, count=width, length=length) == [length] * width
    assert flyteperf.shape.subtasks == width
    assert flyteperf.shape.pods == width + 1
