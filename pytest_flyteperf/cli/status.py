"""`flyteperf status`.

Examples:
  flyteperf status
  flyteperf status --json | jq '.[].processes[].name'
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from pytest_flyteperf.cli.output import say, say_json
from pytest_flyteperf.cli.parser import add_json
from pytest_flyteperf.engine.control import Control, SupervisorStatus
from pytest_flyteperf.provision import local


def arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing but the form."""
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Ask each supervisor, and say what it says."""
    statuses = []
    for cluster in local.running():
        with Control(str(cluster.control_socket)) as control:
            statuses.append(control.status())
    if given.json:
        say_json(statuses)
        return 0
    for status in statuses:
        say(_lines(status))
    if not statuses:
        say(("nothing is up; `flyteperf up` starts Flyte",))
    return 0


def _lines(status: SupervisorStatus) -> Iterator[str]:
    kept = "kept" if status.keep else "ends with its last run"
    yield f"{status.cluster}: supervisor {status.pid}, {kept}"
    yield from (f"  held by {who}" for who in status.leases)
    for process in status.processes:
        yield f"  {process.name:<16} {process.state.value:<9} pid {process.pid}"
