"""Ownership as values that pass to gate and report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_flyteperf.analyze.ledger import Ledger, Owner
from pytest_flyteperf.model import (
    KindMeasures,
    NodeMeasures,
    NodeOverhead,
    Owned,
    Ownership,
    PathStep,
)

if TYPE_CHECKING:
    from pytest_flyteperf.analyze.nodes import Run
    from pytest_flyteperf.analyze.ownership import Attribution, NodeTime
    from pytest_flyteperf.analyze.path import Stretch


def ownership_of(run: Run, attribution: Attribution) -> Ownership:
    """What `attribute` found, as a frozen value."""
    begun = run.created or 0
    shown: dict[int, tuple[Owned, ...]] = {}

    def owners(ledger: Ledger) -> tuple[Owned, ...]:
        """Of a ledger, once: a stretch that is all of a node has the node's very ledger."""
        known = shown.get(id(ledger))
        if known is None:
            known = shown[id(ledger)] = _owners(ledger)
        return known

    return Ownership(
        wall_ns=attribution.whole.wall,
        owners=owners(attribution.whole),
        working_ns=dict(sorted(attribution.whole.working.items())),
        path=tuple(_step(stretch, owners(ledger), begun) for stretch, ledger in attribution.path),
        nodes=tuple(_node(time, owners(time.ledger)) for time in attribution.nodes),
        summed=_summed(attribution),
        kinds=_kinds(attribution),
    )


def _owners(ledger: Ledger) -> tuple[Owned, ...]:
    shares = ledger.shares
    return tuple(
        Owned(
            owner=key[0],
            detail=key[1],
            point_ns=shares[key].point,
            low_ns=shares[key].low,
            high_ns=shares[key].high,
        )
        for key in (sorted(shares) if len(shares) > 1 else shares)
    )


def _step(stretch: Stretch, owners: tuple[Owned, ...], begun: int) -> PathStep:
    return PathStep(
        start_ns=stretch.start - begun,
        end_ns=stretch.end - begun,
        execution=stretch.run.name,
        node=stretch.node.id if stretch.node else None,
        kind=stretch.node.kind.value if stretch.node else "unknown",
        part=stretch.part.value,
        owners=owners,
    )


def _node(time: NodeTime, owners: tuple[Owned, ...]) -> NodeMeasures:
    node = time.node
    whole = node.created is not None and node.ended is not None
    return NodeMeasures(
        execution=node.execution,
        id=node.id,
        spec_id=node.spec_id,
        parent=node.parent,
        kind=node.kind.value,
        phase=node.phase,
        attempts=len(node.attempts),
        duration_ns=time.ledger.wall if whole else None,
        scheduling_ns=time.scheduling_ns,
        on_path_ns=time.on_path_ns,
        owners=owners,
    )


def _kinds(attribution: Attribution) -> tuple[KindMeasures, ...]:
    by_kind: dict[str, list[NodeTime]] = {}
    for time in attribution.nodes:
        by_kind.setdefault(time.node.kind.value, []).append(time)
    return tuple(_kind(kind, by_kind[kind]) for kind in sorted(by_kind))


def _kind(kind: str, times: list[NodeTime]) -> KindMeasures:
    ledger = Ledger()
    for time in times:
        ledger.add(time.ledger)
    return KindMeasures(
        kind=kind,
        nodes=len(times),
        on_path_ns=sum(time.on_path_ns for time in times),
        owners=_owners(ledger),
    )


def _summed(attribution: Attribution) -> NodeOverhead:
    """Over all nodes of the execution and its children."""
    return NodeOverhead(
        flyte_ns=sum(time.ledger.point(Owner.FLYTE) for time in attribution.nodes),
        scheduling_ns=sum(time.scheduling_ns or 0 for time in attribution.nodes),
        runtime_ns=sum(
            time.ledger.wall - time.ledger.point(Owner.SUBNODES) for time in attribution.nodes
        ),
    )
