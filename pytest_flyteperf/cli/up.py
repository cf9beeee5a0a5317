"""`flyteperf up`.

Examples:
  flyteperf up
  flyteperf up --flyte ../flyte --config tuned.yaml
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_flyteperf.cli.output import ProgressLine, say, say_json
from pytest_flyteperf.cli.parser import add_json, add_options
from pytest_flyteperf.cli.project import STACK_OPTIONS, settings
from pytest_flyteperf.stack import Stack


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which cluster and which Flyte."""
    add_options(parser, STACK_OPTIONS)
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Start it, leave it up and say where it is."""
    with ProgressLine() as progress:
        stack = Stack(settings(given, keep=True), progress)
        with stack.cluster("flyteperf up") as cluster, stack.deployment(cluster) as deployment:
            pass
    if given.json:
        say_json(deployment)
        return 0
    say(
        (
            f"up: {deployment.cluster.name}, Flyte {deployment.subject.flyte}",
            f"  FlyteAdmin ({deployment.environment.admin_kind.value}) {deployment.admin_endpoint}",
            f"  KUBECONFIG={deployment.cluster.kubeconfig}",
            f"  logs       {Path(deployment.cluster.directory) / 'logs'}",
        )
    )
    return 0
