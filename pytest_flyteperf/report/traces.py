"""Recordings for other tools: the trace-event JSON that Perfetto opens, and OTLP as JSON lines.

Trace events: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU,
"JSON Array Format" and "Complete Events". OTLP's JSON: ids in hex, enums as numbers
(https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding), one request a line.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pytest_flyteperf.analyze import spans
from pytest_flyteperf.analyze.lanes import Lane, Lanes, Piece, read_lanes
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.gate import atomic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

PERFETTO: Final = "trace.perfetto.json"
OTLP: Final = "traces.otlp.jsonl"
_PATH, _NODES, _PROPELLER = 1, 2, 3
"""Processes of the trace: its groups of tracks, in this order."""
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})


def write(folders: Iterable[Path]) -> list[Path]:
    """Write both beside each recording that has what they need.

    Raises:
        RecordingError: a recording is absent or damaged.
        OSError: a folder cannot be written.
    """
    written = []
    for folder in folders:
        lanes = read_lanes(folder)
        if lanes is not None:
            written.append(write_perfetto(folder, lanes))
        if lines := "".join(otlp(folder)):
            atomic.write_text(folder / OTLP, lines)
            written.append(folder / OTLP)
    return written


def write_perfetto(folder: Path, lanes: Lanes) -> Path:
    """Write an execution as a trace for Perfetto beside its recording.

    Raises:
        RecordingError: the recording is absent or damaged.
        OSError: the folder cannot be written.
    """
    events = json.dumps(perfetto(lanes, _handles(folder, lanes)), separators=(",", ":"))
    atomic.write_text(folder / PERFETTO, events + "\n")
    return folder / PERFETTO


def perfetto(lanes: Lanes, handles: Sequence[spans.Handle] = ()) -> dict[str, Any]:
    """An execution as trace events: the critical path, a track a node, Propeller's spans."""
    events = [
        _named("process_name", _PATH, 0, "critical path"),
        _named("process_name", _NODES, 0, "nodes"),
        _named("thread_name", _PATH, 1, lanes.execution),
        *_pieces(lanes.path, _PATH, 1),
    ]
    for track, lane in enumerate(lanes.lanes, start=1):
        events += _lane(lane, track)
    if handles:
        events.append(_named("process_name", _PROPELLER, 0, "FlytePropeller"))
        events += _operations(handles, lanes.begun_unix_ns)
    about = {"execution": lanes.execution, "begun_unix_ns": str(lanes.begun_unix_ns)}
    return {"traceEvents": events, "displayTimeUnit": "ns", "otherData": about}


def otlp(folder: Path) -> Iterator[str]:
    """The recorded export requests as lines of JSON."""
    for record in Recording(folder).traces() or ():
        request = ExportTraceServiceRequest.FromString(record.request)
        message = MessageToDict(request, use_integers_for_enums=True)
        yield json.dumps(_with_hex_ids(message), separators=(",", ":")) + "\n"


def _handles(folder: Path, lanes: Lanes) -> list[spans.Handle]:
    family = {lanes.execution, *(lane.execution for lane in lanes.lanes)}
    found = spans.read_handles(Recording(folder).traces() or ())
    return sorted(
        (h for h in found if isinstance(h, spans.Handle) and h.execution in family),
        key=lambda handle: handle.start_ns,
    )


def _named(what: str, process: int, track: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": process, "tid": track, "args": {"name": name}}


def _slice(
    name: str, start: int, end: int, process: int, track: int, **args: object
) -> dict[str, Any]:
    """A complete event; the format's time is in microseconds, a fraction keeps nanoseconds."""
    event = {"ph": "X", "name": name, "ts": start / 1000, "dur": (end - start) / 1000}
    return event | {"pid": process, "tid": track, "args": args}


def _lane(lane: Lane, track: int) -> Iterator[dict[str, Any]]:
    yield _named("thread_name", _NODES, track, f"{lane.id} ({lane.kind})")
    yield _slice(
        lane.id,
        lane.start_ns,
        lane.end_ns,
        _NODES,
        track,
        kind=lane.kind,
        phase=lane.phase,
        attempts=lane.attempts,
        execution=lane.execution,
        critical_path=lane.on_path,
    )
    yield from _pieces(lane.pieces, _NODES, track)


def _pieces(pieces: Iterable[Piece], process: int, track: int) -> Iterator[dict[str, Any]]:
    for piece in pieces:
        name = f"{piece.owner}: {piece.detail}" if piece.detail else piece.owner
        yield _slice(name, piece.start_ns, piece.end_ns, process, track, owner=piece.owner)


def _operations(handles: Sequence[spans.Handle], begun: int) -> Iterator[dict[str, Any]]:
    """Handles and what lies beneath; what runs side by side gets a track of its own."""
    free: list[int] = []
    """By track, when it is free again."""
    for handle in handles:
        top = _track(free, 0, handle.start_ns, handle.end_ns)
        yield _slice(
            "handle",
            handle.start_ns - begun,
            handle.end_ns - begun,
            _PROPELLER,
            top + 1,
            execution=handle.execution,
        )
        tracks: list[int] = []
        for operation in handle.operations:
            above = top if operation.above < 0 else tracks[operation.above]
            start = max(operation.start_ns, handle.start_ns)
            end = max(start, min(operation.end_ns, handle.end_ns))
            track = _track(free, above + 1, start, end)
            tracks.append(track)
            yield _slice(
                operation.name,
                start - begun,
                end - begun,
                _PROPELLER,
                track + 1,
                node=operation.node,
                failed=operation.failed,
            )
    for track in range(len(free)):
        yield _named("thread_name", _PROPELLER, track + 1, f"level {track}")


def _track(free: list[int], least: int, start: int, end: int) -> int:
    """The first track from `least` on that is free at `start`, taken until `end`."""
    track = least
    while track < len(free) and free[track] > start:
        track += 1
    free += [0] * (track + 1 - len(free))
    free[track] = end
    return track


def _with_hex_ids(value: Any) -> Any:  # noqa: ANN401 -- JSON
    if isinstance(value, dict):
        return {
            key: base64.b64decode(inner).hex() if key in _IDS else _with_hex_ids(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_with_hex_ids(inner) for inner in value]
    return value
