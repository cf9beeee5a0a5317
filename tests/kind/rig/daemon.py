"""A Docker daemon of the rig's own: private socket and data, nobody else's containers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker

from tests.kind.rig.cache import ROOT
from tests.kind.rig.machine import lacks_sys_resource

RUNTIME = Path(__file__).with_name("oci_runtime.py")
EXEC_ROOT = Path("/run/flyteperf-kind")
SOCKET = EXEC_ROOT / "docker.sock"
HOST = f"unix://{SOCKET}"
START_S = 60.0
STOP_S = 30.0
SYSCTLS = ("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory")
"""Host-wide settings that a kubelet changes."""


@contextmanager
def running() -> Iterator[docker.DockerClient]:
    """The daemon, up while in the block; one that is up already stays up."""
    client = _connect()
    if client is not None:
        yield client
        return
    before = {name: Path("/proc/sys", name).read_text() for name in SYSCTLS}
    daemon = _start()
    try:
        yield _await(daemon)
    finally:
        daemon.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(STOP_S)
        daemon.kill()
        daemon.wait()
        for name, value in before.items():
            Path("/proc/sys", name).write_text(value)


def _start() -> subprocess.Popen[bytes]:
    EXEC_ROOT.mkdir(mode=0o700, exist_ok=True)
    data = ROOT / "docker"
    data.mkdir(parents=True, exist_ok=True)
    pid_file = EXEC_ROOT / "docker.pid"
    pid_file.unlink(missing_ok=True)
    config: dict[str, object] = {
        "data-root": str(data),
        "exec-root": str(EXEC_ROOT / "exec"),
        "pidfile": str(pid_file),
        "hosts": [HOST],
        "bridge": "none",
    }
    if lacks_sys_resource():
        runtime = EXEC_ROOT / "runc"
        shutil.copy(RUNTIME, runtime)
        runtime.chmod(0o755)
        config |= {"runtimes": {"tame": {"path": str(runtime)}}, "default-runtime": "tame"}
    file = EXEC_ROOT / "daemon.json"
    file.write_text(json.dumps(config))
    with (ROOT / "dockerd.log").open("ab") as log:
        return subprocess.Popen(
            ["dockerd", "--config-file", str(file)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")},
        )


def _await(daemon: subprocess.Popen[bytes]) -> docker.DockerClient:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and daemon.poll() is None:
        client = _connect()
        if client is not None:
            return client
        time.sleep(0.1)
    raise RuntimeError(f"dockerd did not start; see {ROOT / 'dockerd.log'}")


def _connect() -> docker.DockerClient | None:
    try:
        client = docker.DockerClient(base_url=HOST, timeout=600)
        client.ping()
    except docker.errors.DockerException:
        return None
    return client
