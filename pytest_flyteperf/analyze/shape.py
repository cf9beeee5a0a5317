"""What an execution consisted of, so that a case which lost its subject is found out."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

from pytest_flyteperf.model import Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_flyteperf.analyze.nodes import Run
    from pytest_flyteperf.analyze.pods import Pod

UNCACHED = "CACHE_DISABLED"


def shape_of(runs: Sequence[Run], pods: Sequence[Pod] | None) -> Shape:
    """The shape of an execution, the first of `runs`, and of those that it started.

    Of `pods`, None says that nobody watched them.
    """
    nodes = [node for run in runs for node in run.nodes.values()]
    attempts = [attempt for node in nodes for attempt in node.attempts]
    caches = [node.cache for node in nodes if node.cache not in {None, UNCACHED}]
    return Shape(
        phase=runs[0].phase,
        executions=len(runs),
        nodes=_tally(node.kind.value for node in nodes),
        ends=_tally(node.phase for node in nodes),
        attempts=sum(attempt.subtasks.attempts for attempt in attempts),
        subtasks=sum(attempt.subtasks.count for attempt in attempts),
        cache=_tally(str(cache).removeprefix("CACHE_").lower() for cache in caches),
        pods=None if pods is None else len(pods),
        pods_at_once=None if pods is None else _at_once(pods),
    )


def _at_once(pods: Iterable[Pod]) -> int:
    """The most pods between their creation and the receipt of their end; ends go first."""
    changes: list[tuple[int, int]] = []
    for pod in pods:
        changes.append((pod.created_ns, 1))
        end_ns = pod.deleted_ns if pod.reported_ns is None else pod.reported_ns
        if end_ns is not None:
            changes.append((end_ns, -1))
    return max(accumulate((change for _, change in sorted(changes)), initial=0))


def _tally(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
