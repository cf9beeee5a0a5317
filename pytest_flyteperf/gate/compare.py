"""One metric, before and now: its change with an interval, and what change can be told from none.

The interval has two rates of error. Its end towards no change keeps the false alarms of a whole
portfolio; its far end keeps the misses of one metric. One wide interval for both would need half
as many repeats again for the same sharpness.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from pytest_flyteperf.gate import statistics
from pytest_flyteperf.gate.neighbours import BLOCK_DEVIATION, Neighbours, neighbours
from pytest_flyteperf.gate.pace import Adjusted, Pace
from pytest_flyteperf.gate.policy import (
    ALLOCATIONS_BESIDE,
    ALLOCATIONS_DEVIATION,
    SERVED_DEVIATION,
    default_tolerance,
)
from pytest_flyteperf.gate.statistics import Pairs, Shift, Tails
from pytest_flyteperf.gate.verdict import Kind, Verdict
from pytest_flyteperf.model import Frozen, Metric, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_flyteperf.gate.policy import Policy


MOST_GROWTH: Final = 700.0
"""Logarithm of a ratio beyond which floats end."""
MOST_REPEATS: Final = 1000
"""More than any budget."""


TOLD: Final = 0.01
"""Share laid to the machine's pace from which on it is told."""


class Change(Frozen, frozen=True):
    """What became of a metric; growth is in its own unit, beside the baseline's median."""

    metric: Metric
    middle: float
    """Median of the baseline."""
    low: float
    point: float
    high: float
    tolerance: float
    tolerance_from: str
    resolution: float
    finds: float
    verdict: Verdict
    taken: float = 0.0
    """Growth that was laid to the machine's pace and taken off the samples of now."""

    def share(self, growth: float) -> float | None:
        """Growth as a share of the baseline; None where that is 0 or growth unbounded."""
        return growth / self.middle if self.middle > 0 and math.isfinite(growth) else None

    def ratio(self, growth: float) -> float | None:
        """Now as a multiple of the baseline, likewise."""
        share = self.share(growth)
        return None if share is None else 1 + share

    def __str__(self) -> str:
        """As a clause: the estimate with its interval, and the tolerance it is held to."""
        relation = {
            Verdict.REGRESSED: "exceeds",
            Verdict.IMPROVED: "is beyond",
            Verdict.PASS: "is within",
        }.get(self.verdict, "straddles")
        point, low, high = (self._shown(end, "+") for end in (self.point, self.low, self.high))
        limit = self._shown(self.tolerance, "")
        told = self.taken and abs(self.taken) >= TOLD * self.middle
        pace = f", the machine's pace of {self._shown(self.taken, '+')} taken off" if told else ""
        return f"{point} [{low}, {high}] {relation} tolerance {limit} ({self.tolerance_from}){pace}"

    def _shown(self, growth: float, sign: str) -> str:
        """As per cent of the baseline; counts, and what grew from 0, in their own unit."""
        if math.isinf(growth):
            return "unbounded"
        if growth == 0 and self.middle == 0:
            return "0"
        if self.metric.unit is Unit.COUNT:
            return f"{growth:{sign}.3g}" if growth else "0"
        if self.middle == 0:
            unit, size = ("ms", 1e6) if self.metric.unit is Unit.NS else ("KiB", 1024)
            return f"{growth / size:{sign}.3g} {unit}"
        return f"{100 * growth / self.middle:{sign}.1f} %"


class Sample(Frozen, frozen=True):
    """What is compared: the baseline's sessions, and the one of now."""

    metric: Metric
    kind: Kind
    before: tuple[tuple[int, ...], ...]
    now: tuple[int, ...]
    asked: float | None
    """Growth that somebody accepts, as a share; None for the default."""
    asked_by: str
    sessions: int = 1
    """Of now: how many deployments its values come from."""
    turns: tuple[tuple[int, ...], ...] = ()
    """The values of now block by block, each measured beside the session of `before` in its place;
    empty where sessions were not measured in turns."""
    pace: Pace | None = None
    """The canaries beside the values; None where they are not known beside each."""
    elasticity: float = 1.0
    """Share of the metric that follows the pace of the CPU."""


class _Estimate(Protocol):
    """A shift on the scale of comparison, however it was arrived at."""

    @property
    def taken(self) -> float:
        """Shift that was laid to the machine's pace."""

    def shift(self, tails: Tails) -> Shift:
        """The shift with its interval."""

    def resolution(self, repeats: int, tails: Tails) -> tuple[float, float]:
        """Return the shift told from none by so many repeats, and the shift found at most times.

        Args:
            repeats: of now.
            tails: chance of a false alarm, and of a miss.
        """


def compare(sample: Sample, policy: Policy) -> Change:
    """Estimate the change and answer for it."""
    pooled = [value for session in sample.before for value in session]
    middle = statistics.median(pooled)
    logarithmic = sample.kind is Kind.MAGNITUDE and min(*pooled, *sample.now) > 0
    tails = policy.tails(len(sample.now))
    estimate = _estimate(sample, policy, logarithmic=logarithmic)
    repeats = policy.budget or len(sample.now)
    resolution, finds = estimate.resolution(repeats, policy.whole)

    def growth(shift: float) -> float:
        return math.expm1(min(shift, MOST_GROWTH)) * middle if logarithmic else shift

    share = default_tolerance(sample.metric) if sample.asked is None else sample.asked
    limits = {
        sample.asked_by: share * middle,
        "floor": float(policy.floor(sample.metric)),
        "resolution": growth(resolution),
    }
    source = max(limits, key=lambda name: limits[name])
    ends = estimate.shift(tails)
    back = estimate.shift(Tails(tails.high, tails.low))
    verdict = _verdict(
        Shift(*(growth(end) for end in ends)),
        Shift(*(growth(end) for end in back)),
        tolerance=limits[source],
        shrinkage=_mirrored(limits[source], middle, logarithmic=logarithmic),
    )
    shown = back if verdict is Verdict.IMPROVED else ends
    return Change(
        metric=sample.metric,
        middle=middle,
        low=growth(shown.low),
        point=growth(shown.point),
        high=growth(shown.high),
        tolerance=limits[source],
        tolerance_from=source,
        resolution=growth(resolution),
        finds=growth(finds),
        verdict=verdict,
        taken=growth(estimate.taken),
    )


def _estimate(sample: Sample, policy: Policy, *, logarithmic: bool) -> _Estimate:
    unit = 1.0 if logarithmic else statistics.median([v for one in sample.before for v in one])
    if sample.turns:
        return _in_turns(sample, unit, logarithmic=logarithmic)
    before, now, taken, error = _scaled(sample, logarithmic=logarithmic)
    pairs = Pairs([value for session in before for value in session], now)
    noise = _Noise(before, sample.sessions, _prior(sample, policy) * unit, error)
    return _OfSessions(pairs, noise, taken)


def _in_turns(sample: Sample, unit: float, *, logarithmic: bool) -> _Estimate:
    scaled: Callable[[float], float] = math.log if logarithmic else float
    before, now = (
        [[scaled(value) for value in block] for block in blocks]
        for blocks in (sample.before, sample.turns)
    )
    pace = sample.pace if logarithmic and sample.metric.unit is Unit.NS else None
    drawn = _beside(sample) if sample.metric.name == "allocations" else BLOCK_DEVIATION
    found = neighbours(before, now, drawn * unit, pace, sample.elasticity)
    return _OfTurns(found, len(sample.now) / len(sample.turns))


class _OfSessions(NamedTuple):
    """A shift between sessions hours or days apart."""

    pairs: Pairs
    noise: _Noise
    taken: float

    def shift(self, tails: Tails) -> Shift:
        return statistics.widened(self.pairs.shift(tails), self.noise.between, tails)

    def resolution(self, repeats: int, tails: Tails) -> tuple[float, float]:
        return self.noise.resolution(repeats, tails)


class _OfTurns(NamedTuple):
    """A shift between neighbouring blocks."""

    neighbours: Neighbours
    repeats: float
    """Of a block, on average."""

    @property
    def taken(self) -> float:
        return self.neighbours.taken

    def shift(self, tails: Tails) -> Shift:
        return self.neighbours.shift(tails)

    def resolution(self, repeats: int, tails: Tails) -> tuple[float, float]:
        pairs = max(self.neighbours.pairs, round(repeats / self.repeats))
        return self.neighbours.resolution(pairs, tails)


def _prior(sample: Sample, policy: Policy) -> float:
    """Deviation between sessions, as a share, that the metric is assumed to have."""
    if sample.metric.name == "allocations":
        return _beside(sample)
    if sample.metric.name == "handle_ns" and sample.pace is not None and sample.pace.served:
        return min(SERVED_DEVIATION, policy.session_deviation)
    if sample.metric.unit is not Unit.NS or (sample.pace is not None and sample.pace.known):
        return policy.session_deviation
    return math.hypot(policy.session_deviation, sample.elasticity * policy.pace_deviation)


def _beside(sample: Sample) -> float:
    """The same of allocations: a share, and what the process allocates whatever it executes."""
    middle = statistics.median([value for one in sample.before for value in one])
    return math.hypot(ALLOCATIONS_DEVIATION, ALLOCATIONS_BESIDE / max(1.0, middle))


def _scaled(sample: Sample, *, logarithmic: bool) -> Adjusted:
    """Both samples on the scale of comparison, at the baseline's pace where that is known."""
    if not logarithmic:
        before = tuple(tuple(map(float, session)) for session in sample.before)
        return Adjusted(before, tuple(map(float, sample.now)), 0.0, 0.0)
    before = tuple(tuple(map(math.log, session)) for session in sample.before)
    now = tuple(map(math.log, sample.now))
    if sample.pace is None or sample.metric.unit is not Unit.NS:
        return Adjusted(before, now, 0.0, 0.0)
    return sample.pace.adjust(before, now, sample.elasticity)


class _Noise:
    """What the baseline's samples say about an unchanged system, on the scale of comparison."""

    def __init__(
        self,
        sessions: Sequence[Sequence[float]],
        sessions_now: int,
        prior: float,
        error: float,
    ) -> None:
        self._pooled = [value for session in sessions for value in session]
        self._scale = statistics.scale(self._pooled)
        self.deviation = statistics.session_deviation(sessions, prior)
        """Standard deviation between sessions."""
        between = self.deviation * math.sqrt(1 / sessions_now + 1 / len(sessions))
        self.between = math.hypot(between, error)
        """Standard error of a shift that comes from sessions, and from taking the pace off."""

    def resolution(self, repeats: int, tails: Tails) -> tuple[float, float]:
        """Return the shift told from none by so many repeats, and the shift found at most times."""
        within = self._scale * math.sqrt(1 / len(self._pooled) + 1 / repeats)
        error = math.hypot(within, self.between)
        alarm, miss = tails.quantiles
        return alarm * error, (alarm + miss) * error


def _verdict(ends: Shift, back: Shift, *, tolerance: float, shrinkage: float) -> Verdict:
    if ends.low > 0 and ends.point > tolerance:
        return Verdict.REGRESSED
    if back.high < 0 and -back.point > shrinkage:
        return Verdict.IMPROVED
    return Verdict.PASS if ends.high < tolerance else Verdict.INCONCLUSIVE


def _mirrored(growth: float, middle: float, *, logarithmic: bool) -> float:
    """Shrinkage that mirrors a growth: by its reciprocal, on logarithms."""
    return growth / (1 + growth / middle) if logarithmic else growth


def too_few(sample: Sample, policy: Policy) -> str | None:
    """Why no number of values so small bounds a change, or None where they do."""
    before = sum(len(session) for session in sample.before)
    repeats = max(policy.budget or 0, len(sample.now))
    tail = policy.whole.low
    if sample.turns or statistics.rank_below(before, repeats, tail) is not None:
        return None
    needed = statistics.repeats_needed(before, tail)
    remedy = f"{needed} needed" if needed else "record the baseline with more"
    return f"{repeats} repeats beside {before} cannot decide; {remedy}"


class Sharpness(Frozen, frozen=True):
    """What a baseline's samples allow to be told of a metric, by number of repeats."""

    resolution: float
    """Smallest estimated growth told from none by the repeats asked about, as a share."""
    needed: int | None
    """Repeats that resolve the tolerance asked about; None where none do."""
    deviation: float
    """Between sessions, as a share."""


def sharpness(sample: Sample, repeats: int, policy: Policy) -> Sharpness | None:
    """Tell how sharply a metric can be gated by so many repeats, at the pace of `sample.now`.

    None where that is no question: nothing is asked for, a value is not above zero, or a count is
    the same in all repeats.
    """
    pooled = [value for session in sample.before for value in session]
    counted = sample.kind is not Kind.MAGNITUDE
    if sample.asked is None or not pooled or min(pooled) <= 0:
        return None
    if counted and len(set(pooled)) == 1:
        return None
    unit = statistics.median(pooled) if counted else 1.0
    before, _, _, error = _scaled(sample, logarithmic=not counted)
    noise = _Noise(before, sample.sessions, _prior(sample, policy) * unit, error)

    def resolved(count: int) -> float:
        shift = min(noise.resolution(count, policy.whole)[0], MOST_GROWTH)
        return shift / unit if counted else math.expm1(shift)

    enough = (count for count in range(1, MOST_REPEATS + 1) if resolved(count) <= sample.asked)
    return Sharpness(
        resolution=resolved(repeats), needed=next(enough, None), deviation=noise.deviation / unit
    )
