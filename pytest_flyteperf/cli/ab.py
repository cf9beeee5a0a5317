"""`flyteperf ab`.

A REF is a release (v1.16.8), a source checkout (../flyte) or a `flyte` program; with --cluster kind
a release, image:REPOSITORY:TAG or a checkout with a Dockerfile. Both Flytes take turns on one
cluster, in blocks; a case ends when its answer is there, or --blocks are spent. No baseline is read
or written. Recordings of both sides, results.json of head, base/results.json and delta.json lie in
the folder of the run. With --json, what pytest says goes to stderr.

Examples:
  flyteperf ab --base v1.16.8 --head ../flyte
  flyteperf ab --base v1.16.8 --head v1.16.8 --head-config tuned.yaml -- -k echo_chain
  flyteperf ab --cluster kind --base v1.16.8 --head image:flyte:mine -- -k short_task
  flyteperf ab --base chart:flyte-binary --head chart:flyte-core   on a kind cluster each, told only
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_flyteperf import again, outcome
from pytest_flyteperf import run as runs
from pytest_flyteperf.cli import charts
from pytest_flyteperf.cli.output import say_json
from pytest_flyteperf.cli.parser import add_json, add_options, from_here
from pytest_flyteperf.cli.portfolio import add_paths, pytest_arguments
from pytest_flyteperf.cli.project import settings
from pytest_flyteperf.errors import FlyteperfError, RecordingError, UsageError
from pytest_flyteperf.gate import UNDECIDED, CaseVerdict, Verdict
from pytest_flyteperf.model import Frozen, Subject
from pytest_flyteperf.result import CaseResult, load, settled
from pytest_flyteperf.stack import check_comparison

DOCUMENTS = ("results", "delta", "base/results")
"""Names below the folder of a run, each as JSON and as YAML."""
SHARED = (
    *("blocks", "repeats", "warmups", "short", "full", "nightly", "strict", "timeout", "seed"),
    *("database", "keep", "wait", "out"),
    *again.WHERE,
)
"""Settings that mean the same for both sides."""
FAILED = 1
UNDECIDED_CODE = 3
INTERRUPTED = 130
UNMEASURED = {
    int(pytest.ExitCode.USAGE_ERROR): UsageError.exit_code,
    int(pytest.ExitCode.NO_TESTS_COLLECTED): UsageError.exit_code,
    int(pytest.ExitCode.INTERNAL_ERROR): FlyteperfError.exit_code,
}
"""What pytest's other ends mean; any further one is an interruption."""


class Case(Frozen, frozen=True):
    """What came of a case."""

    verdict: CaseVerdict | None
    """None where the run ended before it was judged."""
    cause: tuple[str, ...]


class Answer(Frozen, frozen=True):
    """What `--json` prints."""

    exit_code: int
    base: Subject | None
    head: Subject | None
    cases: dict[str, Case]


class _Watch:
    """A plugin of the run that keeps what came of it."""

    def __init__(self) -> None:
        self.results: tuple[CaseResult, ...] = ()
        self.trouble = False
        """Whether anything but a case and its figures failed."""

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Read the results that the reports name."""
        self.results = tuple(settled(load(Path(p))) for p in runs.results(terminalreporter))
        self.trouble = bool(terminalreporter.stats.get("error"))


def arguments(parser: argparse.ArgumentParser) -> None:
    """The two sides, and what both share."""
    parser.add_argument("--base", required=True, metavar="REF", help="the Flyte to compare with")
    parser.add_argument(
        "--head", metavar="REF", help="the Flyte that is judged; that of the settings unless given"
    )
    add_options(parser, ("base-config",))
    parser.add_argument(
        "--head-config", metavar="FILE", help="configuration of the one judged", type=from_here
    )
    add_options(parser, SHARED)
    parser.add_argument("--report-dir", metavar="DIR", type=Path, help="copy the documents there")
    add_json(parser)
    add_paths(parser)


def run(given: argparse.Namespace) -> int:
    """Let pytest measure, and turn what came of it into documents and an exit code."""
    if charts.are_meant(given.base, given.head):
        return charts.run(given)
    sides = {"flyte": given.head, "config": given.head_config}
    asked = settings(given, **sides)
    check_comparison(asked)
    watch = _Watch()
    with contextlib.redirect_stdout(sys.stderr) if given.json else contextlib.nullcontext():
        typed = pytest_arguments(vars(given) | sides, given.pytest)
        ended = int(pytest.main(typed, plugins=[watch]))
    code = exit_code(
        ended,
        [result.verdict for result in watch.results],
        strict=asked.strict,
        trouble=watch.trouble,
    )
    if given.report_dir is not None and watch.results:
        _copy(Path(watch.results[0].folder).parent, given.report_dir)
    if given.json:
        say_json(_answer(code, watch.results))
    return code


def exit_code(
    ended: int, verdicts: Sequence[CaseVerdict | None], *, strict: bool, trouble: bool
) -> int:
    """Turn pytest's exit code and the verdicts into one of the command's."""
    if ended not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        return UNMEASURED.get(ended, INTERRUPTED)
    found = {None if verdict is None else verdict.verdict for verdict in verdicts}
    answers = (
        (found & {Verdict.REGRESSED, Verdict.FAILED, None}, FAILED),
        (trouble, FlyteperfError.exit_code),
        (Verdict.INVALID in found, RecordingError.exit_code),
        (strict and found & UNDECIDED, UNDECIDED_CODE),
    )
    return next((code for applies, code in answers if applies), ended)


def _answer(code: int, results: Sequence[CaseResult]) -> Answer:
    first = results[0] if results else None
    base = first.base if first is not None else None
    return Answer(
        exit_code=code,
        base=base.subject if base is not None else None,
        head=first.subject if first is not None else None,
        cases={r.case: Case(verdict=r.verdict, cause=outcome.cause(r)) for r in results},
    )


def _copy(folder: Path, target: Path) -> None:
    try:
        for name in DOCUMENTS:
            for path in folder.glob(f"{name}.*"):
                copy = target / path.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
    except OSError as error:
        raise UsageError(
            f"--report-dir: {error.filename or target}: {error.strerror}; the documents are in "
            f"{folder}"
        ) from None
