"""The fixtures: a cluster, a Flyte on it, and the benchmark that a test calls.

Each can be overridden in a conftest: a project may hand out its own cluster or deployment.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_flyteperf.benchmark import Benchmark
    from pytest_flyteperf.model import Cluster, Deployment
    from pytest_flyteperf.session import Session
    from pytest_flyteperf.settings import Settings

SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
_SESSION: pytest.StashKey[Session] = pytest.StashKey()
_RUN: pytest.StashKey[str] = pytest.StashKey()


def session(config: pytest.Config) -> Session:
    """The one session of this process, made when first needed."""
    from pytest_flyteperf.session import Session  # noqa: PLC0415 # heavy, and most runs need none

    if _SESSION not in config.stash:
        config.stash[_SESSION] = Session(config, config.stash[SETTINGS])
    return config.stash[_SESSION]


def is_benchmark(item: pytest.Item) -> bool:
    """Whether the test asks for the `flyteperf` fixture."""
    return "flyteperf" in getattr(item, "fixturenames", ())


def results(reporter: pytest.TerminalReporter) -> tuple[str, ...]:
    """Paths of the case results that the reports of a run name, in the order they came in."""
    reports = [r for category in reporter.stats.values() for r in category]
    return tuple(dict.fromkeys(r.flyteperf for r in reports if getattr(r, "flyteperf", None)))


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


@pytest.fixture(scope="session")
def flyteperf_cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A Kubernetes API and an object store, up for the session."""
    with session(pytestconfig).cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def flyteperf_deployment(
    flyteperf_cluster: Cluster, pytestconfig: pytest.Config
) -> Iterator[Deployment]:
    """A Flyte on the cluster, up for the session."""
    with session(pytestconfig).deployment(flyteperf_cluster) as deployment:
        yield deployment


@pytest.fixture
def flyteperf(request: pytest.FixtureRequest, flyteperf_deployment: Deployment) -> Benchmark:
    """The benchmark: call it with a workflow and its inputs; it returns the outputs."""
    return session(request.config).benchmark(request.node, flyteperf_deployment)
