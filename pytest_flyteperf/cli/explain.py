"""`flyteperf explain`.

An execution that is no folder is recorded first, as `flyteperf record` does, and not kept.

Examples:
  flyteperf explain .flyteperf/runs/20261122-204106-60/chain/0
  flyteperf explain https://flyte.example.org/console/projects/p/domains/d/executions/f1b2c3
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from pytest_flyteperf.analyze import analyze_recording, explain
from pytest_flyteperf.cli.live import add_execution, record_into
from pytest_flyteperf.cli.output import say, say_json
from pytest_flyteperf.cli.parser import add_json
from pytest_flyteperf.model import Measures


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which recording, or which execution from where."""
    add_execution(parser, "EXECUTION|FOLDER", "as `flyteperf record` takes it, or a recording")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Tell it step by step along the critical path."""
    folder = Path(given.execution)
    measures = analyze_recording(folder) if folder.is_dir() else _measured(given)
    if given.json:
        say_json(measures)
    else:
        say(explain(measures))
    return 0


def _measured(given: argparse.Namespace) -> Measures:
    with tempfile.TemporaryDirectory(prefix="flyteperf-") as scratch:
        folder = Path(scratch, "recording")
        record_into(given, folder)
        return analyze_recording(folder)
