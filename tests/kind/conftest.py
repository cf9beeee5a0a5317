"""Real kind clusters, where this machine can run them: see `rig/`."""

from __future__ import annotations

import shutil
from contextlib import ExitStack

import pytest
from kind_project import REPOSITORY, Project

from tests.kind.rig import rig as kind_rig
from tests.kind.rig.command import RigError


@pytest.fixture(scope="session")
def rig(pytestconfig):
    """Environment of a machine that can run kind, made on the spot; skips where it cannot be."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with ExitStack() as stack:
        try:
            with capture.global_and_fixture_disabled():  # it takes minutes, and tells its steps
                environment = stack.enter_context(kind_rig.up())
        except RigError as error:
            pytest.skip(f"kind: {error}")
        yield environment


@pytest.fixture
def project(rig, tmp_path):
    """A folder with the portfolio and state of its own; no node may be left at the end."""
    project = _with_portfolio(rig, tmp_path)
    yield project
    assert project.nodes() == []


@pytest.fixture(scope="module")
def kept(rig, tmp_path_factory):
    """A project whose kind cluster, with Flyte on it, stays up between its runs."""
    project = _with_portfolio(rig, tmp_path_factory.mktemp("kept"))
    up = project.flyteperf("up", "--cluster", "kind")
    assert up.returncode == 0, up.stdout
    yield project
    project.flyteperf("down", "--all")
    assert project.nodes() == []


def _with_portfolio(rig, folder):
    shutil.copytree(REPOSITORY / "benchmarks", folder / "benchmarks")
    return Project(folder, rig)
