"""When max-parallelism kept an execution's nodes back, and when a slot became free.

Propeller counts, round by round, the nodes of counted kinds that it queues or leaves running
(`PN/executor.go:149`); where the limit is reached, further ones are not even looked at, queued
already or not.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Slots:
    """The slots of one execution."""

    def __init__(self, limit: int, busy: Iterable[tuple[int, int | None]]) -> None:
        """Take when each counted node began to run and ended, None where it did not; 0 is no limit.

        Times are Unix nanoseconds.
        """
        taken = list(busy) if limit else []
        begun = sorted(start for start, _ in taken)
        ended = sorted(end for _, end in taken if end is not None)
        self._freed = [
            end
            for end in ended
            if bisect_right(begun, end - 1) - bisect_right(ended, end - 1) >= limit
        ]
        """Ends of nodes that had the last slot."""

    def freed(self, after: int, until: int) -> int | None:
        """When the last slot became free last, after an instant and up to another, if it did."""
        index = bisect_right(self._freed, until) - 1
        return self._freed[index] if index >= 0 and self._freed[index] > after else None
