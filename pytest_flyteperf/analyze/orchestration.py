"""What Propeller did beneath an execution's handles: counts and latencies by operation.

Client spans only: the answers of FlyteAdmin and DataCatalog have spans of their own elsewhere.
What Flyte does not trace has no row: pod creation and deletion, HEAD requests and copies in the
blob store, calls of the launch plan executor.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from pytest_flyteperf.analyze import spans
from pytest_flyteperf.analyze.quantiles import nearest_rank
from pytest_flyteperf.model import Cost, Latency

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_flyteperf.analyze.spans import Handle
    from pytest_flyteperf.analyze.timeline import Segment

COUNTED = {
    spans.WORKFLOW_EVENT: "workflow_events",
    spans.NODE_EVENT: "node_events",
    spans.TASK_EVENT: "task_events",
    spans.ROUND: "rounds",
    spans.CRD_WRITE: "crd_writes",
    spans.BLOB_READ: "blob_reads",
    spans.BLOB_WRITE: "blob_writes",
}
"""Operation to the metric that counts it."""


class _Row:
    __slots__ = ("failed", "latencies")

    def __init__(self) -> None:
        self.latencies = array("q")
        self.failed = 0


class Orchestration:
    """Takes handles one by one and keeps eight bytes of each operation: its latency."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], _Row] = {}
        self.evaluations: list[tuple[str, int, int]] = []
        """Execution, start and length of each round."""

    def take(self, handle: Handle) -> None:
        """Count a handle and everything beneath it."""
        self._add(spans.HANDLE, "", handle.end_ns - handle.start_ns, failed=False)
        operations = handle.operations
        for operation in operations:
            above = operation.above
            beneath = operations[above].name if above >= 0 else spans.HANDLE
            spent = operation.end_ns - operation.start_ns
            self._add(operation.name, beneath, spent, failed=operation.failed)
            if operation.name == spans.ROUND:
                self.evaluations.append((handle.execution, operation.start_ns, spent))

    def _add(self, name: str, beneath: str, spent: int, *, failed: bool) -> None:
        row = self._rows.get((name, beneath))
        if row is None:
            row = self._rows[name, beneath] = _Row()
        row.latencies.append(spent)
        row.failed += failed

    def metrics(self) -> dict[str, int]:
        """The counts that can be gated; empty where no handle was seen.

        An event counts when FlyteAdmin accepted it. One that it refused (a child's first event may
        arrive before FlyteAdmin has stored the child) was not recorded and is sent again.
        """
        handles = self._rows.get((spans.HANDLE, ""))
        if handles is None:
            return {}
        counts = dict.fromkeys(COUNTED.values(), 0)
        for (name, _), row in self._rows.items():
            if metric := COUNTED.get(name):
                refused = row.failed if name in spans.EVENTS else 0
                counts[metric] += len(row.latencies) - refused
        return {
            **counts,
            "handles": len(handles.latencies),
            "handle_ns": sum(handles.latencies),
        }

    def latencies(self) -> tuple[Latency, ...]:
        """Every operation, ordered by name and by what is around it."""
        return tuple(
            _latency(name, beneath, self._rows[name, beneath])
            for name, beneath in sorted(self._rows)
        )

    def costs(self, own: Iterable[Segment]) -> dict[str, Cost]:
        """Calls and own time by operation.

        Args:
            own: the segments of all handles.
        """
        calls: dict[str, int] = {}
        spent: dict[str, int] = {}
        for (name, _), row in sorted(self._rows.items()):
            calls[name] = calls.get(name, 0) + len(row.latencies)
        for start, end, name in own:
            spent[name] = spent.get(name, 0) + end - start
        return {name: Cost(calls=count, ns=spent.get(name, 0)) for name, count in calls.items()}


def _latency(name: str, beneath: str, row: _Row) -> Latency:
    ordered = sorted(row.latencies)
    return Latency(
        operation=name,
        beneath=beneath,
        count=len(ordered),
        failed=row.failed,
        sum_ns=sum(ordered),
        p50_ns=nearest_rank(ordered, 50),
        p90_ns=nearest_rank(ordered, 90),
        p99_ns=nearest_rank(ordered, 99),
        max_ns=ordered[-1],
    )
