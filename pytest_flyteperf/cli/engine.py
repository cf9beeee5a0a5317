"""`flyteperf engine`.

Examples:
  flyteperf engine build
  flyteperf engine build --flyte ../flyte
  flyteperf engine clean
"""

from __future__ import annotations

import argparse

from pytest_flyteperf.cli.output import ProgressLine, say, say_json
from pytest_flyteperf.cli.parser import add_json, add_options
from pytest_flyteperf.cli.project import settings
from pytest_flyteperf.engine.build import clean_engines
from pytest_flyteperf.stack import Stack


def arguments(parser: argparse.ArgumentParser) -> None:
    """One of two actions."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="which", required=True)
    build = actions.add_parser("build", help="build them, if they are not built yet")
    build.set_defaults(action=_build)
    add_options(build, ("flyte",))
    clean = actions.add_parser("clean", help="remove all that are not running")
    clean.set_defaults(action=_clean)
    for action in (build, clean):
        add_json(action)


def run(given: argparse.Namespace) -> int:
    """Do it."""
    code: int = given.action(given)
    return code


def _build(given: argparse.Namespace) -> int:
    with ProgressLine() as progress:
        engine = Stack(settings(given), progress).engine
    if given.json:
        say_json(engine.versions)
    else:
        say(f"{name} {version}" for name, version in engine.versions.items())
    return 0


def _clean(given: argparse.Namespace) -> int:
    with ProgressLine() as progress:
        freed = clean_engines(progress)
    if given.json:
        say_json({"freed_bytes": freed})
    else:
        say((f"freed {freed >> 20} MiB",))
    return 0
