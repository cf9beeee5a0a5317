"""A Docker daemon of the rig's own: private socket and data, nobody else's containers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import docker

from tests.kind.rig import host
from tests.kind.rig.cache import ROOT
from tests.kind.rig.command import RigError
from tests.kind.rig.machine import lacks_sys_resource

RUNTIME = Path(__file__).with_name("oci_runtime.py")
EXEC_ROOT = Path("/run/flyteperf-kind")
SOCKET = EXEC_ROOT / "docker.sock"
HOST = f"unix://{SOCKET}"
LOG = ROOT / "dockerd.log"
PID_FILE = EXEC_ROOT / "docker.pid"
LOG = ROOT / "dockerd.log"
API = "1.41"
"""Of Debian 12's Docker, 20.10, and of all since."""
START_S = 60.0
STOP_S = 30.0


@contextmanager
def running() -> Iterator[docker.DockerClient]:
    """The daemon, up while in the block; the machine is as before when it has ended.

    Raises:
        RigError: it does not start here.
    """
    _end_leftover()
    with host.restored(), _started() as daemon, closing(_await(daemon)) as client:
        try:
            yield client
        finally:
            with suppress(docker.errors.DockerException):
                client.networks.prune()


@contextmanager
def _started() -> Iterator[subprocess.Popen[bytes]]:
    EXEC_ROOT.mkdir(mode=0o700)
    data = ROOT / "docker"
    data.mkdir(parents=True, exist_ok=True)
    config: dict[str, object] = {
        "data-root": str(data),
        "exec-root": str(EXEC_ROOT / "exec"),
        "pidfile": str(PID_FILE),
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
    # It ends with whoever started it, also when that is killed.
    argv = ("setpriv", "--pdeathsig", "TERM", "dockerd", "--config-file", str(file))
    with LOG.open("wb") as log:
        daemon = subprocess.Popen(
            argv,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")},
        )
    try:
        yield daemon
    finally:
        daemon.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(STOP_S)
        daemon.kill()
        daemon.wait()
        shutil.rmtree(EXEC_ROOT, ignore_errors=True)


def _await(daemon: subprocess.Popen[bytes]) -> docker.DockerClient:
    client = docker.DockerClient(base_url=HOST, version=API, timeout=600)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and daemon.poll() is None:
        with suppress(docker.errors.DockerException, OSError):
            if SOCKET.exists() and client.ping():
                return client
        time.sleep(0.1)
    client.close()
    said = LOG.read_text(errors="replace").strip().splitlines() or [""]
    raise RigError(f"dockerd does not start here: {said[-1][-300:]}")


def _end_leftover() -> None:
    """End the daemon of a rig that was killed: it has been told, but may not be through yet."""
    deadline = time.monotonic() + STOP_S
    while (pid := _leftover()) is not None:
        late = time.monotonic() > deadline
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(0.5)
    shutil.rmtree(EXEC_ROOT, ignore_errors=True)


def _leftover() -> int | None:
    """Process id of the daemon that the pid file names, if it is one."""
    try:
        pid = int(PID_FILE.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        return None
    return pid if name == "dockerd" else None
