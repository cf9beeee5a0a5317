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
    from collections.abc import Iterable, Mapping

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

    kinds = _by_kind(attribution.nodes)
    return Ownership(
        wall_ns=attribution.whole.wall,
        owners=owners(attribution.whole),
        working_ns=dict(sorted(attribution.whole.working.items())),
        path=tuple(_step(stretch, owners(ledger), begun) for stretch, ledger in attribution.path),
        nodes=tuple(_node(time, owners(time.ledger)) for time in attribution.nodes),
        summed=_summed(attribution, kinds),
        kinds=tuple(kinds[kind].measures(kind) for kind in sorted(kinds)),
    )


def _owners(ledger: Ledger) -> tuple[Owned, ...]:
    return tuple(
        [
            Owned(
                owner=owner,
                detail=detail,
                point_ns=share.point,
                low_ns=share.low,
                high_ns=share.high,
            )
            for (owner, detail), share in sorted(ledger.shares.items())
        ]
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


class _Kind:
    """The nodes of one kind, taken one by one."""

    __slots__ = ("ledger", "nodes", "on_path_ns")

    def __init__(self) -> None:
        self.nodes = 0
        self.on_path_ns = 0
        self.ledger = Ledger()

    def measures(self, kind: str) -> KindMeasures:
        return KindMeasures(
            kind=kind,
            nodes=self.nodes,
            on_path_ns=self.on_path_ns,
            owners=_owners(self.ledger),
        )


def _by_kind(times: Iterable[NodeTime]) -> dict[str, _Kind]:
    kinds: dict[str, _Kind] = {}
    for time in times:
        kind = kinds.get(time.node.kind)
        if kind is None:
            kind = kinds[time.node.kind.value] = _Kind()
        kind.nodes += 1
        kind.on_path_ns += time.on_path_ns
        kind.ledger.add(time.ledger)
    return kinds


def _summed(attribution: Attribution, kinds: Mapping[str, _Kind]) -> NodeOverhead:
    """Over all nodes of the execution and its children."""
    ledgers = [kind.ledger for kind in kinds.values()]
    return NodeOverhead(
        flyte_ns=sum(ledger.point(Owner.FLYTE) for ledger in ledgers),
        scheduling_ns=sum(time.scheduling_ns or 0 for time in attribution.nodes),
        runtime_ns=sum(ledger.wall - ledger.point(Owner.SUBNODES) for ledger in ledgers),
    )
