"""`flyteperf explain`.

Examples:
  flyteperf explain .flyteperf/runs/20261122-204106-60/chain/0
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_flyteperf.analyze import analyze_recording, explain
from pytest_flyteperf.cli.output import say, say_json
from pytest_flyteperf.cli.parser import add_json


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which recording."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a recording")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Tell it step by step along the critical path."""
    measures = analyze_recording(given.folder)
    if given.json:
        say_json(measures)
    else:
        say(explain(measures))
    return 0
