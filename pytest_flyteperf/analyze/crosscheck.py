"""Whether FlyteAdmin's own account of an execution, GetExecutionMetrics, agrees with ours.

Both begin with the same lists, FlyteAdmin's on its server (`AM/metrics_manager.go`). It is known to
miss nodes (`on_failure`, more than a page without order) and to take a kubelet's whole seconds as
they are, so a disagreement is a note that names what differs, never a reason to drop a repeat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_flyteperf.analyze.nodes import Kind, Node, optional_ns
from pytest_flyteperf.analyze.stamps import SECOND_NS
from pytest_flyteperf.model import Finding, Severity

SHOWN = 3
"""Disagreements that the note tells."""
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_flyteperf.analyze.documents import MetricSpan
    from pytest_flyteperf.analyze.nodes import Attempt, Run
    from pytest_flyteperf.analyze.pods import Pod

SLACK_NS = 1_000_000
"""How far two stamps of one instant may differ: FlyteAdmin's database keeps microseconds."""
CLOCK_SLACK_NS = 50_000_000
"""How far a kubelet's clock may lie from its own whole seconds as FlyteAdmin tells them."""
RUNTIME = "TASK_RUNTIME"

_UNLISTED = frozenset({Kind.START, Kind.END})
"""Kinds that GetExecutionMetrics leaves out."""


def check_metrics(
    root: MetricSpan,
    runs: Sequence[Run],
    pods: Mapping[str, Pod],
) -> list[Finding]:
    """Compare wall clock, nodes and containers.

    Args:
        root: the answer's span, of the whole execution.
        runs: the execution first, then those that its launch plan nodes started.
        pods: by name.
    """
    nodes = {(run.name, node.id): node for run in runs for node in run.nodes.values()}
    try:
        evidence = [*_wall(root, runs[0]), *_nodes(root, nodes), *_runtimes(root, nodes, pods)]
    except ValueError as error:
        evidence = [f"{error} is no stamp"]
    if not evidence:
        return []
    more = f", and {len(evidence) - SHOWN} more" if len(evidence) > SHOWN else ""
    return [
        Finding(
            check="execution metrics disagree",
            severity=Severity.NOTE,
            evidence="; ".join(evidence[:SHOWN]) + more,
        ),
    ]


def _spans(root: MetricSpan) -> Iterator[tuple[MetricSpan, MetricSpan]]:
    """Every span beneath the root with the one above it, in order."""
    waiting = [(root, span) for span in reversed(root.spans)]
    while waiting:
        above, span = waiting.pop()
        yield above, span
        waiting += [(span, below) for below in reversed(span.spans)]


def _wall(root: MetricSpan, run: Run) -> Iterator[str]:
    start, end = optional_ns(root.start_time), optional_ns(root.end_time)
    if start is None or end is None or run.created is None or run.ended is None:
        return
    theirs, ours = end - start, run.ended - run.created
    if abs(theirs - ours) > SLACK_NS:
        yield f"the execution took {theirs / 1e6:.0f} ms, {ours / 1e6:.0f} ms by its stamps"


def _nodes(root: MetricSpan, nodes: Mapping[tuple[str, str], Node]) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for _, span in _spans(root):
        if span.node_id is None:
            continue
        key = span.node_id.execution_id.name, span.node_id.node_id
        seen.add(key)
        node, start = nodes.get(key), optional_ns(span.start_time)
        if node is None:
            yield f"node {key[1]} of {key[0]} is in no list"
        elif node.created is not None and start is not None:
            late = start - node.created
            if abs(late) > SLACK_NS:
                yield f"node {key[1]} of {key[0]} begins {late / 1e6:+.0f} ms from its first event"
    for (execution, name), node in nodes.items():
        begun = node.created is not None and node.kind not in _UNLISTED
        if begun and (execution, name) not in seen:
            yield f"node {name} of {execution} is missing"


def _runtimes(
    root: MetricSpan,
    nodes: Mapping[tuple[str, str], Node],
    pods: Mapping[str, Pod],
) -> Iterator[str]:
    for above, span in _spans(root):
        if span.operation_id != RUNTIME or above.task_id is None:
            continue
        at = above.task_id.node_execution_id
        node = nodes.get((at.execution_id.name, at.node_id))
        attempts = node.attempts if node is not None else ()
        for attempt in attempts:
            if attempt.retry == above.task_id.retry_attempt:
                yield from _runtime(span, attempt, pods)


def _runtime(span: MetricSpan, attempt: Attempt, pods: Mapping[str, Pod]) -> Iterator[str]:
    """A container's start and end, each within the second that FlyteAdmin names."""
    pod = pods.get(attempt.pods[0]) if len(attempt.pods) == 1 else None
    if pod is None:
        return
    for what, theirs, ours in (
        ("started", optional_ns(span.start_time), pod.started),
        ("ended", optional_ns(span.end_time), pod.finished),
    ):
        if theirs is None or ours is None:
            continue
        early = ours.high < theirs - CLOCK_SLACK_NS
        if early or ours.low > theirs + SECOND_NS + CLOCK_SLACK_NS:
            off = (ours.point - theirs) / 1e6
            yield f"{pod.name} {what} {off:+.0f} ms from FlyteAdmin's second"
