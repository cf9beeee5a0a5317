"""Traces as others write them, turned into export requests: OTLP JSON lines, Jaeger JSON.

Neither says when a span was received. The latest end among the spans of a line stands for it: an
exporter sends what has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

_STATUS_ERROR = 2
_KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}


class _Value(msgspec.Struct):
    string: str | None = msgspec.field(name="stringValue", default=None)


class _Attribute(msgspec.Struct):
    key: str = ""
    value: _Value = msgspec.field(default_factory=_Value)


class _Status(msgspec.Struct):
    code: int | str = 0


class _OtlpSpan(msgspec.Struct, rename="camel"):
    trace_id: str
    span_id: str
    name: str = ""
    parent_span_id: str = ""
    kind: int | str = 0
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: list[_Attribute] = []
    status: _Status = msgspec.field(default_factory=_Status)


class _Scope(msgspec.Struct):
    spans: list[_OtlpSpan] = []


class _Resource(msgspec.Struct):
    attributes: list[_Attribute] = []


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    scope_spans: list[_Scope] = []


class OtlpLine(msgspec.Struct, rename="camel"):
    """One line of an OpenTelemetry collector's file exporter."""

    resource_spans: list[_ResourceSpans] = []


class _Reference(msgspec.Struct, rename={"kind": "refType", "span_id": "spanID"}):
    span_id: str
    kind: str = "CHILD_OF"


class _Tag(msgspec.Struct):
    key: str
    value: object = None


_JAEGER_NAMES = {
    "trace_id": "traceID",
    "span_id": "spanID",
    "name": "operationName",
    "start_us": "startTime",
    "duration_us": "duration",
    "process": "processID",
}


class _JaegerSpan(msgspec.Struct, rename=_JAEGER_NAMES):
    trace_id: str
    span_id: str
    name: str = ""
    start_us: int = 0
    duration_us: int = 0
    process: str = ""
    references: list[_Reference] = []
    tags: list[_Tag] = []


class _Process(msgspec.Struct, rename={"service": "serviceName"}):
    service: str = ""


class _JaegerTrace(msgspec.Struct):
    spans: list[_JaegerSpan] = []
    processes: dict[str, _Process] = {}


class JaegerDocument(msgspec.Struct):
    """An answer of Jaeger's `/api/traces`, as its web page downloads it too."""

    data: list[_JaegerTrace] = []


def from_otlp(line: OtlpLine) -> tuple[float, ExportTraceServiceRequest]:
    """Receipt, as well as it can be told, and the request of one line.

    Raises:
        ValueError: an id is no hexadecimal number, or a time none at all.
    """
    request = ExportTraceServiceRequest()
    latest = 0
    for group in line.resource_spans:
        resource = request.resource_spans.add()
        for attribute in group.resource.attributes:
            _attribute(resource, attribute.key, attribute.value.string)
        spans = resource.scope_spans.add().spans
        for span in (span for scope in group.scope_spans for span in scope.spans):
            end = int(span.end_time_unix_nano)
            latest = max(latest, end)
            proto = spans.add(
                name=span.name,
                trace_id=bytes.fromhex(span.trace_id),
                span_id=bytes.fromhex(span.span_id),
                parent_span_id=bytes.fromhex(span.parent_span_id),
                start_time_unix_nano=int(span.start_time_unix_nano),
                end_time_unix_nano=end,
                kind=span.kind if isinstance(span.kind, int) else 0,
            )
            for attribute in span.attributes:
                if attribute.value.string is not None:
                    proto.attributes.add(
                        key=attribute.key
                    ).value.string_value = attribute.value.string
            if span.status.code in {_STATUS_ERROR, "STATUS_CODE_ERROR"}:
                proto.status.code = _STATUS_ERROR
    return latest / 1e9, request


def from_jaeger(document: JaegerDocument) -> Iterator[tuple[float, ExportTraceServiceRequest]]:
    """A request for each trace of the answer; times have whole microseconds.

    Raises:
        ValueError: an id is no hexadecimal number.
    """
    for trace in document.data:
        request = ExportTraceServiceRequest()
        latest = 0
        for span in trace.spans:
            resource = request.resource_spans.add()
            process = trace.processes.get(span.process, _Process())
            _attribute(resource, "service.name", process.service)
            parents = [one.span_id for one in span.references if one.kind == "CHILD_OF"]
            tags = {tag.key: tag.value for tag in span.tags}
            end = span.start_us + span.duration_us
            latest = max(latest, end)
            proto = resource.scope_spans.add().spans.add(
                name=span.name,
                trace_id=bytes.fromhex(span.trace_id.zfill(32)),
                span_id=bytes.fromhex(span.span_id.zfill(16)),
                parent_span_id=bytes.fromhex(parents[0].zfill(16)) if parents else b"",
                start_time_unix_nano=span.start_us * 1000,
                end_time_unix_nano=end * 1000,
                kind=_KINDS.get(str(tags.get("span.kind")), 0),
            )
            for key, value in tags.items():
                if isinstance(value, str):
                    proto.attributes.add(key=key).value.string_value = value
            if tags.get("error") is True or tags.get("otel.status_code") == "ERROR":
                proto.status.code = _STATUS_ERROR
        yield latest / 1e6, request


def _attribute(resource: ResourceSpans, key: str, value: str | None) -> None:
    if value is not None:
        resource.resource.attributes.add(key=key).value.string_value = value
