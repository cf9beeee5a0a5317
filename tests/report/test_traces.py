import json
import re
from itertools import pairwise
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pytest_flyteperf.analyze.lanes import read_lanes
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.report import traces

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"
ECHO_WIDE = RECORDINGS / "echo_wide" / "0"


def written(folder):
    lanes = read_lanes(folder)
    return traces.perfetto(lanes, traces._handles(folder, lanes)), lanes


def test_events_have_the_fields_that_the_format_asks_for():
    document, _ = written(RECORDINGS / "chain" / "0")
    document = json.loads(json.dumps(document))

    assert {event["ph"] for event in document["traceEvents"]} == {"M", "X"}
    for event in document["traceEvents"]:
        assert {"name", "pid", "tid"} <= event.keys()
        if event["ph"] == "X":
            assert event["dur"] >= 0
            assert isinstance(event["ts"], float)


def test_slices_of_a_track_nest_or_follow_one_another():
    document, _ = written(ECHO_WIDE)
    tracks = {}
    for event in document["traceEvents"]:
        if event["ph"] == "X":
            start, dur = round(event["ts"] * 1000), round(event["dur"] * 1000)
            tracks.setdefault((event["pid"], event["tid"]), []).append((start, start + dur))

    assert len(tracks) > 50
    for slices in tracks.values():
        for (start, end), (low, high) in pairwise(sorted(slices, key=lambda s: (s[0], -s[1]))):
            assert low >= end or high <= end or (start, end) == (low, high)


def test_the_path_lasts_as_long_as_the_execution():
    document, lanes = written(RECORDINGS / "chain" / "0")
    path = [e for e in document["traceEvents"] if e["pid"] == 1 and e["ph"] == "X"]

    assert sum(round(event["dur"] * 1000) for event in path) == lanes.wall_ns


def test_otlp_lines_hold_the_recorded_spans():
    lines = [json.loads(line) for line in traces.otlp(RECORDINGS / "single" / "0")]
    spans = [
        span
        for line in lines
        for resource in line["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    recorded = [
        span
        for record in Recording(RECORDINGS / "single" / "0").traces()
        for resource in ExportTraceServiceRequest.FromString(record.request).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]

    assert [span["spanId"] for span in spans] == [span.span_id.hex() for span in recorded]
    assert all(re.fullmatch("[0-9a-f]{32}", span["traceId"]) for span in spans)
    assert all(span["startTimeUnixNano"].isdigit() for span in spans)
