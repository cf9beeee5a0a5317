"""Out-of-memory kills, with the kernel's count in the test's hand."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_flyteperf.engine.forkserver import protocol
from tests.doubles.forks import ForkClient

SERVER = """
import pathlib, socket, sys
from pytest_flyteperf.engine.forkserver import server
server.oom_kills = lambda: pathlib.Path(sys.argv[2]).read_text()
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("listening", flush=True)
server.Server(listener, ()).serve()
"""


@pytest.fixture
def count(tmp_path):
    path = tmp_path / "kills"
    path.write_text("7")
    return path


@pytest.fixture
def client(tmp_path, count):
    command = (sys.executable, "-c", SERVER, str(tmp_path / "sock"), str(count))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"listening\n"
        connected = ForkClient(tmp_path / "sock", tmp_path)
        yield connected
        connected.close()
        process.terminate()


@pytest.mark.parametrize(
    ("script", "killed"),
    [
        ("echo 8 > kills; kill -KILL $$", True),
        ("kill -KILL $$", False),
        ("echo 8 > kills; kill -TERM $$", False),
        ("echo 8 > kills; exit 137", False),
    ],
)
def test_a_kill_while_the_count_rises_is_for_want_of_memory(client, tmp_path, script, killed):
    end, _ = client.run("sh", "-c", script, cwd=str(tmp_path))

    assert end.oom_killed is killed


def test_a_kill_that_was_asked_for_is_not(client, tmp_path):
    key = client.start("sh", "-c", "echo 8 > kills; exec sleep 1000", cwd=str(tmp_path))
    client.run("sh", "-c", "while [ $(cat kills) = 7 ]; do sleep 0.01; done", cwd=str(tmp_path))
    client.send(protocol.Stop(key))

    assert client.end(key).oom_killed is False
