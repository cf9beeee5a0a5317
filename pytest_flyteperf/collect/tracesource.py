"""Traces of an execution that others kept: a Jaeger that answers queries, or a file."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import urllib3

from pytest_flyteperf.collect.spans import HANDLE
from pytest_flyteperf.errors import DeploymentError, UsageError

SERVICE = "flytepropeller"
"""The service whose spans name the execution they belong to (`exec_id`)."""
MOST_TRACES = 10_000
"""What Elasticsearch behind Jaeger answers at most (`es.max-doc-count`): a trace a handle."""
MARGIN_NS = 10_000_000_000
"""How long before and after an execution its spans may lie, clocks being what they are."""
TIMEOUT_S = 120.0
OTLP, JAEGER = "otlp.jsonl", "jaeger.json"
"""Names of the two kinds of files in a recording."""
_MAGIC = b"\x1f\x8b"


Ask = Callable[[str], bytes]
"""Answers a path and query of Jaeger's."""


class _Span(msgspec.Struct):
    name: str = msgspec.field(name="operationName")
    start_us: int = msgspec.field(name="startTime")
    duration_us: int = msgspec.field(name="duration")


class _Trace(msgspec.Struct):
    trace_id: str = msgspec.field(name="traceID")
    spans: list[_Span] = []


class _TraceId(msgspec.Struct):
    trace_id: str = msgspec.field(name="traceID")


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw] = []


def read_traces(source: str, names: Iterable[str], start_ns: int, end_ns: int) -> tuple[str, bytes]:
    """Read the traces of executions; returns the recording's file name and its content.

    Args:
        source: URL of a Jaeger query service, or a path: Jaeger's JSON, or lines of OTLP JSON as
            an OpenTelemetry collector's file exporter writes them, either of them as gzip too.
        names: the execution and those that its launch plan nodes started.
        start_ns: Unix time at which it was created.
        end_ns: Unix time at which it ended.

    Raises:
        DeploymentError: Jaeger does not answer, or has more traces than it gives.
        UsageError: the file cannot be read, or holds no traces.
    """
    if source.startswith(("http://", "https://")):
        return JAEGER, ask_jaeger(over_http(source), names, start_ns, end_ns)
    return _from_file(Path(source))


def ask_jaeger(ask: Ask, names: Iterable[str], start_ns: int, end_ns: int) -> bytes:
    """All traces of some executions, as one answer of Jaeger's.

    Raises:
        DeploymentError: it does not answer, or has more traces than it gives.
    """
    traces: dict[str, msgspec.Raw] = {}
    for name in names:
        question = {
            "service": SERVICE,
            "tags": json.dumps({"exec_id": name}),
            "start": str((start_ns - MARGIN_NS) // 1000),
            "end": str((end_ns + MARGIN_NS) // 1000),
            "limit": str(MOST_TRACES),
        }
        try:
            found = msgspec.json.decode(ask(f"/api/traces?{urlencode(question)}"), type=_Answer)
            traces |= {msgspec.json.decode(raw, type=_TraceId).trace_id: raw for raw in found.data}
        except msgspec.DecodeError as error:
            raise DeploymentError(f"traces of {name}: not Jaeger's answer ({error})") from None
        if len(found.data) >= MOST_TRACES:
            raise DeploymentError(
                f"Jaeger has {MOST_TRACES} traces or more of {name}; "
                "export them to a file of OTLP JSON lines and name that"
            )
    return msgspec.json.encode(_Answer(list(traces.values())))


def has_handle_after(answer: bytes, unix_ns: int) -> bool:
    """Tell whether an answer of Jaeger's holds a handle that ended after an instant.

    Jaeger keeps whole microseconds.
    """
    traces = (
        msgspec.json.decode(raw, type=_Trace)
        for raw in msgspec.json.decode(answer, type=_Answer).data
    )
    return any(
        span.name.endswith(HANDLE) and span.start_us + span.duration_us >= unix_ns // 1000
        for trace in traces
        for span in trace.spans
    )


def over_http(url: str) -> Ask:
    """Ask the query service at a URL."""
    http = urllib3.PoolManager(retries=False)

    def ask(question: str) -> bytes:
        try:
            answer = http.request("GET", f"{url.rstrip('/')}{question}", timeout=TIMEOUT_S)
        except urllib3.exceptions.HTTPError as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DeploymentError(f"{url}: no traces ({reason})") from None
        if answer.status != HTTPStatus.OK:
            raise DeploymentError(f"{url}: HTTP status {answer.status}; is it a Jaeger?")
        return answer.data

    return ask


def _from_file(path: Path) -> tuple[str, bytes]:
    try:
        data = path.read_bytes()
        if data.startswith(_MAGIC):
            data = gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise UsageError(f"{path}: {error}; give a file of traces") from None
    first = data.lstrip()[:4096]
    if b'"resourceSpans"' in first:
        return OTLP, data
    if b'"data"' in first:
        return JAEGER, data
    raise UsageError(f"{path}: neither lines of OTLP JSON nor Jaeger's JSON; give one of these")
