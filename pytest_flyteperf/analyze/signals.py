"""What Propeller counted itself: differences of its Prometheus metrics over a repeat.

They hold every execution of the process, and resyncs in between, so they are approximate and never
gated. They see what traces do not (HEAD requests, waits in queues), and are checked against traces.
Names are those of Flyte 1.16.8; what the deployment does not expose has no signal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pytest_flyteperf.model import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "flyte:propeller:all:"
MS = 1_000_000
SECOND = 1_000_000_000


class Source(NamedTuple):
    """Where a signal comes from."""

    metric: str
    """Without the prefix; of a summary without `_count` and `_sum`."""
    unit_ns: int | None
    """Nanoseconds of one unit of a summary's sum; None for a counter."""


SOURCES = {
    "handles": Source("round:round_total_ms", MS),
    "rounds": Source("round:round_time_unlabeled_ms", MS),
    "evaluations of the workflow": Source("round:raw_unlabeled_ms", MS),
    "deep copies": Source("round:deepcopy_ms", MS),
    "closure reads": Source("round:closure_read_unlabeled_ms", MS),
    "skipped handles": Source("round:skipped", None),
    "failed handles": Source("round:error_count", None),
    "panics": Source("round:panic_unlabeled", None),
    "main queue wait": Source("main_queue_latency_us", SECOND),
    "batching queue wait": Source("sub_queue_latency_us", SECOND),
    "CRD writes": Source("wf_updated", None),
    "CRD write": Source("wf_update_latency_ms", MS),
    "CRD write conflicts": Source("wf_update_conflict", None),
    "CRD writes failed": Source("wf_update_failed", None),
    "workflow events": Source("workflow:event_recording:success_duration_ms", MS),
    "node events": Source("node:event_recording:success_duration_ms", MS),
    "task events": Source("task:event_recording:success_duration_ms", MS),
    "refused workflow events": Source("workflow:event_recording:failure_duration_ms", MS),
    "refused node events": Source("node:event_recording:failure_duration_ms", MS),
    "refused task events": Source("task:event_recording:failure_duration_ms", MS),
    "throttled workflow events": Source("workflow:event_recording:resource_exhausted", None),
    "throttled node events": Source("node:event_recording:resource_exhausted", None),
    "throttled task events": Source("task:event_recording:resource_exhausted", None),
    "blob heads": Source("metastore:head_unlabeled_ms", MS),
    "blob reads opened": Source("metastore:read_open_unlabeled_ms", MS),
    "blob writes": Source("metastore:write_unlabeled_ms", MS),
    "protobuf reads": Source("metastore:proto_fetch_ms", MS),
    "node inputs": Source("node:node_input_latency_unlabeled_ms", MS),
    "node transitions": Source("node:transition_latency_unlabeled_ms", MS),
    "node queueing": Source("node:queueing_latency_unlabeled_ms", MS),
    "pod news": Source("node:container:container:informer_update", None),
    "launch plan syncs": Source("admin_launcher:latency_ms", MS),
    "catalog hits": Source("discovery_hit_count", None),
    "catalog misses": Source("discovery_miss_count", None),
    "catalog puts": Source("discovery_put_success_count", None),
    "catalog puts failed": Source("discovery_put_failure_count", None),
}
"""Queue latencies are seconds, though their names say microseconds (`S/promutils/workqueue.go`).
`read_open` times the HEAD before a read; `transition` begins at a stamp cut to the second."""

CHECKED = {
    "rounds": "rounds",
    "CRD writes": "crd_writes",
    "workflow events": "workflow_events",
    "node events": "node_events",
    "task events": "task_events",
}
"""Signals that must agree with a metric, where nothing else ran. Handles need not: after the end
there are some that do nothing, at any time, and their spans may come too late."""

_LINE = re.compile(rb"([a-zA-Z_:][\w:]*)(\{.*\})?\s+(\S+)(?:\s+-?\d+)?\s*$")


def read_samples(lines: Iterable[bytes]) -> dict[str, float]:
    """Propeller's counters, sums and counts by name, added up over labels; others are skipped."""
    samples: dict[str, float] = {}
    prefix = PREFIX.encode()
    for line in lines:
        # Three lines of four are buckets and quantiles.
        if not line.startswith(prefix) or b"_bucket{" in line or b'quantile="' in line:
            continue
        found = _LINE.match(line)
        if found is None:
            continue
        try:
            value = float(found[3])
        except ValueError:
            continue
        name = found[1][len(prefix) :].decode()
        samples[name] = samples.get(name, 0.0) + value
    return samples


def signals(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[Signal, ...]:
    """What was counted between two scrapes, in the order of `SOURCES`.

    A metric that appeared in between began at 0. One that went down belongs to a process that was
    replaced in between: its signal is left out.
    """
    found: list[Signal] = []
    for name, (metric, unit) in SOURCES.items():
        counted = metric if unit is None else f"{metric}_count"
        if counted not in after:
            continue
        count = after[counted] - before.get(counted, 0.0)
        spent = after.get(f"{metric}_sum", 0.0) - before.get(f"{metric}_sum", 0.0)
        if count < 0 or spent < 0:
            continue
        found.append(
            Signal(
                name=name,
                count=round(count),
                sum_ns=None if unit is None else round(spent * unit),
                source=PREFIX + metric,
            ),
        )
    return tuple(found)
