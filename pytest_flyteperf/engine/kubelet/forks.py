"""The kubelet's end of the fork server's socket."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.engine.forkserver.protocol import (
    Event,
    Lines,
    Request,
    decode_event,
    line,
)
from pytest_flyteperf.engine.kubelet.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

_CLOSE_S = 2


class ForkServer(threading.Thread):
    """Reports the fork server's events; connects anew when it goes away.

    A connection begins with `Hello`, which tells all that happened meanwhile, so a request that is
    lost with the old connection can be made again by whoever misses its answer.
    """

    def __init__(self, path: str, report: Callable[[Event], None]) -> None:
        super().__init__(name="fork-server", daemon=True)
        self._path = path
        self._report = report
        self._connection: socket.socket | None = None
        self._sending = threading.Lock()
        self._answered = False
        self._closed = threading.Event()

    def send(self, request: Request) -> None:
        """Send a request; without a connection it is dropped, see above."""
        with self._sending:
            if self._connection is None:
                return
            try:
                self._connection.sendall(line(request))
            except OSError:
                # The reader finds the same, and connects anew.
                self._connection = None

    def close(self) -> None:
        """Disconnect and end."""
        self._closed.set()
        with self._sending, contextlib.suppress(OSError):
            if self._connection is not None:
                self._connection.shutdown(socket.SHUT_RDWR)
        self.join(_CLOSE_S)

    def run(self) -> None:
        """Connect and read, for ever."""
        backoff = Backoff()
        while not self._closed.is_set():
            try:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(self._path)
                    self._read(connection, backoff)
                    failure = "it closed the connection"
            except (OSError, msgspec.DecodeError) as error:
                failure = str(error)
            with self._sending:
                self._connection = None
            if self._closed.is_set():
                return
            pause_s = backoff.pause_s()
            # Until it has once answered, it is merely not up yet.
            level = logging.WARNING if self._answered else logging.INFO
            _log.log(level, "fork server %s: %s; again in %.2f s", self._path, failure, pause_s)
            self._closed.wait(pause_s)

    def _read(self, connection: socket.socket, backoff: Backoff) -> None:
        lines = Lines()
        while data := connection.recv(1 << 16):
            for text in lines.feed(data):
                # Before Hello is acted upon, so that the answer to it can be sent.
                with self._sending:
                    self._connection = connection
                self._answered = True
                self._report(decode_event(text))
                backoff.reset()
