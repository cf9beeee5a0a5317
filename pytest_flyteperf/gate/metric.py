"""The verdict of one metric: exact counts are compared exactly, all else as in `compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import structs

from pytest_flyteperf.gate import statistics
from pytest_flyteperf.gate.compare import compare, too_few
from pytest_flyteperf.gate.samples import sample_of, tolerance_of
from pytest_flyteperf.gate.verdict import Kind, MetricVerdict, Summary, Verdict
from pytest_flyteperf.model import Frozen, Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.gate.baseline import Baseline
    from pytest_flyteperf.gate.pace import Pace
    from pytest_flyteperf.gate.policy import Policy

BLUNT: Final = 0.5
"""Resolution beyond which holding a time means little: it is advice, unless it regressed."""


class Comparison(Frozen, frozen=True):
    """What one metric's verdict rests on, beside the baseline."""

    metric: Metric
    before: tuple[int, ...]
    now: tuple[int, ...]
    missing: int
    """Repeats of now in which nothing shows the metric."""
    kind: Kind
    gated: bool
    sessions: int
    """Of now."""
    turns: tuple[int, ...]
    """Block of each value of now; empty where the sides did not take turns."""
    pace: Pace | None
    """Of the repeats of either side, where both know it."""
    crowded: str | None
    """Why times are advice: others used the CPUs far more than beside the baseline."""
    incomparable: str | None
    """Why only exact counts, or nothing, may be compared."""


def judge_metric(c: Comparison, baseline: Baseline | None, policy: Policy) -> MetricVerdict:
    """Judge a metric that either side shows."""
    before, now = _summary(c.before), _summary(c.now)
    plain = MetricVerdict(
        metric=c.metric.name,
        kind=c.kind,
        verdict=Verdict.INCONCLUSIVE,
        gated=c.gated,
        reason="no source shows it",
        baseline=before,
        now=now,
    )
    if before is None or baseline is None:
        return plain if now is None else _answer(plain, Verdict.NO_BASELINE, "not in the baseline")
    if c.incomparable is not None:
        return _answer(plain, Verdict.INCOMPARABLE, c.incomparable)
    if c.missing or now is None:
        count = c.missing + len(c.now)
        reason = f"not measured in {c.missing} of {count} repeats; the baseline has it"
        return _answer(plain, Verdict.INVALID, reason)
    if c.kind is Kind.EXACT:
        return _exact(c, plain)
    return _statistical(c, plain, baseline, policy)


def _summary(values: Sequence[int]) -> Summary | None:
    if not values:
        return None
    return Summary(
        median=statistics.median(values),
        least=min(values),
        most=max(values),
        repeats=len(values),
    )


def _exact(c: Comparison, plain: MetricVerdict) -> MetricVerdict:
    """Compare a count that an unchanged system repeats.

    One differing repeat decides where no timing can touch the count. A pod-free execution makes
    the same writes and reads too, but now and then one evaluation more, when it is picked up at an
    odd moment (one repeat in twenty beside other work): there more than half of the repeats must
    lie outside of what the baseline has seen.
    """
    least, most = min(c.before), max(c.before)
    above = sum(value > most for value in c.now)
    below = sum(value < least for value in c.now)
    count = len(c.now)
    seen = _span(c.now)
    if not above and not below:
        return _answer(plain, Verdict.PASS, f"{seen} in every repeat")
    odd = 0 if c.metric.exact else count / 2
    reason = f"{_span(c.before)} -> {seen} in {above or below} of {count} repeats, exact count"
    if above > odd:
        return _answer(plain, Verdict.REGRESSED, reason)
    if below > odd:
        return _answer(plain, Verdict.IMPROVED, reason)
    same = f"{_span(c.before)} in {count - above - below} of {count} repeats"
    return _answer(plain, Verdict.PASS, f"{same}, {seen} over all")


def _span(values: Sequence[int]) -> str:
    least, most = min(values), max(values)
    return str(least) if least == most else f"{least}..{most}"


def _statistical(
    c: Comparison, plain: MetricVerdict, baseline: Baseline, policy: Policy
) -> MetricVerdict:
    sample = sample_of(
        c.metric,
        c.kind,
        baseline.sessions,
        c.now,
        tolerance=tolerance_of(c.metric, baseline, policy),
        beside=c.pace,
        sessions_now=c.sessions,
        turns=c.turns,
    )
    change = compare(sample, policy)
    shown = structs.replace(
        plain,
        pace=change.ratio(change.taken),
        ratio=change.ratio(change.point),
        low=change.ratio(change.low),
        high=change.ratio(change.high),
        tolerance=change.share(change.tolerance),
        tolerance_from=change.tolerance_from,
        resolution=change.share(change.resolution),
        finds=change.share(change.finds),
    )
    if (reason := too_few(sample, policy)) is not None:
        return _answer(shown, Verdict.INCONCLUSIVE, reason, gated=False)
    moved = change.verdict in {Verdict.REGRESSED, Verdict.IMPROVED}
    if c.crowded is not None and moved and c.metric.name.endswith("_ns"):
        return _answer(shown, Verdict.INCONCLUSIVE, c.crowded, gated=False)
    blunt = c.kind is Kind.MAGNITUDE and (change.share(change.resolution) or 0) > BLUNT
    if blunt and change.verdict in {Verdict.PASS, Verdict.INCONCLUSIVE}:
        return _answer(shown, change.verdict, f"{change}, which holds little", gated=False)
    return _answer(shown, change.verdict, str(change))


def _answer(
    plain: MetricVerdict, verdict: Verdict, reason: str, *, gated: bool | None = None
) -> MetricVerdict:
    return structs.replace(
        plain, verdict=verdict, reason=reason, gated=plain.gated if gated is None else gated
    )
