"""What the gate is asked to hold: which metrics, how sharply, on how many repeats."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate.statistics import NORMAL, Tails
from pytest_flyteperf.model import METRICS, Frozen, Metric, Unit

DEFAULT_GATE: Final = (
    "flyte_ns",
    "handle_ns",
    "duration_ns",
    "crd_writes",
    "workflow_events",
    "node_events",
    "task_events",
    "allocations",
)
"""Gated unless a case asks otherwise. Exact counts are gated beside these."""

WHERE_TOLD: Final = frozenset({"allocations"})
"""
Gated only in cases without pods, and where both sides tell them. Pods come and go in more rounds or
fewer; older baselines tell nothing, nor do clusters whose FlytePropeller shows nobody its metrics.
"""

TIMER_GATE: Final = tuple(
    m for m in DEFAULT_GATE if m not in {"flyte_ns", "duration_ns", "allocations"}
)
"""Gated where a Flyte timer longer than a second decides the duration (launch plans, gates), and
what FlytePropeller does meanwhile."""

DEFAULT_TOLERANCE: Final = 0.05
WORKING_TOLERANCE: Final = 0.03
COUNT_TOLERANCE: Final = 0.10
ALLOCATIONS_TOLERANCE: Final = 0.05
COUNT_FLOOR: Final = 2

DEFAULT_FLOORS: Final = {"handle_ns": 5_000_000, "allocations": 5_000}
"""Below this a difference is of no consequence to anyone, whatever its share."""
OTHER_FLOOR_NS: Final = 10_000_000

FALSE_ALARMS: Final = 0.01
"""Chance that an unchanged portfolio has any case regressed."""
MISSES: Final = 0.05
"""Chance that a change as large as the tolerance passes."""
COMPARISONS_A_CASE: Final = 4
"""Times and ranged counts that are gated of a case."""
COMPARISONS: Final = 25 * COMPARISONS_A_CASE
"""
Those of a portfolio. A constant, so that a case gets the same verdict alone and among others; a
larger portfolio asks for more. Two Flytes in turns are compared in the cases of that one run.
"""
SESSION_DEVIATION: Final = 0.02
"""
Standard deviation between sessions of an unchanged system at the same pace of the machine, as a
share, before any are compared. Sessions of a baseline raise it, see `session_deviation`; they do
not lower it, because a few that happen to agree would pass for certainty.
"""
SERVED_DEVIATION: Final = 0.0125
"""
The same of working time where those that serve FlytePropeller tell the pace: that of ten recorded
sessions of three chains was 1.0 to 1.4 %, what their repeats differ by included.
"""
ALLOCATIONS_DEVIATION: Final = 0.01
"""
The same of allocations. Medians of sessions were 0.5 % apart on a machine whose working times
differed fourfold meanwhile.
"""
ALLOCATIONS_BESIDE: Final = 4_000
"""
Objects that a process allocates by itself while an execution lasts, as far as sessions differ in
them: two a millisecond, on a machine that may be two seconds slower.
"""
PACE_DEVIATION: Final = 0.2
"""
Standard deviation of the machine's pace between sessions, as a share, where no canary tells it:
working times of an unchanged Flyte differed by 12 to 27 % between recorded sessions.
"""
LOOKS: Final = (0.5, 0.75, 1.0)
"""Shares of the budget after which a case may be decided."""

MOST_ERROR: Final = 0.5


class Policy(Frozen, frozen=True):
    """How a case is gated."""

    gate: tuple[str, ...] | None = None
    """Metrics to gate; None for the default set and every exact count."""
    tolerances: dict[str, float] = msgspec.field(default_factory=dict)
    """Growth to accept per metric, as a share (0.05 is 5 %), where somebody asked for it."""
    floors: dict[str, int] = msgspec.field(default_factory=dict)
    """Growth to accept per metric in its own unit, where somebody asked for it."""
    budget: int | None = None
    """Repeats that the case may take in all; None if those that are there are all of them."""
    false_alarms: float = FALSE_ALARMS
    misses: float = MISSES
    comparisons: int = COMPARISONS
    session_deviation: float = SESSION_DEVIATION
    pace_deviation: float = PACE_DEVIATION
    strict: bool = False
    """Whether undecided cases fail; the gate carries it to the report and does not use it."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        self._check_metrics()
        for name, share in self.tolerances.items():
            if not 0 <= share < float("inf"):
                raise UsageError(
                    f"gate: tolerance {share!r} of {name}; give a share such as 0.05 for 5 %"
                )
        for name, floor in self.floors.items():
            if floor < 0:
                raise UsageError(f"gate: floor {floor!r} of {name} is negative")
        self._check_chances()

    def _check_metrics(self) -> None:
        for name in (*(self.gate or ()), *self.tolerances, *self.floors):
            if name not in METRICS:
                raise UsageError(f"gate: no metric {name!r}; there are {', '.join(METRICS)}")

    def _check_chances(self) -> None:
        for name, chance in {"false_alarms": self.false_alarms, "misses": self.misses}.items():
            if not 0 < chance < MOST_ERROR:
                raise UsageError(f"gate: {name} {chance!r}; give a chance below {MOST_ERROR}")
        for name in ("session_deviation", "pace_deviation"):
            if not 0 <= (share := getattr(self, name)) < MOST_ERROR:
                raise UsageError(f"gate: {name} {share!r}; give a share such as 0.02")
        if self.comparisons < 1 or (self.budget is not None and self.budget < 1):
            raise UsageError(
                f"gate: comparisons {self.comparisons}, budget {self.budget}; give at least 1"
            )

    def tails(self, repeats: int) -> Tails:
        """Return the chances of error that one comparison may spend after so many repeats.

        The low end keeps the portfolio's false alarms (Bonferroni over its comparisons), the high
        end the misses. Looking before the budget is spent costs chance: it is spent as O'Brien and
        Fleming's boundaries do (Lan and DeMets 1983, "Discrete sequential boundaries"), so that
        the early looks leave nearly all of it to the last.
        """
        spent = 1.0 if self.budget is None else min(1.0, repeats / self.budget)
        return Tails(*(_spent(chance, spent) for chance in self.whole))

    @property
    def whole(self) -> Tails:
        """The chances of error that one comparison may spend on its whole budget."""
        return Tails(self.false_alarms / self.comparisons, self.misses)

    def more(self, repeats: int) -> int:
        """Return how many repeats to add before the next look; 0 when the budget is spent."""
        if self.budget is None:
            return 0
        looks = (math.ceil(self.budget * share) for share in LOOKS)
        return next((look - repeats for look in looks if look > repeats), 0)

    def gates(self, metric: Metric, *, exact: bool) -> bool:
        """Whether `metric`, compared exactly or not, counts for the case.

        Of `WHERE_TOLD` it depends on the samples too.
        """
        if self.gate is not None:
            return metric.name in self.gate
        return exact or metric.name in DEFAULT_GATE

    def tolerance(self, metric: Metric) -> float | None:
        """The share that somebody asked for."""
        return self.tolerances.get(metric.name)

    def floor(self, metric: Metric) -> int:
        """Growth in the metric's own unit that is of no consequence."""
        told = self.floors.get(metric.name, DEFAULT_FLOORS.get(metric.name))
        if told is not None:
            return told
        match metric.unit:
            case Unit.NS:
                return OTHER_FLOOR_NS
            case Unit.COUNT:
                return COUNT_FLOOR
            case Unit.BYTES:
                return 0


def _spent(chance: float, share: float) -> float:
    return NORMAL.cdf(NORMAL.inv_cdf(chance) / math.sqrt(share))


def default_tolerance(metric: Metric) -> float:
    """The share of growth that is accepted of `metric` where nobody asked."""
    if metric.name == "allocations":
        return ALLOCATIONS_TOLERANCE
    if metric.unit is Unit.COUNT:
        return COUNT_TOLERANCE
    return WORKING_TOLERANCE if metric.name == "handle_ns" else DEFAULT_TOLERANCE
