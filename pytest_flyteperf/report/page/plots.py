"""Where the marks of the page's small plots lie, in percent of their width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_flyteperf.gate import Kind
from pytest_flyteperf.gate.statistics import median
from pytest_flyteperf.model import METRICS, Unit
from pytest_flyteperf.report.text import figure, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.gate import MetricVerdict

MARGIN: Final = 4.0
LEAST_REACH: Final = 0.02
"""Half the width of an interval's axis is never less than this growth."""
LANES: Final = 3
"""Heights at which neighbouring dots of a strip lie, so that equal values are seen."""


class Interval(NamedTuple):
    """A change with its interval, on an axis around no change."""

    zero: float
    low: float
    high: float
    point: float
    limit: float | None
    """Where the tolerance ends."""
    label: str


class Dot(NamedTuple):
    """One repeat."""

    x: float
    lane: int
    label: str


class Strip(NamedTuple):
    """The samples of a metric, before and now, on one axis."""

    title: str
    verdict: str
    before: tuple[Dot, ...]
    now: tuple[Dot, ...]
    before_median: float | None
    now_median: float | None
    limit: float | None
    ticks: tuple[tuple[float, str], ...]
    label: str


class Point(NamedTuple):
    """One repeat of a sweep, in percent of a plot's width and height."""

    x: float
    y: float
    label: str


class Scatter(NamedTuple):
    """A metric over the sizes of a sweep, both axes from 0."""

    title: str
    left: float
    """Where the plot begins, right of the figures of its rows."""
    dots: tuple[Point, ...]
    columns: tuple[tuple[float, str], ...]
    """Sizes."""
    rows: tuple[tuple[float, str], ...]
    """Figures."""
    label: str


LEFT: Final = 16.0
TOP: Final = 6.0
BOTTOM: Final = 84.0
"""Between which percents of its width and height a scatter plot lies."""


def scatter(name: str, points: Sequence[tuple[int, int]]) -> Scatter | None:
    """Place the repeats of a sweep; None unless there are two sizes."""
    sizes = sorted({size for size, _ in points})
    if len(sizes) < 2:  # noqa: PLR2004 -- a line needs two points
        return None
    unit = METRICS[name]
    most = max(value for _, value in points) or 1

    def x(size: float) -> float:
        return round(LEFT + (100 - MARGIN - LEFT) * size / sizes[-1], 2)

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * value / most, 2)

    return Scatter(
        title=unit.title,
        left=LEFT,
        dots=tuple(
            Point(x(size), y(value), f"{size}: {figure(value, unit)}") for size, value in points
        ),
        columns=tuple((x(size), str(size)) for size in sizes),
        rows=tuple((y(value), figure(value, unit)) for value in (0, most)),
        label=f"{unit.title} over sizes {', '.join(map(str, sizes))}, "
        f"up to {figure(most, unit)}, {len(points)} repeats",
    )


def interval(metric: MetricVerdict) -> Interval | None:
    """Place a change; None where the samples bound none."""
    known = [one for one in (metric.ratio, metric.low, metric.high) if one is not None]
    if metric.kind is Kind.EXACT or len(known) < 3:  # noqa: PLR2004 # point and both ends
        return None
    ends = [one - 1 for one in known]
    limit = metric.tolerance
    reach = max(LEAST_REACH, *(abs(end) for end in ends), limit or 0) * 1.1

    def x(growth: float) -> float:
        return round(50 + 50 * growth / reach, 2)

    point, low, high = (percent(1 + end) for end in ends)
    return Interval(
        zero=50.0,
        low=x(ends[1]),
        high=x(ends[2]),
        point=x(ends[0]),
        limit=None if limit is None else x(limit),
        label=f"{point}, interval {low} to {high}"
        + ("" if limit is None else f", tolerance {percent(1 + limit)}"),
    )


def strip(metric: MetricVerdict, before: Sequence[int], now: Sequence[int]) -> Strip | None:
    """Place the samples of a metric; None where there are none of now."""
    if not now:
        return None
    unit = METRICS[metric.metric]
    middle = median(list(before)) if before else None
    limit = None
    if middle is not None and metric.tolerance is not None and metric.kind is not Kind.EXACT:
        limit = middle * (1 + metric.tolerance)
    known = [*before, *now, *([limit] if limit is not None else [])]
    least, most = min(known), max(known)
    spread = (most - least) or max(1.0, most)

    def x(value: float) -> float:
        return round(MARGIN + (100 - 2 * MARGIN) * (value - least) / spread, 2)

    def dots(values: Sequence[int]) -> tuple[Dot, ...]:
        return tuple(
            Dot(x(value), index % LANES, figure(value, unit)) for index, value in enumerate(values)
        )

    here = median(list(now))
    ticks = dict.fromkeys((least, (least + most) / 2, most))
    if unit.unit is Unit.COUNT:
        ticks = dict.fromkeys(tick for tick in ticks if tick == int(tick))
    return Strip(
        title=unit.title,
        verdict=metric.verdict.value,
        before=dots(before),
        now=dots(now),
        before_median=None if middle is None else x(middle),
        now_median=x(here),
        limit=None if limit is None else x(limit),
        ticks=tuple((x(tick), figure(tick, unit)) for tick in ticks),
        label=f"{unit.title}: now {len(now)} repeats, median {figure(here, unit)}"
        + ("" if middle is None else f"; baseline {len(before)}, median {figure(middle, unit)}")
        + ("" if limit is None else f"; tolerance up to {figure(limit, unit)}"),
    )
