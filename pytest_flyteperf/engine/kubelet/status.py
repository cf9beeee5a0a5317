"""Pod statuses, as the recordings and a kubelet of Kubernetes 1.34 have them. Pure."""

from __future__ import annotations

import datetime as dt
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_flyteperf.engine.forkserver.protocol import End, Exited, Started

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_flyteperf.engine.kubelet.pods import Container, Pod

STARTED_NS = "flyteperf.dev/started-ns"
"""Annotation: Unix nanoseconds at which the first of the pod's main containers began."""
FINISHED_NS = "flyteperf.dev/finished-ns"
"""Annotation: Unix nanoseconds at which the last of them ended."""
USE = "flyteperf.dev/use"
"""Annotation: what the processes of an ended pod used, see `Use`."""

_NS = 1_000_000_000
_START_ERROR_EXIT = 128
_OOM_EXIT = 137

_Patch = dict[str, Any]


class Use(msgspec.Struct, frozen=True):
    """What processes used in their lives, as the kernel counted when they were reaped."""

    cpu_ns: int
    max_resident_bytes: int
    """Of the largest; pages shared with the fork server included."""
    read_bytes: int
    written_bytes: int

    @classmethod
    def of(cls, end: Exited) -> Use:
        """From what the fork server says of one container."""
        return cls(end.cpu_ns, end.max_rss_bytes, end.read_bytes, end.written_bytes)

    def __add__(self, other: Use) -> Use:
        """Both together."""
        return Use(
            self.cpu_ns + other.cpu_ns,
            max(self.max_resident_bytes, other.max_resident_bytes),
            self.read_bytes + other.read_bytes,
            self.written_bytes + other.written_bytes,
        )


class Ended(msgspec.Struct, frozen=True):
    """How a container ended, in Kubernetes' words."""

    exit_code: int
    reason: str
    message: str
    started_ns: int | None
    finished_ns: int
    use: Use | None = None
    """None where no process ran, or its end was not seen."""

    @classmethod
    def of(cls, end: End, log_tail: str) -> Ended:
        """From what the fork server says.

        Args:
            end: the fork server's event.
            log_tail: last of its log, for containers that want it as their message.
        """
        if not isinstance(end, Exited):
            return cls(_START_ERROR_EXIT, "StartError", end.message, None, end.at_ns)
        reason = "OOMKilled" if end.oom_killed else "Error" if end.exit_code else "Completed"
        message = log_tail if end.exit_code else ""
        return cls(end.exit_code, reason, message, end.started_ns, end.finished_ns, Use.of(end))

    @classmethod
    def lost(cls, message: str, now_ns: int) -> Ended:
        """A container whose process is nowhere to be found."""
        return cls(_OOM_EXIT, "ContainerStatusUnknown", message, None, now_ns)


State = Started | Ended | None
"""Of a container: running, ended, or not begun."""


class Verdict(msgspec.Struct, frozen=True):
    """Why the kubelet itself failed a pod, whatever its containers returned."""

    reason: str
    message: str


def timestamp(ns: int) -> str:
    """Whole seconds of Unix nanoseconds, cut off as Kubernetes does."""
    moment = dt.datetime.fromtimestamp(ns // _NS, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def unschedulable(pod: Pod, message: str, now_ns: int) -> _Patch:
    """Status of a pod that fits no node."""
    condition = _condition("PodScheduled", "False", now_ns, "Unschedulable", message)
    return {"metadata": {"uid": pod.uid}, "status": {"conditions": [condition]}}


def config_error(pod: Pod, container: Container, message: str, now_ns: int) -> _Patch:
    """Status of a pod whose container cannot be set up; Kubernetes leaves it waiting."""
    waiting = {"reason": "CreateContainerConfigError", "message": message}
    return {
        "metadata": {"uid": pod.uid},
        "status": {
            "phase": "Pending",
            "startTime": timestamp(now_ns),
            "conditions": [
                _condition("PodScheduled", "True", now_ns),
                _condition("Ready", "False", now_ns, "ContainersNotReady"),
            ],
            "containerStatuses": [_container(container, None) | {"state": {"waiting": waiting}}],
        },
    }


def pending(pod: Pod, states: dict[str, State], start_ns: int) -> _Patch:
    """Status of a pod whose init containers run."""
    init = [states.get(c.name) for c in pod.init_containers]
    done = all(isinstance(state, Ended) for state in init)
    return {
        "metadata": {"uid": pod.uid},
        "status": {
            "phase": "Pending",
            "startTime": timestamp(start_ns),
            "conditions": [
                _condition("PodScheduled", "True", start_ns),
                _condition(
                    "Initialized", str(done), start_ns, "" if done else "ContainersNotInitialized"
                ),
                _condition("ContainersReady", "False", start_ns, "ContainersNotReady"),
                _condition("Ready", "False", start_ns, "ContainersNotReady"),
            ],
            **_statuses(pod, states),
        },
    }


def running(pod: Pod, states: dict[str, State], start_ns: int) -> _Patch:
    """Status and start stamp of a pod at least one of whose main containers runs."""
    ready = all(isinstance(states.get(c.name), Started) for c in pod.spec.containers)
    patch: _Patch = {
        "metadata": {"uid": pod.uid, "annotations": _stamps(pod, states)},
        "status": {
            "phase": "Running",
            "startTime": timestamp(start_ns),
            "conditions": [
                _condition("PodScheduled", "True", start_ns),
                _condition("Initialized", "True", start_ns),
                _condition(
                    "ContainersReady", str(ready), start_ns, "" if ready else "ContainersNotReady"
                ),
                _condition("Ready", str(ready), start_ns, "" if ready else "ContainersNotReady"),
            ],
            **_statuses(pod, states),
        },
    }
    return patch


def ended(pod: Pod, states: dict[str, State], start_ns: int, verdict: Verdict | None) -> _Patch:
    """Status and stamps of a pod all of whose containers ended."""
    ends = [state for state in states.values() if isinstance(state, Ended)]
    finished_ns = max((end.finished_ns for end in ends), default=start_ns)
    whole = all(isinstance(states.get(c.name), Ended) for c in pod.spec.containers)
    failed = not whole or verdict is not None or any(end.exit_code for end in ends)
    # A failed pod is not PodCompleted: FlytePropeller then takes the container's finishedAt.
    reason = "PodFailed" if failed else "PodCompleted"
    status: _Patch = {
        "phase": "Failed" if failed else "Succeeded",
        "startTime": timestamp(start_ns),
        "conditions": [
            _condition("PodScheduled", "True", start_ns),
            _condition("Initialized", "True", start_ns),
            _condition("ContainersReady", "False", finished_ns, reason),
            _condition("Ready", "False", finished_ns, reason),
        ],
        **_statuses(pod, states),
    }
    if verdict is not None:
        status |= {"reason": verdict.reason, "message": verdict.message}
    metadata = {"uid": pod.uid, "annotations": _stamps(pod, states) | _use(states)}
    return {"metadata": metadata, "status": status}


def _stamps(pod: Pod, states: dict[str, State]) -> dict[str, str]:
    main = [states.get(container.name) for container in pod.spec.containers]
    starts = [state.started_ns for state in main if state and state.started_ns]
    stamps = {STARTED_NS: str(min(starts))} if starts else {}
    ends = [state.finished_ns for state in main if isinstance(state, Ended)]
    if starts and len(ends) == len(main):
        stamps[FINISHED_NS] = str(max(ends))
    return stamps


def _use(states: dict[str, State]) -> dict[str, str]:
    """Use of all containers, the init ones too; none where that of one is not known."""
    uses = [state.use if isinstance(state, Ended) else None for state in states.values()]
    known = [use for use in uses if use is not None]
    if not known or len(known) < len(uses):
        return {}
    return {USE: msgspec.json.encode(reduce(add, known)).decode()}


def _condition(kind: str, status: str, ns: int, reason: str = "", message: str = "") -> _Patch:
    condition: _Patch = {
        "type": kind,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": timestamp(ns),
    }
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def _statuses(pod: Pod, states: dict[str, State]) -> _Patch:
    patch = {"containerStatuses": _containers(pod.spec.containers, states)}
    if pod.init_containers:
        patch["initContainerStatuses"] = _containers(pod.init_containers, states)
    return patch


def _containers(containers: Sequence[Container], states: dict[str, State]) -> Iterable[_Patch]:
    return [_container(container, states.get(container.name)) for container in containers]


def _container(container: Container, state: State) -> _Patch:
    status: _Patch = {
        "name": container.name,
        "image": container.image,
        "imageID": container.image,
        "restartCount": 0,
        "lastState": {},
        "ready": isinstance(state, Started),
    }
    match state:
        case Started():
            status["started"] = True
            status["state"] = {"running": {"startedAt": timestamp(state.started_ns)}}
        case Ended():
            status["started"] = False
            status["state"] = {"terminated": _terminated(state)}
        case None:
            status["started"] = False
            status["state"] = {"waiting": {"reason": "PodInitializing"}}
    return status


def _terminated(end: Ended) -> _Patch:
    terminated: _Patch = {
        "exitCode": end.exit_code,
        "reason": end.reason,
        "finishedAt": timestamp(end.finished_ns),
    }
    if end.started_ns is not None:
        terminated["startedAt"] = timestamp(end.started_ns)
    if end.message:
        terminated["message"] = end.message
    return terminated
