"""What the machine and Flyte's processes used, from /proc; nothing where there is no /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

PROC = Path("/proc")
STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
RESET_PEAK = b"5"
"""What clear_refs takes to set a process's peak of resident memory back to its present, proc(5)."""


class ProcessUse(msgspec.Struct, frozen=True):
    """Use of one process since it began; CPU in clock ticks (`sysconf(SC_CLK_TCK)`, 100 a second).

    What the kernel does not say is None. The network knows no processes: see `MachineUse.network`.
    """

    user_ticks: int
    system_ticks: int
    resident_bytes: int
    read_bytes: int | None
    """From disks; what the page cache had costs none."""
    written_bytes: int | None
    """To disks."""
    descriptors: int | None
    """Open ones."""


class NetworkUse(msgspec.Struct, frozen=True):
    """Bytes over one interface since the machine began."""

    received_bytes: int
    sent_bytes: int


class MachineUse(msgspec.Struct, frozen=True):
    """One look at the machine; differences of two say what happened between them."""

    cpu_ticks: dict[str, int]
    """Clock ticks of all CPUs by state, as in the first line of /proc/stat."""
    pressure_us: dict[str, int]
    """Microseconds that some task waited, by resource (`cpu`, `io`, `memory`)."""
    processes: dict[str, ProcessUse]
    """Components of the deployment whose process could be read."""
    network: dict[str, NetworkUse]
    """By interface. Components on loopback talk over `lo`, where each byte is both."""


class MemoryUse(msgspec.Struct, frozen=True):
    """Resident memory of one process over a while."""

    samples: int
    mean_bytes: int
    """Over the samples."""
    peak_bytes: int
    """The kernel's own where it let us set it back, else the largest sample."""


class MemoryWatch:
    """Resident memory of processes between its making and its last sample."""

    def __init__(self, pids: Mapping[str, int], proc: Path = PROC) -> None:
        self._proc = proc
        self._pids = {name: pid for name, pid in pids.items() if _resident(proc, pid) is not None}
        self._exact = {name for name, pid in self._pids.items() if _reset_peak(proc, pid)}
        self._samples: dict[str, list[int]] = {name: [] for name in self._pids}
        self.sample()

    def sample(self) -> None:
        """Look once: some ten microseconds a process."""
        for name, pid in self._pids.items():
            if (resident := _resident(self._proc, pid)) is not None:
                self._samples[name].append(resident)

    def use(self) -> dict[str, MemoryUse]:
        """What was seen, by component; a process that ended has the peak of its samples."""
        found = {}
        for name, samples in self._samples.items():
            if samples:
                peak = _peak(self._proc, self._pids[name]) if name in self._exact else None
                mean = sum(samples) // len(samples)
                found[name] = MemoryUse(len(samples), mean, max(*samples, peak or 0))
        return found


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
        network=_network(proc),
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


def _network(proc: Path) -> dict[str, NetworkUse]:
    try:
        lines = (proc / "net" / "dev").read_text(encoding="ascii").splitlines()[2:]
    except OSError:
        return {}
    found = {}
    for line in lines:
        name, _, counts = line.partition(":")
        fields = counts.split()
        found[name.strip()] = NetworkUse(int(fields[0]), int(fields[8]))
    return found


def _process(proc: Path, pid: int) -> ProcessUse | None:
    resident = _resident(proc, pid)
    try:
        stat = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command name stands in parentheses and may hold spaces; proc(5) numbers fields from 1.
    fields = stat.rpartition(")")[2].split()
    io = _fields(proc / str(pid) / "io")
    return ProcessUse(
        user_ticks=int(fields[11]),
        system_ticks=int(fields[12]),
        resident_bytes=resident or 0,
        read_bytes=io.get("read_bytes"),
        written_bytes=io.get("write_bytes"),
        descriptors=_descriptors(proc, pid),
    )


def _resident(proc: Path, pid: int) -> int | None:
    try:
        return int((proc / str(pid) / "statm").read_bytes().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        # Of a process that has just ended the file is there and empty.
        return None


def _peak(proc: Path, pid: int) -> int | None:
    peak_kib = _fields(proc / str(pid) / "status").get("VmHWM")
    return None if peak_kib is None else peak_kib * 1024


def _reset_peak(proc: Path, pid: int) -> bool:
    try:
        (proc / str(pid) / "clear_refs").write_bytes(RESET_PEAK)
    except OSError:
        # Another user's process, or a kernel without it.
        return False
    return True


def _fields(path: Path) -> dict[str, int]:
    """Lines `name: number ...` of a file; empty if it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    split = (line.partition(":") for line in lines)
    numbers = ((name, value.split()) for name, _, value in split)
    return {name: int(value[0]) for name, value in numbers if value and value[0].isdecimal()}


def _descriptors(proc: Path, pid: int) -> int | None:
    try:
        return len(os.listdir(proc / str(pid) / "fd"))  # noqa: PTH208 - only counted
    except OSError:
        return None
