"""Statistics for few, skewed, clustered samples; the standard library only, nothing random.

The shift between two samples is estimated after Hodges and Lehmann (1963, "Estimates of location
based on rank tests"): the median of all pairwise differences. Its interval inverts the
Mann-Whitney test (Hollander, Wolfe and Chicken, 3rd ed., section 4.3): distribution-free, exact
for small samples, and with ties it covers at least what it promises. On logarithms the shift is
a ratio.

Repeats of one session share what that session drew: memory layout, placement, the store's state.
`session_deviation` estimates that share, and `widened` adds it to an interval, since repeats
alone can never average it out.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

EXACT_UP_TO: Final = 1600
"""Largest product of sample sizes whose null distribution is enumerated."""
SCALE_POINTS: Final = 32
"""Quantiles of a sample that `scale` looks at: more change it by less than a per cent."""
SCALE_TAIL: Final = 0.05
PRIOR_WEIGHT: Final = 4
"""Sessions that the prior deviation between sessions counts for."""
WINSOR: Final = 0.1
"""Share of values at each end that are pulled in before variances are compared."""

NORMAL: Final = NormalDist()


class Shift(NamedTuple):
    """How far a second sample lies from a first; infinite ends where nothing bounds it."""

    low: float
    point: float
    high: float


class Tails(NamedTuple):
    """Chance that the truth lies below the low end, and above the high end."""

    low: float
    high: float

    @property
    def quantiles(self) -> tuple[float, float]:
        """Standard normal deviates of both ends, as positive numbers."""
        return -NORMAL.inv_cdf(self.low), -NORMAL.inv_cdf(self.high)


def median(values: Sequence[float]) -> float:
    """Middle of the ordered values, the mean of both middles if there are two."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[middle])
    return (ordered[middle - 1] + ordered[middle]) / 2


def pseudomedian(values: Sequence[float]) -> float:
    """Hodges and Lehmann's location of one sample: the median of all means of two of its values.

    A value is paired with itself too.
    """
    return median([(x + y) / 2 for i, x in enumerate(values) for y in values[i:]])


class Pairs:
    """All differences between two samples, in order: what the shift and its intervals come from."""

    def __init__(self, before: Sequence[float], now: Sequence[float]) -> None:
        descending = sorted(before, reverse=True)
        self._ordered = [y - x for y in sorted(now) for x in descending]
        self._ordered.sort()
        self._sizes = len(before), len(now)

    def shift(self, tails: Tails) -> Shift:
        """Hodges-Lehmann shift with its interval, within one session."""
        count = len(self._ordered)
        below = rank_below(*self._sizes, tails.low)
        above = rank_below(*self._sizes, tails.high)
        return Shift(
            -math.inf if below is None else self._ordered[below],
            (self._ordered[(count - 1) // 2] + self._ordered[count // 2]) / 2,
            math.inf if above is None else self._ordered[count - 1 - above],
        )


def shift(before: Sequence[float], now: Sequence[float], tails: Tails) -> Shift:
    """Hodges-Lehmann shift from `before` to `now` with its interval, within one session."""
    return Pairs(before, now).shift(tails)


def widened(within: Shift, deviation: float, tails: Tails) -> Shift:
    """Add an independent error with a standard deviation to an interval.

    Half-widths add in squares, as those of independent normal errors do.
    """
    low, high = tails.quantiles
    return Shift(
        within.point - math.hypot(within.point - within.low, low * deviation),
        within.point,
        within.point + math.hypot(within.high - within.point, high * deviation),
    )


def scale(values: Sequence[float]) -> float:
    """Standard error of a shift between two such samples, times the root of their harmonic size.

    For normal values this is close to their standard deviation; it is taken from the width of the
    Hodges-Lehmann interval of the sample's quantiles against themselves, so that clusters and
    tails weigh as they do in `shift`. The shift of n against m values has a standard error of
    `scale * sqrt(1/n + 1/m)`.
    """
    ordered = sorted(values)
    points = quantiles(ordered, min(len(ordered), SCALE_POINTS))
    tails = Tails(SCALE_TAIL, SCALE_TAIL)
    width = shift(points, points, tails)
    if math.isinf(width.high):
        return math.inf
    return (width.high - width.low) / 2 / tails.quantiles[0] / math.sqrt(2 / len(points))


def quantiles(ordered: Sequence[float], count: int) -> list[float]:
    """Evenly spaced quantiles of ordered values, all values if `count` is their number."""
    return [ordered[(2 * i + 1) * len(ordered) // (2 * count)] for i in range(count)]


def session_deviation(sessions: Sequence[Sequence[float]], prior: float) -> float:
    """Standard deviation of what whole sessions differ by.

    The between-group component of a one-way random effects analysis of variance (Searle, Casella
    and McCulloch, "Variance Components", section 3.6), of winsorized values, moderated as in Smyth
    (2004, "Linear models and empirical Bayes methods"): few sessions say little, so `prior`
    counts as `PRIOR_WEIGHT` sessions beside them. Never less than `prior`: simulated portfolios
    raise three times as many false alarms where a few like sessions may lower it.
    """
    groups = [list(values) for values in sessions if values]
    freedom = len(groups) - 1
    if freedom < 1:
        return prior
    found = max(0.0, _between(_winsorized(groups)))
    moderated = (PRIOR_WEIGHT * prior**2 + freedom * found) / (PRIOR_WEIGHT + freedom)
    return max(prior, math.sqrt(moderated))


def _winsorized(groups: Sequence[Sequence[float]]) -> list[list[float]]:
    """Pull the far values of each group in, by their distance from its median."""
    pulled = []
    for values in groups:
        ordered = sorted(values)
        out = int(WINSOR * len(ordered))
        least, most = ordered[out], ordered[-1 - out]
        pulled.append([min(max(value, least), most) for value in values])
    return pulled


def _between(groups: Sequence[Sequence[float]]) -> float:
    """Variance between groups of unequal size; negative where chance alone explains more."""
    total = sum(len(values) for values in groups)
    if total == len(groups):
        return 0.0
    means = [math.fsum(values) / len(values) for values in groups]
    grand = math.fsum(m * len(v) for m, v in zip(means, groups, strict=True)) / total
    pairs = list(zip(means, groups, strict=True))
    between = math.fsum(len(v) * (m - grand) ** 2 for m, v in pairs) / (len(groups) - 1)
    within = math.fsum((x - m) ** 2 for m, v in pairs for x in v) / (total - len(groups))
    size = (total - sum(len(v) ** 2 for v in groups) / total) / (len(groups) - 1)
    return (between - within) / size


@lru_cache(maxsize=4096)
def rank_below(first: int, second: int, tail: float) -> int | None:
    """How many pairwise differences lie outside one end of the interval.

    The largest k with P(U <= k) <= `tail`, U being Mann-Whitney's statistic of samples of these
    sizes; None where even P(U = 0) is larger, so that no difference bounds the shift.
    """
    if first * second <= EXACT_UP_TO:
        return _exact_rank(first, second, tail)
    mean = first * second / 2
    deviation = math.sqrt(first * second * (first + second + 1) / 12)
    rank = math.floor(mean + NORMAL.inv_cdf(tail) * deviation - 0.5)
    return rank if rank >= 0 else None


def repeats_needed(before: int, tail: float) -> int | None:
    """Fewest repeats beside `before` of them that can bound a shift; None if a thousand cannot."""
    for count in range(1, 1001):
        if rank_below(before, count, tail) is not None:
            return count
    return None


@lru_cache(maxsize=1024)
def t_quantile(tail: float, freedom: int) -> float:
    """Deviate of Student's t that is exceeded with chance `tail`, at most a half.

    Its distribution function is a finite sum for whole degrees of freedom (Abramowitz and Stegun,
    26.7.3 and 26.7.4); this inverts it by bisection.
    """
    low, high = 0.0, 1.0
    while _t_exceeded(high, freedom) > tail:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_exceeded(middle, freedom) > tail else (low, middle)
    return high


def _t_exceeded(deviate: float, freedom: int) -> float:
    """Chance that Student's t lies above a deviate of 0 or more."""
    angle = math.atan2(deviate, math.sqrt(freedom))
    cosine = math.cos(angle) ** 2
    term = total = 1.0 if freedom > 1 else 0.0
    odd = freedom % 2
    for i in range(2 + odd, freedom, 2):
        term *= cosine * (i - 1) / i
        total += term
    if odd:
        inner = 2 / math.pi * (angle + math.sin(angle) * math.cos(angle) * total)
    else:
        inner = math.sin(angle) * total
    return (1 - inner) / 2


def _exact_rank(first: int, second: int, tail: float) -> int | None:
    allowed = tail * math.comb(first + second, first)
    below = 0
    for statistic, arrangements in enumerate(_arrangements(first, second)):
        below += arrangements
        if below > allowed:
            return statistic - 1 if statistic else None
    return first * second


@lru_cache(maxsize=256)
def _arrangements(first: int, second: int) -> tuple[int, ...]:
    """Number of orderings of both samples for each value of U: a Gaussian binomial."""
    size = first * second
    counts = [1] + [0] * size
    for i in range(1, first + 1):
        for u in range(size, second + i - 1, -1):
            counts[u] -= counts[u - second - i]
        for u in range(i, size + 1):
            counts[u] += counts[u - i]
    return tuple(counts)
