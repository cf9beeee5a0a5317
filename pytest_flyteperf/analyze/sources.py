"""Which files of a recording each known metric is from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_flyteperf.analyze.recording import Recording

EXECUTION: Final = "execution.json"
NODES: Final = "node_executions.json"
TASKS: Final = "task_executions.json"
PODS: Final = "pods.jsonl"
OBJECTS: Final = "flyteworkflows.jsonl"

SCRAPES: Final = "metrics.before.prom, metrics.after.prom"

OF_LISTS: Final = {
    "duration_ns": EXECUTION,
    "attempts": TASKS,
    "pods": PODS,
    "pod_ns": PODS,
    "crd_bytes": OBJECTS,
    "allocations": SCRAPES,
    "propeller_cpu_ns": SCRAPES,
}
OF_OWNERSHIP: Final = frozenset(
    {
        "flyte_ns",
        "overhead_ns",
        "working_ns",
        "waiting_ns",
        "kubernetes_ns",
        "user_ns",
        "external_ns",
        "held_ns",
        "backoff_ns",
        "unknown_ns",
    }
)
"""What the critical path adds up to, from all that tells of nodes, pods and handles."""


def sources_of(recording: Recording, metrics: Mapping[str, int | None]) -> dict[str, str]:
    """Metric to the files that it was computed from; metrics that are unknown have none."""
    traces = recording.trace_source
    pods = None if recording.pods() is None else PODS
    ownership = ", ".join(name for name in (NODES, TASKS, pods, traces) if name)
    found: dict[str, str] = {}
    for metric, value in metrics.items():
        source = ownership if metric in OF_OWNERSHIP else OF_LISTS.get(metric, traces)
        if value is not None and source:
            found[metric] = source
    return found
