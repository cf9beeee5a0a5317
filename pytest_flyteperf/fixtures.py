"""The fixtures: a cluster, a Flyte on it, and the benchmark that a test calls.

Each can be overridden in a conftest: a project may hand out its own cluster or deployment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_flyteperf.run import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_flyteperf.benchmark import Benchmark
    from pytest_flyteperf.model import Cluster, Deployment
    from pytest_flyteperf.session import Session

_SESSION: pytest.StashKey[Session] = pytest.StashKey()


def session(config: pytest.Config) -> Session:
    """The one session of this process, made when first needed."""
    from pytest_flyteperf.session import Session  # heavy, and most runs need none

    if _SESSION not in config.stash:
        config.stash[_SESSION] = Session(config, config.stash[SETTINGS])
    return config.stash[_SESSION]


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
