import pytest
from workflows.failure import failure, system_retries, user_retries


@pytest.mark.flyteperf(repeats={"short": 2, "default": 6, "full": 20})
def test_user_retries(flyteperf):
    """A task that raises and is tried again: from the failure to the next attempt's pod.

    Guards flaky tasks: attempts and pods gate exactly, Flyte overhead the way to the next attempt.
    """
    failures = flyteperf.sized(short=1, default=3, full=5)
    assert flyteperf(user_retries, failures=failures) == failures
    assert flyteperf.shape.pods == flyteperf.shape.attempts == 1 + failures


@pytest.mark.flyteperf(repeats={"short": 2, "default": 6, "full": 20})
def test_system_retries(flyteperf):
    """A task whose process is killed and started again: no fault of the user's is charged.

    Guards spot instances, whose pods vanish. It has no retries of the user's, so it succeeds only
    where Flyte calls the failures its own. Attempts and pods gate exactly, beside the default.
    """
    failures = flyteperf.sized(short=1, default=2, full=2)
    assert flyteperf(system_retries, failures=failures) == failures
    assert flyteperf.shape.pods == flyteperf.shape.attempts == 1 + failures


@pytest.mark.flyteperf(repeats={"short": 2, "default": 6, "full": 20})
def test_failure(flyteperf):
    """A failing workflow with an on-failure node: from the last error to the end.

    Guards clean-ups after failures. Events and pods gate exactly, Flyte overhead beside them.
    """
    assert "planted failure" in flyteperf.failing(failure, reason="planted failure")
    assert flyteperf.shape.phase == "FAILED"
    assert flyteperf.shape.pods == flyteperf.shape.nodes["task"] == 2
