import pytest
from workflows.cache import reservations_of


@pytest.mark.flyteperf(repeats={"short": 2, "default": 6, "full": 20})
def test_cache_reservation(flyteperf):
    """Tasks that want one result at once: one computes it, the others wait (flyteorg/flyte#872).

    Guards who serializes a cache. Pods and events gate exactly, the wait as Flyte overhead.
    """
    width = flyteperf.sized(short=3, default=10, full=20)
    assert flyteperf(reservations_of(width), a=0) == [1] * width
    assert flyteperf.shape.cache == {"populated": 1, "hit": width - 1}
    assert flyteperf.shape.pods == 2
