"""What Propeller did where no trace shows it: from its counters, else from its log.

Counters hold every execution of the process and resyncs in between, a log has what its level lets
through. These figures stand apart from the metrics, so nothing gates them. In the recordings both
agree with the traces but for `blob_writes`: copies are writes to the counter and have no span.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_flyteperf.analyze.loglines import NODE_EVENT, PICKED_UP, ROUND, UNCHANGED, read_log
from pytest_flyteperf.model import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_flyteperf.model import Signal

COUNTERS: Final = {
    "handles": "handles",
    "rounds": "rounds",
    "CRD writes": "crd_writes",
    "workflow events": "workflow_events",
    "node events": "node_events",
    "task events": "task_events",
    "protobuf reads": "blob_reads",
    "blob writes": "blob_writes",
}
"""Signal to the metric that its count stands for."""
LOG: Final = "propeller.log"


def from_counters(signals: Iterable[Signal]) -> dict[str, Estimate]:
    """Estimates by metric; none for what Propeller's counters do not tell."""
    found: dict[str, Estimate] = {}
    for signal in signals:
        metric = COUNTERS.get(signal.name)
        if metric is None:
            continue
        found[metric] = Estimate(value=signal.count, source=signal.source)
        if metric == "handles" and signal.sum_ns is not None:
            found["handle_ns"] = Estimate(value=signal.sum_ns, source=signal.source)
    return found


def from_log(lines: Iterable[bytes], executions: frozenset[str]) -> dict[str, Estimate]:
    """Estimates by metric, of these executions; none where the log shows no handle of theirs.

    A round writes unless the log says that it did not. The log's stamps have whole seconds, so it
    tells no time.
    """
    handles = rounds = unchanged = node_events = 0
    for line in read_log(lines):
        if line is None or line.execution not in executions:
            continue
        message = line.message
        handles += message.startswith(PICKED_UP)
        rounds += ROUND.search(message) is not None
        unchanged += message.startswith(UNCHANGED)
        node_events += message.startswith(NODE_EVENT)
    if not handles:
        return {}
    counted = {
        "handles": handles,
        "rounds": rounds,
        "crd_writes": rounds - unchanged,
        "node_events": node_events,
    }
    return {metric: Estimate(value=count, source=LOG) for metric, count in counted.items()}
