from __future__ import annotations

import pytest

from tests.doubles.forks import ForkClient, ForkServerProcess


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """A user's project folder."""
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="session")
def server(project, tmp_path_factory):
    started = ForkServerProcess(project, tmp_path_factory.mktemp("server"))
    started.wait_ready()
    yield started
    assert started.stop() == 0


@pytest.fixture
def client(server, tmp_path):
    connected = ForkClient(server.socket, tmp_path)
    yield connected
    connected.close()


@pytest.fixture
def own_server(tmp_path):
    """A server of the test's own, to be harmed."""
    folder = tmp_path / "own"
    folder.mkdir()
    started = ForkServerProcess(tmp_path, folder)
    started.wait_ready()
    yield started
    started.stop()


@pytest.fixture
def own_client(own_server, tmp_path):
    connected = ForkClient(own_server.socket, tmp_path)
    yield connected
    connected.close()
