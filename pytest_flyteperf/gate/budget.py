"""Whether a number of repeats can decide the tolerances that are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate.compare import sharpness
from pytest_flyteperf.gate.policy import WHERE_TOLD
from pytest_flyteperf.gate.samples import kind_of, own_pace, podless, sample_of
from pytest_flyteperf.model import METRICS, Size

if TYPE_CHECKING:
    from pytest_flyteperf.gate.baseline import Baseline
    from pytest_flyteperf.gate.policy import Policy


def check(policy: Policy, baseline: Baseline) -> None:
    """Refuse a policy that asks for a tolerance which its budget cannot decide.

    Not of a metric that is advice, and not in the short size, where all times are and the summary
    says so.

    Raises:
        UsageError: with the number of repeats that would.
    """
    if baseline.size is Size.SHORT:
        return
    for name, tolerance in policy.tolerances.items():
        metric = METRICS[name]
        advice = name in WHERE_TOLD and not podless(baseline)
        if advice or not policy.gates(metric, exact=False):  # exact counts resolve any change
            continue
        before = baseline.by_session(name)
        repeats = policy.budget or baseline.sessions[-1].repeats
        sample = sample_of(
            metric,
            kind_of(metric, baseline.values(name), untimed=False),
            baseline.sessions,
            before[-1] if before else (),
            tolerance=(tolerance, "asked"),
            beside=own_pace(baseline, policy),
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
            f"{metric.title} cannot be decided with {repeats} repeats, which resolve "
            f"{100 * found.resolution:.1f} %; {remedy}"
        )
