"""A case's result beside what it is held against: the other Flyte, or its baseline."""

from __future__ import annotations

from pytest_flyteperf import __version__
from pytest_flyteperf.gate import (
    BROKEN,
    UNDECIDED,
    Baseline,
    BaselineStore,
    CaseVerdict,
    Verdict,
    as_baseline,
    judge,
    judge_blocks,
    unsettled,
)
from pytest_flyteperf.result import CaseResult
from pytest_flyteperf.settings import Settings


def base_of(base: CaseResult) -> Baseline:
    """What the head of a comparison is held against."""
    return as_baseline(
        base.case,
        base.size,
        base.blocks,
        subject=base.subject,
        environment=base.environment,
        recorded=base.recorded,
        tool=__version__,
    )


def baseline_of(result: CaseResult, store: BaselineStore) -> Baseline | None:
    """What a result is held against; None where nothing is there.

    Raises:
        BaselineError: it cannot be read.
    """
    if result.base is not None:
        return base_of(result.base)
    return store.find(result.case, result.size, result.environment)


def verdict_on(result: CaseResult, baseline: Baseline | None) -> CaseVerdict:
    """The verdict on what has been measured so far."""
    if result.base is not None and baseline is not None:
        return judge_blocks(baseline, result.blocks, result.policy)
    return judge(
        result.case,
        result.size,
        result.samples,
        baseline,
        result.environment,
        result.policy,
        digest=result.digest,
    )


def is_settled(result: CaseResult) -> bool:
    """Whether more blocks could not change the verdict on two Flytes."""
    base = None if result.base is None else base_of(result.base)
    return not unsettled(verdict_on(result, base))


def fails(verdict: CaseVerdict, settings: Settings) -> bool:
    """Whether a verdict fails the test of its case."""
    if verdict.verdict in BROKEN:
        return True
    if not settings.baseline and settings.base is None:
        return False
    return verdict.verdict is Verdict.REGRESSED or (
        settings.strict and verdict.verdict in UNDECIDED
    )
