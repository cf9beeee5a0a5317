"""How long a run still takes: from what its own executions took, and what earlier runs measured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_flyteperf.gate.statistics import median
from pytest_flyteperf.progress import left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_flyteperf.model import Size
    from pytest_flyteperf.report.runs import Run

BESIDE_S = 1.2
"""Seconds that an execution takes beside its duration: the wait for its phase, the last traces,
its files (docs/performance.md)."""


class Forecast:
    """Keeps count of a run's executions and of the seconds between them.

    A case's own median holds; before its first execution what an earlier run measured of it, and
    where there is none the mean of the cases that are known.
    """

    def __init__(
        self,
        planned: Mapping[str, int],
        earlier: Mapping[str, float],
        *,
        clock: Callable[[], float] = time.monotonic,
        at_most: bool = False,
    ) -> None:
        """Begin.

        Args:
            planned: executions of each case, warm-ups included, in the order to run them.
            earlier: seconds that an execution of a case took.
            clock: tells seconds.
            at_most: whether the plan is a budget that is seldom spent.
        """
        self._left = dict(planned)
        self._cases = tuple(planned)
        self._earlier = earlier
        self._took: dict[str, list[float]] = {}
        self._clock = clock
        self._at_most = at_most
        self._now: str | None = None
        self._since = 0.0

    def begin(self, case: str, executions: int) -> None:
        """A case, or a size of a sweep, starts; those before it ended, whatever came of them."""
        for earlier in self._cases[: self._place(case)]:
            self._left[earlier] = 0
        self._left[case] = executions
        self._now = case
        self._since = self._clock()

    def finished(self, case: str) -> None:
        """An execution of a case was measured."""
        now = self._clock()
        self._took.setdefault(case, []).append(now - self._since)
        self._since = now
        self.more(case, -1)

    def more(self, case: str, executions: int) -> None:
        """So many executions more than planned."""
        self._left[case] = max(0, self._left.get(case, 0) + executions)

    @property
    def left_s(self) -> float | None:
        """Seconds until the last execution ends; None while nothing is known of any case."""
        known = {case: s for case in self._left if (s := self._each(case)) is not None}
        if not known:
            return None
        usual = sum(known.values()) / len(known)
        return sum(count * known.get(case, usual) for case, count in self._left.items())

    def told(self) -> str:
        """In a few words, to stand before what goes on, e.g. `[2/23, about 4 min left] `."""
        if self._now not in self._cases:
            return ""
        parts = [f"{self._place(self._now) + 1}/{len(self._cases)}"] if len(self._cases) > 1 else []
        if (seconds := self.left_s) is not None:
            parts.append(left(seconds, at_most=self._at_most))
        return f"[{', '.join(parts)}] " if parts else ""

    def _place(self, case: str) -> int:
        return self._cases.index(case) if case in self._cases else 0

    def _each(self, case: str) -> float | None:
        took = self._took.get(case)
        return self._earlier.get(case) if took is None else median(took)


def earlier(runs: Sequence[Run], cases: Iterable[str], size: Size) -> dict[str, float]:
    """Seconds that an execution of each case took when it was last measured in this size."""
    found: dict[str, float] = {}
    wanted = set(cases)
    for run in runs:  # the newest comes last and wins
        for one in run.cases:
            known = [ns for ns in one.samples.get("duration_ns", ()) if ns is not None]
            if one.case in wanted and one.size is size and known:
                found[one.case] = median(known) / 1e9 + BESIDE_S
    return found
