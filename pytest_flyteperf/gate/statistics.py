"""Statistics for few, skewed, clustered samples; the standard library only, nothing random.

The shift between two samples is estimated after Hodges and Lehmann (1963, "Estimates of location
based on rank tests"): the median of all pairwise differences. Its interval inverts the
Mann-Whitney test (Hollander, Wolfe and Chicken, 3rd ed., section 4.3): distribution-free, exact
for small samples, and with ties it covers at least what it promises. On logarithms the shift is
a ratio.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

EXACT_UP_TO = 400
"""Largest product of sample sizes whose null distribution is enumerated."""


class Shift(NamedTuple):
    """How far a second sample lies from a first; infinite ends where nothing bounds it."""

    low: float
    point: float
    high: float


def median(values: Sequence[float]) -> float:
    """Middle of the ordered values, the mean of both middles if there are two."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[middle])
    return (ordered[middle - 1] + ordered[middle]) / 2


def shift(before: Sequence[float], now: Sequence[float], confidence: float) -> Shift:
    """Hodges-Lehmann shift from `before` to `now` with a two-sided interval."""
    descending = sorted(before, reverse=True)
    differences = [y - x for y in sorted(now) for x in descending]
    differences.sort()
    count = len(differences)
    outside = rank_below(len(before), len(now), (1 - confidence) / 2)
    middle = count // 2
    point = (
        differences[middle] if count % 2 else (differences[middle - 1] + differences[middle]) / 2
    )
    if outside is None:
        return Shift(-math.inf, point, math.inf)
    return Shift(differences[outside], point, differences[count - 1 - outside])


@lru_cache(maxsize=4096)
def rank_below(first: int, second: int, tail: float) -> int | None:
    """How many pairwise differences lie outside each end of the interval.

    The largest k with P(U < k) <= `tail`, U being Mann-Whitney's statistic of samples of these
    sizes; None where even k = 1 has a larger tail, so that no difference bounds the shift.
    """
    if first * second <= EXACT_UP_TO:
        return _exact_rank(first, second, tail)
    mean = first * second / 2
    deviation = math.sqrt(first * second * (first + second + 1) / 12)
    rank = math.floor(mean + NormalDist().inv_cdf(tail) * deviation - 0.5)
    return rank if rank >= 0 else None


def _exact_rank(first: int, second: int, tail: float) -> int | None:
    allowed = tail * math.comb(first + second, first)
    below = 0
    for statistic, arrangements in enumerate(_arrangements(first, second)):
        below += arrangements
        if below > allowed:
            return statistic - 1 if statistic else None
    raise AssertionError("the tail is below one half")


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
