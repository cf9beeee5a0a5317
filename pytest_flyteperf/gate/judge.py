"""From samples to verdicts: pure, by the rules of the design.

Exact counts are compared exactly; ranged counts and times as in `compare`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from msgspec import structs

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate import environment as environments
from pytest_flyteperf.gate import statistics
from pytest_flyteperf.gate.baseline import known_values
from pytest_flyteperf.gate.compare import Sample, compare, sharpness, too_few
from pytest_flyteperf.gate.pace import Pace, pace
from pytest_flyteperf.gate.policy import Policy
from pytest_flyteperf.gate.verdict import (
    CaseVerdict,
    Drift,
    Kind,
    MetricVerdict,
    Provenance,
    Summary,
    Verdict,
)
from pytest_flyteperf.model import CANARIES, METRICS, Frozen, Metric, Severity, Size, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.gate.baseline import Baseline, Session
    from pytest_flyteperf.model import Environment, Measures

INVALID_SHARE: Final = 0.20
"""Share of invalid repeats above which the case is invalid."""

AGREEMENT: Final = 0.8
"""Share of the baseline's repeats that agree on a count of a pod-free execution, if it is exact."""

BLUNT: Final = 0.5
"""Resolution beyond which holding a time means little: it is advice, unless it regressed."""

WAITING: Final = frozenset({"waiting_ns", "held_ns", "backoff_ns"})
WITH_WAITING: Final = frozenset({"duration_ns", "flyte_ns", "overhead_ns"})

PRECEDENCE: Final = (
    Verdict.FAILED,
    Verdict.INVALID,
    Verdict.REGRESSED,
    Verdict.NO_BASELINE,
    Verdict.INCOMPARABLE,
    Verdict.INCONCLUSIVE,
    Verdict.IMPROVED,
    Verdict.PASS,
)
"""A case's verdict is the first of these that one of its gated metrics has."""


class _Comparison(Frozen, frozen=True):
    """What one metric's verdict rests on."""

    metric: Metric
    before: tuple[int, ...]
    now: tuple[int, ...]
    missing: int
    """Repeats of now in which nothing shows the metric."""
    kind: Kind
    gated: bool
    sessions: int
    """Of now."""
    pace: Pace | None
    """Of the repeats of either side, where both know it."""
    incomparable: str | None
    """Why only exact counts, or nothing, may be compared."""


def judge(  # noqa: PLR0913, PLR0917 (the narrow door: everything a verdict depends on)
    case: str,
    size: Size,
    samples: Sequence[Measures],
    baseline: Baseline | None,
    environment: Environment,
    policy: Policy | None = None,
    *,
    digest: str | None = None,
    problems: Sequence[str] = (),
    sessions: int = 1,
) -> CaseVerdict:
    """Judge a case.

    Args:
        case: its name.
        size: as it ran.
        samples: of every finished repeat, invalid ones included, warm-ups not.
        baseline: as `BaselineStore.find` gives it, or None.
        environment: where the samples were measured.
        policy: None for the default one.
        digest: of the case, to notice that the baseline is of another form of it.
        problems: why repeats failed, one clause each; any makes the case failed.
        sessions: how many fresh deployments the samples come from, alike in number.
    """
    policy = policy or Policy()
    valid, invalid = _split(samples)
    verdict = CaseVerdict(
        case=case,
        size=size,
        verdict=Verdict.FAILED,
        reason="",
        repeats=len(valid),
        invalid=invalid,
        baseline=None if baseline is None else _provenance(baseline),
    )
    metrics, unknown = _metrics(valid, baseline, environment, policy, digest, sessions)
    if baseline is not None and digest in {None, baseline.digest}:
        verdict = structs.replace(verdict, drift=_drift(metrics, valid, baseline, policy))
    if problems:
        return _with(verdict, Verdict.FAILED, problems[0], metrics, unknown)
    if len(invalid) > INVALID_SHARE * len(samples):
        reason = f"{len(invalid)} of {len(samples)} repeats invalid: {invalid[0]}"
        return _with(verdict, Verdict.INVALID, reason, metrics, unknown)
    if not valid:
        return _with(verdict, Verdict.INVALID, "no repeat was measured", metrics, unknown)
    if baseline is None:
        reason = "no baseline; record one with --flyteperf-update new"
        return _with(verdict, Verdict.NO_BASELINE, reason, metrics, unknown)
    gated = [m for m in metrics if m.gated]
    if not gated:
        reason = "nothing to gate was measured"
        return _with(verdict, Verdict.INCONCLUSIVE, reason, metrics, unknown)
    worst = min((m.verdict for m in gated), key=PRECEDENCE.index)
    return _with(verdict, worst, _case_reason(worst, gated), metrics, unknown)


def check(policy: Policy, baseline: Baseline) -> None:
    """Refuse a policy that asks for a tolerance which its budget cannot decide.

    Not in the short size, where times are advice and the summary says so.

    Raises:
        UsageError: with the number of repeats that would.
    """
    if baseline.size is Size.SHORT:
        return
    for name, tolerance in policy.tolerances.items():
        before = baseline.by_session(name)
        repeats = policy.budget or baseline.sessions[-1].repeats
        sample = Sample(
            metric=METRICS[name],
            kind=_kind(METRICS[name], baseline.values(name), podless=False),
            before=before,
            now=before[-1] if before else (),
            asked=tolerance,
            asked_by="asked",
            pace=_own_pace(baseline, policy) if _everywhere(baseline.sessions, name) else None,
            elasticity=_elasticity(baseline.sessions, name),
        )
        found = sharpness(sample, repeats, policy)
        if found is None or found.resolution <= tolerance:
            continue
        remedy = (
            f"ask for {found.needed} repeats, or a larger tolerance"
            if found.needed
            else f"no number of repeats does, because sessions differ by "
            f"{100 * found.deviation:.1f} %: record more sessions, or ask for a larger tolerance"
        )
        raise UsageError(
            f"{baseline.case} ({baseline.size}): tolerance {100 * tolerance:.1f} % of "
            f"{METRICS[name].title} cannot be decided with {repeats} repeats, which resolve "
            f"{100 * found.resolution:.1f} %; {remedy}"
        )


def undecided(verdict: CaseVerdict | None) -> bool:
    """Whether more repeats could decide a case: a gated sample straddles and nothing failed."""
    if verdict is None:
        return True
    settled = {Verdict.FAILED, Verdict.INVALID, Verdict.REGRESSED}
    return verdict.verdict not in settled and any(
        m.ratio is not None for m in verdict.of(Verdict.INCONCLUSIVE)
    )


def _with(
    verdict: CaseVerdict,
    answer: Verdict,
    reason: str,
    metrics: tuple[MetricVerdict, ...],
    unknown: tuple[str, ...],
) -> CaseVerdict:
    return structs.replace(verdict, verdict=answer, reason=reason, metrics=metrics, unknown=unknown)


def _case_reason(worst: Verdict, gated: Sequence[MetricVerdict]) -> str:
    if worst is Verdict.PASS:
        return f"{len(gated)} metrics hold"
    deciding = [m for m in gated if m.verdict is worst]
    first = f"{METRICS[deciding[0].metric].title}: {deciding[0].reason}"
    if worst is Verdict.INCOMPARABLE:
        return deciding[0].reason
    more = len(deciding) - 1
    return f"{first}, and {more} more" if more else first


def _split(samples: Sequence[Measures]) -> tuple[tuple[Measures, ...], tuple[str, ...]]:
    valid, invalid = [], []
    for measures in samples:
        fatal = [f for f in measures.findings if f.severity is Severity.INVALID]
        if fatal:
            invalid.append(f"{fatal[0].check}: {fatal[0].evidence}")
        else:
            valid.append(measures)
    return tuple(valid), tuple(invalid)


def _provenance(baseline: Baseline) -> Provenance:
    return Provenance(
        subject=baseline.subject,
        recorded=baseline.recorded,
        commit=baseline.commit,
        file=baseline.file,
    )


def _metrics(  # noqa: PLR0913, PLR0917 (what the door takes, passed on)
    valid: Sequence[Measures],
    baseline: Baseline | None,
    environment: Environment,
    policy: Policy,
    digest: str | None,
    sessions: int,
) -> tuple[tuple[MetricVerdict, ...], tuple[str, ...]]:
    """Verdicts of all metrics that either side shows, and the names of those that neither does."""
    verdicts, unknown = [], []
    anywhere, here = _obstacles(baseline, environment, digest)
    beside = None if baseline is None else _pace(baseline.sessions, valid, policy)
    before_pods = () if baseline is None else baseline.values("pods")
    podless = not any((*before_pods, *_known(valid, "pods"))) and bool(before_pods)
    for metric in METRICS.values():
        before = () if baseline is None else baseline.values(metric.name)
        now = _known(valid, metric.name)
        kind = _kind(metric, before, podless=podless)
        asked = policy.gate is not None and metric.name in policy.gate
        if not before and not now and not (asked and valid):
            unknown.append(metric.name)
            continue
        comparison = _Comparison(
            metric=metric,
            before=before,
            now=now,
            missing=len(valid) - len(now),
            kind=kind,
            gated=policy.gates(metric, exact=kind is Kind.EXACT),
            incomparable=anywhere or (None if kind is Kind.EXACT else here),
            sessions=sessions,
            pace=beside,
        )
        verdicts.append(_metric(comparison, baseline, policy))
    return tuple(verdicts), tuple(unknown)


def _obstacles(
    baseline: Baseline | None, environment: Environment, digest: str | None
) -> tuple[str | None, str | None]:
    """Why nothing may be compared with the baseline, and why only exact counts may be."""
    if baseline is None:
        return None, None
    if digest is not None and baseline.digest is not None and digest != baseline.digest:
        reason = "the case itself changed since its baseline; record it with --flyteperf-update all"
        return reason, reason
    differences = environments.differences(baseline.environment, environment)
    if not differences:
        return None, None
    listed = ", ".join(str(d) for d in differences[:3])
    reason = f"baseline of another environment ({listed}); record one with --flyteperf-update new"
    same = environments.same_identity(baseline.environment, environment)
    return (None if same else reason), reason


def _pace(sessions: Sequence[Session], valid: Sequence[Measures], policy: Policy) -> Pace | None:
    now = {name: tuple(m.canaries.get(name) for m in valid) for name in CANARIES}
    return pace(
        [session.canaries for session in sessions],
        now,
        [*(session.repeats for session in sessions), len(valid)],
        policy.session_deviation,
    )


def _own_pace(baseline: Baseline, policy: Policy) -> Pace | None:
    """The pace of a head that is measured when the machine is as fast as in the last session."""
    latest = baseline.sessions[-1]
    return pace(
        [session.canaries for session in baseline.sessions],
        latest.canaries,
        [*(session.repeats for session in baseline.sessions), latest.repeats],
        policy.session_deviation,
    )


def _elasticity(sessions: Sequence[Session], metric: str) -> float:
    """Share of a time that is work: what Flyte waits for a timer does not follow the CPU."""
    if metric in WAITING:
        return 0.0
    if metric not in WITH_WAITING:
        return 1.0
    waiting, whole = (
        [v for one in known_values(sessions, name) for v in one] for name in ("waiting_ns", metric)
    )
    if not waiting or not whole or not statistics.median(whole):
        return 1.0
    return max(0.0, 1 - statistics.median(waiting) / statistics.median(whole))


def _everywhere(sessions: Sequence[Session], metric: str) -> bool:
    return all(
        metric in session.samples and None not in session.samples[metric] for session in sessions
    )


def _known(valid: Sequence[Measures], name: str) -> tuple[int, ...]:
    return tuple(value for m in valid if (value := m.metrics.get(name)) is not None)


def _kind(metric: Metric, before: Sequence[int], *, podless: bool) -> Kind:
    """A count is exact only if the baseline's own repeats agree on it."""
    if metric.unit is not Unit.COUNT:
        return Kind.MAGNITUDE
    usual = max(Counter(before).values(), default=0)
    if metric.exact and usual == len(before):
        return Kind.EXACT
    if metric.exact_without_pods and podless and usual >= AGREEMENT * len(before):
        return Kind.EXACT
    return Kind.RANGED


def _metric(c: _Comparison, baseline: Baseline | None, policy: Policy) -> MetricVerdict:
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


def _drift(
    metrics: Sequence[MetricVerdict],
    valid: Sequence[Measures],
    baseline: Baseline,
    policy: Policy,
) -> tuple[Drift, ...]:
    """Gated metrics that hold against the latest baseline and not against the first."""
    if baseline.anchor is None:
        return ()
    drifted = []
    sessions = baseline.anchor.sessions
    beside = _pace(sessions, valid, policy)
    for metric in metrics:
        before = known_values(sessions, metric.metric)
        now = _known(valid, metric.metric)
        held = metric.gated and metric.verdict in {Verdict.PASS, Verdict.INCONCLUSIVE}
        if not held or metric.kind is Kind.EXACT or not before or metric.ratio is None:
            continue
        known = METRICS[metric.metric]
        asked, source = _tolerance(known, baseline, policy)
        sample = Sample(
            metric=known,
            kind=metric.kind,
            before=before,
            now=now,
            asked=asked,
            asked_by=source,
            pace=beside if _everywhere(sessions, metric.metric) else None,
            elasticity=_elasticity(sessions, metric.metric),
        )
        change = compare(sample, policy)
        ratio, low, high = (change.ratio(e) for e in (change.point, change.low, change.high))
        if change.verdict is Verdict.REGRESSED and ratio and low and high:
            drifted.append(
                Drift(
                    metric=metric.metric,
                    ratio=ratio,
                    low=low,
                    high=high,
                    since=baseline.anchor.recorded,
                    commit=baseline.anchor.commit,
                )
            )
    return tuple(drifted)


def _exact(c: _Comparison, plain: MetricVerdict) -> MetricVerdict:
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
    c: _Comparison, plain: MetricVerdict, baseline: Baseline, policy: Policy
) -> MetricVerdict:
    asked, source = _tolerance(c.metric, baseline, policy)
    sample = Sample(
        metric=c.metric,
        kind=c.kind,
        before=baseline.by_session(c.metric.name),
        now=c.now,
        asked=asked,
        asked_by=source,
        sessions=c.sessions,
        pace=c.pace if _everywhere(baseline.sessions, c.metric.name) else None,
        elasticity=_elasticity(baseline.sessions, c.metric.name),
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
    blunt = c.kind is Kind.MAGNITUDE and (change.share(change.resolution) or 0) > BLUNT
    if blunt and change.verdict in {Verdict.PASS, Verdict.INCONCLUSIVE}:
        return _answer(shown, change.verdict, f"{change}, which holds little", gated=False)
    return _answer(shown, change.verdict, str(change))


def _tolerance(metric: Metric, baseline: Baseline, policy: Policy) -> tuple[float | None, str]:
    asked = policy.tolerance(metric)
    if asked is not None:
        return asked, "asked"
    stored = baseline.tolerances.get(metric.name)
    return (None, "default") if stored is None else (stored.share, stored.source)


def _answer(
    plain: MetricVerdict, verdict: Verdict, reason: str, *, gated: bool | None = None
) -> MetricVerdict:
    return structs.replace(
        plain, verdict=verdict, reason=reason, gated=plain.gated if gated is None else gated
    )
