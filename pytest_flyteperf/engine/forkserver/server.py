"""The parent's side: listens, forks, reaps, tells. One thread, no polling."""

from __future__ import annotations

import contextlib
import heapq
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.engine.forkserver import protocol, task

if TYPE_CHECKING:
    import resource
    from collections.abc import Callable

_IMAGE_VARIABLES = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "TZ", "USER")
"""What a container image would set; nothing else of the user's shell reaches a task."""
_BLOCK = 512
"""Bytes of a block of getrusage(2), whatever the file system's own."""
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


class _Child:
    """A forked process, from its request until a client forgets its end."""

    def __init__(self, request: protocol.Start, pid: int, report: int) -> None:
        self.key = request.key
        self.pid = pid
        self.report: int | None = report
        self.received = b""
        self.forked_ns = time.time_ns()
        self.oom_kills = oom_kills()
        self.killed_by_us = False
        self.started: protocol.Started | None = None

    def read_report(self) -> None:
        """Take what the child has reported so far."""
        if self.report is None:
            return
        while True:
            try:
                data = os.read(self.report, 4096)
            except BlockingIOError:
                return
            if not data:
                break
            self.received += data
        os.close(self.report)
        self.report = None
        if self.received and self.refusal is None:
            _, started_ns = task.STAMP.unpack_from(self.received)
            self.started = protocol.Started(self.key, self.pid, started_ns)

    @property
    def refusal(self) -> str | None:
        """Why there was no command to run."""
        rest = self.received
        if rest[:1] == bytes([task.STARTED]):
            rest = rest[task.STAMP.size :]
        return rest[1:].decode(errors="replace") if rest else None


class _Client:
    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.lines = protocol.Lines()
        self.outgoing = bytearray()


class Server:
    """Forks children on request and keeps their ends.

    Args:
        listener: bound and listening unix socket.
        path: `sys.path` for children, see `task.run`.
    """

    def __init__(self, listener: socket.socket, path: tuple[str, ...]) -> None:
        self._listener = listener
        self._path = path
        self._pid = os.getpid()
        self._children: dict[str, _Child] = {}
        self._by_pid: dict[int, _Child] = {}
        self._ended: dict[str, protocol.End] = {}
        self._clients: dict[int, _Client] = {}
        self._kills: list[tuple[int, str]] = []
        self._stopping = False
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Serve until SIGTERM or SIGINT; then kill every child and return."""
        task.subreaper()
        wakeup, signalled = socket.socketpair()
        for end in (wakeup, signalled):
            end.settimeout(0)
        signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._listener.settimeout(0)
        self._watch(self._listener.fileno(), self._accept)
        self._watch(wakeup.fileno(), lambda: self._drain(wakeup))
        while not self._stopping:
            for key, _ in self._selector.select(self._timeout_s()):
                key.data()
            self._reap()
            self._kill_overdue()
        self._kill_all()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _watch(self, number: int, act: Callable[[], None]) -> None:
        self._selector.register(number, selectors.EVENT_READ, act)

    def _timeout_s(self) -> float | None:
        if not self._kills:
            return None
        return max(0, self._kills[0][0] - time.monotonic_ns()) / 1e9

    @staticmethod
    def _drain(wakeup: socket.socket) -> None:
        wakeup.recv(4096)

    # Clients

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(0)
        client = _Client(connection)
        self._clients[connection.fileno()] = client
        self._watch(connection.fileno(), lambda: self._serve_client(client))
        hello = protocol.Hello(
            pid=self._pid,
            environment=_image_environment(),
            starting=tuple(c.key for c in self._children.values() if c.started is None),
            running=tuple(c.started for c in self._children.values() if c.started),
            ended=tuple(self._ended.values()),
        )
        self._send(client, protocol.line(hello))

    def _serve_client(self, client: _Client) -> None:
        try:
            self._flush(client)
            data = client.connection.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        for line in client.lines.feed(data):
            self._obey(line)

    def _obey(self, line: bytes) -> None:
        try:
            request = protocol.decode_request(line)
        except msgspec.DecodeError as error:
            print(f"fork server: request not understood: {error}", file=sys.stderr)  # noqa: T201 - its log
            return
        match request:
            case protocol.Start():
                self._start(request)
            case protocol.Stop():
                self._stop_child(request)
            case protocol.Forget():
                self._ended.pop(request.key, None)

    def _send(self, client: _Client, data: bytes) -> None:
        client.outgoing += data
        self._flush(client)

    def _flush(self, client: _Client) -> None:
        number = client.connection.fileno()
        try:
            while client.outgoing:
                del client.outgoing[: client.connection.send(client.outgoing)]
        except BlockingIOError:
            pass
        except OSError:
            client.outgoing.clear()  # reading finds the same and drops the client
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.outgoing else 0)
        key = self._selector.get_key(number)
        if key.events != events:
            self._selector.modify(number, events, key.data)

    def _drop(self, client: _Client) -> None:
        number = client.connection.fileno()
        self._selector.unregister(number)
        del self._clients[number]
        client.connection.close()

    def _tell(self, event: protocol.Event) -> None:
        data = protocol.line(event)
        for client in tuple(self._clients.values()):
            self._send(client, data)

    # Children

    def _start(self, request: protocol.Start) -> None:
        if request.key in self._children or request.key in self._ended:
            return  # asked twice, by a client that reconnected
        ours, theirs = os.pipe()
        os.set_blocking(ours, False)
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            pid = os.fork()
        except OSError as error:
            os.close(ours)
            os.close(theirs)
            self._end(protocol.Refused(request.key, f"fork: {error.strerror}", time.time_ns()))
            return
        finally:
            if os.getpid() == self._pid:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if pid == 0:
            task.run(request, self._pid, theirs, self._path)
        os.close(theirs)
        child = _Child(request, pid, ours)
        self._children[child.key] = self._by_pid[pid] = child
        self._watch(ours, lambda: self._hear(child))

    def _hear(self, child: _Child) -> None:
        number = child.report
        if number is None:
            return
        child.read_report()
        if child.report is None:
            self._selector.unregister(number)
            if child.started:
                self._tell(child.started)

    def _stop_child(self, request: protocol.Stop) -> None:
        child = self._children.get(request.key)
        if child is None:
            return
        if request.grace_ns <= 0:
            self._kill(child)
            return
        _signal_group(child.pid, signal.SIGTERM)
        heapq.heappush(self._kills, (time.monotonic_ns() + request.grace_ns, child.key))

    def _kill_overdue(self) -> None:
        while self._kills and self._kills[0][0] <= time.monotonic_ns():
            _, key = heapq.heappop(self._kills)
            if child := self._children.get(key):
                self._kill(child)

    @staticmethod
    def _kill(child: _Child) -> None:
        child.killed_by_us = True
        _signal_group(child.pid, signal.SIGKILL)

    def _reap(self) -> None:
        """Collect every process that ended; kill what finished children left behind, then tell."""
        ends: list[protocol.End] = []
        some = False
        with contextlib.suppress(ChildProcessError):
            while (reaped := os.wait4(-1, os.WNOHANG))[0]:
                some = True
                if child := self._by_pid.pop(reaped[0], None):
                    ends.append(self._conclude(child, *reaped[1:]))
        if some:
            self._kill_orphans()
        for end in ends:
            self._end(end)

    def _conclude(self, child: _Child, status: int, usage: resource.struct_rusage) -> protocol.End:
        finished_ns = time.time_ns()
        self._hear(child)
        del self._children[child.key]
        # Its number cannot be given anew while its group has members.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        if (refusal := child.refusal) is not None:
            return protocol.Refused(child.key, refusal, finished_ns)
        code = os.waitstatus_to_exitcode(status)
        return protocol.Exited(
            key=child.key,
            pid=child.pid,
            exit_code=code if code >= 0 else 128 - code,
            signal=max(0, -code),
            oom_killed=code == -signal.SIGKILL
            and not child.killed_by_us
            and oom_kills() != child.oom_kills,
            started_ns=child.started.started_ns if child.started else child.forked_ns,
            finished_ns=finished_ns,
            max_rss_bytes=usage.ru_maxrss * 1024,
            cpu_ns=round((usage.ru_utime + usage.ru_stime) * 1e9),
            read_bytes=usage.ru_inblock * _BLOCK,
            written_bytes=usage.ru_oublock * _BLOCK,
        )

    def _kill_orphans(self) -> None:
        """Kill what outlived a child.

        A child is the subreaper of its descendants, so whatever process is ours and was not
        forked by us has lost its container.
        """
        for pid in _own_children(self._pid):
            if pid not in self._by_pid:
                os.kill(pid, signal.SIGKILL)

    def _end(self, end: protocol.End) -> None:
        self._ended[end.key] = end
        self._tell(end)

    def _kill_all(self) -> None:
        while pids := _own_children(self._pid):
            for pid in pids:
                _signal_group(pid, signal.SIGKILL)
            while pids:
                try:
                    pid, _ = os.waitpid(-1, 0)
                except ChildProcessError:
                    break
                pids.discard(pid)


def _signal_group(pid: int, number: int) -> None:
    """Signal a child's process group, or the child alone while it has not made its own yet."""
    for send in (os.killpg, os.kill):
        try:
            send(pid, number)
        except (ProcessLookupError, PermissionError):
            continue
        return


def _own_children(pid: int) -> set[int]:
    """Children of this one-threaded process, zombies included."""
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def oom_kills(vmstat: Path = Path("/proc/vmstat")) -> int | None:
    """Out-of-memory kills on this machine since boot; None where the kernel does not say."""
    for line in vmstat.read_text().splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return None


def _image_environment() -> dict[str, str]:
    environment = {name: os.environ[name] for name in _IMAGE_VARIABLES if name in os.environ}
    scripts = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    environment["PATH"] = os.pathsep.join([scripts, *(p for p in path if p != scripts)])
    return environment
