"""All that is known of a case after a run, as it lies on disk beside its recordings."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pytest_flyteperf.errors import RecordingError
from pytest_flyteperf.gate import CaseVerdict, Policy, Verdict
from pytest_flyteperf.model import (
    Environment,
    Frozen,
    Measures,
    Repeat,
    RunPlan,
    Severity,
    Size,
    Subject,
)


class Measured(Frozen, frozen=True):
    """A repeat and its measures."""

    repeat: Repeat
    measures: Measures
    block: int = 0
    """Which block of its side it belongs to, where two Flytes were measured in turns."""


def is_valid(measures: Measures) -> bool:
    """Whether no audit check has thrown the repeat out."""
    return all(finding.severity is not Severity.INVALID for finding in measures.findings)


class CaseResult(Frozen, frozen=True):
    """All that is known of a case after a run: `case.json`."""

    case: str
    size: Size
    nodeid: str
    plan: RunPlan
    policy: Policy
    subject: Subject
    environment: Environment
    folder: str
    recorded: str
    """When it began, in UTC, e.g. `2026-11-22T18:40:00Z`; names the session in a baseline."""
    digest: str | None = None
    """Digest of the registered workflow."""
    warmups: tuple[Measured, ...] = ()
    repeats: tuple[Measured, ...] = ()
    verdict: CaseVerdict | None = None
    base: CaseResult | None = None
    """The other side, where two Flytes were measured in turns; then this is the head."""

    def having(self, measured: Measured, *, digest: str | None) -> CaseResult:
        """The result with one repeat more."""
        field = "warmups" if measured.repeat.warmup else "repeats"
        more = (*getattr(self, field), measured)
        return msgspec.structs.replace(self, digest=digest, **{field: more})

    @property
    def samples(self) -> tuple[Measures, ...]:
        """Measures of the repeats, warm-ups left out."""
        return tuple(one.measures for one in self.repeats)

    @property
    def valid(self) -> tuple[Measures, ...]:
        """Samples that no audit check has thrown out."""
        return tuple(filter(is_valid, self.samples))

    @property
    def invalid(self) -> int:
        """How many repeats an audit check has thrown out."""
        return len(self.repeats) - len(self.valid)

    @property
    def blocks(self) -> tuple[tuple[Measures, ...], ...]:
        """Samples by block, in the order of measuring."""
        numbers = dict.fromkeys(one.block for one in self.repeats)
        return tuple(
            tuple(one.measures for one in self.repeats if one.block == number) for number in numbers
        )


def failed(result: CaseResult, reason: str) -> CaseVerdict:
    """The verdict on a case whose test failed for another reason than its figures."""
    return CaseVerdict(
        case=result.case,
        size=result.size,
        verdict=Verdict.FAILED,
        reason=reason,
        repeats=len(result.repeats),
    )


def load(path: Path) -> CaseResult:
    """Read a `case.json`.

    Raises:
        RecordingError: it is absent or damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=CaseResult)
    except (OSError, msgspec.MsgspecError) as error:
        raise RecordingError(f"{path}: {error}; run the case again") from error
