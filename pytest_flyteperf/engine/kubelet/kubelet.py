"""The kubelet's one state-owning thread."""

from __future__ import annotations

import contextlib
import heapq
import logging
import queue
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_flyteperf.engine.forkserver import protocol
from pytest_flyteperf.engine.kubelet import logs, status
from pytest_flyteperf.engine.kubelet.admission import Admission, Capacity
from pytest_flyteperf.engine.kubelet.api import CONFLICT, MERGE_PATCH, NOT_FOUND, ApiError
from pytest_flyteperf.engine.kubelet.command import ConfigError, container_key, start_request
from pytest_flyteperf.engine.kubelet.forks import ForkServer
from pytest_flyteperf.engine.kubelet.pods import Pod, decode_pod
from pytest_flyteperf.engine.kubelet.run import PodRun
from pytest_flyteperf.engine.kubelet.scratch import Scratch
from pytest_flyteperf.engine.kubelet.status import Ended, Verdict
from pytest_flyteperf.engine.kubelet.watch import Changed, Left, Listed, PodWatch
from pytest_flyteperf.engine.kubelet.writer import Write, Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_flyteperf.engine.kubelet.config import KubeletConfig
    from pytest_flyteperf.engine.kubelet.kubeconfig import Endpoint
    from pytest_flyteperf.engine.kubelet.pods import Container

_log = logging.getLogger(__name__)

_NS = 1_000_000_000
_PRUNE_EVERY = 500
_CLOSE_S = 2.0
_LOST = "the process ended with the fork server or kubelet that ran it"


class _Written(msgspec.Struct, frozen=True):
    """A write was answered; `then` acts on it in the kubelet's thread."""

    answer: bytes | ApiError
    then: Callable[[bytes | ApiError], None]


class _Stop(msgspec.Struct, frozen=True):
    pass


_Message = Listed | Changed | Left | protocol.Event | _Written | _Stop


class Kubelet:
    """Runs the pods of one node.

    Args:
        config: see `KubeletConfig`.
        capacity: what the node offers.
        endpoint: the API server.
        ready: called once, when the pods are listed and the fork server answers.
    """

    def __init__(
        self,
        config: KubeletConfig,
        capacity: Capacity,
        endpoint: Endpoint,
        ready: Callable[[], None],
    ) -> None:
        self._config = config
        self._logs = Path(config.log_dir)
        self._scratch = Scratch(Path(config.scratch_dir))
        self._ready = ready
        self._messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._admission = Admission(capacity)
        self._runs: dict[str, PodRun] = {}
        self._deadlines: list[tuple[int, str]] = []
        self._environment: dict[str, str] | None = None
        """What the image brings; None until the fork server said Hello."""
        self._listed = False
        self._is_ready = False
        self._ends = 0
        self._writer = Writer(endpoint)
        self._watch = PodWatch(endpoint, self._messages.put)
        self._forks = ForkServer(config.forkserver_socket, self._messages.put)
        # Ends of containers whose pods were not known when the fork server told of them.
        self._early: protocol.Hello | None = None

    def run(self) -> None:
        """Serve until `stop`; containers go on, for the fork server is their parent."""
        self._watch.start()
        self._forks.start()
        while True:
            with contextlib.suppress(queue.Empty):
                message = self._messages.get(timeout=self._timeout_s())
                if isinstance(message, _Stop):
                    break
                self._act(message)
            self._enforce_deadlines()
        self._watch.close()
        self._writer.close(_CLOSE_S)
        self._forks.close()
        self._scratch.close({uid for uid, run in self._runs.items() if run.live})

    def stop(self) -> None:
        """End `run`; safe to call from a signal handler."""
        self._messages.put(_Stop())

    def _act(self, message: _Message) -> None:
        match message:
            case Changed(pod):
                self._see(pod)
            case Left(pod):
                self._leave(pod.uid)
            case Listed(pods):
                self._see_all(pods)
            case protocol.Started():
                self._started(message)
            case protocol.Exited() | protocol.Refused():
                self._ended(message)
            case protocol.Hello():
                self._environment = message.environment
                self._early = message
                self._reconcile()
            case _Written(answer, then):
                then(answer)
        self._admit()

    # What the API says

    def _see_all(self, pods: tuple[Pod, ...]) -> None:
        present = {pod.uid for pod in pods}
        for uid in [uid for uid in self._runs if uid not in present]:
            self._leave(uid)
        for pod in sorted(pods, key=lambda pod: pod.creation_order):
            self._see(pod)
        self._listed = True
        self._reconcile()

    def _see(self, pod: Pod) -> None:
        """Take note of a pod as the API has it now."""
        if pod.spec.node_name not in ("", self._config.node_name):
            return
        run = self._runs.get(pod.uid)
        if run is None:
            if not pod.spec.node_name and (pod.deleting or pod.spec.scheduling_gates):
                return
            run = self._runs[pod.uid] = PodRun(pod, time.time_ns())
            if run.bound and not self._listed:
                self._admission.hold(pod)  # a predecessor's; `_reconcile` finds its processes
            elif not run.bound and (message := self._admission.never_fits(pod)):
                patch = status.unschedulable(pod, message, time.time_ns())
                self._write(run, "PATCH", "/status", patch, self._ignore)
            else:
                self._admission.add(pod)
        run.pod = pod
        grace_s = pod.metadata.deletion_grace_period_seconds or 0
        if pod.deleting and not run.finished and run.grace_s != grace_s:
            run.grace_s = grace_s  # a second deletion may be in more of a hurry
            self._terminate(run, grace_s * _NS)

    def _leave(self, uid: str) -> None:
        """A pod finished or was removed."""
        run = self._runs.get(uid)
        if run is None:
            return
        run.gone = True
        self._terminate(run, 0)

    # Admission and start

    def _admit(self) -> None:
        if self._environment is None or not self._listed:
            return
        for pod in self._admission.admit():
            run = self._runs[pod.uid]
            if run.bound:
                self._begin(run)
            else:
                self._bind(run)

    def _bind(self, run: PodRun) -> None:
        meta = run.pod.metadata
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": meta.name, "uid": meta.uid},
            "target": {"kind": "Node", "name": self._config.node_name},
        }
        self._write(run, "POST", "/binding", binding, self._bound)

    def _bound(self, run: PodRun, answer: bytes | ApiError) -> None:
        if isinstance(answer, ApiError) and not _bound_already(answer, self._config.node_name):
            # Deleted meanwhile, or taken by another; the watch says which.
            _log.warning("pod %s: not bound: %s", run.pod.title, answer)
            run.finished = True
            self._settle(run)
            return
        run.bound = True
        if not run.gone:
            self._begin(run)

    def _begin(self, run: PodRun) -> None:
        run.begun = True
        run.start_ns = run.start_ns or time.time_ns()
        if limit_s := run.pod.spec.active_deadline_seconds:
            passed_ns = time.time_ns() - run.start_ns
            due_ns = time.monotonic_ns() + limit_s * _NS - passed_ns
            heapq.heappush(self._deadlines, (due_ns, run.pod.uid))
        self._advance(run)

    def _advance(self, run: PodRun) -> None:
        """Start what is next, say what has changed."""
        if not run.stopping:
            for container in run.next_containers():
                if not self._start(run, container):
                    return
        if run.over:
            self._settle(run)
        elif not run.initializing and run.all_reported and run.any_runs:
            self._announce(run, status.running)
        elif run.pod.init_containers and run.initializing and run.states:
            self._announce(run, status.pending)

    def _start(self, run: PodRun, container: Container) -> bool:
        log = logs.log_path(self._logs, run.pod, container.name)
        base = {
            **(self._environment or {}),
            "TMPDIR": str(self._scratch.make(run.pod.uid)),
            **self._config.environment,
        }
        try:
            request = start_request(run.pod, container, base, self._config.node_name, log)
        except ConfigError as error:
            patch = status.config_error(run.pod, container, str(error), run.start_ns)
            self._write(run, "PATCH", "/status", patch, self._ignore)
            return False
        run.requested.add(container.name)
        self._forks.send(request)
        return True

    # What the fork server says

    def _started(self, event: protocol.Started) -> None:
        uid, _, name = event.key.partition("/")
        run = self._runs.get(uid)
        if run is None:
            self._forks.send(protocol.Stop(event.key))
            return
        run.states[name] = event
        self._advance(run)

    def _ended(self, event: protocol.End) -> None:
        uid, _, name = event.key.partition("/")
        run = self._runs.get(uid)
        if run is None:
            self._forks.send(protocol.Forget(event.key))
            return
        if isinstance(run.states.get(name), Ended):
            return
        log = logs.log_path(self._logs, run.pod, name)
        wants_log = any(
            c.name == name and c.termination_message_policy == "FallbackToLogsOnError"
            for c in (*run.pod.init_containers, *run.pod.spec.containers)
        )
        failed = isinstance(event, protocol.Exited) and event.exit_code
        run.states[name] = Ended.of(event, logs.tail(log) if wants_log and failed else "")
        self._advance(run)

    def _reconcile(self) -> None:
        """Bring pods and processes together, at the start and after the fork server was away."""
        hello = self._early
        if hello is None or not self._listed:
            return
        self._early = None
        for event in (*hello.running, *hello.ended):
            uid, _, name = event.key.partition("/")
            if run := self._runs.get(uid):
                run.requested.add(name)
                run.bound = True
                run.start_ns = run.start_ns or _start_ns(event)
        known = {event.key for event in (*hello.running, *hello.ended)} | set(hello.starting)
        for run in tuple(self._runs.values()):
            self._reconcile_run(run, known)
        for event in hello.running:
            self._started(event)
        for end in hello.ended:
            self._ended(end)
        if not self._is_ready:
            self._is_ready = True
            self._scratch.keep_only(self._runs)
            self._ready()

    def _reconcile_run(self, run: PodRun, known: set[str]) -> None:
        if not run.bound or run.finished:
            return
        now_ns = time.time_ns()
        containers = (*run.pod.init_containers, *run.pod.spec.containers)
        for name in [c.name for c in containers if container_key(run.pod, c.name) in known]:
            run.requested.add(name)
        began = run.pod.status.phase == "Running"
        if began and not run.requested:
            run.requested.update(c.name for c in containers)
        for name in run.live:
            if container_key(run.pod, name) in known:
                continue
            if began or run.states.get(name):
                run.states[name] = Ended.lost(_LOST, now_ns)
            else:
                run.requested.discard(name)  # asked for, and never begun: asked for again
        if run.begun:
            self._advance(run)
        elif run.requested:
            self._begin(run)
        elif self._admission.holds(run.pod.uid):
            self._admission.remove(run.pod.uid)
            self._admission.add(run.pod)

    # The end

    def _enforce_deadlines(self) -> None:
        while self._deadlines and self._deadlines[0][0] <= time.monotonic_ns():
            _, uid = heapq.heappop(self._deadlines)
            run = self._runs.get(uid)
            if run and not run.stopping and not run.finished:
                run.verdict = Verdict(
                    "DeadlineExceeded",
                    "Pod was active on the node longer than the specified deadline",
                )
                self._terminate(run, run.pod.spec.termination_grace_period_seconds * _NS)

    def _terminate(self, run: PodRun, grace_ns: int) -> None:
        """End a pod's processes, or the pod itself if it has none."""
        run.stopping = True
        for name in run.live:
            self._forks.send(protocol.Stop(container_key(run.pod, name), grace_ns))
        if run.over:
            self._settle(run)

    def _settle(self, run: PodRun) -> None:
        """Nothing of the pod runs any more: free its slot, say how it ended."""
        uid = run.pod.uid
        if self._runs.get(uid) is not run:
            return  # its pod is gone, and this is the answer to a request from before
        being_bound = self._admission.holds(uid) and not run.bound and not run.finished
        if being_bound and not run.gone:
            return  # the answer to the binding settles it
        self._admission.remove(uid)
        if run.gone:
            del self._runs[uid]
            self._forget(run)
        elif not run.finished and run.bound:
            run.finished = True
            self._report_end(run)

    def _report_end(self, run: PodRun) -> None:
        self._ends += 1
        if self._ends % _PRUNE_EVERY == 0:
            logs.prune(self._logs)
        start_ns = run.start_ns or time.time_ns()
        patch = status.ended(run.pod, run.states, start_ns, run.verdict)
        _log.info(
            "pod %s: %s, %.0f ms after it was first seen",
            run.pod.title,
            patch["status"]["phase"],
            (time.time_ns() - run.seen_ns) / 1e6,
        )
        self._write(run, "PATCH", "/status", patch, self._end_written)

    def _end_written(self, run: PodRun, answer: bytes | ApiError) -> None:
        self._forget(run)
        if isinstance(answer, ApiError):
            if answer.code != NOT_FOUND:
                _log.error("pod %s: its end could not be stored: %s", run.pod.title, answer)
            return
        if decode_pod(answer).deleting:
            body = {"gracePeriodSeconds": 0, "preconditions": {"uid": run.pod.uid}}
            self._write(run, "DELETE", "", body, self._ignore)

    def _forget(self, run: PodRun) -> None:
        """Let the fork server drop the ends of a pod's containers: they are stored, or unwanted."""
        for name in run.requested:
            self._forks.send(protocol.Forget(container_key(run.pod, name)))
        self._scratch.drop(run.pod.uid)

    # Writing

    def _announce(
        self, run: PodRun, make: Callable[[Pod, dict[str, status.State], int], dict[str, Any]]
    ) -> None:
        if run.gone:
            return
        patch = make(run.pod, run.states, run.start_ns)
        self._write(run, "PATCH", "/status", patch, self._ignore)

    def _write(
        self,
        run: PodRun,
        method: str,
        subresource: str,
        body: dict[str, Any],
        then: Callable[[PodRun, bytes | ApiError], None],
    ) -> None:
        act = partial(then, run)
        self._writer.put(
            Write(
                uid=run.pod.uid,
                method=method,
                path=run.pod.path + subresource,
                body=body,
                content_type=MERGE_PATCH if method == "PATCH" else "application/json",
                done=lambda answer: self._messages.put(_Written(answer, act)),
            )
        )

    @staticmethod
    def _ignore(run: PodRun, answer: bytes | ApiError) -> None:
        if isinstance(answer, ApiError) and answer.code != NOT_FOUND:
            _log.warning("pod %s: not stored: %s", run.pod.title, answer)

    def _timeout_s(self) -> float | None:
        if not self._deadlines:
            return None
        return max(0, self._deadlines[0][0] - time.monotonic_ns()) / 1e9


def _start_ns(event: protocol.Started | protocol.End) -> int:
    return event.at_ns if isinstance(event, protocol.Refused) else event.started_ns


def _bound_already(error: ApiError, node: str) -> bool:
    """Whether an earlier attempt whose answer was lost has bound the pod."""
    return error.code == CONFLICT and f'already assigned to node "{node}"' in str(error)
