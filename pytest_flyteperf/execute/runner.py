"""Run a case: one execution at a time, each recorded, checked and cleaned up."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import grpc
import msgspec

from pytest_flyteperf.collect import (
    AdminError,
    Collector,
    End,
    Harvest,
    Mark,
    Submission,
    error_message,
)
from pytest_flyteperf.errors import (
    ClusterError,
    ExecutionError,
    FlyteperfError,
    RecordingError,
    RegistrationError,
)
from pytest_flyteperf.execute.case import ABSENT, CaseSpec
from pytest_flyteperf.execute.journal import ExecutionJournal
from pytest_flyteperf.execute.literals import to_literals, to_python
from pytest_flyteperf.execute.names import execution_name
from pytest_flyteperf.execute.phase import phase_offset_ns, wait_for_phase
from pytest_flyteperf.execute.registered import RegisteredPlan, find
from pytest_flyteperf.execute.registration import register
from pytest_flyteperf.model import Deployment, Repeat, RunPlan
from pytest_flyteperf.progress import Progress

ABORT_S = 30.0
"""How long an aborted execution may take to end."""
DEATH_S = 3.0
"""How much later than a failed call the supervisor may tell that a process died."""
DEATH_POLL_S = 0.02
INTERRUPT_S = 3.0
"""The same when the user waits for the prompt; what is left is discarded by the next run."""


_WORKFLOWS_OWN = (ExecutionError, RegistrationError)
"""Failures that a died process does not explain."""


class Death(Protocol):
    """A process of the cluster or the deployment that ended by itself."""

    def describe(self) -> str:
        """One line: which process, how it ended, and what its log said last."""


class Lifeline(Protocol):
    """Knows when a process ends that the measurement needs, as `engine.control.Control` does."""

    def death(self) -> Death | None:
        """The first death not yet returned, or None, without waiting."""


class Prepared(NamedTuple):
    """A case registered on its deployment."""

    launch_plan: Any
    inputs: Any


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
        self._entity = spec.entity
        self._deployment = deployment
        self._plan = plan
        self._folder = out_dir / re.sub(r"[^A-Za-z0-9._-]+", "-", spec.name)
        self._progress = progress
        self._lock = lock
        self._control = control
        self._journal = ExecutionJournal(deployment.cluster.directory)
        self._repeats = plan.repeats
        self._dead: ClusterError | None = None
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
            dead = None if isinstance(error, _WORKFLOWS_OWN) else self._awaited_death()
            if dead is not None and dead is not error:
                raise dead from error
            raise

    def _all(self) -> Iterator[Repeat]:
        warmups = max(self._plan.warmups, self._spec.least_warmups)
        self._check_folders(warmups)
        with Collector(self._deployment) as collector:
            self._guard()
            prepared = self._prepare(collector)
            batch: list[tuple[int, bool]] = [(i, True) for i in range(warmups)]
            index = 0
            while index < self._repeats:
                batch.append((index, False))
                yield from self._hold(collector, prepared, batch, first=index == 0)
                batch = []
                index += 1

    def _prepare(self, collector: Collector) -> Prepared:
        self._progress(f"{self._spec.name}: registering")
        if isinstance(self._entity, RegisteredPlan):
            self._entity = find(self._entity, self._deployment, collector.admin)
        registered = register(self._entity, self._deployment, collector.admin)
        self.digest = registered.digest
        inputs = to_literals(self._entity, self._spec.inputs, self._deployment)
        return Prepared(registered.launch_plan, inputs)

    def _hold(
        self,
        collector: Collector,
        prepared: Prepared,
        batch: list[tuple[int, bool]],
        *,
        first: bool,
    ) -> Iterator[Repeat]:
        """Run a batch under the lock, then yield what is finished, then raise what went wrong."""
        finished: list[Repeat] = []
        trouble: BaseException | None = None
        with self._lock:
            try:
                if first:
                    self._discard_leftovers(collector)
                    collector.settle()
                for index, warmup in batch:
                    repeat = self._repeat(collector, prepared, index, warmup=warmup)
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

    def _repeat(
        self, collector: Collector, prepared: Prepared, index: int, *, warmup: bool
    ) -> Repeat:
        label = f"{'warm-up' if warmup else 'repeat'} {index}"
        name = execution_name(self._spec.name, index, warmup=warmup)
        mark = collector.mark()
        offset_ns = None
        phase_wait_ns = 0
        if self._plan.random_phase and not warmup:
            offset_ns = phase_offset_ns(self._plan.seed, self._spec.name, index)
            phase_wait_ns = wait_for_phase(offset_ns)
        self._progress(f"{self._spec.name}: {label}: {name}")
        self._journal.started(name)
        try:
            submitted_ns = time.time_ns()
            self._submit(collector, prepared, name)
            accepted_ns = time.time_ns()
            end, timed_out = self._wait(collector, name, mark)
            problem = self._problem(collector, end, timed_out=timed_out)
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
                problem=problem,
            )
            collected = collector.collect(submission, mark, end, folder, timed_out=timed_out)
        except BaseException as error:
            dead = self._awaited_death() if isinstance(error, FlyteperfError) else None
            if dead is not None:
                # Nobody is left to abort it for us; the next run does.
                raise dead from error
            self._abort(collector, name, mark)
            raise
        try:
            self._discard(collector, _names(name, collected.harvest))
        except FlyteperfError as error:
            # The repeat is finished and on disk; what is left is discarded by the next run.
            self._progress(f"{self._spec.name}: {name} is left for the next run: {error}")
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
            problem=problem,
        )

    def _submit(self, collector: Collector, prepared: Prepared, name: str) -> None:
        from flyteidl.admin import execution_pb2  # noqa: PLC0415

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
            ),
            inputs=prepared.inputs,
        )
        try:
            collector.admin.call("CreateExecution", request)
        except AdminError as error:
            raise ExecutionError(
                f"{self._spec.name}: {name} was refused: {error.reason}"
            ) from error

    def _wait(self, collector: Collector, name: str, mark: Mark) -> tuple[End, bool]:
        timeout_s = self._spec.timeout_s or self._plan.timeout_s
        end = collector.wait(name, mark, timeout_s, self._guard)
        if end is not None:
            return end, False
        self._progress(f"{self._spec.name}: {name} takes longer than {timeout_s:g} s, aborting it")
        collector.admin.terminate(name, f"took longer than {timeout_s:g} s")
        end = collector.wait(name, mark, ABORT_S, self._guard)
        if end is None:
            raise ExecutionError(
                f"{self._spec.name}: execution {name} did not end within {timeout_s:g} s, nor "
                f"within {ABORT_S:g} s after its abort; see the log of FlytePropeller"
            )
        return end, True

    def _problem(self, collector: Collector, end: End, *, timed_out: bool) -> str | None:
        """Say what is wrong with an ended execution; keeps its outputs if nothing is."""
        name = end.execution.id.name
        where = f"{self._spec.name}: execution {name}"
        if timed_out:
            timeout_s = self._spec.timeout_s or self._plan.timeout_s
            return f"{where} did not end within {timeout_s:g} s and was aborted"
        reason = error_message(end.execution)
        if end.phase != self._spec.expected_phase:
            wanted = self._spec.expected_phase
            but = "" if wanted == "SUCCEEDED" else f", but was to end {wanted}"
            return f"{where} ended {end.phase}{but}" + (f": {reason}" if reason else "")
        self.error = reason or None
        if end.phase != "SUCCEEDED":
            return None
        try:
            literals = collector.admin.outputs(name)
            self.outputs = to_python(self._entity, literals, self._deployment)
            if self._spec.check is not None:
                self._spec.check(self.outputs)
        except (ExecutionError, AssertionError) as error:
            return f"{where}: {' '.join(str(error).split()) or 'its outputs fail the check'}"
        expected = self._spec.expected
        if expected is not ABSENT and self.outputs != expected:
            return f"{where} returned {self.outputs!r}, not {expected!r}"
        return None

    def _abort(self, collector: Collector, name: str, mark: Mark) -> None:
        """End an execution that nobody waits for any more; the next run does what fails here."""
        self._progress(f"{self._spec.name}: aborting {name}")
        try:
            if collector.admin.terminate(name, "the run that started it was cut off"):
                collector.wait(name, mark, INTERRUPT_S, _unguarded)
            self._discard(collector, _family(collector, name))
        except FlyteperfError as error:
            self._progress(f"{self._spec.name}: {name} is left for the next run to abort: {error}")

    def _discard(self, collector: Collector, names: list[str]) -> None:
        if collector.discard(names):
            self._journal.discarded(names)
        else:
            self._progress(f"{self._spec.name}: objects of {names[0]} are slow to disappear")

    def _discard_leftovers(self, collector: Collector) -> None:
        """Abort what an earlier run left behind; under the lock, nobody else's is open."""
        names = list(self._journal.open())
        if names:
            self._progress(f"aborting {len(names)} executions that an earlier run left behind")
            for name in names:
                collector.admin.terminate(name, "left behind by a run that was cut off")
            self._discard(collector, [n for name in names for n in _family(collector, name)])
        if not self._journal.open():
            self._journal.clear()

    def _check_folders(self, warmups: int) -> None:
        numbers = range(self._repeats)
        for name in (*(f"warmup-{i}" for i in range(warmups)), *map(str, numbers)):
            if (self._folder / name).exists():
                raise RecordingError(
                    f"{self._folder / name}: a recording is there already; "
                    "remove it or name another folder"
                )

    def _guard(self) -> None:
        dead = self._death()
        if dead is not None:
            raise dead

    def _death(self) -> ClusterError | None:
        if self._dead is None and self._control is not None:
            death = self._control.death()
            if death is not None:
                self._dead = ClusterError(f"{self._spec.name}: {death.describe()}")
        return self._dead

    def _awaited_death(self) -> ClusterError | None:
        """The death that explains an error: calls fail before the supervisor has told of it."""
        deadline = time.monotonic() + DEATH_S
        while (dead := self._death()) is None and time.monotonic() < deadline:
            time.sleep(DEATH_POLL_S)
        return dead


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


def _family(collector: Collector, name: str) -> list[str]:
    """Names of an execution and of those it started; only its own if it was never created."""
    try:
        return _names(name, collector.admin.harvest(collector.admin.identifier(name)))
    except AdminError as error:
        if error.code is grpc.StatusCode.NOT_FOUND:
            return [name]
        raise


def _names(name: str, harvest: Harvest) -> list[str]:
    return [name, *(n for child, below in harvest.children.items() for n in _names(child, below))]


def _unguarded() -> None:
    """Wait whatever dies: the run is over already."""


def _shown(inputs: Any) -> dict[str, object]:  # noqa: ANN401 - of any type
    """Inputs as JSON can show them."""
    shown: dict[str, object] = {}
    for name, value in inputs.items():
        try:
            shown[name] = msgspec.json.decode(msgspec.json.encode(value))
        except (TypeError, ValueError, msgspec.MsgspecError):
            shown[name] = repr(value)
    return shown
