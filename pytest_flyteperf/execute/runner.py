"""Run a case: one execution at a time, each recorded, checked and cleaned up."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pytest_flyteperf.collect import AdminError, Collector, End, Mark, Submission
from pytest_flyteperf.errors import ExecutionError, FlyteperfError, RecordingError
from pytest_flyteperf.execute.case import ABSENT, CaseSpec
from pytest_flyteperf.execute.disposal import Disposal
from pytest_flyteperf.execute.ending import Ending, ending
from pytest_flyteperf.execute.journal import ExecutionJournal
from pytest_flyteperf.execute.lifeline import Lifeline, Watch
from pytest_flyteperf.execute.literals import to_literals
from pytest_flyteperf.execute.names import execution_name
from pytest_flyteperf.execute.phase import phase_offset_ns, wait_for_phase
from pytest_flyteperf.execute.registered import RegisteredPlan, find
from pytest_flyteperf.execute.registration import register
from pytest_flyteperf.model import Deployment, Repeat, RunPlan
from pytest_flyteperf.progress import Beat, Progress

SHARED = frozenset({"existing", "provisioned"})
"""Kinds of cluster that others may use."""
LABELS = {"app.kubernetes.io/managed-by": "pytest-flyteperf"}
ABORT_S = 30.0
"""How long an aborted execution may take to end."""


class Prepared(NamedTuple):
    """A case registered on its deployment, and what sees to its executions."""

    entity: Any
    launch_plan: Any
    inputs: Any
    collector: Collector
    disposal: Disposal


class CaseRun:
    """The run of a case, an iterator of its finished repeats, warm-ups first.

    Each repeat is on disk before it is yielded. After one whose `problem` is set the next step
    raises ExecutionError: a case that fails once is not repeated. Nothing runs while the iterator
    is suspended, and the lock is not held then.
    """

    def __init__(  # noqa: PLR0913 - the door of the room
        self,
        spec: CaseSpec,
        deployment: Deployment,
        plan: RunPlan,
        *,
        out_dir: Path,
        progress: Progress,
        lock: AbstractContextManager[object],
        control: Lifeline | None,
    ) -> None:
        self._spec = spec
        self._deployment = deployment
        self._plan = plan
        self._folder = out_dir / re.sub(r"[^A-Za-z0-9._-]+", "-", spec.name)
        self._progress = progress
        self._lock = lock
        self._watch = Watch(spec.name, control)
        self._journal = ExecutionJournal(deployment.cluster.directory)
        self._repeats = plan.repeats
        self.outputs: object = ABSENT
        """What the last successful execution returned; `ABSENT` before the first."""
        self.digest: str | None = None
        """Digest of the registered workflow; None before the first execution."""
        self.error: str | None = None
        """Error of the last execution that ended as expected, None where it had none."""

    def more(self, repeats: int) -> None:
        """Run so many repeats more than planned; also while iterating."""
        self._repeats += repeats

    def __iter__(self) -> Iterator[Repeat]:
        """Run the case.

        Raises:
            RegistrationError: the workflow does not serialize, compile or register.
            ExecutionError: an execution failed, timed out, or gave wrong outputs.
            ClusterError: a process that the run needs ended, with the last words of its log.
            RecordingError: a recording cannot be written.
        """
        try:
            yield from self._all()
        except FlyteperfError as error:
            dead = self._watch.behind_run(error)
            if dead is not None and dead is not error:
                raise dead from error
            raise

    def _all(self) -> Iterator[Repeat]:
        warmups = max(self._plan.warmups, self._spec.least_warmups)
        self._check_folders(warmups)
        with Collector(self._deployment) as collector:
            self._watch.guard()
            prepared = self._prepare(collector)
            batch: list[tuple[int, bool]] = [(i, True) for i in range(warmups)]
            index = 0
            while index < self._repeats:
                batch.append((index, False))
                yield from self._hold(prepared, batch, first=index == 0)
                batch = []
                index += 1

    def _prepare(self, collector: Collector) -> Prepared:
        self._progress(f"{self._spec.name}: registering")
        entity = self._spec.entity
        if isinstance(entity, RegisteredPlan):
            entity = find(entity, self._deployment, collector.admin)
        registered = register(entity, self._deployment, collector.admin)
        self.digest = registered.digest
        return Prepared(
            entity=entity,
            launch_plan=registered.launch_plan,
            inputs=to_literals(entity, self._spec.inputs, self._deployment),
            collector=collector,
            disposal=Disposal(self._spec.name, collector, self._journal, self._progress),
        )

    def _hold(
        self, prepared: Prepared, batch: list[tuple[int, bool]], *, first: bool
    ) -> Iterator[Repeat]:
        """Run a batch under the lock, then yield what is finished, then raise what went wrong."""
        finished: list[Repeat] = []
        trouble: BaseException | None = None
        with self._lock:
            try:
                if first:
                    prepared.disposal.leftovers()
                    prepared.collector.settle()
                for index, warmup in batch:
                    repeat = self._repeat(prepared, index, warmup=warmup)
                    finished.append(repeat)
                    if repeat.problem is not None:
                        trouble = ExecutionError(
                            f"{repeat.problem}; its recording: {repeat.recording}"
                        )
                        break
            except FlyteperfError as error:
                trouble = error
        yield from finished
        if trouble is not None:
            raise trouble

    def _repeat(self, prepared: Prepared, index: int, *, warmup: bool) -> Repeat:
        collector = prepared.collector
        label = f"warm-up {index + 1}" if warmup else f"repeat {index + 1} of {self._repeats}"
        name = execution_name(self._spec.name, index, warmup=warmup)
        mark = collector.mark()
        offset_ns = None
        phase_wait_ns = 0
        if self._plan.random_phase and not warmup:
            offset_ns = phase_offset_ns(self._plan.seed, self._spec.name, index)
            phase_wait_ns = wait_for_phase(offset_ns)
        self._progress(f"{self._spec.name}: {label}: {name}")
        beat = Beat(self._progress, f"{self._spec.name}: {label}")
        self._journal.started(name)
        try:
            submitted_ns = time.time_ns()
            self._submit(prepared, name)
            accepted_ns = time.time_ns()
            end, timed_out = self._wait(collector, name, mark, beat)
            came = self._ending(prepared, end, timed_out=timed_out)
            folder = self._folder / (f"warmup-{index}" if warmup else str(index))
            submission = Submission(
                case=self._spec.name,
                inputs=_shown(self._spec.inputs),
                size=self._spec.size,
                index=index,
                warmup=warmup,
                project=self._deployment.project,
                domain=self._deployment.domain,
                execution=name,
                seed=self._plan.seed,
                phase_offset_ns=offset_ns,
                phase_wait_ns=phase_wait_ns,
                submitted_unix_ns=submitted_ns,
                accepted_unix_ns=accepted_ns,
                problem=came.problem,
            )
            collected = collector.collect(submission, mark, end, folder, timed_out=timed_out)
        except BaseException as error:
            dead = self._watch.behind(error)
            if dead is not None:
                # Nobody is left to abort it for us; the next run does.
                raise dead from error
            prepared.disposal.abort(name, mark)
            raise
        # The repeat is finished and on disk, whatever becomes of what is left of it.
        prepared.disposal.finished(name, collected.harvest)
        if came.outputs is not ABSENT:
            self.outputs = came.outputs
        self.error = came.error
        client_ns = round(end.unix_s * 1e9) - submitted_ns
        self._progress(f"{self._spec.name}: {label}: {end.phase} in {client_ns / 1e9:.2f} s")
        return Repeat(
            case=self._spec.name,
            size=self._spec.size,
            index=index,
            warmup=warmup,
            execution=name,
            recording=str(folder),
            phase_wait_ns=phase_wait_ns,
            trace_wait_ns=collected.trace_wait_ns,
            client_ns=client_ns,
            problem=came.problem,
        )

    def _labels(self) -> Any:
        """Labels of what runs on a cluster that others use too; elsewhere none, as flytekit does.

        FlytePropeller hands them on to pods: whoever finds one there sees whose it is.
        """
        from flyteidl.admin import common_pb2

        if self._deployment.cluster.kind not in SHARED:
            return None
        return common_pb2.Labels(values=LABELS)

    def _submit(self, prepared: Prepared, name: str) -> None:
        from flyteidl.admin import execution_pb2

        request = execution_pb2.ExecutionCreateRequest(
            project=self._deployment.project,
            domain=self._deployment.domain,
            name=name,
            spec=execution_pb2.ExecutionSpec(
                launch_plan=prepared.launch_plan,
                # The fields that flytekit sets when it executes a workflow.
                metadata=execution_pb2.ExecutionMetadata(
                    mode=execution_pb2.ExecutionMetadata.MANUAL, principal="placeholder"
                ),
                notifications=execution_pb2.NotificationList(),
                labels=self._labels(),
            ),
            inputs=prepared.inputs,
        )
        try:
            prepared.collector.admin.call("CreateExecution", request)
        except AdminError as error:
            raise ExecutionError(
                f"{self._spec.name}: {name} was refused: {error.reason}"
            ) from error

    def _wait(self, collector: Collector, name: str, mark: Mark, beat: Beat) -> tuple[End, bool]:
        def guard() -> None:
            self._watch.guard()
            beat.tick()

        timeout_s = self._spec.timeout_s or self._plan.timeout_s
        end = collector.wait(name, mark, timeout_s, guard)
        if end is not None:
            return end, False
        self._progress(f"{self._spec.name}: {name} takes longer than {timeout_s:g} s, aborting it")
        collector.admin.terminate(name, f"took longer than {timeout_s:g} s")
        end = collector.wait(name, mark, ABORT_S, self._watch.guard)
        if end is None:
            raise ExecutionError(
                f"{self._spec.name}: execution {name} did not end within {timeout_s:g} s, nor "
                f"within {ABORT_S:g} s after its abort; see the log of FlytePropeller"
            )
        return end, True

    def _ending(self, prepared: Prepared, end: End, *, timed_out: bool) -> Ending:
        if timed_out:
            timeout_s = self._spec.timeout_s or self._plan.timeout_s
            where = f"{self._spec.name}: execution {end.execution.id.name}"
            return Ending(f"{where} did not end within {timeout_s:g} s and was aborted")
        admin = prepared.collector.admin
        return ending(self._spec, prepared.entity, self._deployment, admin, end)

    def _check_folders(self, warmups: int) -> None:
        numbers = range(self._repeats)
        for name in (*(f"warmup-{i}" for i in range(warmups)), *map(str, numbers)):
            if (self._folder / name).exists():
                raise RecordingError(
                    f"{self._folder / name}: a recording is there already; "
                    "remove it or name another folder"
                )


def run_case(  # noqa: PLR0913 - the door of the room
    spec: CaseSpec,
    deployment: Deployment,
    plan: RunPlan,
    *,
    out_dir: Path,
    progress: Progress,
    lock: AbstractContextManager[object],
    control: Lifeline | None,
) -> CaseRun:
    """Run a case on a deployment; iterate over the result for its finished repeats.

    Recordings appear as `<out_dir>/<case>/<index>` and `<out_dir>/<case>/warmup-<index>`. `lock`
    is entered for each repeat, for the first one with its warm-ups, so it must be reusable.
    `control` tells of died processes; None where nobody watches them.
    """
    return CaseRun(
        spec,
        deployment,
        plan,
        out_dir=out_dir,
        progress=progress,
        lock=lock,
        control=control,
    )


def _shown(inputs: Any) -> dict[str, object]:
    """Inputs as JSON can show them."""
    shown: dict[str, object] = {}
    for name, value in inputs.items():
        try:
            shown[name] = msgspec.json.decode(msgspec.json.encode(value))
        except (TypeError, ValueError, msgspec.MsgspecError):
            shown[name] = repr(value)
    return shown
