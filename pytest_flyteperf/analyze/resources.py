"""What processes and machine used while a repeat ran, from the recorder's two looks at /proc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_flyteperf.model import ComponentUse

if TYPE_CHECKING:
    from pytest_flyteperf.analyze.documents import ProcessUse, RecordingDocument

TICK_NS = 10_000_000
"""A clock tick of /proc: a hundredth of a second on every Linux that Flyte runs on."""
IDLE = frozenset({"idle", "iowait", "steal"})


def component_uses(about: RecordingDocument) -> tuple[ComponentUse, ...]:
    """CPU and memory by component; a process that was replaced in between has none."""
    before, after = about.machine_before, about.machine_after
    if before is None or after is None:
        return ()
    return tuple(
        ComponentUse(
            component=name,
            cpu_ns=(_ticks(use) - _ticks(before.processes[name])) * TICK_NS,
            resident_bytes=use.resident_bytes,
        )
        for name, use in sorted(after.processes.items())
        if name in before.processes and _ticks(use) >= _ticks(before.processes[name])
    )


def _ticks(use: ProcessUse) -> int:
    return use.user_ticks + use.system_ticks


def machine_ticks(about: RecordingDocument) -> dict[str, int]:
    """Clock ticks of all CPUs by state while the repeat ran; empty where nobody looked."""
    before, after = about.machine_before, about.machine_after
    if before is None or after is None:
        return {}
    return {
        state: max(0, ticks - before.cpu_ticks.get(state, 0))
        for state, ticks in after.cpu_ticks.items()
    }


def other_ticks(about: RecordingDocument) -> int:
    """Ticks in which CPUs ran what is neither the cluster's nor Flyte's: tasks, and strangers."""
    busy = sum(ticks for state, ticks in machine_ticks(about).items() if state not in IDLE)
    own = sum(use.cpu_ns for use in component_uses(about)) // TICK_NS
    return max(0, busy - own)
