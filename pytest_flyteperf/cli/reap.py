"""`flyteperf reap`.

Ends processes and removes folders of clusters whose supervisor is dead; whatever this package did
not create is left alone. The next start does the same.

Examples:
  flyteperf reap
  flyteperf reap --json
"""

from __future__ import annotations

import argparse

from pytest_flyteperf.cli.output import say, say_json
from pytest_flyteperf.cli.parser import add_json
from pytest_flyteperf.provision import local


def arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing but the form."""
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """End the processes and remove the folders of clusters whose supervisor is dead."""
    reaped = local.reap_dead()
    if given.json:
        say_json(reaped)
        return 0
    for one in reaped:
        things = ", ".join((*one.things, "its folder"))
        say((f"{one.cluster}: ended {len(one.processes)} processes, removed {things}",))
    if not reaped:
        say(("nothing was left behind",))
    return 0
