"""Handles out of received traces: each worker pickup with everything beneath it.

A trace of Propeller is one handle (`P/handler.go:183`): its root span is `Handle`, its children
come in other requests, earlier or later, because every exporter has a batch of its own. Spans wait
in memory until their handle is complete; a handle is complete when requests received `SETTLE_S`
later arrive. Memory therefore grows with the handles that are open, not with the recording.

Spans of servers (FlyteAdmin's, DataCatalog's) and of databases are left out where they arrive:
their names repeat those of the clients. What a server did within a call belongs to the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pytest_flyteperf.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

    from pytest_flyteperf.analyze.recording import TraceRecord

SETTLE_S = 15.0
"""Receipt time after which nothing more belongs to a finished handle: three times the OTel SDK's
default batch delay of 5 s."""
ABANDON_S = 600.0
"""Receipt time after which a trace without its root is given up: no handle runs so long."""

MAX_TIME_NS = (1 << 63) - 1
"""Latest time that a span may claim: the year 2262."""

CLIENTS = frozenset(
    {"flytepropeller", "admin-client", "blobstore-client", "datacatalog-client", "k8s-client"},
)
"""`service.name` of the tracers within Propeller (`flytestdlib/otelutils`)."""

HANDLE = "handle"
ROUND = "round"
CRD_GET = "crd get"
CRD_WRITE = "crd write"
CLOSURE = "closure"
EVALUATE = "evaluate node"
PLUGIN = "task plugin"
CATALOG_CHECK = "catalog check"
CATALOG_FILL = "catalog fill"
BLOB_READ = "blob read"
BLOB_WRITE = "blob write"
BLOB_CACHE = "blob cache"
WORKFLOW_EVENT = "workflow event"
NODE_EVENT = "node event"
TASK_EVENT = "task event"
KUBERNETES_GET = "kubernetes cached get"
KUBERNETES_LIST = "kubernetes cached list"

EVENTS = frozenset({WORKFLOW_EVENT, NODE_EVENT, TASK_EVENT})

OPERATIONS = {
    "pkg.controller.Propeller/Handle": HANDLE,
    "pkg.controller.Propeller/streak": ROUND,
    "pkg.controller.Propeller/parseWorkflowClosureCrdFields": CLOSURE,
    "WorkflowStore.Get": CRD_GET,
    "WorkflowStore.Update": CRD_WRITE,
    "pkg.controller.nodes.NodeExecutor/handleNode": EVALUATE,
    "pkg.controller.nodes.task.Handler/HandleTask": PLUGIN,
    "pkg.controller.nodes.NodeExecutor/CheckCatalogCache": CATALOG_CHECK,
    "pkg.controller.nodes.NodeExecutor/WriteCatalogCache": CATALOG_FILL,
    "flytestdlib.storage.DefaultProtobufStore/ReadProtobuf": BLOB_READ,
    "flytestdlib.storage.DefaultProtobufStore/WriteProtobuf": BLOB_WRITE,
    "flytestdlib.storage.cachedRawStore/Head": BLOB_CACHE,
    "flytestdlib.storage.cachedRawStore/ReadRaw": BLOB_CACHE,
    "flytestdlib.storage.cachedRawStore/WriteRaw": BLOB_CACHE,
    "flyteidl.service.AdminService/CreateWorkflowEvent": WORKFLOW_EVENT,
    "flyteidl.service.AdminService/CreateNodeEvent": NODE_EVENT,
    "flyteidl.service.AdminService/CreateTaskEvent": TASK_EVENT,
    "controller-runtime.pkg.client.Cache/Get": KUBERNETES_GET,
    "controller-runtime.pkg.client.Cache/List": KUBERNETES_LIST,
}
"""Span name to what it is called here. Another span goes by the last two parts of its name, e.g.
`DataCatalog/GetArtifact`."""


_HANDLE_SPAN = "pkg.controller.Propeller/Handle"
_EVENT_SPANS = frozenset(name for name, known in OPERATIONS.items() if known in EVENTS)
_STATUS_ERROR = 2


class Operation(msgspec.Struct, frozen=True, gc=False):
    """One span beneath a handle."""

    name: str
    start_ns: int
    end_ns: int
    depth: int
    """Spans above it, the handle's being 0."""
    above: int
    """Index of the operation above it, -1 for the handle itself."""
    node: str
    """Path of node ids from the nearest evaluation above it, `/` between; empty outside any."""
    failed: bool
    """The span's status is an error."""


class Handle(NamedTuple):
    """One worker pickup of a workflow: a whole trace."""

    execution: str
    start_ns: int
    end_ns: int
    operations: tuple[Operation, ...]
    """Parents before children, siblings by start."""
    lost: int
    """Spans of this trace whose parent never came."""


class Stray(NamedTuple):
    """A client span of a trace whose handle never came."""

    name: str
    execution: str | None
    """None where the span does not say."""
    start_ns: int
    end_ns: int


def operation_name(span_name: str) -> str:
    """What a span is called in measures."""
    known = OPERATIONS.get(span_name)
    return known or span_name.rpartition(".")[2]


_Child = tuple[int, bytes, "ProtoSpan"]
"""Start, id and span: they sort by start, then by id, whatever order they arrived in."""


class _Trace:
    """The spans of one trace that have come so far."""

    __slots__ = ("first", "root", "spans", "touched")

    def __init__(self, received: float) -> None:
        self.first = received
        self.touched = received
        self.root: ProtoSpan | None = None
        self.spans: list[ProtoSpan] = []


def read_handles(records: Iterable[TraceRecord]) -> Iterator[Handle | Stray]:
    """Every handle once it is complete, and every client span that has none.

    Raises:
        RecordingError: a record is no ExportTraceServiceRequest.
    """
    open_traces: dict[bytes, _Trace] = {}
    swept = float("-inf")
    for number, record in enumerate(records, 1):
        try:
            request = ExportTraceServiceRequest.FromString(record.request)
        except DecodeError:
            raise RecordingError(
                f"otlp.binpb: record {number} is no ExportTraceServiceRequest; record it again",
            ) from None
        _take(request, record.received, open_traces)
        if record.received >= swept + 1:
            swept = record.received
            for trace_id in _settled(open_traces, swept):
                yield from _close(open_traces.pop(trace_id))
    for trace in open_traces.values():
        yield from _close(trace)


def _take(
    request: ExportTraceServiceRequest,
    received: float,
    open_traces: dict[bytes, _Trace],
) -> None:
    for resource_spans in request.resource_spans:
        service = _attribute(resource_spans.resource, "service.name")
        if service not in CLIENTS:
            continue
        propeller = service == "flytepropeller"
        for scope in resource_spans.scope_spans:
            for span in scope.spans:
                trace_id = span.trace_id
                trace = open_traces.get(trace_id)
                if trace is None:
                    trace = open_traces[trace_id] = _Trace(received)
                trace.touched = received
                if propeller and span.name == _HANDLE_SPAN:
                    trace.root = span
                trace.spans.append(span)


def _settled(open_traces: dict[bytes, _Trace], now: float) -> list[bytes]:
    return [
        trace_id
        for trace_id, trace in open_traces.items()
        if (trace.touched + SETTLE_S if trace.root else trace.first + ABANDON_S) < now
    ]


def _attribute(holder: ProtoSpan | Resource, key: str) -> str | None:
    for attribute in holder.attributes:
        if attribute.key == key:
            return str(attribute.value.string_value)
    return None


def _close(trace: _Trace) -> Iterator[Handle | Stray]:
    if trace.root is None:
        for span in trace.spans:
            if _is_propellers(span):
                start, end = _interval(span)
                yield Stray(operation_name(span.name), _attribute(span, "exec_id"), start, end)
        return
    root = trace.root
    children: dict[bytes, list[_Child]] = {}
    for span_id, span in {span.span_id: span for span in trace.spans}.items():
        if span_id != root.span_id:
            child = (span.start_time_unix_nano, span_id, span)
            children.setdefault(span.parent_span_id, []).append(child)
    operations: list[Operation] = []
    waiting = [(root.start_time_unix_nano, root.span_id, root, 0, -1, "")]
    while waiting:
        start, span_id, span, depth, above, node = waiting.pop()
        if depth:
            name = operation_name(span.name)
            if name == EVALUATE:
                node = _attribute(span, "node") or node
            start, end = _ordered(start, span.end_time_unix_nano)
            failed = span.HasField("status") and span.status.code == _STATUS_ERROR
            operations.append(Operation(name, start, end, depth, above, node, failed))
        below = children.pop(span_id, None)
        if below:
            below.sort(reverse=True)
            waiting += [(*child, depth + 1, len(operations) - 1, node) for child in below]
    lost = sum(_is_propellers(child[-1]) for rest in children.values() for child in rest)
    start, end = _interval(root)
    execution = _attribute(root, "exec_id") or ""
    yield Handle(execution, start, end, tuple(operations), lost)


def _is_propellers(span: ProtoSpan) -> bool:
    """Whether a span without a handle was made by a worker of Propeller.

    Only a worker's spans carry `routine`. FlyteAdmin shares the process and the blob store's
    tracer in a single binary; its spans have none. Calls of the admin client carry no attributes
    of a worker; the three events are sent by workers only.
    """
    return span.name in _EVENT_SPANS or _attribute(span, "routine") is not None


def _interval(span: ProtoSpan) -> tuple[int, int]:
    return _ordered(span.start_time_unix_nano, span.end_time_unix_nano)


def _ordered(start: int, end: int) -> tuple[int, int]:
    """A span's times, capped, its end not before its start."""
    if start <= end <= MAX_TIME_NS:
        return start, end
    start = min(start, MAX_TIME_NS)
    return start, min(max(start, end), MAX_TIME_NS)
