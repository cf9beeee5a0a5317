"""What an execution consisted of, so that a case which lost its subject is found out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_flyteperf.model import Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_flyteperf.analyze.nodes import Run

UNCACHED = "CACHE_DISABLED"


def shape_of(runs: Sequence[Run], *, pods: int | None) -> Shape:
    """The shape of an execution, the first of `runs`, and of those that it started."""
    nodes = [node for run in runs for node in run.nodes.values()]
    attempts = [attempt for node in nodes for attempt in node.attempts]
    caches = [node.cache for node in nodes if node.cache not in {None, UNCACHED}]
    return Shape(
        phase=runs[0].phase,
        executions=len(runs),
        nodes=_tally(node.kind.value for node in nodes),
        ends=_tally(node.phase for node in nodes),
        attempts=sum(attempt.count for attempt in attempts),
        subtasks=sum(attempt.subtasks for attempt in attempts),
        cache=_tally(str(cache).removeprefix("CACHE_").lower() for cache in caches),
        pods=pods,
    )


def _tally(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
