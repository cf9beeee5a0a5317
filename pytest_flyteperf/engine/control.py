"""Talk to a running supervisor: JSON lines over its unix socket."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import msgspec

from pytest_flyteperf.engine.process import ProcessDeath, ProcessSpec, ProcessStatus
from pytest_flyteperf.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SUPERVISOR = "supervisor"
"""Name under which the supervisor's own end is reported."""


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client asks; `do` is start, stop, status, attach, detach, keep or shutdown."""

    do: str
    processes: tuple[ProcessSpec, ...] = ()
    names: tuple[str, ...] = ()
    who: str = ""
    linger_s: float | None = None
    """With detach: how long a cluster without leases lives on, if not as configured."""


class TraceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the OTLP receiver did so far."""

    endpoint: str
    """URL for an OTLP gRPC exporter, the same for the supervisor's life."""
    file: str
    requests: int
    bytes: int
    """Size of the file: always the end of a whole record. Slices are good while a lease is held;
    a kept cluster's file begins anew when there is none."""
    refused: int
    """Requests turned away because they were malformed or had no right."""
    lost: int
    """Requests that could not be stored (disk full); their senders were told."""


class SupervisorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor and all that it owns."""

    cluster: str
    pid: int
    keep: bool
    """Lives on without leases."""
    leases: tuple[str, ...] = ()
    """Who holds one, oldest first."""
    processes: tuple[ProcessStatus, ...] = ()
    traces: TraceStatus | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line from the supervisor: the answer to a request, or, with `event`, news of its own."""

    event: str | None = None
    """`ready` or `died`; to attached connections, and `ready` also to whoever asked to start."""
    name: str | None = None
    death: ProcessDeath | None = None
    error: str | None = None
    """One line; the request was not carried out."""
    processes: tuple[ProcessStatus, ...] = ()
    status: SupervisorStatus | None = None


class StartError(ClusterError):
    """A process died before it was ready, or was not ready in time; those started with it ended."""

    def __init__(self, message: str, death: ProcessDeath | None = None) -> None:
        super().__init__(message)
        self.death = death


class Control:
    """A connection to a supervisor; after `attach`, a lease on its cluster.

    Calls may come from any thread, one at a time. `timeout_s` is for answers that need no work.

    Raises:
        ClusterError: nobody listens on the socket, or the supervisor ended during a call, or it
            does not answer.
    """

    def __init__(self, path: str, timeout_s: float = 30.0) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._lock = threading.RLock()
        self._buffer = b""
        self._deaths: list[ProcessDeath] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise ClusterError(
                f"{path}: no supervisor answers ({error.strerror}); start the cluster again"
            ) from error
        self._socket.settimeout(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Become readable when there may be a new death; ask `death` before the first wait."""
        return self._socket.fileno()

    def close(self) -> None:
        """Give up the connection, and with it the lease."""
        self._socket.close()

    def attach(self, who: str) -> None:
        """Hold a lease while this connection is open; deaths are reported from now on."""
        self._ask(Request(do="attach", who=who), timeout_s=self._timeout_s)

    def detach(self, linger_s: float) -> None:
        """Give up the lease; without another the cluster lives for `linger_s` seconds more."""
        self._ask(Request(do="detach", linger_s=linger_s), timeout_s=self._timeout_s)

    def keep(self) -> None:
        """Let the cluster live without leases, until `shutdown`."""
        self._ask(Request(do="keep"), timeout_s=self._timeout_s)

    def start(
        self, processes: Iterable[ProcessSpec], on_ready: Callable[[str], None] | None = None
    ) -> tuple[ProcessStatus, ...]:
        """Start processes in parallel and wait until all are ready.

        `on_ready` is called with each one's name as it becomes ready.

        Raises:
            StartError: one died or was late; all of this call are stopped again.
        """
        request = Request(do="start", processes=tuple(processes))
        return self._ask(request, on_ready).processes

    def stop(self, names: Iterable[str]) -> None:
        """Stop processes in their order (signal, grace, SIGKILL) and wait until they are gone."""
        self._ask(Request(do="stop", names=tuple(names)))

    def status(self) -> SupervisorStatus:
        """Ask what runs, who holds leases and what the OTLP receiver has stored."""
        reply = self._ask(Request(do="status"), timeout_s=self._timeout_s)
        if reply.status is None:
            raise ClusterError(f"{self._path}: the supervisor sent no status; start it again")
        return reply.status

    def shutdown(self, timeout_s: float | None = None) -> None:
        """Stop everything in order, the supervisor last, and wait until it is gone.

        Raises:
            ClusterError: it is not gone after `timeout_s` seconds.
        """
        with self._lock, self._patience("has not stopped", timeout_s):
            self._send(Request(do="shutdown"))
            while self._receive() is not None:
                pass

    def death(self) -> ProcessDeath | None:
        """Return the first death not yet returned, or None, without waiting.

        Needs `attach`. The supervisor's own end is a death too, named `supervisor`.
        """
        with self._lock:
            while not self._deaths and self._has_line_or_more():
                reply = self._receive()
                if reply is None:
                    return ProcessDeath(name=SUPERVISOR, problem="gone, and the cluster with it")
                self._note(reply)
            return self._deaths.pop(0) if self._deaths else None

    def _has_line_or_more(self) -> bool:
        return b"\n" in self._buffer or bool(select.select([self._socket], [], [], 0)[0])

    def _ask(
        self,
        request: Request,
        on_ready: Callable[[str], None] | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        with self._lock, self._patience("has not answered", timeout_s):
            self._send(request)
            while (reply := self._receive()) is not None:
                if reply.event is None:
                    if reply.error is not None:
                        raise StartError(reply.error, reply.death)
                    return reply
                self._note(reply)
                if reply.event == "ready" and on_ready is not None and reply.name is not None:
                    on_ready(reply.name)
        raise ClusterError(
            f"{self._path}: the supervisor ended during {request.do}; start it again"
        )

    @contextmanager
    def _patience(self, failing: str, timeout_s: float | None) -> Iterator[None]:
        self._socket.settimeout(timeout_s)
        try:
            yield
        except TimeoutError:
            raise ClusterError(
                f"{self._path}: the supervisor {failing} within {timeout_s:g} s; run flyteperf down"
            ) from None
        finally:
            self._socket.settimeout(None)

    def _note(self, reply: Reply) -> None:
        if reply.event == "died" and reply.death is not None:
            self._deaths.append(reply.death)

    def _send(self, request: Request) -> None:
        try:
            self._socket.sendall(msgspec.json.encode(request) + b"\n")
        except TimeoutError:
            raise
        except OSError as error:
            raise ClusterError(
                f"{self._path}: the supervisor is gone ({error.strerror}); start the cluster again"
            ) from error

    def _receive(self) -> Reply | None:
        """Wait for a line; None at the end of the connection."""
        while b"\n" not in self._buffer:
            try:
                chunk = self._socket.recv(65_536)
            except ConnectionError:
                return None
            if not chunk:
                return None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return msgspec.json.decode(line, type=Reply)
