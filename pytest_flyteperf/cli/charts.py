"""Two of Flyte's charts, measured one after the other, each on a kind cluster of its own.

Their environments differ, so nothing is judged: what differs is told.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from pytest_flyteperf.cli.output import columns, say, say_json, style
from pytest_flyteperf.cli.portfolio import pytest_arguments
from pytest_flyteperf.cli.project import settings
from pytest_flyteperf.errors import DeploymentError, UsageError
from pytest_flyteperf.report import differences, sides

PREFIX = "chart:"
_NOT_SHARED = ("base", "base-config", "blocks", "strict")
"""Settings of a comparison in turns."""


def are_meant(base: str, head: str | None) -> bool:
    """Tell whether both sides are charts.

    Raises:
        UsageError: only one of them is.
    """
    charts = [ref is not None and ref.startswith(PREFIX) for ref in (base, head)]
    if any(charts) and not all(charts):
        raise UsageError(f"--base {base} --head {head}: give a chart on both sides, or on neither")
    return all(charts)


def run(given: argparse.Namespace) -> int:
    """Measure both and print what differs; the exit code is a run's that failed, or 0."""
    folder = (
        settings(given, **dict.fromkeys(_NOT_SHARED)).out
        / f"charts-{time.strftime('%Y%m%d-%H%M%S')}"
    )
    configs = {"base": vars(given)["base-config"], "head": given.head_config}
    found = []
    for side, ref in (("base", given.base), ("head", given.head)):
        out = folder / side
        chosen = {
            "cluster": "kind",
            "chart": ref.removeprefix(PREFIX),
            "config": configs[side],
            "out": str(out),
        }
        shared = {k: v for k, v in vars(given).items() if k not in _NOT_SHARED}
        typed = pytest_arguments(shared | chosen, given.pytest)
        done = subprocess.run(
            (sys.executable, "-m", "pytest", *typed),
            stdout=sys.stderr if given.json else None,
            check=False,
        )
        if done.returncode:
            return done.returncode
        found.append(sides.read(_results(out)))
    before, now = found
    told = differences.compare(before, now)
    if given.json:
        say_json(told)
    else:
        say(differences.lines(told, columns=columns(), style=style()))
    return 0


def _results(out: Path) -> Path:
    written = sorted(out.glob("runs/*/results.json"))
    if not written:
        raise DeploymentError(f"{out}: the run left no results")
    return written[-1]
