"""Traces as an OpenTelemetry collector or Jaeger wrote them give the same measures."""

import json

import msgspec
import pytest
from analyze_folders import read, records

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.errors import RecordingError

KINDS = {1: "internal", 2: "server", 3: "client"}


def spans_of(folder):
    for received, request in records(read(folder / "otlp.binpb.gz")):
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                yield received, resource.resource, scope.spans


def text_attributes(holder):
    return {a.key: a.value.string_value for a in holder.attributes if a.value.string_value}


def as_otlp(folder):
    lines = []
    for _, resource, spans in spans_of(folder):
        made = [
            {
                "traceId": span.trace_id.hex(),
                "spanId": span.span_id.hex(),
                "parentSpanId": span.parent_span_id.hex(),
                "name": span.name,
                "kind": span.kind,
                "startTimeUnixNano": str(span.start_time_unix_nano),
                "endTimeUnixNano": str(span.end_time_unix_nano),
                "attributes": attributes(text_attributes(span)),
                "status": {"code": span.status.code} if span.status.code else {},
            }
            for span in spans
        ]
        group = {
            "resource": {"attributes": attributes(text_attributes(resource))},
            "scopeSpans": [{"scope": {"name": "default"}, "spans": made}],
        }
        lines.append(json.dumps({"resourceSpans": [group]}))
    (folder / "otlp.jsonl").write_text("\n".join(lines))


def attributes(found):
    return [{"key": key, "value": {"stringValue": value}} for key, value in found.items()]


def as_jaeger(folder):
    traces = {}
    for _, resource, spans in spans_of(folder):
        service = text_attributes(resource)["service.name"]
        for span in spans:
            trace = traces.setdefault(span.trace_id.hex(), {"spans": [], "processes": {}})
            trace["processes"][service] = {"serviceName": service, "tags": []}
            reference = {"refType": "CHILD_OF", "spanID": span.parent_span_id.hex()}
            tags = text_attributes(span) | {"span.kind": KINDS[span.kind]}
            trace["spans"].append(
                {
                    "traceID": span.trace_id.hex().lstrip("0"),
                    "spanID": span.span_id.hex(),
                    "operationName": span.name,
                    "references": [reference] if span.parent_span_id else [],
                    "startTime": span.start_time_unix_nano // 1000,
                    "duration": (span.end_time_unix_nano - span.start_time_unix_nano) // 1000,
                    "tags": [
                        *({"key": k, "type": "string", "value": v} for k, v in tags.items()),
                        {"key": "error", "type": "bool", "value": span.status.code == 2},
                    ],
                    "processID": service,
                },
            )
    (folder / "jaeger.json").write_text(json.dumps({"data": list(traces.values())}))


@pytest.mark.parametrize("name", ["chain/0", "launchplan2/1", "retry/0"])
def test_otlp_json_lines_give_the_same_measures(copied, recordings, name):
    folder = copied(name)
    as_otlp(folder)
    (folder / "otlp.binpb.gz").unlink()

    measures = analyze_recording(folder)

    assert measures.trace_source == "otlp.jsonl"
    expected = analyze_recording(recordings / name)
    sources = {
        metric: source.replace("otlp.binpb", "otlp.jsonl")
        for metric, source in expected.sources.items()
    }
    changed = {"trace_source": "otlp.jsonl", "sources": sources}
    assert measures == msgspec.structs.replace(expected, **changed)


@pytest.mark.parametrize("name", ["chain/0", "launchplan2/1", "retry/0"])
def test_jaegers_answer_gives_the_same_counts_and_times_to_the_microsecond(
    copied,
    recordings,
    name,
):
    folder = copied(name)
    as_jaeger(folder)
    (folder / "otlp.binpb.gz").unlink()

    measures = analyze_recording(folder)

    assert measures.trace_source == "jaeger.json"
    for metric, value in analyze_recording(recordings / name).metrics.items():
        near = 1000 * 100 if metric.endswith("_ns") else 0
        assert measures.metrics[metric] == pytest.approx(value, abs=near), metric


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("otlp.jsonl", '{"resourceSpans": [', "otlp.jsonl: damaged (line 1:"),
        (
            "otlp.jsonl",
            '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz","spanId":"0"}]}]}]}',
            "otlp.jsonl: damaged (line 1: non-hexadecimal number",
        ),
        ("jaeger.json", '{"data": 3}', "jaeger.json: damaged"),
        (
            "jaeger.json",
            '{"data":[{"spans":[{"traceID":"q","spanID":"1"}]}]}',
            "jaeger.json: damaged (non-hexadecimal number",
        ),
    ],
)
def test_damaged_traces_of_others_are_named(copied, name, content, said):
    folder = copied("single/0")
    (folder / "otlp.binpb.gz").unlink()
    (folder / name).write_text(content)

    with pytest.raises(RecordingError) as refusal:
        analyze_recording(folder)

    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_was_received_itself_comes_first(copied, recordings):
    folder = copied("single/0")
    (folder / "jaeger.json").write_text("damaged")

    assert analyze_recording(folder) == analyze_recording(recordings / "single/0")
