"""Receive traces over OTLP gRPC and store them as they came.

The file is that of a recording's `otlp.binpb`: records of receipt time (float64, Unix seconds),
length (uint32), both big endian, and that many bytes of one ExportTraceServiceRequest. Requests are
checked for their outer shape and never deserialised. Readers take slices by file offset.
"""

from __future__ import annotations

import hmac
import os
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.engine.control import TraceStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import grpc

HEADER = struct.Struct(">dI")
MAX_REQUEST_BYTES = 16 * 2**20
"""Propeller's batches of 512 spans stay far below; a larger request is refused by gRPC."""
MAX_FILE_BYTES = 32 * 2**30
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_RESOURCE_SPANS = b"\x0a"
"""Tag of the only field of ExportTraceServiceRequest: number 1, length-delimited."""
_VARINT_BYTES = 5
"""Enough for any length below `MAX_REQUEST_BYTES`."""


class Record(msgspec.Struct, frozen=True):
    """One stored request."""

    received: float
    """Unix seconds at which it had arrived."""
    request: bytes
    """An ExportTraceServiceRequest, serialised."""


def records(path: str | Path, start: int = 0, end: int | None = None) -> Iterator[Record]:
    """Read the whole records of a slice of the file; one still being written is left out."""
    with Path(path).open("rb") as file:
        file.seek(start)
        while end is None or file.tell() < end:
            header = file.read(HEADER.size)
            if len(header) < HEADER.size:
                return
            received, length = HEADER.unpack(header)
            request = file.read(length)
            if len(request) < length:
                return
            yield Record(received, request)


def well_formed(request: bytes) -> bool:
    """Tell whether bytes have the outer shape of an ExportTraceServiceRequest."""
    at, size = 0, len(request)
    while at < size:
        if request[at : at + 1] != _RESOURCE_SPANS:
            return False
        length = shift = 0
        for byte in request[at + 1 : at + 1 + _VARINT_BYTES]:
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:  # noqa: PLR2004 # a varint's last byte has its high bit clear
                break
        else:
            return False
        at += 1 + shift // 7 + length
    return at == size


class TraceFile:
    """The file that requests are appended to, one whole record or nothing at a time."""

    def __init__(
        self,
        path: str | Path,
        on_loss: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        self._on_loss = on_loss
        self._clock = clock
        self.bytes = os.fstat(self._file).st_size
        self.requests = self.lost = 0

    def append(self, request: bytes) -> bool:
        """Store a request; False if the disk would not take it."""
        header = HEADER.pack(self._clock(), len(request))
        with self._lock:
            try:
                self._write(header, request)
            except OSError as error:
                os.ftruncate(self._file, self.bytes)
                self.lost += 1
                if self.lost == 1:
                    self._on_loss(f"traces cannot be stored: {error.strerror}")
                return False
            self.bytes += len(header) + len(request)
            self.requests += 1
            return True

    def clear(self) -> None:
        """Forget what is stored; for a time at which nobody reads."""
        with self._lock:
            os.ftruncate(self._file, 0)
            self.bytes = 0

    def _write(self, header: bytes, request: bytes) -> None:
        whole = len(header) + len(request)
        if self.bytes + whole > MAX_FILE_BYTES:
            raise OSError(0, f"file has reached {MAX_FILE_BYTES >> 30} GiB")
        written = os.writev(self._file, (header, request))
        rest = memoryview(request)[max(0, written - len(header)) :]
        while rest:
            step = os.write(self._file, rest)
            rest = rest[step:]

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class Receiver:
    """An OTLP gRPC server on one port for its life, on loopback unless given another address.

    `on_loss` is called, from the server's thread, with one line when the first request is lost.
    With a `token`, requests need the metadata `authorization: Bearer TOKEN`.
    """

    def __init__(
        self,
        path: str | Path,
        on_loss: Callable[[str], None],
        address: str = "127.0.0.1",
        token: str | None = None,
    ) -> None:
        import grpc  # readers of the file do without

        self._grpc = grpc
        self._path = str(path)
        self._file = TraceFile(path, on_loss)
        self._refused = 0
        self._authorization = f"Bearer {token}" if token is not None else None
        export = grpc.unary_unary_rpc_method_handler(self._export)
        self._server = grpc.server(
            ThreadPoolExecutor(1, thread_name_prefix="otlp"),
            handlers=(_OnlyExport(export),),
            options=(
                ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
                ("grpc.so_reuseport", 0),
            ),
        )
        port = self._server.add_insecure_port(f"{address}:0")
        self._endpoint = f"http://{address}:{port}"
        self._server.start()

    def status(self) -> TraceStatus:
        """Where it listens, where it stores, and how many requests came."""
        return TraceStatus(
            endpoint=self._endpoint,
            file=self._path,
            requests=self._file.requests,
            bytes=self._file.bytes,
            refused=self._refused,
            lost=self._file.lost,
        )

    def clear(self) -> None:
        """Forget what is stored; for a time at which nobody reads."""
        self._file.clear()

    def close(self) -> None:
        """Finish the requests that have arrived and stop listening."""
        self._server.stop(grace=1.0).wait()
        self._file.close()

    def _export(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if not self._may_send(context):
            self._refused += 1
            context.abort(self._grpc.StatusCode.UNAUTHENTICATED, "the token is missing or wrong")
        if not well_formed(request):
            self._refused += 1
            context.abort(
                self._grpc.StatusCode.INVALID_ARGUMENT, "not an ExportTraceServiceRequest"
            )
        if not self._file.append(request):
            context.abort(self._grpc.StatusCode.RESOURCE_EXHAUSTED, "the request was not stored")
        return b""

    def _may_send(self, context: grpc.ServicerContext) -> bool:
        if self._authorization is None:
            return True
        given = dict(context.invocation_metadata()).get("authorization", "")
        return hmac.compare_digest(str(given).encode(), self._authorization.encode())


class _OnlyExport:
    """Serves the one method there is (a grpc.GenericRpcHandler)."""

    def __init__(self, export: grpc.RpcMethodHandler) -> None:
        self._export = export

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return self._export if call.method == _EXPORT else None
