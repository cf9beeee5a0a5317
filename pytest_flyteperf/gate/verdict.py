"""What the gate says, as named cases with their evidence; see `judge` for how it gets there."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pytest_flyteperf.model import Frozen, Size, Subject


class Verdict(StrEnum):
    """The answer for one metric, or for a whole case."""

    PASS = "pass"  # noqa: S105 (a verdict)
    """The interval's upper end lies below the tolerance (exact counts: all equal)."""
    REGRESSED = "regressed"
    """The interval excludes no change, and the estimate exceeds tolerance and floor."""
    IMPROVED = "improved"
    """Likewise, in the other direction."""
    INCONCLUSIVE = "inconclusive"
    """Neither of these: the samples do not decide."""
    NO_BASELINE = "no-baseline"
    """Nothing was accepted to compare with."""
    INCOMPARABLE = "incomparable"
    """There is a baseline, from another environment or of another form of the case."""
    INVALID = "invalid"
    """The measurement does not stand, whatever it says."""
    FAILED = "failed"
    """An execution failed, timed out, or gave wrong outputs or shape."""


BROKEN: Final = frozenset({Verdict.FAILED, Verdict.INVALID})
"""Nothing was measured that stands: fails whatever is gated."""
UNDECIDED: Final = frozenset({Verdict.INCONCLUSIVE, Verdict.INCOMPARABLE, Verdict.NO_BASELINE})
"""Neither holds nor regressed: fails where the user is strict."""


class Kind(StrEnum):
    """How a metric is compared."""

    EXACT = "exact"
    """Equal in every repeat of an unchanged system."""
    RANGED = "ranged"
    """A count that varies from repeat to repeat."""
    MAGNITUDE = "magnitude"
    """A time or a size: compared by ratio."""


class Summary(Frozen, frozen=True):
    """A sample in four figures, in the metric's own unit."""

    median: float
    least: int
    most: int
    repeats: int


class MetricVerdict(Frozen, frozen=True):
    """The answer for one metric of a case, with what it rests on."""

    metric: str
    """Name in `model.METRICS`."""
    kind: Kind
    verdict: Verdict
    gated: bool
    """Whether it counts for the case, or is shown as advice."""
    reason: str
    """One clause that says why, without the metric's name."""
    baseline: Summary | None = None
    now: Summary | None = None
    ratio: float | None = None
    """Estimated size of now as a multiple of the baseline; None where the baseline is 0."""
    low: float | None = None
    """Lower end of the ratio's interval; None where the samples bound it not at all."""
    high: float | None = None
    """Upper end of the ratio's interval; None where the samples bound it not at all."""
    tolerance: float | None = None
    """Growth that is accepted, as a share of the baseline, e.g. 0.05; floor included."""
    tolerance_from: str | None = None
    """Where the tolerance comes from, e.g. `default`, `floor`, `resolution`."""
    resolution: float | None = None
    """
    Smallest estimated growth that the repeats tell from none at the portfolio's rate of false
    alarms, as a share of the baseline; from the baseline's samples alone.
    """
    pace: float | None = None
    """
    What the machine's pace alone made of now, as a multiple of the baseline: `ratio` and its
    interval are without it. 1 where no canary sang, or none explains anything.
    """
    finds: float | None = None
    """Growth that is found regressed in all but the accepted share of misses."""


class Provenance(Frozen, frozen=True):
    """Whence the baseline of a verdict comes: shown beside the subject of now."""

    subject: Subject
    recorded: str
    commit: str | None
    file: str | None


class Drift(Frozen, frozen=True):
    """A metric that left the first baseline behind, in steps that were each accepted."""

    metric: str
    ratio: float
    """Now as a multiple of the anchor."""
    low: float
    high: float
    since: str
    """When the anchor was recorded."""
    commit: str | None


class CaseVerdict(Frozen, frozen=True):
    """The answer for one case in one size."""

    case: str
    size: Size
    verdict: Verdict
    reason: str
    """One clause that says why, without the case's name."""
    metrics: tuple[MetricVerdict, ...] = ()
    """In the order of `model.METRICS`."""
    unknown: tuple[str, ...] = ()
    """Metrics that no source shows, neither now nor in the baseline."""
    repeats: int = 0
    """Valid repeats of now."""
    invalid: tuple[str, ...] = ()
    """Why repeats were discarded, one clause each."""
    baseline: Provenance | None = None
    drift: tuple[Drift, ...] = ()
    """Shown as advice: the latest baseline decides."""

    def of(self, verdict: Verdict) -> tuple[MetricVerdict, ...]:
        """Gated metrics with this verdict."""
        return tuple(m for m in self.metrics if m.gated and m.verdict is verdict)
