"""`flyteperf compare`.

A and B are results.json or .yaml, folders of runs, or baselines (a file, or the folder of an
environment), in any mixture. Exit code: 1 if a case regressed, 3 with --strict if one is undecided.

Examples:
  flyteperf compare .flyteperf/runs/20261122-204106-60 .flyteperf/runs/20261122-211508-71
  flyteperf compare baselines/local-stand-in-2cpu-1f03ab results.json --strict
  flyteperf compare A B --format yaml      every figure of the documents, subtracted
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_flyteperf.cli.output import columns, say, say_json, style
from pytest_flyteperf.cli.parser import add_json
from pytest_flyteperf.errors import RecordingError, UsageError
from pytest_flyteperf.gate import UNDECIDED, Verdict
from pytest_flyteperf.report import differences, results, sides
from pytest_flyteperf.report.delta import delta

FORMATS = ("table", "json", "yaml", "markdown")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which two, and in which form."""
    parser.add_argument("a", metavar="A", type=Path, help="the earlier one")
    parser.add_argument("b", metavar="B", type=Path, help="the one that is judged")
    parser.add_argument("--format", choices=FORMATS, default="table", help="table unless given")
    parser.add_argument("--strict", action="store_true", help="fail on undecided cases too")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Hold B against A."""
    before, now = sides.read(given.a), sides.read(given.b)
    found = differences.compare(before, now)
    if not found.cases:
        raise UsageError(f"{given.a} and {given.b} have no case in common")
    form = "json" if given.json else given.format
    if form == "json":
        say_json(found)
    elif form == "markdown":
        print(differences.markdown(found), end="")
    elif form == "yaml":
        if before.results is None or now.results is None:
            raise UsageError("--format yaml subtracts results; baselines hold samples alone")
        print(results.to_yaml(delta(before.results, now.results)), end="")
    else:
        say(differences.lines(found, columns=columns(), style=style()))
    return exit_code({verdict.verdict for verdict in found.verdicts}, strict=given.strict)


def exit_code(verdicts: set[Verdict], *, strict: bool) -> int:
    """The policy: what regressed or failed, then what is invalid, then what is undecided."""
    if verdicts & {Verdict.REGRESSED, Verdict.FAILED}:
        return 1
    if Verdict.INVALID in verdicts:
        return RecordingError.exit_code
    return 3 if strict and verdicts & UNDECIDED else 0
