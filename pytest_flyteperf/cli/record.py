"""`flyteperf record`.

FlyteAdmin tells what ran and when; traces, pods and the FlyteWorkflow object come from where they
are kept, if that is named. What no source shows stays unknown, and recording.json says why.

Examples:
  flyteperf record https://flyte.example.org/console/projects/p/domains/d/executions/f1b2c3
  flyteperf record p/d/f1b2c3 --endpoint localhost:30080 --insecure --traces http://jaeger:16686
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_flyteperf.cli.live import add_execution, record_into, reference
from pytest_flyteperf.cli.output import say, say_json
from pytest_flyteperf.cli.parser import add_json

RECORDINGS = Path(".flyteperf", "recordings")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which execution, from where, into which folder."""
    add_execution(parser, "EXECUTION", "URL of the console, PROJECT/DOMAIN/NAME, or NAME")
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, help=f"the recording; default {RECORDINGS}/NAME"
    )
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Record it."""
    folder = given.out or RECORDINGS / reference(given).name
    record_into(given, folder)
    if given.json:
        say_json({"recording": str(folder)})
    else:
        say((f"recorded: {folder}", f"  where its time went: flyteperf explain {folder}"))
    return 0
