"""`flyteperf fold-logs`.

Examples:
  flyteperf fold-logs .flyteperf/runs/20261122-204106-60/chain/0
  flyteperf fold-logs propeller.log a1b2c3 --enqueues
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_flyteperf.analyze import fold_file, fold_recording, render
from pytest_flyteperf.cli.output import say, say_json
from pytest_flyteperf.cli.parser import add_json
from pytest_flyteperf.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which log, and of which execution."""
    parser.add_argument(
        "log", metavar="FOLDER|LOG", type=Path, help="a recording, or Propeller's JSON log"
    )
    parser.add_argument("execution", nargs="?", help="name of the execution, for a log")
    parser.add_argument("--enqueues", action="store_true", help="show what woke Propeller too")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Fold it."""
    if given.log.is_dir():
        folded = fold_recording(given.log, enqueues=given.enqueues)
    elif given.execution is None:
        raise UsageError(f"{given.log}: name the execution to fold, e.g. fold-logs LOG EXECUTION")
    else:
        folded = fold_file(given.log, given.execution, enqueues=given.enqueues)
    if given.json:
        say_json(folded)
    else:
        say(render(folded))
    return 0
