"""Traces of an execution that others kept: a Jaeger that answers queries, or a file."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import urllib3

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


class _Trace(msgspec.Struct):
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
        return JAEGER, _from_jaeger(source.rstrip("/"), names, start_ns, end_ns)
    return _from_file(Path(source))


def _from_jaeger(url: str, names: Iterable[str], start_ns: int, end_ns: int) -> bytes:
    traces: dict[str, msgspec.Raw] = {}
    http = urllib3.PoolManager(retries=False)
    for name in names:
        question = {
            "service": SERVICE,
            "tags": json.dumps({"exec_id": name}),
            "start": str((start_ns - MARGIN_NS) // 1000),
            "end": str((end_ns + MARGIN_NS) // 1000),
            "limit": str(MOST_TRACES),
        }
        found = _ask(http, f"{url}/api/traces?{urlencode(question)}")
        if len(found) >= MOST_TRACES:
            raise DeploymentError(
                f"{url}: has {MOST_TRACES} traces or more of {name}; "
                "export them to a file of OTLP JSON lines and name that"
            )
        traces |= {msgspec.json.decode(raw, type=_Trace).trace_id: raw for raw in found}
    return msgspec.json.encode(_Answer(list(traces.values())))


def _ask(http: urllib3.PoolManager, question: str) -> Sequence[msgspec.Raw]:
    try:
        answer = http.request("GET", question, timeout=TIMEOUT_S)
        if answer.status != HTTPStatus.OK:
            raise DeploymentError(f"{question}: HTTP status {answer.status}; is it a Jaeger?")
        return msgspec.json.decode(answer.data, type=_Answer).data
    except urllib3.exceptions.HTTPError as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DeploymentError(f"{question}: no traces ({reason})") from None
    except msgspec.DecodeError as error:
        raise DeploymentError(f"{question}: not Jaeger's answer ({error})") from None


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
