"""`flyteperf accept`.

Takes what a run measured for the baseline of its cases, with who says so and why. The run may be
one of another machine, e.g. the artifact of a CI job: its baselines go to its environment.

Examples:
  flyteperf accept --reason "first recording"
  flyteperf accept chain map --reason "events are batched since v1.16.9"
  flyteperf accept --run ~/Downloads/flyteperf-run --join --reason "a second session"
"""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path

from pytest_flyteperf import acceptance
from pytest_flyteperf.cli.output import say, say_json
from pytest_flyteperf.cli.parser import add_json, add_options
from pytest_flyteperf.cli.project import settings
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate import Accepted, BaselineStore
from pytest_flyteperf.result import latest_run


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which cases of which run, and why."""
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all of the run unless named")
    parser.add_argument("--reason", required=True, help="why; it is stored with the baseline")
    parser.add_argument("--by", help="who; your name in git unless given")
    parser.add_argument(
        "--run", dest="folder", metavar="FOLDER", type=Path, help="not the last run"
    )
    parser.add_argument(
        "--join", action="store_true", help="as one session more beside those of the same Flyte"
    )
    add_options(parser, ("baseline-dir", "out"))
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Write the baselines."""
    if not given.reason.strip():
        raise UsageError("--reason: is empty; say why these figures are right")
    here = settings(given)
    folder = given.folder or latest_run(here.out)
    accepted = Accepted(
        by=given.by or acceptance.author(here.root) or getpass.getuser(), reason=given.reason
    )
    commit = acceptance.commit(here.root)
    store = BaselineStore(here.baseline_dir)
    written = [
        store.put(acceptance.baseline_of(measured, accepted, commit), join=given.join)
        for measured in acceptance.chosen(folder, given.cases)
    ]
    if given.json:
        say_json([str(path) for path in written])
    else:
        say(f"accepted: {path}" for path in written)
    return 0
