"""What crept away in small steps: a baseline's first sessions, and the repeats of now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_flyteperf.gate.baseline import known_values
from pytest_flyteperf.gate.compare import compare
from pytest_flyteperf.gate.samples import known, pace_beside, sample_of, tolerance_of
from pytest_flyteperf.gate.verdict import Drift, Kind, MetricVerdict, Verdict
from pytest_flyteperf.model import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.gate.baseline import Baseline
    from pytest_flyteperf.gate.policy import Policy
    from pytest_flyteperf.model import Measures


def drift(
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
    beside = pace_beside(sessions, valid, policy)
    for metric in metrics:
        before = known_values(sessions, metric.metric)
        held = metric.gated and metric.verdict in {Verdict.PASS, Verdict.INCONCLUSIVE}
        if not held or metric.kind is Kind.EXACT or not before or metric.ratio is None:
            continue
        known_metric = METRICS[metric.metric]
        sample = sample_of(
            known_metric,
            metric.kind,
            sessions,
            known(valid, metric.metric),
            tolerance=tolerance_of(known_metric, baseline, policy),
            beside=beside,
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
