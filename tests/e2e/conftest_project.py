"""The fixtures of tests that run pytest in a project of their own."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from checkout import Checkout
from project import WORKFLOWS, Project, until

from pytest_flyteperf.engine.build import ensure_engine
from pytest_flyteperf.provision import local


@pytest.fixture(scope="session")
def engine():
    """The engine's programs, built on first use."""
    return ensure_engine()


@pytest.fixture(scope="module")
def flyte(tmp_path_factory):
    """A checkout of the release, unchanged."""
    return Checkout.released(tmp_path_factory.mktemp("flyte") / "flyte")


@contextmanager
def environment_of(state):
    """An environment whose clusters and locks lie in this folder, and where no test runs."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FLYTEPERF_STATE", str(state))
        environment.setenv("FLYTEPERF_LOCK", str(state))
        for name in [n for n in os.environ if n.startswith(("PYTEST_", "COV_"))]:
            environment.delenv(name)
        yield environment


@contextmanager
def ending(project):
    """What runs of a project ends with the block, and its state folder goes."""
    yield project
    with environment_of(project.state):
        project.stop()
        for cluster in local.running():
            local.down(cluster)
        until(lambda: local.reap_dead() is not None and not project.processes())
    shutil.rmtree(project.state)


def new_project(folder):
    """A project with workflows only, and with a state folder of its own."""
    project = Project(folder, Path(tempfile.mkdtemp(prefix="fp-")))
    fill(project)
    return project


def fill(project):
    project.write("pytest.ini", "[pytest]\n")
    project.write("flows.py", WORKFLOWS)


@contextmanager
def own_project(folder):
    """A new project in its environment; what runs of it ends with the block."""
    with ending(new_project(folder)) as project, environment_of(project.state):
        yield project


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


@pytest.fixture(scope="session")
def standing(engine, tmp_path_factory):  # noqa: ARG001 # likewise
    """A project whose cluster, once up, stands until the tests end."""
    with ending(new_project(tmp_path_factory.mktemp("standing"))) as project:
        yield project


@pytest.fixture
def standing_project(standing):
    """The same project for each test, emptied before: its cluster does not start again."""
    for path in standing.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    fill(standing)
    with environment_of(standing.state) as environment:
        environment.setenv("FLYTEPERF_KEEP", "1")
        yield standing
        standing.stop()
