"""Which pod runs next: creation order, a number of slots, and the machine's memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_flyteperf.engine.kubelet.pods import Pod

_MILLI = 1000
_NOT_COUNTED = "ephemeral-storage"


class Capacity(msgspec.Struct, frozen=True):
    """What the node offers."""

    cpus: int
    memory_bytes: int
    slots: int
    """Pods that run at once."""


class Admission:
    """The queue of pods that are to run, and what the running ones hold.

    The first in the queue is never passed by: a large pod waits for memory, not for the absence of
    small ones. CPU requests are not added up, since slots bound what runs; both CPU and memory
    requests are held against the whole machine.
    """

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._waiting: OrderedDict[str, Pod] = OrderedDict()
        self._holding: dict[str, int] = {}

    @property
    def running(self) -> int:
        """Pods that hold a slot."""
        return len(self._holding)

    @property
    def waiting(self) -> int:
        """Pods in the queue."""
        return len(self._waiting)

    def never_fits(self, pod: Pod) -> str | None:
        """The scheduler's message for a pod that is larger than the machine, or None."""
        have = {"cpu": self._capacity.cpus, "memory": self._capacity.memory_bytes}
        short = [
            f"Insufficient {name}"
            for name, asked in sorted(pod.requests().items())
            if name != _NOT_COUNTED and asked > have.get(name, 0) * _MILLI
        ]
        if not short:
            return None
        return f"0/1 nodes are available: 1 {', 1 '.join(short)}."

    def add(self, pod: Pod) -> None:
        """Put a pod at the end of the queue."""
        self._waiting[pod.uid] = pod

    def holds(self, uid: str) -> bool:
        """Whether a pod was admitted and has not been removed."""
        return uid in self._holding

    def hold(self, pod: Pod) -> None:
        """Count a pod that runs already."""
        self._waiting.pop(pod.uid, None)
        self._holding[pod.uid] = _memory(pod)

    def remove(self, uid: str) -> None:
        """Take a pod out of the queue or free what it holds."""
        self._waiting.pop(uid, None)
        self._holding.pop(uid, None)

    def admit(self) -> Iterator[Pod]:
        """Pods that may start now, in the order of the queue; each holds its share from then on."""
        while self._waiting and self.running < self._capacity.slots:
            pod = next(iter(self._waiting.values()))
            if sum(self._holding.values()) + _memory(pod) > self._capacity.memory_bytes * _MILLI:
                return
            self.hold(pod)
            yield pod


def _memory(pod: Pod) -> int:
    """Requested memory in thousandths of a byte."""
    return pod.requests().get("memory", 0)
