"""`flyteperf provision`.

The cluster stays up; what is printed is all that the next stage needs, and may come from elsewhere.

Examples:
  flyteperf provision > cluster.json
  flyteperf provision --cluster kind > cluster.json
  flyteperf deploy cluster.json > deployment.json
  flyteperf run --deployment deployment.json
"""

from __future__ import annotations

import argparse

from pytest_flyteperf.cli.output import ProgressLine, say_json
from pytest_flyteperf.cli.parser import add_options
from pytest_flyteperf.cli.project import STACK_OPTIONS, settings
from pytest_flyteperf.stack import Stack


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which cluster."""
    add_options(parser, STACK_OPTIONS)


def run(given: argparse.Namespace) -> int:
    """Start it, leave it up, and print it as JSON."""
    with ProgressLine() as progress:
        stack = Stack(settings(given, keep=True), progress)
        with stack.cluster("flyteperf provision") as cluster:
            pass
    say_json(cluster)
    return 0
