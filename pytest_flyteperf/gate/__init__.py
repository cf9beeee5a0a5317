"""The gate: samples, baseline, environment and policy in; verdicts with reasons out.

Pure but for the baseline files, which `BaselineStore` reads, and writes when asked.
"""

from pytest_flyteperf.gate.baseline import Accepted, Anchor, Baseline, Session, Tolerance, session
from pytest_flyteperf.gate.blocks import as_baseline, judge_blocks, unsettled
from pytest_flyteperf.gate.budget import check
from pytest_flyteperf.gate.cause import Cause, explain
from pytest_flyteperf.gate.judge import judge, undecided
from pytest_flyteperf.gate.policy import DEFAULT_GATE, TIMER_GATE, Policy
from pytest_flyteperf.gate.store import BaselineStore, Unused
from pytest_flyteperf.gate.verdict import (
    BROKEN,
    UNDECIDED,
    CaseVerdict,
    Drift,
    Kind,
    MetricVerdict,
    Provenance,
    Summary,
    Verdict,
)

__all__ = [
    "BROKEN",
    "DEFAULT_GATE",
    "TIMER_GATE",
    "UNDECIDED",
    "Accepted",
    "Anchor",
    "Baseline",
    "BaselineStore",
    "CaseVerdict",
    "Cause",
    "Drift",
    "Kind",
    "MetricVerdict",
    "Policy",
    "Provenance",
    "Session",
    "Summary",
    "Tolerance",
    "Unused",
    "Verdict",
    "as_baseline",
    "check",
    "explain",
    "judge",
    "judge_blocks",
    "session",
    "undecided",
    "unsettled",
]
