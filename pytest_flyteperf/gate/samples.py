"""What of a metric is compared with what: the baseline's sessions, the repeats of now, the pace."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_flyteperf.gate import statistics
from pytest_flyteperf.gate.baseline import known_values, pooled
from pytest_flyteperf.gate.compare import Sample
from pytest_flyteperf.gate.pace import SERVERS_CANARY, Pace, pace
from pytest_flyteperf.gate.verdict import Kind
from pytest_flyteperf.model import CANARIES, Metric, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_flyteperf.gate.baseline import Baseline, Session
    from pytest_flyteperf.gate.policy import Policy
    from pytest_flyteperf.model import Measures

T = TypeVar("T")

DEMAND: Final = {
    "crd_writes": 0.1,
    "crd_bytes": 0.02,
    "blob_reads": 0.1,
    "blob_writes": 0.1,
    "workflow_events": 0.1,
    "node_events": 0.1,
    "task_events": 0.1,
    "pods": 0.0,
}
"""
What FlytePropeller asks of those that serve it, to the share that medians of it may differ by;
beyond that the servers' CPU time tells more than the machine's pace. Counts of cases with pods hang
on when these end; what makes a CRD write dearer is gated nowhere else.
"""

AGREEMENT: Final = 0.8
"""Share of the baseline's repeats that agree on a count of a pod-free execution, if it is exact."""

WAITING: Final = frozenset({"waiting_ns", "held_ns", "backoff_ns"})
WITH_WAITING: Final = frozenset({"duration_ns", "flyte_ns", "overhead_ns"})


def known(valid: Sequence[Measures], name: str) -> tuple[int, ...]:
    """Return a metric's values of now; repeats in which nothing shows it are left out."""
    return tuple(value for m in valid if (value := m.metrics.get(name)) is not None)


def podless(baseline: Baseline | None, valid: Sequence[Measures] = ()) -> bool:
    """Whether executions of neither side start pods; False where the baseline does not tell."""
    before = () if baseline is None else baseline.values("pods")
    return bool(before) and not any((*before, *known(valid, "pods")))


def kind_of(metric: Metric, before: Sequence[int], *, untimed: bool) -> Kind:
    """A count is exact only if the baseline's own repeats agree on it.

    `untimed` executions have neither pods nor child executions, whose ends come when they come:
    how often Propeller looks, and so what it writes, does not hang on clocks.
    """
    if metric.unit is not Unit.COUNT:
        return Kind.MAGNITUDE
    usual = max(Counter(before).values(), default=0)
    if metric.exact and usual == len(before):
        return Kind.EXACT
    if metric.exact_without_pods and untimed and usual >= AGREEMENT * len(before):
        return Kind.EXACT
    return Kind.RANGED


def by_turn(values: Sequence[T], turns: Sequence[int]) -> tuple[tuple[T, ...], ...]:
    """Part values of now by the block they were measured in; all together where there are none."""
    blocks: dict[int, list[T]] = {}
    for value, turn in zip(values, turns or [0] * len(values), strict=True):
        blocks.setdefault(turn, []).append(value)
    return tuple(tuple(block) for block in blocks.values())


def pace_beside(
    sessions: Sequence[Session],
    valid: Sequence[Measures],
    policy: Policy,
    turns: Sequence[int] = (),
) -> Pace | None:
    """Return the pace of the repeats of either side, or None where they do not both know it."""
    names = _canaries(sessions, {name: known(valid, name) for name in DEMAND})
    now = [
        ({name: tuple(m.canaries.get(name) for m in block) for name in names}, len(block))
        for block in by_turn(valid, turns)
    ]
    return _pace(sessions, now, policy)


def own_pace(baseline: Baseline, policy: Policy) -> Pace | None:
    """The pace of a head that is measured when the machine is as fast as in the last session."""
    sessions, latest = baseline.sessions, baseline.sessions[-1]
    asked = {name: pooled([latest], name) for name in DEMAND}
    names = _canaries(sessions, asked)
    sung = {name: values for name, values in latest.canaries.items() if name in names}
    return _pace(sessions, [(sung, latest.repeats)], policy)


def _canaries(sessions: Sequence[Session], asked: Mapping[str, Sequence[int]]) -> set[str]:
    """Names of the canaries that tell the pace where Flyte asks for so much now."""
    return CANARIES.keys() - (set() if _same_demand(sessions, asked) else {SERVERS_CANARY})


def _same_demand(sessions: Sequence[Session], asked: Mapping[str, Sequence[int]]) -> bool:
    """Whether Flyte asks for as much as before, as far as can be told of everything it asks for."""
    for name, share in DEMAND.items():
        before = pooled(sessions, name)
        if not before or not asked[name]:
            return False
        ends = statistics.median(before), statistics.median(asked[name])
        if max(ends) - min(ends) > share * max(ends):
            return False
    return True


def _pace(
    sessions: Sequence[Session],
    now: Sequence[tuple[Mapping[str, Sequence[int | None]], int]],
    policy: Policy,
) -> Pace | None:
    groups = [*((session.canaries, session.repeats) for session in sessions), *now]
    return pace(
        [sung for sung, _ in groups], [repeats for _, repeats in groups], policy.session_deviation
    )


def sample_of(  # noqa: PLR0913 (what is compared, from where it comes)
    metric: Metric,
    kind: Kind,
    sessions: Sequence[Session],
    now: tuple[int, ...],
    *,
    tolerance: tuple[float | None, str],
    beside: Pace | None,
    sessions_now: int = 1,
    turns: Sequence[int] = (),
) -> Sample:
    """Set the repeats of now beside the sessions of a baseline.

    Args:
        metric: which.
        kind: as `kind_of` tells it.
        sessions: of the baseline, or of its anchor.
        now: its known values.
        tolerance: growth that somebody accepts, as a share, and who; None for the default.
        beside: the pace of the repeats; it holds where every one of them knows the metric.
        sessions_now: how many deployments `now` comes from.
        turns: which block each of `now` was measured in, in the order of the sessions beside them;
            empty where they did not take turns.
    """
    asked, source = tolerance
    return Sample(
        metric=metric,
        kind=kind,
        before=known_values(sessions, metric.name),
        now=now,
        asked=asked,
        asked_by=source,
        sessions=sessions_now,
        turns=_beside_known(metric.name, sessions, by_turn(now, turns)) if turns else (),
        pace=beside if _everywhere(sessions, metric.name) else None,
        elasticity=_elasticity(sessions, metric.name),
    )


def _beside_known(
    metric: str, sessions: Sequence[Session], blocks: Sequence[tuple[int, ...]]
) -> tuple[tuple[int, ...], ...]:
    """Blocks of now whose neighbour in the baseline knows the metric."""
    return tuple(
        block
        for session, block in zip(sessions, blocks, strict=True)
        if known_values([session], metric)
    )


def tolerance_of(metric: Metric, baseline: Baseline, policy: Policy) -> tuple[float | None, str]:
    """Return the growth of a metric that is accepted, as a share, and by whom; None by default."""
    asked = policy.tolerance(metric)
    if asked is not None:
        return asked, "asked"
    stored = baseline.tolerances.get(metric.name)
    return (None, "default") if stored is None else (stored.share, stored.source)


def _elasticity(sessions: Sequence[Session], metric: str) -> float:
    """Share of a time that is work: what Flyte waits for a timer does not follow the CPU."""
    if metric in WAITING:
        return 0.0
    if metric not in WITH_WAITING:
        return 1.0
    waiting, whole = (pooled(sessions, name) for name in ("waiting_ns", metric))
    if not waiting or not whole or not statistics.median(whole):
        return 1.0
    return max(0.0, 1 - statistics.median(waiting) / statistics.median(whole))


def _everywhere(sessions: Sequence[Session], metric: str) -> bool:
    return all(
        metric in session.samples and None not in session.samples[metric] for session in sessions
    )
