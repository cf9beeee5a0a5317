"""Pods of an execution, folded from watch events: when their containers ran, and how surely.

A kubelet stamps whole seconds. Such a stamp says that the instant lies within its second; the
watch says more: a container started no earlier than its pod was seen and no later than the event
that first shows it started was received. What remains is the interval [low, high], and the point
is its end: a status is reported soon after it becomes true, so the latest instant that the second
and the order allow is the likeliest. A kubelet that stamps nanoseconds (annotations
`flyteperf.dev/started-ns` and `flyteperf.dev/finished-ns`) leaves no interval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from pytest_flyteperf.analyze.documents import LISTED, PodUse
from pytest_flyteperf.analyze.stamps import SECOND_NS, is_whole_second, seconds_ns, unix_ns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_flyteperf.analyze.documents import ContainerStatus, PodDocument, PodRecord

STARTED_NS = "flyteperf.dev/started-ns"
FINISHED_NS = "flyteperf.dev/finished-ns"
USE = "flyteperf.dev/use"
PRIMARY = "primary_container_name"


_USE = msgspec.json.Decoder(PodUse)


class Instant(msgspec.Struct, frozen=True, gc=False):
    """When something happened, in Unix nanoseconds: low <= point <= high."""

    low: int
    point: int
    high: int

    @classmethod
    def exact(cls, at_ns: int) -> Instant:
        """An instant that is known."""
        return cls(at_ns, at_ns, at_ns)

    def no_earlier(self, at_ns: int) -> Instant:
        """The same instant, not before another."""
        if self.low >= at_ns:
            return self
        return Instant(max(self.low, at_ns), max(self.point, at_ns), max(self.high, at_ns))

    def no_later(self, at_ns: int) -> Instant:
        """The same instant, not after another."""
        if self.high <= at_ns:
            return self
        return Instant(min(self.low, at_ns), min(self.point, at_ns), min(self.high, at_ns))


class Pod(msgspec.Struct, frozen=True, gc=False):
    """One pod's life as the watch and the kubelet tell it."""

    name: str
    execution: str
    """The FlyteWorkflow that controls it. The label `execution-id` names the parent's execution in
    pods of launch plan children, whose labels are inherited."""
    node: str
    """Label `node-id`: the id in the template, or n<index> of a sub-task."""
    created_ns: int
    """Receipt of its first event; of one that was found later the second of its creation."""
    bound_ns: int | None
    """Receipt of the event that first names its node."""
    running_ns: int | None
    """Receipt of the event that first shows its container running or ended."""
    started: Instant | None
    finished: Instant | None
    reported_ns: int | None
    """Receipt of the event that first shows its container's end."""
    deleted_ns: int | None
    exit_code: int | None
    phase: str
    precise: bool
    """Both stamps are the kubelet's nanoseconds."""
    found: bool
    """It was only found later: nobody received its changes."""
    use: PodUse | None
    """What the kubelet counted when its processes were reaped; None where it does not."""


class _Life:
    """What has been seen of one pod so far."""

    __slots__ = (
        "bound",
        "created",
        "deleted",
        "finished",
        "found",
        "last",
        "last_received",
        "running",
        "terminated",
    )

    def __init__(self, created: int) -> None:
        self.created = created
        self.last_received = created
        self.bound: int | None = None
        self.running: int | None = None
        self.terminated: int | None = None
        self.deleted: int | None = None
        self.found = False
        self.finished: PodDocument | None = None
        self.last: PodDocument | None = None

    def see(self, pod: PodDocument, received: int, *, deleted: bool) -> None:
        """Take one event; the order in which they are taken does not matter."""
        status = _primary(pod)
        self.created = min(self.created, received)
        if pod.spec.node:
            self.bound = _earlier(self.bound, received)
        if status is not None:
            state = status.state
            if state.running or state.terminated:
                self.running = _earlier(self.running, received)
            if state.terminated:
                self.terminated = _earlier(self.terminated, received)
                if self.terminated == received:
                    self.finished = pod
        if deleted:
            self.deleted = _earlier(self.deleted, received)
        if received >= self.last_received:
            self.last_received = received
            self.last = pod

    def find(self, pod: PodDocument) -> None:
        """Take a pod as it was found later: nobody received its changes, its stamps are all."""
        if self.last is None:
            self.found = True
            self.last = pod


def _created(record: PodRecord) -> int:
    """The second in which a pod was created, else its receipt."""
    try:
        return unix_ns(record.event.object.metadata.creation_timestamp or "")
    except ValueError:
        return seconds_ns(record.received)


def fold_pods(records: Iterable[PodRecord], executions: frozenset[str]) -> list[Pod]:
    """The pods that these executions own, in order of their first event."""
    lives: dict[str, _Life] = {}
    for record in records:
        event = record.event
        pod = event.object
        key = pod.metadata.uid or pod.metadata.name
        received = _created(record) if event.type == LISTED else seconds_ns(record.received)
        life = lives.get(key)
        if life is None:
            if event.type == "BOOKMARK" or owner(pod) not in executions:
                continue
            life = lives[key] = _Life(received)
        if event.type == LISTED:
            life.find(pod)
        else:
            life.see(pod, received, deleted=event.type == "DELETED")
    pods = [_pod(life, life.finished or life.last) for life in lives.values() if life.last]
    return sorted(pods, key=lambda pod: (pod.created_ns, pod.name))


def _earlier(known: int | None, received: int) -> int:
    return received if known is None or received < known else known


def owner(pod: PodDocument) -> str:
    """Name of the FlyteWorkflow that controls a pod, else its label `execution-id`, else ''."""
    for reference in pod.metadata.owners:
        if reference.kind.lower() == "flyteworkflow":
            return reference.name
    return pod.metadata.labels.get("execution-id", "")


def _primary(pod: PodDocument) -> ContainerStatus | None:
    containers = pod.status.containers
    if len(containers) == 1:
        return containers[0]
    name = pod.metadata.annotations.get(PRIMARY)
    for status in containers:
        if status.name == name:
            return status
    return containers[0] if containers else None


def _pod(life: _Life, pod: PodDocument) -> Pod:
    status = _primary(pod)
    state = status.state if status else None
    terminated = state.terminated if state else None
    begun = (terminated and terminated.started_at) or (
        state and state.running and state.running.started_at
    )
    annotations = (life.last or pod).metadata.annotations or pod.metadata.annotations
    started = _instant(annotations.get(STARTED_NS), begun or None, life.created, life.running)
    finished = _instant(
        annotations.get(FINISHED_NS),
        terminated.finished_at if terminated else None,
        life.created,
        life.terminated,
    )
    if started is not None and finished is not None:
        finished = finished.no_earlier(started.low)
        started = started.no_later(finished.high)
        if started.point > finished.point:
            finished = replace(finished, point=min(started.point, finished.high))
            started = replace(started, point=min(started.point, finished.point))
    return Pod(
        name=pod.metadata.name,
        execution=owner(pod),
        node=pod.metadata.labels.get("node-id", ""),
        created_ns=life.created,
        bound_ns=life.bound,
        running_ns=life.running,
        started=started,
        finished=finished,
        reported_ns=life.terminated,
        deleted_ns=life.deleted,
        exit_code=terminated.exit_code if terminated else None,
        phase=pod.status.phase,
        precise=STARTED_NS in annotations and FINISHED_NS in annotations,
        found=life.found,
        use=_use(annotations),
    )


def _use(annotations: dict[str, str]) -> PodUse | None:
    try:
        return _USE.decode(annotations[USE])
    except (KeyError, msgspec.DecodeError):
        # Whoever may write pods may write anything there.
        return None


def _instant(
    exact: str | None,
    stamp: str | None,
    not_before: int,
    not_after: int | None,
) -> Instant | None:
    """An instant from the kubelet's nanoseconds, else from its stamp and the watch's order."""
    if exact is not None and exact.isascii() and exact.isdigit():
        return Instant.exact(int(exact))
    if stamp is None:
        return None
    try:
        low = unix_ns(stamp)
    except ValueError:
        return None
    if not is_whole_second(stamp):
        return Instant.exact(low)
    high = low + SECOND_NS - 1
    low = max(low, min(not_before, high))
    if not_after is not None:
        high = min(high, max(not_after, low))
    return Instant(low, high, high)
