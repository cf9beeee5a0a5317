"""How a measure grows with the size of a case.

Theil-Sen: the median of the slopes between all pairs of points (Sen 1968,
doi:10.1080/01621459.1968.10480934). One odd repeat does not move it; its interval comes from the
ranks of the slopes and assumes no distribution of the noise.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from pytest_flyteperf.model import METRICS, Measures

if TYPE_CHECKING:
    from collections.abc import Sequence

Z = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


PER = 1_000
"""Growth is told as the cost of so many units more, so that it is a whole number of ns."""


class Slope(NamedTuple):
    """Cost per unit of size."""

    per_unit: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    at_zero: float
    """The fixed part: median of what the slope leaves."""


def slope(points: Sequence[tuple[float, float]]) -> Slope | None:
    """Fit a line through (size, value) points; None where all sizes are the same."""
    slopes = sorted(
        (value - other_value) / (size - other_size)
        for (size, value), (other_size, other_value) in combinations(sorted(points), 2)
        if size != other_size
    )
    if not slopes:
        return None
    per_unit = _median(slopes)
    half = Z * math.sqrt(_variance(points))
    low = max(0, math.floor((len(slopes) - half) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + half) / 2))
    at_zero = _median(sorted(value - per_unit * size for size, value in points))
    return Slope(per_unit, slopes[low], slopes[high], at_zero)


def per_thousand(points: Sequence[tuple[int, Measures]]) -> Measures:
    """How the metrics grow with the size: one repeat at each, as the cost of 1,000 units more.

    Execution and phase are those of the largest size. Where an audit check has fired at any size,
    it has for the growth. A metric that is unknown at any size is unknown; canaries are means.
    """
    largest = max(points, key=lambda point: point[0])[1]
    metrics: dict[str, int | None] = dict.fromkeys(METRICS)
    for name in METRICS:
        known = [(n, value) for n, one in points if (value := one.metrics.get(name)) is not None]
        fitted = slope(known) if len(known) == len(points) else None
        metrics[name] = None if fitted is None else round(PER * fitted.per_unit)
    return Measures(
        execution=largest.execution,
        phase=largest.phase,
        metrics=metrics,
        findings=tuple(finding for _, one in points for finding in one.findings),
        canaries={
            name: sum(one.canaries[name] for _, one in points) // len(points)
            for name in largest.canaries
            if all(name in one.canaries for _, one in points)
        },
    )


def knee(points: Sequence[tuple[float, float]]) -> float | None:
    """The size beyond which the cost per unit is another; None where one line will do.

    Every size with two sizes on either side of it is tried. The knee is where two lines leave the
    smallest sum of absolute rests, if that is at most half of what one line leaves.
    """
    sizes = sorted({size for size, _ in points})
    one = _rest(points)
    if one is None or len(sizes) < 4:  # noqa: PLR2004 -- two sizes on either side
        return None
    found: list[tuple[float, float]] = []
    for at in sizes[1:-2]:
        left = _rest([point for point in points if point[0] <= at])
        right = _rest([point for point in points if point[0] > at])
        if left is not None and right is not None:
            found.append((left + right, -at))
    best, size = min(found)
    return -size if best <= one / 2 and one > 0 else None


def _rest(points: Sequence[tuple[float, float]]) -> float | None:
    fitted = slope(points)
    if fitted is None:
        return None
    return sum(abs(value - fitted.at_zero - fitted.per_unit * size) for size, value in points)


def _variance(points: Sequence[tuple[float, float]]) -> float:
    """Variance of Kendall's S, corrected for ties in size (Sen 1968, equation 2.6)."""

    def term(count: int) -> int:
        return count * (count - 1) * (2 * count + 5)

    sizes = [size for size, _ in points]
    ties = sum(term(sizes.count(size)) for size in set(sizes))
    return (term(len(points)) - ties) / 18


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
