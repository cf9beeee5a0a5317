"""When the spans of an execution have arrived, seen in the requests that carry them."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pytest_flyteperf.collect.slices import records

HANDLE = "Handle"
"""FlytePropeller's span of one worker pickup ends in this name."""


def handle_ended_after(data: bytes, execution: str, unix_ns: int) -> bool:
    """Tell whether the traces hold a handle of the execution that ended after an instant.

    A span is exported when it has ended, so the last handle comes after every span beneath it
    has ended. The terminal event and the last write lie beneath the last handle of an execution.
    """
    needle = execution.encode()
    return any(
        _holds(request, execution, unix_ns)
        for _, request in reversed(records(data))
        if needle in request
    )


def _holds(request: bytes, execution: str, unix_ns: int) -> bool:
    parsed = ExportTraceServiceRequest.FromString(request)
    return any(
        span.name.endswith(HANDLE)
        and span.end_time_unix_nano >= unix_ns
        and any(a.key == "exec_id" and a.value.string_value == execution for a in span.attributes)
        for resource in parsed.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )
