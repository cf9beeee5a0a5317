import pytest
from workflows.literals import texts_through


@pytest.mark.flyteperf(repeats={"short": 3, "default": 9, "full": 30})
def test_large_literals(flyteperf):
    """A large input, handed from node to node: it is in every CRD write (flyteorg/flyte#2705).

    Guards who passes values instead of files. Working time gates, blob operations gate exactly.
    """
    length = flyteperf.sized(short=5, default=10, full=10)
    text = "x" * flyteperf.sized(short=20_000, default=200_000, full=1_000_000)
    assert flyteperf(texts_through(length), text=text) == text
    assert flyteperf.shape.nodes["task"] == length
    assert flyteperf.shape.pods == 0
