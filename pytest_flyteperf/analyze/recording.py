"""A recording's folder: files by name, gzip or not, decoded as they are asked for.

Only the admin documents must exist. An absent trace or watch file means that its facts are
unknown (`None`), which is not the same as an empty one. Sizes are capped, so that a hostile file
ends in one line.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from pytest_flyteperf.analyze import foreign
from pytest_flyteperf.analyze.documents import (
    ExecutionDocument,
    ExecutionMetricsDocument,
    NodeExecutionDocument,
    PodRecord,
    RecordingDocument,
    TaskExecutionDocument,
    TaskSteps,
    WorkflowRecord,
)
from pytest_flyteperf.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedIOBase

MAX_DOCUMENT_BYTES = 1 << 30
"""Largest JSON document that is read whole; 100,000 nodes take about 120 MB."""
MAX_LINE_BYTES = 1 << 26
"""Longest watch event; etcd's own limit for an object is 1.5 MiB by default."""
PIECE_BYTES = 1 << 18
"""How much of a file is read at once where its lines are asked for: less than a line may have."""
MAX_TRACE_RECORD_BYTES = 1 << 26
"""Largest ExportTraceServiceRequest; gRPC's own limit for a message is 4 MiB by default."""

_HEADER = struct.Struct(">dI")

_T = TypeVar("_T")


class TraceRecord(NamedTuple):
    """One received export request, not decoded."""

    received: float
    """Unix seconds."""
    request: bytes


class Recording:
    """The files of one repeat, or of one child execution within it."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise RecordingError(f"{self.folder}: no such folder; name the folder of one recording")
        if self._find("execution.json") is None:
            raise RecordingError(
                f"{self.folder}: has no execution.json; name the folder of one repeat, "
                "e.g. chain/0",
            )

    @cached_property
    def about(self) -> RecordingDocument:
        """What the recorder knew; defaults where it left no recording.json."""
        return self._document("recording.json", RecordingDocument) or RecordingDocument()

    @cached_property
    def execution(self) -> ExecutionDocument:
        """AdminService.GetExecution."""
        return self._required("execution.json", ExecutionDocument)

    def nodes(self) -> list[NodeExecutionDocument]:
        """AdminService.ListNodeExecutions, parents expanded."""
        return self._required("node_executions.json", list[NodeExecutionDocument])

    def tasks(self) -> list[TaskExecutionDocument]:
        """AdminService.ListTaskExecutions of every node."""
        return self._required("task_executions.json", list[TaskExecutionDocument])

    @cached_property
    def children(self) -> tuple[Recording, ...]:
        """The executions that launch plan nodes started, at any depth, ordered by folder."""
        found: list[Recording] = []
        below = self.folder / "children"
        if below.is_dir():
            for folder in sorted(below.iterdir()):
                if folder.is_dir():
                    child = Recording(folder)
                    found += (child, *child.children)
        return tuple(found)

    def pods(self) -> Iterator[PodRecord] | None:
        """Every watch event of a pod in order, or None where pods were not watched."""
        return self._lines("pods.jsonl", PodRecord)

    def workflows(self) -> Iterator[WorkflowRecord] | None:
        """Every watch event of a FlyteWorkflow in order, or None where none were watched."""
        return self._lines("flyteworkflows.jsonl", WorkflowRecord)

    def execution_metrics(self) -> ExecutionMetricsDocument | None:
        """AdminService.GetExecutionMetrics, or None where the deployment did not serve it."""
        return self._document("execution_metrics.json", ExecutionMetricsDocument)

    def task_steps(self) -> Iterator[TaskSteps] | None:
        """Flytekit's own timers by container, or None where nothing told them."""
        return self._lines("task_steps.jsonl", TaskSteps)

    def traces(self) -> Iterator[TraceRecord] | None:
        """Every received export request in order, or None where traces were not received."""
        for name, reader in TRACES.items():
            if path := self._find(name):
                return reader(path)
        return None

    @property
    def trace_source(self) -> str | None:
        """The file that `traces` reads, without .gz; None where there is none."""
        return next((name for name in TRACES if self._find(name)), None)

    def scrapes(self) -> tuple[Iterator[bytes], Iterator[bytes]] | None:
        """Lines of Propeller's metrics before and after, or None unless there are both."""
        before, after = self._find("metrics.before.prom"), self._find("metrics.after.prom")
        if before is None or after is None:
            return None
        return read_lines(before), read_lines(after)

    def page(self, component: str, when: str) -> Iterator[bytes] | None:
        """Lines of a component's metrics `before` or `after`, or None where they were not read.

        Components are `admin`, `kube-apiserver` and `etcd`.
        """
        path = self._find(f"metrics.{component}.{when}.prom")
        return None if path is None else read_lines(path)

    def cadvisor_nodes(self) -> tuple[str, ...]:
        """Components, for `page`, that are a node's cAdvisor."""
        pages = self.folder.glob("metrics.cadvisor-*.after.prom*")
        names = {path.name.removesuffix(".gz").removesuffix(".after.prom") for path in pages}
        return tuple(sorted(name.removeprefix("metrics.") for name in names))

    def gateway(self) -> Iterator[bytes] | None:
        """Lines of the S3 gateway's access log, or None where it was not kept."""
        path = self._find("s3-access.log")
        return None if path is None else read_lines(path)

    def log(self) -> Iterator[bytes] | None:
        """The lines of Propeller's log, or None where it was not kept."""
        path = self._find("propeller.log")
        return None if path is None else read_lines(path)

    def _find(self, name: str) -> Path | None:
        for path in (self.folder / name, self.folder / f"{name}.gz"):
            if path.is_file():
                return path
        return None

    def _required(self, name: str, kind: type[_T]) -> _T:
        document = self._document(name, kind)
        if document is None:
            raise RecordingError(f"{self.folder}: has no {name}; record it again")
        return document

    def _document(self, name: str, kind: type[_T]) -> _T | None:
        path = self._find(name)
        if path is None:
            return None
        return _whole(path, kind)

    def _lines(self, name: str, kind: type[_T]) -> Iterator[_T] | None:
        path = self._find(name)
        return None if path is None else _json_lines(path, kind)


def _whole(path: Path, kind: type[_T]) -> _T:
    with _opened(path) as file:
        content = _read(path, file, MAX_DOCUMENT_BYTES + 1)
    if len(content) > MAX_DOCUMENT_BYTES:
        raise RecordingError(f"{path}: larger than {MAX_DOCUMENT_BYTES} bytes; refused")
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, reason: object) -> RecordingError:
    line = " ".join(str(reason).split())
    return RecordingError(f"{path}: damaged ({line}); record it again")


def _opened(path: Path) -> BufferedIOBase:
    try:
        return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise _damaged(path, error.strerror or error) from None


def _read(path: Path, file: BufferedIOBase, size: int) -> bytes:
    try:
        return file.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, error) from None


def read_lines(path: Path) -> Iterator[bytes]:
    """Lines of a file, gzip or not, without their ends, one at a time.

    Raises:
        RecordingError: the file is absent, damaged, or has a line beyond the cap.
    """
    with _opened(path) as file:
        number = 1
        begun = bytearray()
        # A pack's own readline takes four times as long, line by line.
        while piece := _read(path, file, PIECE_BYTES):
            first, *others = piece.split(b"\n")
            begun += first
            if len(begun) > MAX_LINE_BYTES:
                raise RecordingError(
                    f"{path}: line {number} is longer than {MAX_LINE_BYTES} bytes; refused",
                )
            if others:
                yield bytes(begun)
                yield from others[:-1]
                begun[:] = others[-1]
                number += len(others)
        if begun:
            yield bytes(begun)


def _json_lines(path: Path, kind: type[_T]) -> Iterator[_T]:
    decoder = msgspec.json.Decoder(kind)
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            yield decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _damaged(path, f"line {number}: {error}") from None


def _trace_records(path: Path) -> Iterator[TraceRecord]:
    with _opened(path) as file:
        number = 0
        while header := _read(path, file, _HEADER.size):
            number += 1
            if len(header) < _HEADER.size:
                raise _damaged(path, f"record {number} is cut off")
            received, length = _HEADER.unpack(header)
            if length > MAX_TRACE_RECORD_BYTES:
                raise _damaged(path, f"record {number} claims {length} bytes")
            request = _read(path, file, length)
            if len(request) < length:
                raise _damaged(path, f"record {number} is cut off")
            yield TraceRecord(received, request)


def _otlp_lines(path: Path) -> Iterator[TraceRecord]:
    for number, line in enumerate(_json_lines(path, foreign.OtlpLine), 1):
        try:
            received, request = foreign.from_otlp(line)
        except ValueError as error:
            raise _damaged(path, f"line {number}: {error}") from None
        yield TraceRecord(received, request.SerializeToString())


def _jaeger(path: Path) -> Iterator[TraceRecord]:
    try:
        for received, request in foreign.from_jaeger(_whole(path, foreign.JaegerDocument)):
            yield TraceRecord(received, request.SerializeToString())
    except ValueError as error:
        raise _damaged(path, error) from None


TRACES: dict[str, Callable[[Path], Iterator[TraceRecord]]] = {
    "otlp.binpb": _trace_records,
    "otlp.jsonl": _otlp_lines,
    "jaeger.json": _jaeger,
}
"""Where traces are looked for, in this order, and how each is read."""
