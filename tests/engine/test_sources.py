"""Every source of a recording, as the running engine feeds it."""

import pytest
import wf

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.analyze.signals import SOURCES, read_samples

pytestmark = pytest.mark.engine

NEEDS_TROUBLE = {
    "refused workflow events",
    "refused node events",
    "refused task events",
    "catalog puts failed",
    "throttled workflow events",
    "throttled node events",
    "throttled task events",
}
"""Propeller's metrics with labels appear with their first sample."""


@pytest.fixture
def recorded(execute):
    (folder,) = execute("cached_chain", wf.cached_chain)
    return folder


def test_everything_that_is_counted_has_its_source(recorded):
    measures = analyze_recording(recorded)
    counts = {signal.name: signal.count for signal in measures.signals}
    pods = measures.metrics["pods"]

    # Propeller's own metrics, by the names that Flyte 1.16.8 serves now.
    _, after = Recording(recorded).scrapes()
    served = set(read_samples(after))
    missing = {
        name
        for name, (metric, unit) in SOURCES.items()
        if (metric if unit is None else f"{metric}_count") not in served
    }
    assert missing <= NEEDS_TROUBLE
    # What the API server counted agrees with watch and traces.
    assert counts["API server: POST pods"] == pods
    assert counts["API server: POST pods/binding"] == pods
    assert counts["API server: PUT flyteworkflows"] == measures.metrics["crd_writes"]
    assert counts["etcd: create pods"] == pods
    # Events as their receiver counted them.
    for kind in ("Workflow", "Node", "Task"):
        assert counts[f"admin: Create{kind}Event"] == measures.metrics[f"{kind.lower()}_events"]
    # HEAD requests have no span: the gateway's log and Propeller's stopwatch do.
    assert counts["S3 gateway: HeadObject by Flyte"] >= counts["blob heads"] > 0
    assert counts["S3 gateway: PutObject by tasks"] >= pods
    # Each pod told what it used, and flytekit's own steps within its container's life.
    assert measures.pods_use.pods == pods
    steps = list(Recording(recorded).task_steps())
    assert len(steps) == pods
    assert all("Execute user level code" in {step.name for step in one.steps} for one in steps)
    assert all(
        one.started_ns < step.start_ns <= step.end_ns < one.returned_ns
        for one in steps
        for step in one.steps
    )
    # Components by name, none of them without memory.
    known = {use.component: use for use in measures.components}
    assert {"propeller", "admin", "etcd", "kube-apiserver", "s3-gateway"} <= set(known)
    assert all(use.peak_bytes >= use.mean_bytes > 0 for use in known.values())
    assert known["etcd"].written_bytes > 0
    # What nobody serves is said.
    assert "UNIMPLEMENTED" in Recording(recorded).about.absent["execution_metrics.json"]
