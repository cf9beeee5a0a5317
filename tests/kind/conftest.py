"""Real kind clusters, where this machine can run them: see `rig/`."""

from __future__ import annotations

import pytest
from kind_project import Project, containers

from tests.kind.rig import machine


@pytest.fixture(scope="session")
def rig():
    """Environment of a machine that can run kind, made on the spot; skips where it cannot be."""
    reason = machine.why_not()
    if reason is not None:
        pytest.skip(f"kind: {reason}")
    from tests.kind.rig import rig  # needs the machine that was just looked at

    with rig.up() as environment:
        yield environment


@pytest.fixture
def project(rig, tmp_path, monkeypatch):
    """A project's folder with state of its own; nothing of it may be left at the end."""
    for name, value in rig.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / "state"))
    yield Project(tmp_path)
    assert containers(rig) == []
