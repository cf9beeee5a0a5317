"""What FlytePropeller's process used, as Go's runtime counted it between two scrapes.

Counts of work rather than times: objects put on the heap vary by a per cent or two where times vary
by ten, whatever the machine's pace. They see code that computes more. They do not see a sleep, a
wait, a slower server or a loop that allocates nothing; the CPU's time sees the loop too.

Counters are of the whole process: what it did for other executions meanwhile, and for the scrape
itself, is in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

COUNTERS: Final = {
    b"go_memstats_mallocs_total": ("allocations", 1),
    b"process_cpu_seconds_total": ("propeller_cpu_ns", 1_000_000_000),
}
"""Counter, as the Prometheus client for Go names it, to the metric and how many of it are one."""


def runtime_use(before: Iterable[bytes], after: Iterable[bytes]) -> dict[str, int]:
    """Metrics that both scrapes tell; a counter that fell is of a process that was replaced."""
    earlier, later = _counters(before), _counters(after)
    return {
        metric: round((later[name] - earlier[name]) * unit)
        for name, (metric, unit) in COUNTERS.items()
        if name in earlier and name in later and later[name] >= earlier[name]
    }


def _counters(lines: Iterable[bytes]) -> dict[bytes, float]:
    """Counters of `COUNTERS`; those whose value is no number are left out."""
    found = {}
    names = tuple(COUNTERS)
    for line in lines:
        if not line.startswith(names):
            continue
        name, _, value = line.partition(b" ")
        if name in COUNTERS:
            try:
                found[name] = float(value.split()[0])
            except (ValueError, IndexError):
                continue
    return found
