"""All measures of one recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_flyteperf.analyze import intervals, spans
from pytest_flyteperf.analyze.pods import Pod, fold_pods
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.analyze.stamps import unix_ns
from pytest_flyteperf.model import METRICS, Measures

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_flyteperf.analyze.documents import ExecutionDocument, TaskExecutionDocument

TERMINAL = frozenset({"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"})
"""Phases of an execution that has ended (`A/common/executions.go`)."""

_COUNTED = {
    spans.WORKFLOW_EVENT: "workflow_events",
    spans.NODE_EVENT: "node_events",
    spans.TASK_EVENT: "task_events",
    spans.ROUND: "rounds",
    spans.CRD_WRITE: "crd_writes",
    spans.BLOB_READ: "blob_reads",
    spans.BLOB_WRITE: "blob_writes",
}


def analyze_recording(folder: str | Path) -> Measures:
    """Read a recording and compute all its measures.

    Counts and handles are of the execution together with the executions its launch plan nodes
    started, at any depth: they are what running this workflow cost. Executions that merely ran at
    the same time change nothing. An event counts when FlyteAdmin accepted it; one that it refused
    (a child's first event may arrive before FlyteAdmin has stored the child) was not recorded.

    Raises:
        RecordingError: the recording is absent, incomplete or damaged.
    """
    recording = Recording(folder)
    family = frozenset(part.execution.id.name for part in (recording, *recording.children))
    tasks = [task for part in (recording, *recording.children) for task in part.tasks]
    records = recording.pods()
    pods = None if records is None else fold_pods(records, family)
    metrics: dict[str, int | None] = dict.fromkeys(METRICS)
    metrics["duration_ns"] = wall_ns(recording.execution)
    metrics["attempts"] = count_attempts(tasks)
    if pods is not None:
        metrics["pods"] = len(pods)
        metrics["pod_ns"] = container_ns(pods)
    traces = recording.traces()
    if traces is not None:
        metrics |= _count(spans.read_handles(traces), family)
    return Measures(
        execution=recording.execution.id.name,
        phase=recording.execution.closure.phase,
        metrics=metrics,
    )


def wall_ns(execution: ExecutionDocument) -> int | None:
    """Creation in FlyteAdmin to the last workflow event, or None while it has not ended.

    Both ends are stamps of one machine's processes: admin's clock at the start, Propeller's at
    the end.
    """
    closure = execution.closure
    if closure.phase not in TERMINAL or not closure.created_at or not closure.updated_at:
        return None
    return max(0, unix_ns(closure.updated_at) - unix_ns(closure.created_at))


def count_attempts(tasks: Iterable[TaskExecutionDocument]) -> int:
    """Attempts of tasks; each attempt of each sub-task of an array node counts, the array not."""
    return sum(len(task.closure.metadata.external_resources) or 1 for task in tasks)


def container_ns(pods: Iterable[Pod]) -> int:
    """Time in which some container ran, by the points of its stamps."""
    return intervals.length(
        intervals.union(
            (pod.started.point, pod.finished.point) for pod in pods if pod.started and pod.finished
        ),
    )


def _count(
    found: Iterable[spans.Handle | spans.Stray],
    family: frozenset[str],
) -> dict[str, int | None]:
    counts: dict[str, int | None] = {}
    totals = dict.fromkeys((*_COUNTED.values(), "handles", "handle_ns"), 0)
    seen = False
    for handle in found:
        if not isinstance(handle, spans.Handle) or handle.execution not in family:
            continue
        seen = True
        totals["handles"] += 1
        totals["handle_ns"] += handle.end_ns - handle.start_ns
        for operation in handle.operations:
            metric = _COUNTED.get(operation.name)
            if metric and not (operation.failed and operation.name in spans.EVENTS):
                totals[metric] += 1
    if seen:
        counts.update(totals)
    return counts
