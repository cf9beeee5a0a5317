from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import msgspec
import pytest
from fake_kubernetes import FakeKubernetes

from pytest_flyteperf.engine.kubelet.admission import Capacity
from pytest_flyteperf.engine.kubelet.config import KubeletConfig
from pytest_flyteperf.engine.kubelet.kubeconfig import load_endpoint
from pytest_flyteperf.engine.kubelet.kubelet import Kubelet

_BARE_SERVER = """
import socket, sys
from pathlib import Path
from pytest_flyteperf.engine.forkserver.server import Server
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("listening", flush=True)
Server(listener, tuple(sys.path)).serve()
Path(sys.argv[1]).unlink()
"""
"""The real fork server without flytekit: it starts and forks in milliseconds."""


class ForkServerProcess:
    def __init__(self, folder):
        self.socket = folder / "fork.sock"
        self._folder = folder
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", _BARE_SERVER, str(self.socket)],
            stdout=subprocess.PIPE,
            cwd=self._folder,
        )
        assert self.process.stdout.readline() == b"listening\n"

    def kill(self):
        self.process.kill()
        self._end()
        self.socket.unlink()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self._end()

    def _end(self):
        self.process.wait(30)
        self.process.stdout.close()


class KubeletThread:
    """A kubelet of this process, with all its real threads."""

    def __init__(self, config, capacity, endpoint):
        ready = threading.Event()
        self.kubelet = Kubelet(config, capacity, endpoint, ready.set)
        self._thread = threading.Thread(target=self.kubelet.run)
        self._thread.start()
        self.ready = ready

    def stop(self):
        self.kubelet.stop()
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def api():
    fake = FakeKubernetes()
    yield fake
    fake.stop()


@pytest.fixture
def forks(tmp_path):
    server = ForkServerProcess(tmp_path)
    yield server
    if server.process.returncode is None:
        server.stop()


@pytest.fixture
def log_dir(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def config(api, tmp_path, log_dir):
    """A function that makes a configuration."""

    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def make(**changes):
        values = {
            "kubeconfig": str(api.kubeconfig(tmp_path)),
            "forkserver_socket": str(tmp_path / "fork.sock"),
            "log_dir": str(log_dir),
            "scratch_dir": str(scratch),
            "slots": 4,
            "memory_bytes": 1 << 30,
            "node_name": "local",
            "ready_file": str(tmp_path / "kubelet.ready"),
            **changes,
        }
        return msgspec.convert(values, KubeletConfig)

    return make


@pytest.fixture
def start_kubelet(api, forks, config, tmp_path):  # noqa: ARG001 - the server must be up
    """A function that starts a kubelet and waits until it is ready."""
    started = []

    def start(**changes):
        chosen = config(**changes)
        capacity = Capacity(os.cpu_count(), chosen.memory_bytes, chosen.slots)
        kubelet = KubeletThread(chosen, capacity, load_endpoint(api.kubeconfig(tmp_path)))
        started.append(kubelet)
        assert kubelet.ready.wait(30)
        return kubelet

    yield start
    for kubelet in started:
        kubelet.stop()


@pytest.fixture
def kubelet(start_kubelet):
    return start_kubelet()
