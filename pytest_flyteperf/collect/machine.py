"""What the machine and Flyte's processes used, from /proc; nothing where there is no /proc."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

PROC = Path("/proc")


class ProcessUse(msgspec.Struct, frozen=True):
    """CPU and memory of one process; CPU in clock ticks (`sysconf(SC_CLK_TCK)`, 100 a second)."""

    user_ticks: int
    system_ticks: int
    resident_bytes: int


class MachineUse(msgspec.Struct, frozen=True):
    """One look at the machine; differences of two say what happened between them."""

    cpu_ticks: dict[str, int]
    """Clock ticks of all CPUs by state, as in the first line of /proc/stat."""
    pressure_us: dict[str, int]
    """Microseconds that some task waited, by resource (`cpu`, `io`, `memory`)."""
    processes: dict[str, ProcessUse]
    """Components of the deployment whose process could be read."""


STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


def look(pids: Mapping[str, int], proc: Path = PROC) -> MachineUse | None:
    """Read the machine's use now; None where /proc/stat does not exist."""
    try:
        stat = (proc / "stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    except OSError:
        return None
    return MachineUse(
        cpu_ticks={state: int(v) for state, v in zip(STATES, stat[1:], strict=False)},
        pressure_us=_pressure(proc),
        processes={
            name: use for name, pid in pids.items() if (use := _process(proc, pid)) is not None
        },
    )


def _pressure(proc: Path) -> dict[str, int]:
    found = {}
    for resource in ("cpu", "io", "memory"):
        try:
            some = (proc / "pressure" / resource).read_text(encoding="ascii").split("\n", 1)[0]
            found[resource] = int(some.rpartition("total=")[2])
        except (OSError, ValueError):
            # Kernels without pressure stall information lack the file or refuse to read it.
            continue
    return found


def _process(proc: Path, pid: int) -> ProcessUse | None:
    try:
        stat = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        status = (proc / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command name stands in parentheses and may hold spaces; proc(5) numbers fields from 1.
    fields = stat.rpartition(")")[2].split()
    resident = [line.split() for line in status.splitlines() if line.startswith("VmRSS:")]
    return ProcessUse(
        user_ticks=int(fields[11]),
        system_ticks=int(fields[12]),
        resident_bytes=int(resident[0][1]) * 1024 if resident else 0,
    )
