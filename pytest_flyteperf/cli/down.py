"""`flyteperf down`.

Examples:
  flyteperf down
  flyteperf down --all
"""

from __future__ import annotations

import argparse

from pytest_flyteperf.cli.output import ProgressLine, say, say_json
from pytest_flyteperf.cli.parser import add_json, add_options
from pytest_flyteperf.cli.project import STACK_OPTIONS, settings
from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.provision import command, local
from pytest_flyteperf.stack import Stack


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which clusters."""
    add_options(parser, STACK_OPTIONS)
    parser.add_argument("--all", action="store_true", help="all clusters of this user")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Stop them."""
    left: list[ClusterError] = []
    with ProgressLine() as progress:
        if given.all:
            # What was put onto a cluster ends before that does.
            clusters = tuple(sorted(local.running(), key=lambda one: one.kind != command.KIND))
        else:
            found = Stack(settings(given), progress).find()
            clusters = () if found is None else (found,)
        for cluster in clusters:
            progress(f"stopping {cluster.name}")
            try:
                local.down(cluster)
            except ClusterError as error:
                left.append(error)
    if left:
        raise ClusterError("; ".join(map(str, left)))
    if given.json:
        say_json([cluster.name for cluster in clusters])
        return 0
    say(f"down: {cluster.name}" for cluster in clusters)
    if not clusters:
        say(("nothing of this project is up",))
    return 0
