"""The fixtures of tests that run pytest in a project of their own."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from project import WORKFLOWS, Project, until

from pytest_flyteperf.engine.build import ensure_engine
from pytest_flyteperf.provision import local


@pytest.fixture(scope="session")
def engine():
    """The engine's programs, built on first use."""
    return ensure_engine()


@contextmanager
def own_project(folder):
    """An empty project with a state folder of its own; what runs of it ends with the block."""
    state = Path(tempfile.mkdtemp(prefix="fp-"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FLYTEPERF_STATE", str(state))
        environment.setenv("FLYTEPERF_LOCK", str(state))
        for name in [n for n in os.environ if n.startswith(("PYTEST_", "COV_"))]:
            environment.delenv(name)
        project = Project(folder, state)
        project.write("pytest.ini", "[pytest]\n")
        project.write("flows.py", WORKFLOWS)
        yield project
        project.stop()
        for cluster in local.running():
            local.down(cluster)
        until(lambda: local.reap_dead() is not None and not project.processes())
    shutil.rmtree(state)


@pytest.fixture
def project(engine, tmp_path):  # noqa: ARG001 # built before the clock starts
    """A project for one test."""
    with own_project(tmp_path) as project:
        yield project


@pytest.fixture(scope="module")
def shared_project(engine, tmp_path_factory):  # noqa: ARG001 # likewise
    """A project for the tests of a file."""
    with own_project(tmp_path_factory.mktemp("project")) as project:
        yield project
