"""Where a series of runs changed its level.

Runs are sessions, each with its median. The series is split where the means of both sides differ
most in units of their error, and each side again, as long as the difference would be chance in
one series of a thousand (binary segmentation: Scott and Knott 1974, "A cluster analysis method
for grouping means").
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from pytest_flyteperf.gate.policy import SESSION_DEVIATION
from pytest_flyteperf.gate.statistics import NORMAL, median, scale
from pytest_flyteperf.model import Frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

FALSE_SPLITS: Final = 0.001
"""Chance that an even series is split anywhere."""
NORMAL_MAD: Final = 1.4826
"""Standard deviation of normal values as a multiple of their median absolute deviation."""


class Level(Frozen, frozen=True):
    """Runs in a row that do not differ beyond chance."""

    first: int
    """Index of its first run."""
    last: int
    median: float
    ratio: float | None
    """Of its median to that of the level before; None for the first level."""


def levels(runs: Sequence[Sequence[int]]) -> tuple[Level, ...]:
    """Split a series into its levels.

    Args:
        runs: the samples of each run, oldest first, none empty; values above zero.
    """
    logs = [math.log(median(values)) for values in runs]
    if not logs:
        return ()
    starts = [0, *sorted(_splits(logs, 0, len(logs), _error(runs, logs))), len(logs)]
    found: list[Level] = []
    for first, end in pairwise(starts):
        middle = median([median(values) for values in runs[first:end]])
        before = found[-1].median if found else None
        ratio = None if before is None else middle / before
        found.append(Level(first=first, last=end - 1, median=middle, ratio=ratio))
    return tuple(found)


def _error(runs: Sequence[Sequence[int]], logs: Sequence[float]) -> float:
    """Standard deviation of a run's median on logarithms.

    The larger of what repeats and sessions explain, and of how runs differ from the next.
    """
    within = [scale([math.log(value) for value in values]) for values in runs]
    explained = [
        math.hypot(SESSION_DEVIATION, deviation / math.sqrt(len(values)))
        for deviation, values in zip(within, runs, strict=True)
        if math.isfinite(deviation)
    ]
    steps = [abs(b - a) for a, b in pairwise(logs)]
    seen = NORMAL_MAD * median(steps) / math.sqrt(2) if steps else 0.0
    return max(SESSION_DEVIATION, median(explained) if explained else 0.0, seen)


def _splits(logs: Sequence[float], first: int, end: int, error: float) -> list[int]:
    best, strongest = None, -NORMAL.inv_cdf(FALSE_SPLITS / 2 / max(1, len(logs) - 1))
    for split in range(first + 1, end):
        left, right = logs[first:split], logs[split:end]
        shift = abs(math.fsum(right) / len(right) - math.fsum(left) / len(left))
        strength = shift / (error * math.sqrt(1 / len(left) + 1 / len(right)))
        if strength > strongest:
            best, strongest = split, strength
    if best is None:
        return []
    return [*_splits(logs, first, best, error), best, *_splits(logs, best, end, error)]
