"""What the gate is asked to hold: which metrics, how sharply, on how many repeats."""

from __future__ import annotations

from typing import Final

import msgspec

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.model import METRICS, Frozen, Metric, Unit

DEFAULT_GATE: Final = (
    "flyte_ns",
    "handle_ns",
    "duration_ns",
    "crd_writes",
    "workflow_events",
    "node_events",
    "task_events",
)
"""Gated unless a case asks otherwise. Exact counts are gated beside these."""

TIMER_GATE: Final = tuple(m for m in DEFAULT_GATE if m not in {"flyte_ns", "duration_ns"})
"""Gated where a Flyte timer longer than a second decides the duration (launch plans, gates)."""

DEFAULT_TOLERANCE: Final = 0.05
WORKING_TOLERANCE: Final = 0.03
COUNT_TOLERANCE: Final = 0.10
COUNT_FLOOR: Final = 2

DEFAULT_FLOORS_NS: Final = {"handle_ns": 5_000_000}
"""Below this a difference in time is of no consequence to anyone, whatever its share."""
OTHER_FLOOR_NS: Final = 10_000_000

LEAST_CONFIDENCE: Final = 0.5


class Policy(Frozen, frozen=True):
    """How a case is gated."""

    gate: tuple[str, ...] | None = None
    """Metrics to gate; None for the default set and every exact count."""
    tolerances: dict[str, float] = msgspec.field(default_factory=dict)
    """Growth to accept per metric, as a share (0.05 is 5 %), where somebody asked for it."""
    floors: dict[str, int] = msgspec.field(default_factory=dict)
    """Growth to accept per metric in its own unit, where somebody asked for it."""
    confidence: float = 0.99
    """Of an interval, two-sided."""
    min_repeats: int = 5
    """With fewer on either side, times and ranged counts are advice."""
    strict: bool = False
    """Whether undecided cases fail; the gate carries it to the report and does not use it."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for name in (*(self.gate or ()), *self.tolerances, *self.floors):
            if name not in METRICS:
                raise UsageError(f"gate: no metric {name!r}; there are {', '.join(METRICS)}")
        for name, share in self.tolerances.items():
            if not 0 <= share < float("inf"):
                raise UsageError(
                    f"gate: tolerance {share!r} of {name}; give a share such as 0.05 for 5 %"
                )
        for name, floor in self.floors.items():
            if floor < 0:
                raise UsageError(f"gate: floor {floor!r} of {name} is negative")
        if not LEAST_CONFIDENCE <= self.confidence < 1:
            raise UsageError(f"gate: confidence {self.confidence!r}; give 0.5 up to below 1")

    def gates(self, metric: Metric, *, exact: bool) -> bool:
        """Whether `metric`, compared exactly or not, counts for the case."""
        if self.gate is not None:
            return metric.name in self.gate
        return exact or metric.name in DEFAULT_GATE

    def tolerance(self, metric: Metric) -> float | None:
        """The share that somebody asked for."""
        return self.tolerances.get(metric.name)

    def floor(self, metric: Metric) -> int:
        """Growth in the metric's own unit that is of no consequence."""
        asked = self.floors.get(metric.name)
        if asked is not None:
            return asked
        match metric.unit:
            case Unit.NS:
                return DEFAULT_FLOORS_NS.get(metric.name, OTHER_FLOOR_NS)
            case Unit.COUNT:
                return COUNT_FLOOR
            case Unit.BYTES:
                return 0


def default_tolerance(metric: Metric) -> float:
    """The share of growth that is accepted of `metric` where nobody asked."""
    if metric.unit is Unit.COUNT:
        return COUNT_TOLERANCE
    return WORKING_TOLERANCE if metric.name == "handle_ns" else DEFAULT_TOLERANCE
