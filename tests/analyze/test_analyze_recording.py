"""A recording's folder is read as it is, and what is wrong with it is said in one line."""

import gzip
import json
import struct

import pytest

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.analyze import recording as reading
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.errors import RecordingError


def refused(folder):
    with pytest.raises(RecordingError) as refusal:
        analyze_recording(folder)
    message = str(refusal.value)
    assert "\n" not in message
    return message


def test_gzip_makes_no_difference(recordings, unpacked):
    assert analyze_recording(unpacked("branch/0")) == analyze_recording(recordings / "branch/0")


def test_children_are_found(recordings):
    children = Recording(recordings / "launchplan2/0").children

    assert [child.execution.id.name for child in children] == ["fuqun5z3uqss4k", "fvtfy3z3zm2pc3"]


def test_a_folder_that_is_absent_is_named(tmp_path):
    assert refused(tmp_path / "gone") == (
        f"{tmp_path / 'gone'}: no such folder; name the folder of one recording"
    )


def test_a_folder_that_is_no_recording_is_named(tmp_path):
    assert "has no execution.json" in refused(tmp_path)


def test_node_executions_must_exist(copied):
    folder = copied("single/0")
    (folder / "node_executions.json.gz").unlink()

    assert refused(folder) == f"{folder}: has no node_executions.json; record it again"


def test_absent_traces_make_their_figures_unknown_and_not_zero(copied):
    folder = copied("single/0")
    (folder / "otlp.binpb.gz").unlink()

    metrics = analyze_recording(folder).metrics

    assert {metrics[name] for name in ("handles", "handle_ns", "node_events", "rounds")} == {None}
    assert metrics["pods"] == 1


def test_absent_pod_watch_makes_pods_unknown(copied):
    folder = copied("single/0")
    (folder / "pods.jsonl.gz").unlink()

    metrics = analyze_recording(folder).metrics

    assert (metrics["pods"], metrics["pod_ns"]) == (None, None)


@pytest.mark.parametrize(
    "name",
    [
        "node_executions.json.gz",
        "task_executions.json.gz",
        "pods.jsonl.gz",
        "flyteworkflows.jsonl.gz",
        "otlp.binpb.gz",
    ],
)
@pytest.mark.parametrize("keep", [0.5, 0.98])
def test_a_file_cut_short_is_named(copied, name, keep):
    folder = copied("chain/0")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(len(content) * keep)])

    assert name in refused(folder)
    assert "record it again" in refused(folder)


def test_json_of_another_shape_is_refused(copied):
    folder = copied("chain/0")
    (folder / "execution.json").write_text(json.dumps({"id": 3}))

    assert "execution.json: damaged" in refused(folder)


def test_deeply_nested_json_is_refused(copied):
    folder = copied("chain/0")
    (folder / "execution.json").write_text('{"id":{"name":"x"},"closure":{},"deep":' + "[" * 10**6)

    assert "execution.json: damaged" in refused(folder)


def test_a_line_is_named_by_its_number(unpacked):
    folder = unpacked("chain/0")
    lines = (folder / "pods.jsonl").read_text().splitlines()
    lines[2] = lines[2][:40]
    (folder / "pods.jsonl").write_text("\n".join(lines))

    assert "pods.jsonl: damaged (line 3:" in refused(folder)


def test_a_document_that_unpacks_beyond_the_cap_is_refused(copied, monkeypatch):
    monkeypatch.setattr(reading, "MAX_DOCUMENT_BYTES", 1000)
    folder = copied("chain/0")
    (folder / "task_executions.json.gz").write_bytes(gzip.compress(b"[" + b" " * 2000 + b"]"))

    assert "larger than 1000 bytes" in refused(folder)


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("text", [b"", b"a", b"a\n", b"\n\na\r\nbcd\n", b"abcdef\ng\n\nhij"])
def test_lines_are_the_same_however_they_lie_in_pieces(piece, text, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "PIECE_BYTES", piece)
    (tmp_path / "some.log").write_bytes(text)

    assert b"\n".join(reading.read_lines(tmp_path / "some.log")) == text.removesuffix(b"\n")


def test_a_line_beyond_the_cap_is_refused(copied, monkeypatch):
    monkeypatch.setattr(reading, "MAX_LINE_BYTES", 1000)

    assert "line 1 is longer than 1000 bytes" in refused(copied("chain/0"))


def test_a_trace_record_that_claims_too_much_is_refused_before_it_is_read(unpacked):
    folder = unpacked("chain/0")
    (folder / "otlp.binpb").write_bytes(struct.pack(">dI", 1.0, 0xFFFFFFFF))

    assert "otlp.binpb: damaged (record 1 claims 4294967295 bytes)" in refused(folder)


@pytest.mark.parametrize("content", [b"\xff" * 20, b"\x0a" * 4000])
def test_what_is_no_export_request_is_refused(unpacked, content):
    folder = unpacked("chain/0")
    (folder / "otlp.binpb").write_bytes(struct.pack(">dI", 1.0, len(content)) + content)

    assert "record 1 is no ExportTraceServiceRequest" in refused(folder)


def test_an_execution_that_has_not_ended_has_no_duration(copied):
    folder = copied("chain/0")
    document = json.loads((folder / "execution.json").read_text())
    document["closure"]["phase"] = "RUNNING"
    (folder / "execution.json").write_text(json.dumps(document))

    measures = analyze_recording(folder)

    assert measures.phase == "RUNNING"
    assert measures.metrics["duration_ns"] is None
