import pytest

pytest.importorskip("flytekitplugins.ray", reason="flytekitplugins-ray is not installed")
from ray_workflows import ray_job


@pytest.mark.flyteperf(needs=["rayjobs.ray.io"], repeats={"short": 1, "default": 5, "full": 10})
def test_ray_job(flyteperf):
    """A Ray job: what Flyte adds to KubeRay, whose own time is `external`."""
    count = flyteperf.sized(short=2, default=10, full=100)
    assert flyteperf(ray_job, count=count) == [number * number for number in range(count)]
    assert flyteperf.shape.nodes["task"] == 1
