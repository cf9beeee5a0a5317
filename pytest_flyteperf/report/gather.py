"""Figures over the repeats of a case: medians with their range, and means where parts add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pytest_flyteperf.gate.statistics import median
from pytest_flyteperf.model import METRICS
from pytest_flyteperf.report.sections import (
    Counts,
    Kind,
    Latency,
    Mean,
    Node,
    Owner,
    Place,
    SummedNodeOverhead,
    Times,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_flyteperf.model import Latency as ModelLatency
    from pytest_flyteperf.model import Measures, NodeMeasures, Owned

Item = TypeVar("Item")
Key = TypeVar("Key")


def times(values: Iterable[int | None]) -> Times | None:
    """Return the median of a time and its range; None where no repeat knows it."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    return Times(median=round(median(known)), least=known[0], most=known[-1])


def counts(values: Iterable[int | None]) -> Counts | None:
    """Return the median of a count and its range; None where no repeat knows it."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    return Counts(median=median(known), least=known[0], most=known[-1])


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Return the items by what they are known by, in the order in which that first appears."""
    found: dict[Key, list[Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def samples(measures: Sequence[Measures]) -> dict[str, tuple[int | None, ...]]:
    """Return each metric's value in every repeat, for metrics that some repeat knows."""
    found = {name: tuple(m.metrics.get(name) for m in measures) for name in METRICS}
    return {name: values for name, values in found.items() if _known(values)}


def estimates(measures: Sequence[Measures]) -> dict[str, tuple[int | None, ...]]:
    """Return the estimates of each metric that no repeat knows."""
    exact = samples(measures)
    near = {name: [m.estimates.get(name) for m in measures] for name in METRICS}
    found = {
        name: tuple(None if one is None else one.value for one in ones)
        for name, ones in near.items()
    }
    return {name: v for name, v in found.items() if name not in exact and _known(v)}


def sources(measures: Sequence[Measures]) -> dict[str, str]:
    """Return where each metric comes from, or its estimate where no repeat knows it."""
    found: dict[str, dict[str, None]] = {}
    for m in measures:
        for name, source in m.sources.items():
            found.setdefault(name, {})[source] = None
    for name in estimates(measures):
        found[name] = {m.estimates[name].source: None for m in measures if name in m.estimates}
    return {name: "; or ".join(found[name]) for name in METRICS if name in found}


def _known(values: Iterable[int | None]) -> bool:
    return any(value is not None for value in values)


def owners(measures: Sequence[Measures]) -> tuple[Owner, ...]:
    """Return who owned the wall clock, largest first."""
    return _means([m.ownership.owners for m in measures if m.ownership is not None])


def _means(owned: Sequence[Sequence[Owned]]) -> tuple[Owner, ...]:
    sums: dict[tuple[str, str], int] = {}
    for parts in owned:
        for part in parts:
            key = part.owner, part.detail
            sums[key] = sums.get(key, 0) + part.point_ns
    return tuple(
        Owner(owner=owner, detail=detail, time=Mean(mean=round(ns / len(owned))))
        for (owner, detail), ns in sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    )


def nodes(measures: Sequence[Measures]) -> tuple[Node, ...]:
    """Return every node execution, in the order in which it first appears."""
    found: dict[tuple[int, str | None, str], list[NodeMeasures]] = {}
    for m in measures:
        if m.ownership is None:
            continue
        order = dict.fromkeys(node.execution for node in m.ownership.nodes)
        number = {execution: i for i, execution in enumerate(order)}
        for node in m.ownership.nodes:
            key = number[node.execution], node.parent, node.id
            found.setdefault(key, []).append(node)
    return tuple(
        Node(
            id=node_id,
            parent=parent,
            execution=execution,
            kind=ran[0].kind,
            repeats=len(ran),
            duration=times(node.duration_ns for node in ran),
            flyte_overhead=_owned(ran, "flyte"),
            kubernetes=_owned(ran, "kubernetes"),
            user=_owned(ran, "user"),
            scheduling=times(node.scheduling_ns for node in ran),
            critical_path=times(node.on_path_ns for node in ran),
        )
        for (execution, parent, node_id), ran in found.items()
    )


def summed(measures: Sequence[Measures]) -> SummedNodeOverhead | None:
    """Return the overhead summed over nodes."""
    sums = [m.ownership.summed for m in measures if m.ownership is not None]
    flyte, scheduling = times(s.flyte_ns for s in sums), times(s.scheduling_ns for s in sums)
    if flyte is None or scheduling is None:
        return None
    shares = [s.share for s in sums if s.share is not None]
    return SummedNodeOverhead(
        flyte=flyte, scheduling=scheduling, share=round(median(shares), 6) if shares else None
    )


def places(measures: Sequence[Measures]) -> tuple[Place, ...]:
    """Return what operations took, by what is around them; none where no trace was read."""
    traced = [{(one.operation, one.beneath): one for one in m.latencies} for m in measures]
    traced = [one for one in traced if one]
    return tuple(
        Place(
            operation=operation,
            beneath=beneath,
            calls=counts(
                one[operation, beneath].count if (operation, beneath) in one else 0
                for one in traced
            ),
            latency=_latency([one.get((operation, beneath)) for one in traced]),
        )
        for operation, beneath in sorted({key for one in traced for key in one})
    )


def kinds(measures: Sequence[Measures]) -> tuple[Kind, ...]:
    """Return the nodes by kind, kinds in alphabetical order."""
    owned = (one for m in measures if m.ownership is not None for one in m.ownership.kinds)
    found = grouped(owned, lambda one: one.kind)
    return tuple(
        Kind(
            kind=kind,
            nodes=counts(one.nodes for one in ones),
            critical_path=times(one.on_path_ns for one in ones),
            owners=_means([one.owners for one in ones]),
        )
        for kind, ones in sorted(found.items())
    )


def _owned(ran: Sequence[NodeMeasures], owner: str) -> Times | None:
    return times(sum(part.point_ns for part in node.owners if part.owner == owner) for node in ran)


def _latency(found: Sequence[ModelLatency | None]) -> Latency:
    known = [one for one in found if one is not None]
    return Latency(
        p50=round(median([one.p50_ns for one in known])),
        p90=round(median([one.p90_ns for one in known])),
        p99=round(median([one.p99_ns for one in known])),
    )
