"""What processes, pods and machine used while a repeat ran.

Components and machine from the recorder's two looks at /proc; pods from what the process kubelet
wrote on them when their processes were reaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_flyteperf.model import ComponentUse, PodsUse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_flyteperf.analyze.documents import MemoryUse, ProcessUse, RecordingDocument
    from pytest_flyteperf.analyze.pods import Pod

TICK_NS = 10_000_000
"""A clock tick of /proc: a hundredth of a second on every Linux that Flyte runs on."""
LOOPBACK = "lo"
MILLION = 1_000_000
IDLE = frozenset({"idle", "iowait", "steal"})
SERVERS = ("kube-apiserver", "etcd", "s3-gateway", "admin")
"""Components of a local cluster that FlytePropeller asks for something, and that no change of it
makes slower; `admin` is the stand-in there."""


def component_uses(about: RecordingDocument) -> tuple[ComponentUse, ...]:
    """Use by component; a process that was replaced in between has none."""
    before, after = about.machine_before, about.machine_after
    if before is None or after is None:
        return ()
    return tuple(
        _use(name, before.processes[name], use, about.memory.get(name))
        for name, use in sorted(after.processes.items())
        if name in before.processes and _ticks(use) >= _ticks(before.processes[name])
    )


def _use(
    name: str, before: ProcessUse, after: ProcessUse, memory: MemoryUse | None
) -> ComponentUse:
    return ComponentUse(
        component=name,
        cpu_ns=(_ticks(after) - _ticks(before)) * TICK_NS,
        resident_bytes=after.resident_bytes,
        mean_bytes=None if memory is None else memory.mean_bytes,
        peak_bytes=None if memory is None else memory.peak_bytes,
        read_bytes=_since(before.read_bytes, after.read_bytes),
        written_bytes=_since(before.written_bytes, after.written_bytes),
        descriptors=after.descriptors,
    )


def _since(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def loopback_bytes(about: RecordingDocument) -> int | None:
    """Bytes over the machine's loopback while the repeat ran; each was sent and received."""
    if about.machine_before is None or about.machine_after is None:
        return None
    before = about.machine_before.network.get(LOOPBACK)
    after = about.machine_after.network.get(LOOPBACK)
    return None if before is None or after is None else after.sent_bytes - before.sent_bytes


def pods_use(pods: Iterable[Pod]) -> PodsUse | None:
    """What the pods of an execution used, added up; None where none of them told."""
    told = [pod.use for pod in pods if pod.use is not None]
    if not told:
        return None
    return PodsUse(
        pods=len(told),
        cpu_ns=sum(use.cpu_ns for use in told),
        max_resident_bytes=max(use.max_resident_bytes for use in told),
        read_bytes=sum(use.read_bytes for use in told),
        written_bytes=sum(use.written_bytes for use in told),
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


def canaries(about: RecordingDocument) -> dict[str, int]:
    """Figures of `model.CANARIES` that the recorder took; means of before and after.

    What serves FlytePropeller is seen meanwhile.
    """
    found: dict[str, int] = {}
    looks = (about.canaries_before, about.canaries_after)
    for name in ("cpu_ns", "api_write_ns"):
        figures = [figure for look in looks if (figure := getattr(look, name, None)) is not None]
        if len(figures) == len(looks):
            found[name] = sum(figures) // len(looks)
    ticks = machine_ticks(about)
    whole = sum(ticks.values())
    if whole and "steal" in ticks:
        found["steal_ppm"] = ticks["steal"] * MILLION // whole
    if whole and about.machine_after is not None and about.machine_after.processes:
        found["other_cpu_ppm"] = min(MILLION, other_ticks(about) * MILLION // whole)
    used = {use.component: use.cpu_ns for use in component_uses(about)}
    if used.keys() >= set(SERVERS):
        found["servers_cpu_ns"] = sum(used[name] for name in SERVERS)
    return found
