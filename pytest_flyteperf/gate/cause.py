"""Why a metric moved: which counts, which operations, which parts of the critical path.

A change in working time splits exactly over the kinds of operation, because their own times add
up to it; the share of each splits further into more calls and longer calls. A change in duration
splits as exactly over the critical path's node kinds and owners.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_flyteperf.gate.baseline import MeanCost, mean_costs, mean_parts
from pytest_flyteperf.gate.verdict import Kind, Verdict
from pytest_flyteperf.model import FLYTES_OWN, Frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_flyteperf.gate.baseline import Baseline
    from pytest_flyteperf.gate.verdict import CaseVerdict, MetricVerdict
    from pytest_flyteperf.model import Measures

LEAST_SHARE: Final = 0.1
"""Share of a shift below which an operation is not named."""


class Counted(Frozen, frozen=True):
    """A count that moved."""

    metric: str
    before: float
    now: float


class Operation(Frozen, frozen=True):
    """A kind of operation that takes more, or less, of working time than before."""

    name: str
    before: MeanCost
    now: MeanCost
    share: float
    """Of the whole shift in working time; shares of all operations add up to 1."""

    @property
    def shift_ns(self) -> int:
        """How much more time it takes in a repeat."""
        return self.now.ns - self.before.ns


class Part(Frozen, frozen=True):
    """A part of the critical path that takes more, or less, of the duration than before."""

    kind: str
    """Of node."""
    owner: str
    detail: str
    shift_ns: int
    share: float
    """Of the whole shift in duration; shares of all parts add up to 1."""


class Noted(Frozen, frozen=True):
    """What Flyte was kept from, or had to do again, in most repeats of now."""

    check: str
    """Of the audit."""
    evidence: str
    """Of one of these repeats."""
    repeats: int
    """That show it."""
    of: int


class Cause(Frozen, frozen=True):
    """What a changed case consists of, strongest first."""

    counted: tuple[Counted, ...] = ()
    noted: tuple[Noted, ...] = ()
    operations: tuple[Operation, ...] = ()
    parts: tuple[Part, ...] = ()


def explain(verdict: CaseVerdict, baseline: Baseline | None, samples: Sequence[Measures]) -> Cause:
    """Decompose what moved in a case.

    Args:
        verdict: of the case, as `judge` gave it for these samples.
        baseline: it was compared with.
        samples: of now; invalid repeats are left out.
    """
    if baseline is None:
        return Cause()
    valid = [m for m in samples if m.valid]
    before = _joined([s.operations for s in baseline.sessions if s.operations])
    path = _joined_parts([s.parts for s in baseline.sessions if s.parts])
    return Cause(
        counted=_counted(verdict),
        noted=_noted(valid),
        operations=_operations(before, mean_costs(valid)),
        parts=_parts(path, mean_parts(valid)),
    )


def _counted(verdict: CaseVerdict) -> tuple[Counted, ...]:
    """Counts that moved beyond their tolerance, gated or not, by how much they grew."""
    moved = [
        Counted(metric=m.metric, before=m.baseline.median, now=_count(m))
        for m in verdict.metrics
        if m.verdict in {Verdict.REGRESSED, Verdict.IMPROVED}
        and m.kind is not Kind.MAGNITUDE
        and m.baseline is not None
    ]
    return tuple(sorted(moved, key=lambda c: -abs(c.now - c.before) / max(1.0, c.before)))


def _count(metric: MetricVerdict) -> float:
    now, before = metric.now, metric.baseline
    if now is None or before is None:
        return 0.0
    if metric.kind is Kind.EXACT and now.median == before.median:
        return now.most if now.most != before.median else now.least
    return now.median


def _noted(samples: Sequence[Measures]) -> tuple[Noted, ...]:
    """What most repeats show; a baseline stores none of it, so what it had is not known."""
    found: dict[str, list[str]] = {}
    for measures in samples:
        for check, evidence in {f.check: f.evidence for f in measures.findings}.items():
            if check in FLYTES_OWN:
                found.setdefault(check, []).append(evidence)
    return tuple(
        Noted(check=check, evidence=said[0], repeats=len(said), of=len(samples))
        for check, said in sorted(found.items())
        if 2 * len(said) > len(samples)
    )


def _joined(sessions: Sequence[Mapping[str, MeanCost]]) -> dict[str, MeanCost]:
    """Mean over sessions, each counting alike."""
    names = sorted({name for session in sessions for name in session})
    none = MeanCost(calls=0, ns=0)
    return {
        name: MeanCost(
            calls=sum(s.get(name, none).calls for s in sessions) / len(sessions),
            ns=round(sum(s.get(name, none).ns for s in sessions) / len(sessions)),
        )
        for name in names
    }


def _operations(
    before: Mapping[str, MeanCost], now: Mapping[str, MeanCost]
) -> tuple[Operation, ...]:
    """Operations that carry the shift; none where either side has no traces, or nothing moved."""
    if not before or not now:
        return ()
    none = MeanCost(calls=0, ns=0)
    names = sorted({*before, *now})
    pairs = {name: (before.get(name, none), now.get(name, none)) for name in names}
    whole = sum(new.ns - old.ns for old, new in pairs.values())
    if whole == 0:
        return ()
    moved = [
        Operation(name=name, before=old, now=new, share=(new.ns - old.ns) / whole)
        for name, (old, new) in pairs.items()
    ]
    named = [operation for operation in moved if operation.share >= LEAST_SHARE]
    return tuple(sorted(named, key=lambda operation: -operation.share))


def _joined_parts(sessions: Sequence[Mapping[str, int]]) -> dict[str, int]:
    names = sorted({name for session in sessions for name in session})
    return {name: round(sum(s.get(name, 0) for s in sessions) / len(sessions)) for name in names}


def _parts(before: Mapping[str, int], now: Mapping[str, int]) -> tuple[Part, ...]:
    if not before or not now:
        return ()
    shifts = {name: now.get(name, 0) - before.get(name, 0) for name in sorted({*before, *now})}
    whole = sum(shifts.values())
    if whole == 0:
        return ()
    named = []
    for name, shift in shifts.items():
        kind, owner, detail = name.split("/", 2)
        part = Part(kind=kind, owner=owner, detail=detail, shift_ns=shift, share=shift / whole)
        if part.share >= LEAST_SHARE:
            named.append(part)
    return tuple(sorted(named, key=lambda part: -part.share))
