"""Hooks of the pytest plugin; the work behind them is in `session` and `fixtures`.

Imported in every pytest run of an environment that has the package installed, so imports that
cost anything stand where they are used.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_flyteperf import fixtures, run
from pytest_flyteperf.errors import FlyteperfError, UsageError
from pytest_flyteperf.options import OPTIONS
from pytest_flyteperf.settings import resolve

if TYPE_CHECKING:
    from pytest_flyteperf.settings import Settings

MARKER = (
    "flyteperf(repeats, warmups, timeout, tolerance, gate, needs): how a benchmark is repeated and "
    "gated; `repeats` and `warmups` are numbers, or numbers by size; `needs` names custom resource "
    "definitions without which it is skipped"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add every option as a flag and as an ini key."""
    group = parser.getgroup("flyteperf", "performance of Flyte")
    for option in OPTIONS:
        if option.kind is bool:
            group.addoption(
                option.flag, dest=option.ini, action="store_true", default=None, help=option.help
            )
        else:
            group.addoption(option.flag, dest=option.ini, metavar=option.metavar, help=option.help)
        parser.addini(option.ini, option.help, default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Check the settings before anything starts."""
    config.addinivalue_line("markers", MARKER)
    config.pluginmanager.register(fixtures, "flyteperf-fixtures")
    config.stash[run.SETTINGS] = _settings(config)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Remember that some benchmarks will not run."""
    run.leave_out(items)


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Say what will be measured, where any is.

    Raises:
        pytest.UsageError: what was given to measure on is wrong.
    """
    if not any(run.is_benchmark(item) for item in items):
        return []
    try:
        return list(fixtures.session(config).plan(items))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Judge a benchmark once its own assertions hold; our errors are one line each."""
    try:
        result = yield
    except FlyteperfError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    if run.is_benchmark(pyfuncitem):
        fixtures.session(pyfuncitem.config).judge(pyfuncitem)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the outcome of a benchmark travel with its report, from xdist's workers too."""
    report = yield
    if call.when == "call" and run.is_benchmark(item):
        fixtures.session(item.config).attach(item, report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Show trouble of the infrastructure as an error, not as a failure of the test."""
    if getattr(report, "flyteperf_infrastructure", False):
        return "error", "E", "ERROR"
    return None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Let xdist's workers write into the run folder of the whole run."""
    run.share(node)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table and write the results."""
    results = run.results(terminalreporter)
    if results:
        fixtures.session(config).summarize(results, terminalreporter)


def _settings(config: pytest.Config) -> Settings:
    flags = {option.name: config.getoption(option.ini) for option in OPTIONS}
    try:
        return resolve(flags, os.environ, config.getini, config.rootpath)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
