import pytest

pytest.importorskip("flytekitplugins.spark", reason="flytekitplugins-spark is not installed")
from spark_workflows import spark_application

DEFINITIONS = ["sparkapplications.sparkoperator.k8s.io"]


@pytest.mark.flyteperf(needs=DEFINITIONS, repeats={"short": 1, "default": 5, "full": 10})
def test_spark_application(flyteperf):
    """A Spark application: what Flyte adds to the operator, whose own time is `external`."""
    count = flyteperf.sized(short=10, default=1_000, full=100_000)
    assert flyteperf(spark_application, count=count) == count * (count - 1) // 2
    assert flyteperf.shape.nodes["task"] == 1
