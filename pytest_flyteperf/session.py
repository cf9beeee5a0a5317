"""One run of the plugin: brings Flyte up, runs cases, judges them and writes what came out.

Every finished case is on disk, as `case.json` in its folder of the run, before pytest hears of it;
the summary, the results documents and new baselines are made from these files, whoever ran them.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec
import pytest

from pytest_flyteperf import asked, outcome, pages
from pytest_flyteperf import result as case_result
from pytest_flyteperf.agenda import agenda
from pytest_flyteperf.benchmark import Benchmark, Call, Finished
from pytest_flyteperf.errors import (
    ExecutionError,
    FlyteperfError,
    RecordingError,
    RegistrationError,
    UsageError,
)
from pytest_flyteperf.forecast import Forecast, earlier
from pytest_flyteperf.gate import BaselineStore
from pytest_flyteperf.judgement import baseline_of, fails, verdict_on
from pytest_flyteperf.measurement import Measurement, Site
from pytest_flyteperf.model import Cluster, Deployment, Size
from pytest_flyteperf.report import github, runs
from pytest_flyteperf.run import folder, is_whole
from pytest_flyteperf.screen import Screen
from pytest_flyteperf.settings import Settings
from pytest_flyteperf.stack import Stack, missing
from pytest_flyteperf.termination import terminable

if TYPE_CHECKING:
    from _pytest._io import TerminalWriter

FRESH = 1 << 40
"""Range of fresh numbers: two sessions get the same one about never."""

_MEASUREMENT: pytest.StashKey[Measurement] = pytest.StashKey()
_TROUBLE: pytest.StashKey[bool] = pytest.StashKey()


class Session:
    """What the hooks and fixtures of one pytest process share."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        screen = Screen(config)
        self._site = Site(
            settings=settings,
            stack=Stack(_patient(config, settings), screen),
            base=None if settings.base is None else Stack(_base(settings), screen),
            store=BaselineStore(settings.baseline_dir),
            folder=folder(config, settings.out),
            screen=screen,
            forecast=Forecast({}, {}),
        )
        self._planned: tuple[str, ...] = ()
        self._latest: tuple[Deployment, Deployment] | None = None
        """What the fixture gave to the latest case, and what that was measured on."""

    # --- before the first case ----------------------------------------------------------------

    def plan(self, items: Sequence[pytest.Item]) -> tuple[str, ...]:
        """Lines that say what is about to be measured.

        Raises:
            pytest.UsageError: a marker is wrong.
        """
        try:
            planned = agenda(items, self._site.settings)
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None
        self._planned = planned.cases
        settings = self._site.settings
        known = earlier(_earlier_runs(settings), planned.cases, Size(settings.size))
        self._site = self._site._replace(
            forecast=Forecast(planned.executions, known, at_most=settings.base is not None)
        )
        return planned.lines

    @contextmanager
    def cluster(self) -> Iterator[Cluster]:
        """A running cluster, held for the session."""
        with terminable(), self._explained():
            if self._site.base is not None:
                if hasattr(self._config, "workerinput"):
                    raise UsageError(
                        "--flyteperf-base: two Flytes take turns on one cluster; leave -n out"
                    )
                self._site.base.ensure()
            with self._site.stack.cluster("pytest") as cluster:
                yield cluster

    @contextmanager
    def deployment(self, cluster: Cluster) -> Iterator[Deployment]:
        """A running Flyte on the cluster."""
        with self._explained(), self._site.stack.deployment(cluster) as deployment:
            yield deployment

    # --- a case -------------------------------------------------------------------------------

    def benchmark(self, item: pytest.Item, deployment: Deployment) -> Benchmark:
        """What the test of a case calls.

        Raises:
            pytest.fail.Exception: an earlier test is the same case.
            pytest.skip.Exception: the cluster lacks what the case needs.
        """
        with self._explained(item):
            asked.check_name(item)
            for name in missing(asked.needs(item), deployment.cluster):
                pytest.skip(f"the cluster has no {name}; install the operator that brings it")
            deployment = self._for_next_case(deployment)

        measurement = Measurement(self._site, item, deployment)
        item.stash[_MEASUREMENT] = measurement

        def execute(call: Call) -> Finished:
            with self._explained(item):
                return measurement(call)

        return Benchmark(
            asked.case_name(item),
            Size(self._site.settings.size),
            secrets.randbelow(FRESH),
            execute,
        )

    def _for_next_case(self, given: Deployment) -> Deployment:
        """The Flyte of the fixture's; for all but its first case without a past, if it is ours."""
        current = given
        if self._latest is not None and self._latest[0] == given:
            current = self._latest[1]
            if self._site.base is None:  # else each block has a Flyte of its own
                current = self._site.stack.fresh(current)
        self._latest = given, current
        return current

    def judge(self, item: pytest.Item) -> None:
        """Give the verdict on a case whose test body has passed.

        Raises:
            pytest.fail.Exception: it regressed, is invalid or, under strict, undecided.
        """
        measurement = item.stash.get(_MEASUREMENT, None)
        if measurement is None or measurement.result is None:
            pytest.fail(
                f"{item.nodeid}: flyteperf was not called; call it or drop it", pytrace=False
            )
        with self._explained(item):
            baseline = baseline_of(measurement.result, self._site.store)
            verdict = verdict_on(measurement.result, baseline)
        result = measurement.result = msgspec.structs.replace(measurement.result, verdict=verdict)
        item.user_properties.extend(github.properties(verdict))
        if fails(verdict, self._site.settings):
            pytest.fail(outcome.failure(result, baseline, self._site.settings), pytrace=False)

    def attach(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Let a report name its case's result, whatever came of the test."""
        vars(report)["flyteperf_infrastructure"] = item.stash.get(_TROUBLE, False)
        measurement = item.stash.get(_MEASUREMENT, None)
        if measurement is None or measurement.result is None:
            return
        result = measurement.result
        if report.failed and result.verdict is None:
            failed = case_result.failed(result, _first_line(report.longreprtext))
            result = msgspec.structs.replace(result, verdict=failed)
        try:
            vars(report)["flyteperf"] = str(case_result.save(result))
        except RecordingError as error:
            report.outcome, report.longrepr = "failed", str(error)

    # --- after the last case ------------------------------------------------------------------

    def summarize(self, paths: Sequence[str], reporter: pytest.TerminalReporter) -> None:
        """Print the table, write results and, where asked, baselines."""
        reporter.section("flyteperf")
        try:
            for line in self._told(paths, reporter._tw):  # noqa: SLF001 # only it knows the width
                reporter.write_line(line)
        except (FlyteperfError, OSError) as error:
            said = str(error)
            if isinstance(error, OSError):
                where = error.filename or self._site.settings.out
                said = f"{where}: {error.strerror}; make room, or name another folder"
            reporter.write_line(f"flyteperf: {said}", red=True)
            if reporter._session is not None:  # noqa: SLF001 # this late nothing else decides
                reporter._session.exitstatus = pytest.ExitCode.TESTS_FAILED  # noqa: SLF001

    def _told(self, paths: Sequence[str], writer: TerminalWriter) -> Iterator[str]:
        """Lines that tell what came out; the files that they name are written meanwhile."""
        settings, store, out = self._site.settings, self._site.store, self._site.folder
        results = [case_result.settled(case_result.load(Path(path))) for path in paths]
        yield from outcome.summary(
            results,
            settings,
            columns=writer.fullwidth,
            colour=writer.hasmarkup,
            verbose=self._config.get_verbosity() > 0,
        )
        yield from outcome.write(results, settings, store, out, os.environ)
        if self._planned and is_whole(self._config):
            yield from outcome.unused(results, self._planned, settings, store)
        try:
            yield from pages.write_all(results, settings, out, self._site.screen)
        finally:
            self._site.screen.clear()

    # --- help ---------------------------------------------------------------------------------

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
            self._site.screen.clear()


def _earlier_runs(settings: Settings) -> tuple[runs.Run, ...]:
    """What the run store knows; a forecast does without one that cannot be read."""
    try:
        return runs.read(settings.out)[0]
    except UsageError:
        return ()


def _base(settings: Settings) -> Settings:
    """The settings of the Flyte that is compared with."""
    return settings._replace(flyte=settings.base or settings.flyte, config=settings.base_config)


def _patient(config: pytest.Config, settings: Settings) -> Settings:
    """Let a worker of xdist wait for its fellows' repeats, however long they take."""
    if hasattr(config, "workerinput"):
        return settings._replace(wait_s=float("inf"))
    return settings


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marked = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
    return (marked or lines or ["the test failed"])[0]


def _refuse(message: str) -> NoReturn:
    raise pytest.fail.Exception(message, pytrace=False) from None
