"""The shift between two Flytes that took turns, from the differences of neighbouring blocks.

Two blocks that follow each other were measured at nearly the same pace of the machine, so that
their difference varies less than blocks of one side do. Each pair of neighbours gives one
difference of logarithms; nothing but those is compared, and blocks are what is drawn anew.

- A block's *level* is the median of the pairwise means of its repeats (Hodges and Lehmann 1963), so
  is the shift of the differences.
- Pairs are few, and what they vary by is hardly known from them alone. What their own repeats
  explain of it, and what a fresh process draws, counts as `PRIOR_WEIGHT` pairs beside them
  (Smyth 2004, "Linear models and empirical Bayes methods": a moderated t), and is its least value.
- What is left of the machine's pace within a pair follows the CPU canary, by as much of the
  canary's own difference as is not its noise.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_flyteperf.gate import statistics
from pytest_flyteperf.gate.statistics import Shift, Tails

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.gate.pace import Pace

BLOCK_DEVIATION: Final = 0.01
"""Standard deviation of what a fresh process draws, as a share."""
PRIOR_WEIGHT: Final = 4
"""Pairs that the expected variance of a difference counts for."""
EFFICIENCY: Final = 3 / math.pi
"""Of the median of pairwise means of normal values, against their mean."""


class Neighbours(NamedTuple):
    """The differences of neighbouring blocks, head less base, on the scale of comparison."""

    differences: tuple[float, ...]
    deviation: float
    """Standard deviation of one difference of an unchanged system."""
    error: float
    """Standard error of the shift that no further pair averages out."""
    taken: float
    """Shift that was laid to the machine's pace and is in none of the differences."""

    @property
    def pairs(self) -> int:
        """How many there are."""
        return len(self.differences)

    def shift(self, tails: Tails) -> Shift:
        """The shift with its interval."""
        point = statistics.pseudomedian(self.differences)
        low, high = (self._half_width(tail, self.pairs) for tail in tails)
        return Shift(point - low, point, point + high)

    def resolution(self, pairs: int, tails: Tails) -> tuple[float, float]:
        """Return the shift told from none by so many pairs, and the shift found at most times.

        Args:
            pairs: that the case may take.
            tails: chance of a false alarm, and of a miss.
        """
        told, missed = (self._half_width(tail, pairs) for tail in tails)
        return told, told + missed

    def _half_width(self, tail: float, pairs: int) -> float:
        within = self.deviation / math.sqrt(EFFICIENCY * pairs)
        quantile = statistics.t_quantile(tail, PRIOR_WEIGHT + pairs - 1)
        return quantile * math.hypot(within, self.error)


def neighbours(
    before: Sequence[Sequence[float]],
    now: Sequence[Sequence[float]],
    drawn: float,
    pace: Pace | None,
    elasticity: float,
) -> Neighbours:
    """Compare each block of the head with the base's block beside it.

    Args:
        before: values of the base on the scale of comparison, block by block.
        now: the head's, likewise, in the same order.
        drawn: standard deviation, on that scale, of what a fresh process draws.
        pace: the canaries beside the values, base's blocks first; None where they are unknown.
        elasticity: share of the metric that follows the pace of the CPU.
    """
    blocks: list[Sequence[float]] = [*before, *now]
    slope = 0.0
    if pace is not None:
        values, slope = pace.within(blocks)
        blocks = [*values]
    levels = [statistics.pseudomedian(block) for block in blocks]
    half = len(before)
    found = [head - base for base, head in zip(levels[:half], levels[half:], strict=True)]
    explained = _explained(blocks)
    expected = explained + 2 * drawn**2
    taken, error = [0.0] * half, 0.0
    if pace is not None and elasticity > 0:
        taken, error = pace.between_neighbours(found, elasticity, expected, slope)
    differences = tuple(d - t for d, t in zip(found, taken, strict=True))
    mean = math.fsum(differences) / half
    square = math.fsum((d - mean) ** 2 for d in differences)
    moderated = (PRIOR_WEIGHT * expected + square) / (PRIOR_WEIGHT + half - 1)
    return Neighbours(
        differences,
        deviation=math.sqrt(max(expected, moderated)),
        error=error,
        taken=math.fsum(taken) / half,
    )


def _explained(blocks: Sequence[Sequence[float]]) -> float:
    """Variance of a difference that the repeats of both its blocks explain."""
    spread = [
        (value - statistics.pseudomedian(block)) * math.sqrt(len(block) / (len(block) - 1))
        for block in blocks
        if len(block) > 1
        for value in block
    ]
    if not spread:
        return 0.0
    return statistics.scale(spread) ** 2 * 2 * math.fsum(1 / len(b) for b in blocks) / len(blocks)
