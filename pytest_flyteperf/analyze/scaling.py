"""What a case costs per node and per byte, and how far it is from the limits of its platform.

Made of executions of one workflow in several sizes. Each slope is Theil-Sen's (see `slopes`) with
its 95 % interval, so that a flat line says so: its interval has 0 in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_flyteperf.analyze.slopes import knee, slope
from pytest_flyteperf.analyze.spans import CRD_WRITE, ROUND
from pytest_flyteperf.model import Cliff, Scaling, ScalingSlope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_flyteperf.model import Measures

Point = tuple[float, float]
"""Size and value."""

PER_NODE = ("duration_ns", "flyte_ns", "handle_ns", "rounds", "crd_writes", "task_events", "pods")
"""Metrics that are asked for their cost per node."""


def scaling(samples: Iterable[tuple[int, Measures]]) -> Scaling | None:
    """How the measures of a case grow with its size; None unless there are two sizes.

    Args:
        samples: the number of nodes that the case was asked for, and one repeat's measures. Each
            size may come several times.
    """
    measured = list(samples)
    sizes = sorted({nodes for nodes, _ in measured})
    if len(sizes) < 2:  # noqa: PLR2004 -- a line needs two points
        return None
    found = [_slope(name, "node", _metric(measured, name)) for name in PER_NODE]
    found += [
        _slope("peak_bytes", "node", [(n, m.state.peak_bytes) for n, m in measured if m.state]),
        _slope(
            "written_bytes", "node", [(n, m.state.written_bytes) for n, m in measured if m.state]
        ),
        _slope("duration_ns", "byte", _by_bytes(measured, "duration_ns")),
        _slope("round_ns", "byte", _operation(measured, ROUND)),
        _slope("crd_write_ns", "byte", _operation(measured, CRD_WRITE)),
    ]
    return Scaling(
        sizes=tuple(sizes),
        slopes=tuple(one for one in found if one is not None),
        cliffs=_cliffs(measured),
    )


def _metric(measured: Sequence[tuple[int, Measures]], name: str) -> list[Point]:
    return [(n, value) for n, m in measured if (value := m.metrics.get(name)) is not None]


def _by_bytes(measured: Sequence[tuple[int, Measures]], name: str) -> list[Point]:
    return [
        (m.state.peak_bytes, value)
        for _, m in measured
        if m.state and (value := m.metrics.get(name)) is not None
    ]


def _operation(measured: Sequence[tuple[int, Measures]], operation: str) -> list[Point]:
    """The mean time of an operation against the size of the object that it works on."""
    points: list[Point] = []
    for _, m in measured:
        rows = [row for row in m.latencies if row.operation == operation]
        if m.state and rows:
            calls = sum(row.count for row in rows)
            points.append((m.state.peak_bytes, sum(row.sum_ns for row in rows) / calls))
    return points


def _slope(metric: str, per: str, points: list[Point]) -> ScalingSlope | None:
    fitted = slope(points)
    if fitted is None:
        return None
    return ScalingSlope(
        metric=metric,
        per=per,
        per_unit=fitted.per_unit,
        low=fitted.low,
        high=fitted.high,
        at_zero=fitted.at_zero,
        knee=knee(points),
    )


def _cliffs(measured: Sequence[tuple[int, Measures]]) -> tuple[Cliff, ...]:
    """Each limit at the largest size, and where the line through all sizes meets it."""
    largest = max(measured, key=lambda one: one[0])[1].state
    if largest is None:
        return ()
    found = []
    for at_most in largest.limits:
        points = [
            (nodes, limit.used_bytes)
            for nodes, m in measured
            if m.state
            for limit in m.state.limits
            if limit.limit == at_most.limit
        ]
        fitted = slope(points)
        reached = None
        if fitted is not None and fitted.per_unit > 0:
            reached = max(0, round((at_most.limit_bytes - fitted.at_zero) / fitted.per_unit))
        found.append(
            Cliff(
                limit=at_most.limit,
                limit_bytes=at_most.limit_bytes,
                share=at_most.used_bytes / at_most.limit_bytes,
                nodes=reached,
            ),
        )
    return tuple(found)
