"""A connection to the API server: persistent, plain JSON, one thread's own."""

from __future__ import annotations

import contextlib
import http.client
import socket
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.engine.forkserver.protocol import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_flyteperf.engine.kubelet.kubeconfig import Endpoint

GONE = 410
CONFLICT = 409
NOT_FOUND = 404
_TOO_MANY = 429
_SERVER_ERROR = 500
_REQUEST_TIMEOUT_S = 60

MERGE_PATCH = "application/merge-patch+json"

Unreachable = (OSError, http.client.HTTPException)
"""What a request raises when no answer came."""


class ApiError(Exception):
    """The API server refused."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.code == _TOO_MANY or self.code >= _SERVER_ERROR


class _Status(msgspec.Struct):
    message: str = ""


class Api:
    """Requests over one kept connection, made anew after a failure."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection: http.client.HTTPConnection | None = None

    def request(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> bytes:
        """Body of the answer.

        Raises:
            ApiError: the server refused.
            OSError, http.client.HTTPException: no answer; the request may have been carried out.
        """
        connection = self._connect(_REQUEST_TIMEOUT_S)
        try:
            response = self._send(connection, method, path, body, content_type)
            answer = response.read()
        except BaseException:
            self.close()
            raise
        if response.status >= http.client.BAD_REQUEST:
            raise ApiError(response.status, _message(answer))
        return answer

    def stream(self, path: str, timeout_s: float) -> Iterator[bytes]:
        """Lines of a watch as they come, until the server closes it.

        Args:
            path: what to watch.
            timeout_s: silence after which the connection counts as lost.

        Raises:
            ApiError: the server refused.
            OSError, http.client.HTTPException: the connection broke.
        """
        connection = self._connect(timeout_s)
        lines = Lines()
        try:
            response = self._send(connection, "GET", path, None, "")
            if response.status >= http.client.BAD_REQUEST:
                raise ApiError(response.status, _message(response.read()))
            while data := response.read1(1 << 16):
                yield from lines.feed(data)
        finally:
            self.close()

    def close(self) -> None:
        """Drop the connection; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def interrupt(self) -> None:
        """Break off a request that another thread waits for."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._connection is None:
            where = self._endpoint
            if where.tls is None:
                self._connection = http.client.HTTPConnection(
                    where.host, where.port, timeout=timeout_s
                )
            else:
                self._connection = http.client.HTTPSConnection(
                    where.host, where.port, timeout=timeout_s, context=where.tls
                )
        return self._connection

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: object,
        content_type: str,
    ) -> http.client.HTTPResponse:
        headers = {"Accept": "application/json", **self._endpoint.headers}
        data = None
        if body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = content_type
        connection.request(method, path, data, headers)
        return connection.getresponse()


def _message(answer: bytes) -> str:
    try:
        return msgspec.json.decode(answer, type=_Status).message
    except msgspec.DecodeError:
        return answer[:200].decode(errors="replace")
