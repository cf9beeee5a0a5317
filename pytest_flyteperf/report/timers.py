"""How long the executions of a run took, and how much of that Flyte's own timers were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_flyteperf.analyze.evidence import LAUNCH_PLAN_TIMER, RESYNC
from pytest_flyteperf.analyze.ledger import WAITING
from pytest_flyteperf.report.text import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_flyteperf.model import Measures

LONG: Final = (LAUNCH_PLAN_TIMER, RESYNC)
"""Timers that Flyte sets to more than a second by default: no faster Flyte or machine shortens
them."""
LEAST_NS: Final = 1_000_000_000
"""Less than one such timer's shortest is not worth a line."""


def lines(executions: Iterable[Measures]) -> Iterator[str]:
    """Tell what was waited for Flyte's long timers, where that was a second or more."""
    wall_ns = 0
    waited_ns = dict.fromkeys(LONG, 0)
    for one in executions:
        if one.ownership is None:
            continue
        wall_ns += one.ownership.wall_ns
        for part in one.ownership.owners:
            if part.detail in waited_ns:
                waited_ns[part.detail] += part.point_ns
    long = {timer.removeprefix(WAITING): ns for timer, ns in waited_ns.items() if ns >= LEAST_NS}
    if long:
        each = ", ".join(f"{timer} {duration(ns)}" for timer, ns in long.items())
        yield f"executions took {duration(wall_ns)}, of which Flyte's own timers: {each}"
