"""Half-open intervals [start, end) of integer nanoseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Interval = tuple[int, int]
"""Start and end in nanoseconds; empty where the end does not lie after the start."""


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same instants as disjoint intervals in order, neighbours joined, empty ones dropped."""
    joined: list[Interval] = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            if end > joined[-1][1]:
                joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def length(intervals: Iterable[Interval]) -> int:
    """Nanoseconds in disjoint intervals."""
    return sum(end - start for start, end in intervals)
