"""`flyteperf history`.

Shows the series of a case's runs in this project, each with its median, and where the level
changed beyond chance. Every run of the plugin appends to `.flyteperf/history.jsonl`.

Examples:
  flyteperf history                      which cases there are
  flyteperf history chain
  flyteperf history echo_chain --metric duration_ns --short
"""

from __future__ import annotations

import argparse

from pytest_flyteperf.cli.output import say, say_json
from pytest_flyteperf.cli.parser import add_json, add_options
from pytest_flyteperf.cli.project import settings
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.model import METRICS, Size
from pytest_flyteperf.report import history, runs


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which case, and which of its figures."""
    parser.add_argument("case", nargs="?", metavar="CASE", help="without one, the cases are listed")
    parser.add_argument(
        "--metric", default="handle_ns", choices=tuple(METRICS), metavar="NAME", help="handle_ns"
    )
    add_options(parser, ("short", "full", "nightly", "out"))
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Print the series, or the names of the cases."""
    here = settings(given)
    stored, damaged = runs.read(here.out)
    file, size = here.out / runs.FILE, Size(here.size)
    left_out = [f"{damaged} damaged lines of {file} are left out"] if damaged else []
    known = sorted({one.case for run in stored for one in run.cases})
    if given.case is None:
        say_json(known) if given.json else say([*(known or ["no run is stored"]), *left_out])
        return 0
    if given.case not in known:
        there = f"there are {', '.join(known)}" if known else "`flyteperf run` measures cases"
        raise UsageError(f"{file}: no run of {given.case!r}; {there}")
    sizes = {one.size for run in stored for one in run.cases if one.case == given.case}
    if size not in sizes:
        there = ", ".join(sorted(sizes))
        raise UsageError(f"{file}: no run of {given.case!r} in size {size}, but in {there}")
    series = history.series(given.case, size, given.metric, stored)
    if given.json:
        say_json(series)
        return 0
    say(history.lines(series))
    say(left_out)
    return 0
