"""Which tests are benchmarks, and which run they and their results belong to.

Loaded in every pytest run, so it imports nothing that costs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_flyteperf.settings import Settings

SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
"""What the user asked for; there since pytest was configured."""
_RUN: pytest.StashKey[str] = pytest.StashKey()
_PART: pytest.StashKey[bool] = pytest.StashKey()


def is_benchmark(item: pytest.Item) -> bool:
    """Whether the test asks for the `flyteperf` fixture."""
    return "flyteperf" in getattr(item, "fixturenames", ())


def leave_out(items: Sequence[pytest.Item]) -> None:
    """Note that benchmarks of the project were not selected."""
    for item in items:
        if is_benchmark(item):
            item.config.stash[_PART] = True


def is_whole(config: pytest.Config) -> bool:
    """Whether the run has every benchmark of its folders, so that a missing one is gone."""
    return not config.stash.get(_PART, False) and all(Path(a).is_dir() for a in config.args)


def folder(config: pytest.Config, out: Path) -> Path:
    """Where a run's recordings and results lie."""
    return out / "runs" / run_id(config)


def results(reporter: pytest.TerminalReporter) -> tuple[str, ...]:
    """Paths of a run's case results: in the order of the reports, then those without a report.

    A case has none if its worker was killed or the run was interrupted.
    """
    reports = [r for category in reporter.stats.values() for r in category]
    named = (r.flyteperf for r in reports if getattr(r, "flyteperf", None))
    config = reporter.config
    own = folder(config, config.stash[SETTINGS].out)
    there = sorted(str(path) for path in own.glob("*/case.json"))
    return tuple(dict.fromkeys((*named, *there)))


def share(node: Any) -> None:  # noqa: ANN401 # xdist's controller of a worker has no public type
    """Tell an xdist worker which run it belongs to."""
    node.workerinput["flyteperf_run"] = run_id(node.config)


def run_id(config: pytest.Config) -> str:
    """Name of this run's folder, the same in all of its processes."""
    if hasattr(config, "workerinput"):
        return str(config.workerinput["flyteperf_run"])
    if _RUN not in config.stash:
        config.stash[_RUN] = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    return config.stash[_RUN]
