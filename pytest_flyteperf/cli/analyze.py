"""`flyteperf analyze`.

Examples:
  flyteperf analyze .flyteperf/runs/*/chain/0
  flyteperf analyze FOLDER --json | jq '.[].handle_ns'
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.cli.output import columns, say, say_json
from pytest_flyteperf.cli.parser import add_json
from pytest_flyteperf.report import measures, ownership


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which recordings."""
    parser.add_argument("folders", nargs="+", metavar="FOLDER", type=Path, help="a recording")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Analyse them; one table, then who owned the time of each."""
    analyzed = [(folder, analyze_recording(folder)) for folder in given.folders]
    if given.json:
        say_json({str(folder): found for folder, found in analyzed})
        return 0
    names = ["/".join(folder.resolve().parts[-2:]) for folder in given.folders]
    say(measures.lines([found for _, found in analyzed], names=names, columns=columns()))
    for folder, found in analyzed:
        say(("", *ownership.lines(str(folder), [found])))
    return 0
