"""When Propeller worked on an execution, and on what.

A handle's time is divided among operations by the deepest span that is open: each has its own
time. Spans that are open side by side (sub-tasks of an array node) share an instant equally. What
has no span stays with the span around it: pod creation with the task plugin, deep copies with the
round.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from pytest_flyteperf.analyze import spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_flyteperf.analyze.spans import Handle

Segment = tuple[int, int, str]
"""Start, end, operation."""


class _Open:
    """Which operations of a handle are open, and which of them have no open child."""

    def __init__(self, handle: Handle) -> None:
        self._operations = handle.operations
        self._beneath = [0] * len(handle.operations)
        """How many children of each operation are open."""
        self._running: set[int] = set()
        self._leaves: dict[int, None] = {}
        """In the order they became leaves."""

    def names(self) -> list[str]:
        return [self._operations[leaf].name for leaf in self._leaves]

    def open(self, index: int) -> None:
        self._running.add(index)
        if not self._beneath[index]:
            self._leaves[index] = None
        above = self._operations[index].above
        if above >= 0:
            self._beneath[above] += 1
            self._leaves.pop(above, None)

    def close(self, index: int) -> None:
        self._running.discard(index)
        self._leaves.pop(index, None)
        above = self._operations[index].above
        if above >= 0:
            self._beneath[above] -= 1
            if not self._beneath[above] and above in self._running:
                self._leaves[above] = None


def partition(handle: Handle) -> list[Segment]:
    """A handle cut into segments of one operation each, in order; they add up to it exactly.

    At each instant the open spans without an open child own it. Where n of them are open side by
    side, the stretch is cut into n equal parts, one for each, longest-open first; nanoseconds that
    do not divide go to the first parts.
    """
    return _nested(handle) or swept(handle)


def _nested(handle: Handle) -> list[Segment]:
    """The partition of operations that follow one another and lie within what is above them.

    Empty where they do not: nearly all handles do, and need no sorting.
    """
    segments: list[Segment] = []
    at = handle.start_ns
    above = [(-1, handle.end_ns, spans.HANDLE)]
    for index, operation in enumerate(handle.operations):
        start, end = operation.start_ns, operation.end_ns
        while above[-1][0] != operation.above:
            _, ended, closed = above.pop()
            _append(segments, at, ended, closed)
            at = ended
        if start < at or end > above[-1][1]:
            return []
        _append(segments, at, start, above[-1][2])
        at = start
        above.append((index, end, operation.name))
    for _, ended, closed in reversed(above):
        _append(segments, at, ended, closed)
        at = ended
    return segments


def _append(segments: list[Segment], start: int, end: int, name: str) -> None:
    """Add a segment, or make the last one longer, if there is any time in it."""
    if end <= start:
        return
    if segments and segments[-1][2] == name:
        segments[-1] = (segments[-1][0], end, name)
    else:
        segments.append((start, end, name))


def swept(handle: Handle) -> list[Segment]:
    """The same partition by a sweep over all starts and ends, for operations of any order."""
    events: list[tuple[int, bool, int]] = []
    for index, operation in enumerate(handle.operations):
        start = max(operation.start_ns, handle.start_ns)
        end = min(operation.end_ns, handle.end_ns)
        if start < end:
            events.append((end, False, index))
            events.append((start, True, index))
    events.sort()
    segments: list[Segment] = []
    state = _Open(handle)
    at = handle.start_ns
    for when, opens, index in events:
        if when > at:
            _share(segments, at, when, state.names())
            at = when
        if opens:
            state.open(index)
        else:
            state.close(index)
    if handle.end_ns > at:
        _share(segments, at, handle.end_ns, state.names())
    return segments


def _share(segments: list[Segment], start: int, end: int, names: list[str]) -> None:
    names = names or [spans.HANDLE]
    each, rest = divmod(end - start, len(names))
    for number, name in enumerate(names):
        stop = start + each + (number < rest)
        if segments and segments[-1][1] == start and segments[-1][2] == name:
            segments[-1] = (segments[-1][0], stop, name)
        elif stop > start:
            segments.append((start, stop, name))
        start = stop


class _Spent:
    """How much time was worked before any instant, of disjoint segments in order."""

    def __init__(self, segments: Sequence[tuple[int, int]]) -> None:
        self._starts = [start for start, _ in segments]
        self._ends = [end for _, end in segments]
        self._before = [0, *accumulate(end - start for start, end in segments)]

    def until(self, at: int) -> int:
        """Nanoseconds worked before an instant."""
        index = bisect_right(self._starts, at)
        if index == 0:
            return 0
        start, end = self._starts[index - 1], self._ends[index - 1]
        return self._before[index - 1] + min(at, end) - start


class Timeline:
    """The work of some executions as disjoint segments, asked for any stretch of time.

    A wide workflow has a hundred thousand segments and a thousand nodes that last all the while,
    so no question walks over the segments of what it asks for.
    """

    def __init__(self, segments: Iterable[Segment]) -> None:
        self.segments = disjoint(segments)
        self._stretches = _joined(self.segments)
        self._starts = [start for start, _ in self._stretches]

    @cached_property
    def _all(self) -> _Spent:
        return _Spent(self._stretches)

    @cached_property
    def _kinds(self) -> dict[str, _Spent]:
        found: dict[str, list[tuple[int, int]]] = {}
        for start, end, kind in self.segments:
            found.setdefault(kind, []).append((start, end))
        return {kind: _Spent(own) for kind, own in found.items()}

    def spent(self, start: int, end: int) -> int:
        """Nanoseconds worked within [start, end)."""
        if end <= start or not self._stretches:
            return 0
        return self._all.until(end) - self._all.until(start)

    def by_kind(self, start: int, end: int) -> dict[str, int]:
        """The same by operation; the values add up to `spent`."""
        if end <= start:
            return {}
        spent = {kind: own.until(end) - own.until(start) for kind, own in self._kinds.items()}
        return {kind: ns for kind, ns in spent.items() if ns}

    def stretches(self, start: int, end: int) -> list[tuple[int, int]]:
        """Continuous stretches of work that overlap [start, end), whole."""
        first = max(0, bisect_right(self._starts, start) - 1)
        last = bisect_left(self._starts, end)
        return [stretch for stretch in self._stretches[first:last] if stretch[1] > start]

    def last_start(self, before: int) -> int | None:
        """When the last continuous stretch of work that began before an instant began."""
        index = bisect_right(self._starts, before) - 1
        return None if index < 0 else self._starts[index]


def _joined(segments: Iterable[Segment]) -> list[tuple[int, int]]:
    """Stretches of segments that follow one another without a gap."""
    found: list[tuple[int, int]] = []
    for start, end, _ in segments:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def disjoint(segments: Iterable[Segment]) -> list[Segment]:
    """Segments in order, each instant in one: that of the segment that began first."""
    ordered: list[Segment] = []
    reached = 0
    for low, high, kind in sorted(segments):
        start = max(low, reached)
        if start < high:
            ordered.append((start, high, kind))
            reached = high
    return ordered
