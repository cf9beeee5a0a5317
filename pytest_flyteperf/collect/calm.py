"""Waiting for a machine whose CPU others take: a burst that spoilt one repeat spoils the next."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_flyteperf.collect.machine import PROC, look
from pytest_flyteperf.model import STEAL, STEAL_LIMIT, Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_flyteperf.model import Measures
    from pytest_flyteperf.progress import Progress

LOOK_S: Final = 1.0
PAUSE_S: Final = 2.0
MOST_S: Final = 60.0
BUSY: Final = ("user", "nice", "system", "irq", "softirq", "steal")


def taken_percent(proc: Path = PROC) -> float:
    """Share of the CPU time asked for that a hypervisor gave to others; 0 where nothing tells.

    An idle machine asks for nothing, so one CPU is kept busy for a second.
    """
    before = look({}, proc)
    until = time.monotonic() + LOOK_S
    while time.monotonic() < until:
        pass
    after = look({}, proc)
    if before is None or after is None:
        return 0.0
    asked = {state: after.cpu_ticks[state] - before.cpu_ticks[state] for state in BUSY}
    return 100 * asked["steal"] / max(1, sum(asked.values()))


def spoilt_by_others(measures: Measures) -> bool:
    """Whether a repeat is invalid for the CPU time that a hypervisor gave to others."""
    return any(f.check == STEAL and f.severity is Severity.INVALID for f in measures.findings)


def await_calm(
    progress: Progress,
    *,
    taken_percent: Callable[[], float] = taken_percent,
    most_s: float = MOST_S,
) -> None:
    """Wait until a hypervisor takes no more than a repeat bears, `most_s` seconds at most."""
    deadline = time.monotonic() + most_s
    while (taken := taken_percent()) > STEAL_LIMIT and time.monotonic() < deadline:
        progress(f"waiting for the machine: others take {taken:.0f} % of its CPU time")
        time.sleep(PAUSE_S)
