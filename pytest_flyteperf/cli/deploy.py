"""`flyteperf deploy`.

Examples:
  flyteperf deploy cluster.json > deployment.json
  flyteperf deploy cluster.json --config tuned.yaml > deployment.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_flyteperf.cli.output import ProgressLine, say_json
from pytest_flyteperf.cli.parser import add_options
from pytest_flyteperf.cli.project import STACK_OPTIONS, settings
from pytest_flyteperf.kinds import read_stage
from pytest_flyteperf.model import Cluster
from pytest_flyteperf.stack import Stack


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which cluster, and which Flyte."""
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="what `flyteperf provision` printed"
    )
    add_options(parser, tuple(name for name in STACK_OPTIONS if name != "cluster"))


def run(given: argparse.Namespace) -> int:
    """Deploy, leave it up, and print the deployment as JSON."""
    cluster = read_stage(given.file, Cluster)
    with ProgressLine() as progress:
        stack = Stack(settings(given, keep=True), progress, on=cluster)
        with stack.held(cluster, "flyteperf deploy"), stack.deployment(cluster) as deployment:
            pass
    say_json(deployment)
    return 0
