"""Two Flytes measured in turns on one cluster: no baseline needed, blocks instead of sessions.

Each block is a fresh process; what its repeats share is drawn once a block. Neighbours, a block of
either side that were measured one after the other, are what is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import structs

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate.baseline import Accepted, Baseline, session
from pytest_flyteperf.gate.judge import judge, undecided
from pytest_flyteperf.gate.policy import COMPARISONS_A_CASE, Policy
from pytest_flyteperf.gate.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.gate.verdict import CaseVerdict, MetricVerdict
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
    valid = [[m for m in block if m.valid] for block in blocks]
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
        sessions=tuple(session(_name(i), block) for i, block in enumerate(valid) if block),
    )


def judge_blocks(
    base: Baseline,
    head: Sequence[Sequence[Measures]],
    policy: Policy | None = None,
    *,
    problems: Sequence[str] = (),
) -> CaseVerdict:
    """Judge the head's blocks, each against the base's block that was measured beside it.

    A block without a valid repeat leaves its neighbour out too.

    Args:
        base: of `as_baseline`.
        head: its blocks in the same order, invalid repeats included, warm-ups not.
        policy: None for that of a single case.
        problems: why repeats of the head failed.

    Raises:
        UsageError: a side has too few blocks.
    """
    beside = {one.id: one for one in base.sessions}
    paired = [i for i, b in enumerate(head) if _name(i) in beside and any(m.valid for m in b)]
    if len(paired) < LEAST_BLOCKS:
        raise UsageError(
            f"{base.case}: {len(base.sessions)} blocks of base and {len(head)} of head, "
            f"{len(paired)} of them neighbours; measure at least {LEAST_BLOCKS} of each"
        )
    samples = [
        (measures, i)
        for i, block in enumerate(head)
        for measures in block
        if i in paired or not measures.valid
    ]
    return judge(
        base.case,
        base.size,
        [measures for measures, _ in samples],
        structs.replace(base, sessions=tuple(beside[_name(i)] for i in paired)),
        base.environment,
        policy or Policy(comparisons=COMPARISONS_A_CASE),
        problems=problems,
        turns=[i for _, i in samples],
    )


def _name(block: int) -> str:
    return f"block {block}"


def unsettled(verdict: CaseVerdict) -> bool:
    """Whether more blocks could decide a case, or decide it more sharply.

    A metric that holds only because its resolution is all it is held to holds little: its base
    grows with every block, so more of them sharpen it. One that holds and seems to have shrunk may
    yet turn out improved. A regression is one however blunt.
    """
    if verdict.verdict in {Verdict.FAILED, Verdict.INVALID, Verdict.REGRESSED}:
        return False
    held = verdict.of(Verdict.PASS)
    return undecided(verdict) or any(
        m.tolerance_from == "resolution" or _seems_improved(m) for m in held
    )


def _seems_improved(metric: MetricVerdict) -> bool:
    return (
        metric.ratio is not None
        and metric.tolerance is not None
        and metric.ratio * (1 + metric.tolerance) < 1
    )
