"""The fixtures of tests that run pytest in a project of their own."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from project import WORKFLOWS, Project, until

from pytest_flyteperf.engine.build import ensure_engine
from pytest_flyteperf.provision import local


@pytest.fixture(scope="session")
def engine():
    """The engine's programs, built on first use."""
    return ensure_engine()


@pytest.fixture
def project(engine, tmp_path, monkeypatch):  # noqa: ARG001 # built before the clock starts
    """An empty project with a state folder of its own; what runs of it ends with the test."""
    state = Path(tempfile.mkdtemp(prefix="fp-"))
    monkeypatch.setenv("FLYTEPERF_STATE", str(state))
    monkeypatch.setenv("FLYTEPERF_LOCK", str(state))
    for name in [n for n in os.environ if n.startswith(("PYTEST_", "COV_"))]:
        monkeypatch.delenv(name)
    project = Project(tmp_path, state)
    project.write("pytest.ini", "[pytest]\n")
    project.write("flows.py", WORKFLOWS)
    yield project
    project.stop()
    for cluster in local.running():
        local.down(cluster)
    until(lambda: local.reap_dead() is not None and not project.processes())
    shutil.rmtree(state)
