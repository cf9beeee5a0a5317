"""`flyteperf comment`.

The first line is a mark by which a later run finds the comment and edits it.

Examples:
  flyteperf comment .flyteperf/runs/20261122-204106-60
  flyteperf comment results.json > comment.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_flyteperf.cli.output import say_json
from pytest_flyteperf.cli.parser import add_json
from pytest_flyteperf.cli.project import read_results
from pytest_flyteperf.report import github


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which run."""
    parser.add_argument(
        "run", metavar="RUN", type=Path, help="results.json, its folder, or a folder of runs"
    )
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Print it; the results document is all that is needed."""
    text = github.summary(read_results(given.run))
    if given.json:
        say_json({"mark": github.MARK, "markdown": text})
    else:
        print(text, end="")
    return 0
