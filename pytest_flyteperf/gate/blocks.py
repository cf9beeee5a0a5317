"""Two Flytes measured in turns on one cluster: no baseline needed, blocks instead of sessions.

Each block is a fresh process; what its repeats share is drawn once a block. Blocks are therefore
the unit between which an unchanged system differs, on both sides of the comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import structs

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate.baseline import Accepted, Baseline, session
from pytest_flyteperf.gate.judge import judge, undecided
from pytest_flyteperf.gate.policy import Policy
from pytest_flyteperf.gate.verdict import Verdict
from pytest_flyteperf.model import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.gate.verdict import CaseVerdict
    from pytest_flyteperf.model import Environment, Measures, Size, Subject

LEAST_BLOCKS: Final = 2
"""Of a side, so that blocks can be told from repeats."""


def as_baseline(  # noqa: PLR0913 (what a baseline consists of)
    case: str,
    size: Size,
    blocks: Sequence[Sequence[Measures]],
    *,
    subject: Subject,
    environment: Environment,
    recorded: str,
    tool: str,
) -> Baseline:
    """Make the base side of a comparison a baseline with a session for each block."""
    valid = [
        [m for m in block if all(f.severity is not Severity.INVALID for f in m.findings)]
        for block in blocks
    ]
    return Baseline(
        case=case,
        size=size,
        digest=None,
        recorded=recorded,
        tool=tool,
        commit=None,
        accepted=Accepted(by="ab", reason="base of a comparison"),
        subject=subject,
        environment=environment,
        sessions=tuple(session(f"block {i}", block) for i, block in enumerate(valid) if block),
    )


def judge_blocks(
    base: Baseline,
    head: Sequence[Sequence[Measures]],
    policy: Policy | None = None,
    *,
    problems: Sequence[str] = (),
) -> CaseVerdict:
    """Judge the head's blocks against the base's.

    Args:
        base: of `as_baseline`.
        head: its blocks, invalid repeats included, warm-ups not.
        policy: None for the default one.
        problems: why repeats of the head failed.

    Raises:
        UsageError: a side has too few blocks.
    """
    if min(len(base.sessions), len(head)) < LEAST_BLOCKS:
        raise UsageError(
            f"{base.case}: {len(base.sessions)} blocks of base and {len(head)} of head; "
            f"measure at least {LEAST_BLOCKS} of each"
        )
    return judge(
        base.case,
        base.size,
        [measures for block in head for measures in block],
        base,
        base.environment,
        # Turns cancel the machine's pace.
        structs.replace(policy or Policy(), pace_deviation=0.0),
        problems=problems,
        sessions=len(head),
    )


def unsettled(verdict: CaseVerdict) -> bool:
    """Whether more blocks could decide a case, or decide it more sharply.

    A metric that holds only because its resolution is all it is held to holds little: its base
    grows with every block, so more of them sharpen it. A regression is one however blunt.
    """
    if verdict.verdict in {Verdict.FAILED, Verdict.INVALID, Verdict.REGRESSED}:
        return False
    blunt = any(m.tolerance_from == "resolution" for m in verdict.of(Verdict.PASS))
    return blunt or undecided(verdict)
