"""One run of the plugin: brings Flyte up, runs cases, judges them and writes what came out.

Every finished case is on disk, as `case.json` in its folder of the run, before pytest hears of it;
the summary, the results documents and new baselines are made from these files, whoever ran them.
"""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from pytest_flyteperf import benchmark, outcome, pages
from pytest_flyteperf import result as case_result
from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.benchmark import Benchmark, Call, Finished
from pytest_flyteperf.errors import (
    ClusterError,
    ExecutionError,
    FlyteperfError,
    RecordingError,
    RegistrationError,
    UsageError,
)
from pytest_flyteperf.execute import CaseSpec, run_case
from pytest_flyteperf.gate import (
    Baseline,
    BaselineStore,
    CaseVerdict,
    Verdict,
    atomic,
    judge,
    judge_blocks,
    undecided,
    unsettled,
)
from pytest_flyteperf.gate import check as check_policy
from pytest_flyteperf.model import Cluster, Deployment, Repeat, RunPlan, Size
from pytest_flyteperf.report import github
from pytest_flyteperf.result import CaseResult, Measured
from pytest_flyteperf.run import folder, is_benchmark, is_whole
from pytest_flyteperf.screen import Screen
from pytest_flyteperf.settings import Settings
from pytest_flyteperf.stack import Stack, check_comparison, missing
from pytest_flyteperf.turns import Side, Sides, Stage, Turns

UNDECIDED = frozenset({Verdict.INCONCLUSIVE, Verdict.INCOMPARABLE, Verdict.NO_BASELINE})
TERMINATED = 128 + signal.SIGTERM
"""Exit code of a run that SIGTERM ended, as shells have it."""
FRESH = 1 << 40
"""Range of fresh numbers: two sessions get the same one about never."""

_RESULT: pytest.StashKey[CaseResult] = pytest.StashKey()
_TROUBLE: pytest.StashKey[bool] = pytest.StashKey()


class Session:
    """What the hooks and fixtures of one pytest process share."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._screen = Screen(config)
        self._stack = Stack(_patient(config, settings), self._screen)
        self._base = None if settings.base is None else Stack(_base(settings), self._screen)
        """The other Flyte, where two are measured in turns."""
        self._folder = folder(config, settings.out)
        self._store = BaselineStore(settings.baseline_dir)
        self._planned: tuple[str, ...] = ()

    # --- before the first case ----------------------------------------------------------------

    def plan(self, items: Sequence[pytest.Item]) -> Iterator[str]:
        """Lines that say what is about to be measured.

        Raises:
            pytest.UsageError: a marker is wrong, or two tests are the same case.
        """
        cases: dict[str, str] = {}
        repeats = 0
        try:
            check_comparison(self._settings)
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None
        for item in filter(is_benchmark, items):
            try:
                name = benchmark.case_name(item)
                repeats += benchmark.run_plan(item, self._settings).repeats
                benchmark.policy(item, self._settings)
                benchmark.needs(item)
            except UsageError as error:
                raise pytest.UsageError(str(error)) from None
            if name in cases:
                raise pytest.UsageError(
                    f"{item.nodeid} and {cases[name]} are both case {name!r}; rename one"
                )
            cases[name] = item.nodeid
        self._planned = tuple(cases)
        what = f"Flyte {self._settings.flyte} on a {self._settings.cluster} cluster"
        size = f"size {self._settings.size}"
        if self._settings.base is not None:
            blocks = f"at most {self._settings.blocks} blocks of either Flyte in turns"
            yield f"flyteperf: {len(cases)} cases, {size}, {what}, against {self._settings.base}"
            yield f"flyteperf: {blocks}, {repeats // max(1, len(cases))} repeats a block"
            return
        gate = f"against {self._settings.baseline_dir}" if self._settings.baseline else "no gate"
        yield f"flyteperf: {len(cases)} cases, {repeats} repeats, {size}, {what}, {gate}"

    @contextmanager
    def cluster(self) -> Iterator[Cluster]:
        """A running cluster, held for the session."""
        with _terminable(), self._explained():
            if self._base is not None:
                if hasattr(self._config, "workerinput"):
                    raise UsageError(
                        "--flyteperf-base: two Flytes take turns on one cluster; leave -n out"
                    )
                self._base.ensure()
            with self._stack.cluster("pytest") as cluster:
                yield cluster

    @contextmanager
    def deployment(self, cluster: Cluster) -> Iterator[Deployment]:
        """A running Flyte on the cluster."""
        with self._explained(), self._stack.deployment(cluster) as deployment:
            yield deployment

    # --- a case -------------------------------------------------------------------------------

    def benchmark(self, item: pytest.Item, deployment: Deployment) -> Benchmark:
        """What the test of a case calls.

        Raises:
            pytest.skip.Exception: the cluster lacks what the case needs.
        """
        with self._explained(item):
            for name in missing(benchmark.needs(item), deployment.cluster):
                pytest.skip(f"the cluster has no {name}; install the operator that brings it")

        def execute(call: Call) -> Finished:
            with self._explained(item):
                return self._run(item, deployment, call)

        return Benchmark(
            benchmark.case_name(item),
            Size(self._settings.size),
            secrets.randbelow(FRESH),
            execute,
        )

    def _run(self, item: pytest.Item, deployment: Deployment, call: Call) -> Finished:
        result = self._begun(item, deployment, call)
        plan = result.plan
        spec = CaseSpec(
            name=result.case if call.units is None else f"{result.case}-{call.units}",
            entity=call.workflow,
            size=result.size,
            inputs=call.inputs,
            check=_SameOutputs(),
            expected_phase=call.phase,
        )
        if self._base is not None:
            if call.units is not None:
                pytest.skip(f"{result.case}: a sweep over sizes is not measured in turns")
            return self._run_in_turns(item, deployment, spec, plan)
        run = run_case(
            spec,
            deployment,
            plan,
            out_dir=self._folder if call.units is None else Path(result.folder),
            progress=self._screen,
            lock=self._stack.machine_lock(item.nodeid),
            control=self._stack.control,
        )
        item.stash[_RESULT] = result
        self._save(result)
        baseline = self._baseline(result)
        if baseline is not None and self._settings.baseline:
            check_policy(result.policy, baseline)
        smaller = result.digest
        planned = plan.repeats
        replaced = 0
        try:
            for repeat in run:
                result = result.having(
                    _measured(repeat, call.units), digest=case_result.joined(smaller, run.digest)
                )
                item.stash[_RESULT] = result
                result.shape()
                more = 0
                if replaced < min(result.invalid_at(call.units), _spare(plan.repeats)):
                    more = 1
                    replaced += 1
                elif call.units is None and len(result.repeats) == planned:
                    more = self._still_needed(result, baseline)
                planned += more
                run.more(more)
        finally:
            self._screen.clear()
            self._save(result)
        return Finished(run.outputs, run.error, result.shape())

    def _run_in_turns(
        self, item: pytest.Item, deployment: Deployment, spec: CaseSpec, plan: RunPlan
    ) -> Finished:
        """Measure a case on both Flytes until their difference is known, or the budget spent."""
        stacks = {Side.BASE: self._base or self._stack, Side.HEAD: self._stack}
        sides = Sides(
            {side: partial(self._renew, stack, deployment) for side, stack in stacks.items()},
            partial(self._empty, item, plan),
        )
        turns = Turns(
            spec,
            plan,
            Stage(
                start=sides.start,
                folder=self._folder,
                progress=self._screen,
                lock=self._stack.machine_lock(item.nodeid),
                control=self._stack.control,
            ),
            self._settings.blocks,
            lambda: sides.result is not None and _settled(sides.result),
        )
        try:
            for finished in turns:
                sides.add(finished)
                if sides.result is not None:
                    item.stash[_RESULT] = sides.result
        finally:
            self._screen.clear()
            if sides.result is not None:
                self._save(sides.result)
        shape = None if sides.result is None else sides.result.shape()
        return Finished(turns.outputs, turns.error, shape)

    def _renew(self, stack: Stack, deployment: Deployment) -> Deployment:
        if self._stack.control is None:
            raise ClusterError(f"{deployment.cluster.name}: is not held; a fixture let it go")
        return stack.renew(deployment.cluster, self._stack.control)

    def _begun(self, item: pytest.Item, deployment: Deployment, call: Call) -> CaseResult:
        """The result that a call adds to: in a sweep, what its earlier sizes measured."""
        empty = self._empty(item, benchmark.run_plan(item, self._settings), deployment)
        if call.units is None:
            return empty
        policy = msgspec.structs.replace(empty.policy, budget=None)
        return item.stash.get(_RESULT, msgspec.structs.replace(empty, policy=policy))

    def _empty(self, item: pytest.Item, plan: RunPlan, deployment: Deployment) -> CaseResult:
        """The result of a case before its first repeat."""
        name = benchmark.case_name(item)
        return CaseResult(
            case=name,
            size=Size(self._settings.size),
            nodeid=item.nodeid,
            plan=plan,
            policy=benchmark.policy(item, self._settings),
            subject=deployment.subject,
            environment=deployment.environment,
            folder=str(self._folder / name),
            recorded=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )

    def _baseline(self, result: CaseResult) -> Baseline | None:
        if result.base is not None:
            return outcome.base_of(result.base)
        return self._store.find(result.case, result.size, result.environment)

    def _still_needed(self, result: CaseResult, baseline: Baseline | None) -> int:
        """How many repeats to add before the next look at an open verdict."""
        if baseline is None or not self._settings.baseline:
            return 0
        if not undecided(_verdict(result, baseline)):
            return 0
        return result.policy.more(len(result.valid))

    def judge(self, item: pytest.Item) -> None:
        """Give the verdict on a case whose test body has passed.

        Raises:
            pytest.fail.Exception: it regressed, is invalid or, under strict, undecided.
        """
        result = item.stash.get(_RESULT, None)
        if result is None:
            pytest.fail(
                f"{item.nodeid}: flyteperf was not called; call it or drop it", pytrace=False
            )
        with self._explained(item):
            baseline = self._baseline(result)
            verdict = _verdict(result, baseline)
        item.stash[_RESULT] = result = msgspec.structs.replace(result, verdict=verdict)
        item.user_properties.extend(github.properties(verdict))
        if self._fails(verdict):
            pytest.fail(outcome.failure(result, baseline, self._settings), pytrace=False)

    def _fails(self, verdict: CaseVerdict) -> bool:
        if verdict.verdict in {Verdict.FAILED, Verdict.INVALID}:
            return True
        if not self._settings.baseline and self._base is None:
            return False
        return verdict.verdict is Verdict.REGRESSED or (
            self._settings.strict and verdict.verdict in UNDECIDED
        )

    def attach(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Let a report name its case's result, whatever came of the test."""
        vars(report)["flyteperf_infrastructure"] = item.stash.get(_TROUBLE, False)
        result = item.stash.get(_RESULT, None)
        if result is None:
            return
        if report.failed and result.verdict is None:
            failed = case_result.failed(result, _first_line(report.longreprtext))
            result = msgspec.structs.replace(result, verdict=failed)
        try:
            vars(report)["flyteperf"] = str(self._save(result))
        except RecordingError as error:
            report.outcome, report.longrepr = "failed", str(error)

    # --- after the last case ------------------------------------------------------------------

    def summarize(self, paths: Sequence[str], reporter: pytest.TerminalReporter) -> None:
        """Print the table, write results and, where asked, baselines."""
        results = [case_result.settled(case_result.load(Path(path))) for path in paths]
        writer = reporter._tw  # noqa: SLF001 # only it knows width and colour
        lines = outcome.summary(
            results,
            self._settings,
            columns=writer.fullwidth,
            colour=writer.hasmarkup,
            verbose=self._config.get_verbosity() > 0,
        )
        reporter.section("flyteperf")
        for line in lines:
            reporter.write_line(line)
        try:
            for line in outcome.write(
                results, self._settings, self._store, self._folder, os.environ
            ):
                reporter.write_line(line)
            if self._planned and is_whole(self._config):
                for line in outcome.unused(results, self._planned, self._settings, self._store):
                    reporter.write_line(line)
            for line in pages.write_all(results, self._settings, self._folder):
                reporter.write_line(line)
        except (FlyteperfError, OSError) as error:
            reporter.write_line(f"flyteperf: {error}", red=True)
            if reporter._session is not None:  # noqa: SLF001 # this late nothing else decides
                reporter._session.exitstatus = pytest.ExitCode.TESTS_FAILED  # noqa: SLF001

    # --- help ---------------------------------------------------------------------------------

    def _save(self, result: CaseResult) -> Path:
        path = Path(result.folder) / "case.json"
        try:
            atomic.write_text(path, msgspec.json.encode(result).decode())
        except OSError as error:
            raise RecordingError(
                f"{error.filename or path}: {error.strerror}; make room, or give --flyteperf-out "
                "another folder"
            ) from error
        return path

    @contextmanager
    def _explained(self, item: pytest.Item | None = None) -> Iterator[None]:
        """Turn our errors into one line without a traceback."""
        try:
            yield
        except FlyteperfError as error:
            infrastructure = not isinstance(error, ExecutionError | RegistrationError | UsageError)
            if item is not None and infrastructure:
                item.stash[_TROUBLE] = True
            _refuse(str(error))
        finally:
            self._screen.clear()


def _spare(repeats: int) -> int:
    """How many invalid repeats are replaced; with more, the case is invalid anyway."""
    return max(1, repeats // 4)


def _base(settings: Settings) -> Settings:
    """The settings of the Flyte that is compared with."""
    return settings._replace(flyte=settings.base or settings.flyte, config=settings.base_config)


def _patient(config: pytest.Config, settings: Settings) -> Settings:
    """Let a worker of xdist wait for its fellows' repeats, however long they take."""
    if hasattr(config, "workerinput"):
        return settings._replace(wait_s=float("inf"))
    return settings


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C, so that what was started ends and what is done is kept."""

    def stop(*_: object) -> NoReturn:
        raise pytest.exit.Exception("SIGTERM", returncode=TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _SameOutputs:
    """Checks that every repeat returns what the first one did."""

    def __init__(self) -> None:
        self._first: list[object] = []

    def __call__(self, outputs: object) -> None:
        if not self._first:
            self._first.append(outputs)
        if outputs != self._first[0]:
            raise AssertionError(f"returned {outputs!r}, an earlier repeat {self._first[0]!r}")


def _verdict(result: CaseResult, baseline: Baseline | None) -> CaseVerdict:
    if result.base is not None and baseline is not None:
        return judge_blocks(baseline, result.blocks, result.policy)
    return judge(
        result.case,
        result.size,
        result.samples,
        baseline,
        result.environment,
        result.policy,
        digest=result.digest,
    )


def _settled(result: CaseResult) -> bool:
    base = None if result.base is None else outcome.base_of(result.base)
    return not unsettled(_verdict(result, base))


def _measured(repeat: Repeat, units: int | None) -> Measured:
    return Measured(repeat=repeat, measures=analyze_recording(repeat.recording), units=units)


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marked = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
    return (marked or lines or ["the test failed"])[0]


def _refuse(message: str) -> NoReturn:
    raise pytest.fail.Exception(message, pytrace=False) from None
