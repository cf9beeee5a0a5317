"""From samples to the verdict of a case: pure, by the rules of the design."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import structs

from pytest_flyteperf.gate import environment as environments
from pytest_flyteperf.gate.drift import drift
from pytest_flyteperf.gate.metric import Comparison, judge_metric
from pytest_flyteperf.gate.policy import WHERE_TOLD, Policy
from pytest_flyteperf.gate.samples import kind_of, known, pace_beside, podless
from pytest_flyteperf.gate.statistics import median
from pytest_flyteperf.gate.verdict import CaseVerdict, Kind, MetricVerdict, Provenance, Verdict
from pytest_flyteperf.model import METRICS, Severity, Size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.gate.baseline import Baseline
    from pytest_flyteperf.model import Environment, Measures

INVALID_SHARE: Final = 0.20
"""
Share of invalid repeats above which the case is invalid. One that was measured again is borne, also
by three repeats: the others were audited as it was.
"""

OTHER_CPU: Final = "other_cpu_ppm"
CROWD_PPM: Final = 250_000
"""How much more of the CPUs others may use than beside the baseline: half of one of two. With one
of two taken, an unchanged chain of echo nodes took 57 % longer."""

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
    turns: Sequence[int] = (),
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
        turns: which block each sample was measured in, where blocks stand beside the baseline's
            sessions, in their order; empty where the two sides did not take turns.
    """
    policy = policy or Policy()
    valid, invalid = _split(samples)
    turns = tuple(turn for one, turn in zip(samples, turns, strict=False) if one.valid)
    verdict = CaseVerdict(
        case=case,
        size=size,
        verdict=Verdict.FAILED,
        reason="",
        repeats=len(valid),
        invalid=invalid,
        baseline=None if baseline is None else _provenance(baseline),
    )
    metrics, unknown = _metrics(valid, baseline, environment, policy, digest, sessions, turns)
    if baseline is not None and digest in {None, baseline.digest}:
        verdict = structs.replace(verdict, drift=drift(metrics, valid, baseline, policy))
    if problems:
        return _with(verdict, Verdict.FAILED, problems[0], metrics, unknown)
    if len(invalid) > min(len(valid), max(1, INVALID_SHARE * len(samples))):
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
        return f"{len(gated)} metrics hold" if len(gated) > 1 else "1 metric holds"
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
    turns: tuple[int, ...],
) -> tuple[tuple[MetricVerdict, ...], tuple[str, ...]]:
    """Verdicts of all metrics that either side shows, and the names of those that neither does."""
    verdicts, unknown = [], []
    anywhere, here = _obstacles(baseline, environment, digest)
    beside = None if baseline is None else pace_beside(baseline.sessions, valid, policy, turns)
    no_pods = podless(baseline, valid)
    untimed = no_pods and not any(one.shape and one.shape.executions > 1 for one in valid)
    for metric in METRICS.values():
        before = () if baseline is None else baseline.values(metric.name)
        now = known(valid, metric.name)
        kind = kind_of(metric, before, untimed=untimed)
        optional = metric.name in WHERE_TOLD
        asked = policy.gate is not None and metric.name in policy.gate and not optional
        if not before and not now and not (asked and valid):
            unknown.append(metric.name)
            continue
        comparison = Comparison(
            metric=metric,
            before=before,
            now=now,
            missing=len(valid) - len(now),
            kind=kind,
            gated=policy.gates(metric, exact=kind is Kind.EXACT)
            and not (optional and (not no_pods or not before or len(now) < len(valid))),
            crowded=_crowded(baseline, valid) if no_pods else None,
            incomparable=anywhere or (None if kind is Kind.EXACT else here),
            sessions=sessions,
            turns=turns,
            pace=beside,
        )
        verdicts.append(judge_metric(comparison, baseline, policy))
    return tuple(verdicts), tuple(unknown)


def _crowded(baseline: Baseline | None, valid: Sequence[Measures]) -> str | None:
    """Why times of a pod-free case cannot be held against a baseline that had more of the CPUs.

    The canaries do not tell it: they count their own CPU time, and wait for none.
    """
    sessions = () if baseline is None else baseline.sessions
    before = [ppm for one in sessions for ppm in one.canaries.get(OTHER_CPU, ()) if ppm is not None]
    now = [one.canaries[OTHER_CPU] for one in valid if OTHER_CPU in one.canaries]
    if not before or not now or median(now) - median(before) <= CROWD_PPM:
        return None
    return (
        f"others used {median(now) / 10_000:.0f} % of the CPUs, {median(before) / 10_000:.0f} % "
        "beside the baseline; measure again when the machine rests"
    )


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
