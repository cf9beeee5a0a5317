"""A run that is killed leaves, once it is reaped, nothing of its kind cluster: by the journal."""

from __future__ import annotations

import pytest

pytestmark = [
    pytest.mark.kind,
    pytest.mark.timeout(600, func_only=True),
    # The docker package leaves sockets that could not connect while the daemon starts.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket"),
]

RUN = (
    "benchmarks/test_short_task.py",
    *("--flyteperf-cluster", "kind", "--flyteperf-short", "--flyteperf-repeats", "50"),
)


@pytest.mark.parametrize(
    "phase", ["kind: creating the cluster", "deploying Flyte", "short_task: repeat"]
)
def test_a_run_that_is_killed_with_its_supervisor_is_reaped(project, phase):
    with project.pytest_until(phase, *RUN):
        project.await_node()
        project.kill_supervisor()
    assert project.left() != []
    assert project.nodes() != []

    said = project.reap()
    assert "kind cluster flyteperf-" in said
    assert project.left() == []
    assert project.nodes() == []
