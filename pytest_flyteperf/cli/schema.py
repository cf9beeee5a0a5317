"""`flyteperf schema`.

Examples:
  flyteperf schema
  flyteperf schema results > results.schema.json
"""

from __future__ import annotations

import argparse

from pytest_flyteperf.cli.output import say, say_json
from pytest_flyteperf.cli.parser import add_json
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.model import Frozen
from pytest_flyteperf.report import results
from pytest_flyteperf.report.differences import Differences
from pytest_flyteperf.report.sections import Delta, Results
from pytest_flyteperf.result import CaseResult

DOCUMENTS: dict[str, tuple[type[Frozen], str]] = {
    "results": (Results, "results.json: what a run measured"),
    "delta": (Delta, "the same keys, signed differences"),
    "differences": (
        Differences,
        "compare --json: both sides, ratio, interval, verdict",
    ),
    "case": (CaseResult, "case.json: all that is known of a case after a run"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which document."""
    parser.add_argument("name", nargs="?", metavar="NAME", help=", ".join(DOCUMENTS))
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Print its schema, or which there are."""
    if given.name is None:
        if given.json:
            say_json({name: what for name, (_, what) in DOCUMENTS.items()})
        else:
            say(f"{name:<12} {what}" for name, (_, what) in DOCUMENTS.items())
        return 0
    if given.name not in DOCUMENTS:
        raise UsageError(
            f"{given.name}: there is no such document; there are {', '.join(DOCUMENTS)}"
        )
    say_json(results.json_schema(DOCUMENTS[given.name][0]))
    return 0
