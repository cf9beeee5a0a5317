"""A fork server as a process, and a client of it that takes one child at a time."""

from __future__ import annotations

import itertools
import signal
import socket
import subprocess
import sys
import time

from pytest_flyteperf.engine.forkserver import protocol

_READY_S = 120


class ForkClient:
    """A connection to a fork server, one child at a time."""

    _numbers = itertools.count()

    def __init__(self, path, folder):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(str(path))
        self._lines = protocol.Lines()
        self._events = []
        self._folder = folder
        self.hello = self.next()

    def close(self):
        self._socket.close()

    def send(self, request):
        self._socket.sendall(protocol.line(request))

    def next(self):
        while not self._events:
            data = self._socket.recv(1 << 16)
            if not data:
                raise EOFError
            self._events += map(protocol.decode_event, self._lines.feed(data))
        return self._events.pop(0)

    def log(self, key):
        return self._folder / f"{key}.log"

    def start(self, *argv, env=(), cwd="", key=None):
        key = key or f"k{next(self._numbers)}"
        env = {**self.hello.environment, "TMPDIR": str(self._folder), **dict(env)}
        self.send(protocol.Start(key, argv, env, str(self.log(key)), cwd))
        return key

    def end(self, key):
        while True:
            event = self.next()
            if isinstance(event, protocol.Exited | protocol.Refused) and event.key == key:
                self.send(protocol.Forget(key))
                return event

    def run(self, *argv, **options):
        """End and output of a command."""
        key = self.start(*argv, **options)
        end = self.end(key)
        log = self.log(key)
        return end, log.read_text() if log.exists() else ""


class ForkServerProcess:
    """`python -m pytest_flyteperf.engine.forkserver` in a folder."""

    def __init__(self, project, folder):
        self.socket = folder / "fork.sock"
        self.ready = folder / "ready"
        self._errors = (folder / "server.log").open("w+")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest_flyteperf.engine.forkserver"),
                *("--socket", str(self.socket), "--ready-file", str(self.ready)),
            ],
            cwd=project,
            stdout=self._errors,
            stderr=subprocess.STDOUT,
        )

    def wait_ready(self):
        """Connecting succeeds once it listens; until then the file system tells."""
        deadline = time.monotonic() + _READY_S
        while not self.ready.exists():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, "fork server not ready"
            time.sleep(0.01)

    def output(self):
        self._errors.seek(0)
        return self._errors.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._errors.close()
        return code
