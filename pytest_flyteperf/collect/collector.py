"""One repeat's raw facts: opened before its submission, read after its end, written whole."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from pytest_flyteperf import __version__
from pytest_flyteperf.collect import canary, quiet, traces
from pytest_flyteperf.collect.admin import (
    TERMINAL,
    Admin,
    AdminError,
    Harvest,
    family,
    phase_name,
    to_json,
)
from pytest_flyteperf.collect.folder import RecordingFolder, jsonl
from pytest_flyteperf.collect.header import Outcome, Provenance, Submission, document
from pytest_flyteperf.collect.machine import MachineUse, MemoryWatch, look
from pytest_flyteperf.collect.pages import LOCAL, MAIN_COMPONENTS, Pages, Scraper, page_name
from pytest_flyteperf.collect.podfiles import pod_logs, task_steps
from pytest_flyteperf.collect.slices import LogSlice
from pytest_flyteperf.collect.traces import Ended
from pytest_flyteperf.collect.watching import Received, Watcher, ended
from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from pytest_flyteperf.model import Deployment

CHECK_S = 0.25
"""How often a wait for an execution looks after the processes it depends on."""
CONFIRM_S = 10.0
"""How long FlyteAdmin may lag behind the FlyteWorkflow object's last write."""
CONFIRM_POLL_S = 0.005
CLEANUP_POLL_S = 0.01
EXECUTION_METRICS = "execution_metrics.json"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/flyteworkflows.flyte.lyft.com"
FRESH_S = 3.0
"""A kube-apiserver holds back each create of a kind that was established less than 2 s ago
(apiextensions-apiserver, customresource_handler.go: `justCreated`); its stamp has whole seconds."""
CLEANUP_S = 10.0
"""How long deleted objects may take to disappear before the next repeat starts anyway."""

Guard = Callable[[], None]
"""Called while waiting; raises if waiting makes no sense any more."""


class Mark(NamedTuple):
    """The moment before a submission: where each growing source stood."""

    pods: int
    workflows: int
    traces: int | None
    logs: dict[str, LogSlice]
    pages: Pages
    machine: MachineUse | None
    memory: MemoryWatch
    neighbours: quiet.Neighbours | None
    canaries: canary.Canaries
    gaps: int
    """How often either watch had lost events by then."""
    unix_ns: int
    monotonic_ns: int


class End(NamedTuple):
    """How an execution ended, as the client saw it."""

    unix_s: float
    """When the FlyteWorkflow object's last event was received."""
    execution: Any
    """`flyteidl.admin.Execution`, in a terminal phase."""

    @property
    def phase(self) -> str:
        """Final phase as FlyteAdmin names it."""
        return phase_name(self.execution)


class Collected(NamedTuple):
    """What came of a collection, beside the folder."""

    harvest: Harvest
    trace_wait_ns: int
    """How long the traces were waited for after everything else had been read."""


class Collector:
    """Collects the recordings of a deployment's executions, one after another.

    Its watches are open while it is; `mark` before a submission, `wait` for the end, `collect`
    after it, and `discard` what the execution left in the cluster.
    """

    def __init__(
        self,
        deployment: Deployment,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._deployment = deployment
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._bell = threading.Condition()
        self._stack = ExitStack()
        self._provenance = Provenance(
            tool_version=__version__,
            subject=deployment.subject,
            environment=deployment.environment,
            environment_digest=hashlib.sha256(
                msgspec.json.encode(deployment.environment, order="deterministic")
            ).hexdigest(),
        )

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            namespace = self._deployment.namespace
            self._api = stack.enter_context(
                KubeApi.from_kubeconfig(self._deployment.cluster.kubeconfig)
            )
            seen = self._deployment.cluster.kind == LOCAL
            pieces = canary.ONE_PIECE if seen else canary.CPU_PIECES
            self._canaries = canary.Between(self._api, namespace, self._monotonic_ns, pieces)
            self._traces = traces.source(self._deployment, self._api)
            self.admin = stack.enter_context(Admin(self._deployment))
            self._pods_path = f"/api/v1/namespaces/{namespace}/pods"
            self._workflows_path = (
                f"/apis/flyte.lyft.com/v1alpha1/namespaces/{namespace}/flyteworkflows"
            )
            self._pods = stack.enter_context(Watcher(self._api, self._pods_path, self._bell))
            self._workflows = stack.enter_context(
                Watcher(self._api, self._workflows_path, self._bell)
            )
            self._scraper = stack.enter_context(Scraper(self._deployment, self._api))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def settle(self) -> None:
        """Wait until the API server creates FlyteWorkflow objects at once, on a fresh cluster."""
        try:
            definition = self._api.request("GET", DEFINITION)
        except KubeError as error:
            if error.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
                # Whoever may not read definitions did not just make them either.
                return
            raise
        for condition in definition["status"]["conditions"]:
            if condition["type"] == "Established":
                since = datetime.fromisoformat(condition["lastTransitionTime"]).timestamp()
                age_s = self._wall_ns() / 1e9 - since
                if 0 <= age_s < FRESH_S:
                    time.sleep(FRESH_S - age_s)

    def mark(self) -> Mark:
        """Note where every source stands.

        Metrics are read here: call it before the wait for the submission's phase, which lets the
        system come to rest.
        """
        pages = self._scraper.read()
        canaries = self._canaries.before()
        neighbours = self._neighbours(())
        pods, workflows = self._pods.position, self._workflows.position
        self._pods.drop(pods)
        self._workflows.drop(workflows)
        return Mark(
            pods=pods,
            workflows=workflows,
            traces=self._traces.position() if self._traces is not None else None,
            logs={
                name: LogSlice(path)
                for name, path in self._deployment.logs.items()
                if not Path(path).is_dir()
            },
            pages=pages,
            machine=look(self._deployment.pids),
            memory=MemoryWatch(self._deployment.pids),
            neighbours=neighbours,
            canaries=canaries,
            gaps=self._gaps(),
            unix_ns=self._wall_ns(),
            monotonic_ns=self._monotonic_ns(),
        )

    def wait(self, name: str, mark: Mark, timeout_s: float, guard: Guard) -> End | None:
        """Wait until an execution has ended, on the watch; None if it has not within the time.

        `guard` is called about four times a second and ends the wait by raising.

        Raises:
            ClusterError: the watch broke.
            AdminError: FlyteAdmin did not confirm the end.
        """
        last = self._wait_for_event(mark, name, timeout_s, guard)
        return None if last is None else End(last.unix_s, self._confirmed(name, guard))

    def collect(
        self,
        submission: Submission,
        mark: Mark,
        end: End,
        folder: Path,
        *,
        timed_out: bool = False,
    ) -> Collected:
        """Read everything, wait out the exporter's delay and write the recording's folder.

        Raises:
            RecordingError: the folder cannot be written; nothing is left of it.
        """
        harvest = self.admin.harvest(end.execution.id)
        closure = end.execution.closure
        ended = Ended(
            names=family(harvest),
            start_ns=closure.created_at.ToNanoseconds(),
            end_ns=closure.updated_at.ToNanoseconds(),
        )
        machine, memory = look(self._deployment.pids), mark.memory.use()
        canaries = self._canaries.after()  # while the exporter's delay passes
        trace_wait_ns, complete = self._await_traces(mark, end, ended)
        pages = self._scraper.read()
        spans, why = self._execution_metrics(end.execution.id)
        outcome = Outcome(
            ended_unix_ns=round(end.unix_s * 1e9),
            phase=end.execution.closure.phase,
            timed_out=timed_out,
            trace_wait_ns=trace_wait_ns,
            traces_complete=complete,
            watch_gaps=self._gaps() - mark.gaps,
            clock_step_ns=(self._wall_ns() - mark.unix_ns)
            - (self._monotonic_ns() - mark.monotonic_ns),
            machine_before=mark.machine,
            machine_after=machine,
            memory=memory,
            absent=mark.pages.absent | pages.absent | why,
            neighbours_before=mark.neighbours,
            neighbours_after=self._neighbours(ended.names),
            canaries_before=mark.canaries,
            canaries_after=canaries,
        )
        with RecordingFolder(folder) as out:
            out.harvest(harvest)
            if spans is not None:
                out.packed(EXECUTION_METRICS, msgspec.json.encode(to_json(spans)))
            self._write_streams(out, mark, ended)
            for when, read in (("before", mark.pages), ("after", pages)):
                for component, text in read.texts.items():
                    out.packed(page_name(component, when), text)
            out.plain("recording.json", document(submission, outcome, self._provenance))
        return Collected(harvest, trace_wait_ns)

    def discard(self, names: Iterable[str]) -> bool:
        """Delete the FlyteWorkflow objects and pods of executions, and wait until they are gone.

        Returns whether they were gone in time. What is gone already is no trouble.

        Raises:
            KubeError: the API server refused.
        """
        chosen = {"labelSelector": f"execution-id in ({','.join(names)})"}
        deadline_ns = self._monotonic_ns() + round(CLEANUP_S * 1e9)
        for path in (self._workflows_path, self._pods_path):
            self._api.delete(path, query={**chosen, "gracePeriodSeconds": "0"})
        while any(
            self._api.list(path, query={**chosen, "limit": "1"})["items"]
            for path in (self._workflows_path, self._pods_path)
        ):
            if self._monotonic_ns() > deadline_ns:
                return False
            time.sleep(CLEANUP_POLL_S)
        return True

    def _execution_metrics(self, identifier: Any) -> tuple[Any, dict[str, str]]:
        """Flyte's own account of the execution, or None and why there is none."""
        try:
            return self.admin.metrics(identifier), {}
        except AdminError as error:
            return None, {EXECUTION_METRICS: str(error)}

    def _neighbours(self, own: Collection[str]) -> quiet.Neighbours | None:
        """Who else uses the cluster; None where it is ours."""
        return None if self._deployment.cluster.kind == LOCAL else quiet.look(self._api, own)

    def _gaps(self) -> int:
        return self._pods.gaps + self._workflows.gaps

    def _wait_for_event(
        self, mark: Mark, name: str, timeout_s: float, guard: Guard
    ) -> Received | None:
        deadline = self._monotonic_ns() + round(timeout_s * 1e9)
        seen = mark.workflows
        sampled = self._monotonic_ns()
        while True:
            guard()
            if self._monotonic_ns() - sampled > CHECK_S * 1e9:
                mark.memory.sample()
                sampled = self._monotonic_ns()
            self._pods.check()
            self._workflows.check()
            with self._bell:
                events = self._workflows.since(seen)
                if not events:
                    left_s = (deadline - self._monotonic_ns()) / 1e9
                    if left_s <= 0:
                        return None
                    self._bell.wait(min(CHECK_S, left_s))
            for event in events:
                if ended(event, name):
                    return event
            seen += len(events)

    def _confirmed(self, name: str, guard: Guard) -> Any:
        """Ask FlyteAdmin for the ended execution; the event went there before the last write.

        Only an abort is told to FlyteAdmin after its object is gone.
        """
        identifier = self.admin.identifier(name)
        deadline_ns = self._monotonic_ns() + round(CONFIRM_S * 1e9)
        while True:
            execution = self.admin.execution(identifier)
            if phase_name(execution) in TERMINAL:
                return execution
            if self._monotonic_ns() > deadline_ns:
                raise DeploymentError(
                    f"execution {name}: its FlyteWorkflow object ended but FlyteAdmin still says "
                    f"{phase_name(execution)}; see the logs of FlytePropeller and FlyteAdmin"
                )
            guard()
            time.sleep(CONFIRM_POLL_S)

    def _await_traces(self, mark: Mark, end: End, ended: Ended) -> tuple[int, bool | None]:
        """How long the traces were waited for, and whether they came; None without a source."""
        if self._traces is None or mark.traces is None:
            return 0, None
        begun_ns = self._monotonic_ns()
        due_s = end.unix_s + self._traces.delay_s - self._wall_ns() / 1e9
        complete = traces.wait(self._traces, mark.traces, ended, due_s, self._monotonic_ns)
        return self._monotonic_ns() - begun_ns, complete

    def _write_streams(self, out: RecordingFolder, mark: Mark, ended: Ended) -> None:
        pods = self._pods.since(mark.pods)
        out.packed("pods.jsonl", jsonl(pods))
        out.packed("flyteworkflows.jsonl", jsonl(self._workflows.since(mark.workflows)))
        if self._traces is not None and mark.traces is not None:
            out.packed(*self._traces.content(mark.traces, ended))
        for component, log in mark.logs.items():
            name = "propeller" if component in MAIN_COMPONENTS else component
            out.packed(f"{name}.log", log.read())
        left = self._deployment.logs.get("pods")
        for name, lines in (
            ("pod_logs.jsonl", pod_logs(left, pods)),
            ("task_steps.jsonl", task_steps(left, pods)),
        ):
            if lines:
                out.packed(name, lines)
