"""`flyteperf compare`.

Examples:
  flyteperf compare .flyteperf/runs/20261122-204106-60 .flyteperf/runs/20261122-211508-71
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_flyteperf.cli.parser import add_json
from pytest_flyteperf.cli.project import read_results
from pytest_flyteperf.report import results
from pytest_flyteperf.report.delta import delta


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which two."""
    parser.add_argument("a", metavar="A", type=Path, help="results.json or its folder")
    parser.add_argument("b", metavar="B", type=Path, help="likewise")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Subtract A from B, figure by figure."""
    document = delta(read_results(given.a), read_results(given.b))
    print(results.to_json(document) if given.json else results.to_yaml(document), end="")
    return 0
