import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pytest_flyteperf.collect.folder import RecordingFolder, jsonl
from pytest_flyteperf.collect.machine import look
from pytest_flyteperf.collect.podlogs import MOST_BYTES, pod_logs
from pytest_flyteperf.collect.slices import LogSlice, TraceFile, records
from pytest_flyteperf.collect.spans import handle_ended_after
from pytest_flyteperf.collect.watching import Received
from pytest_flyteperf.errors import RecordingError


def record(data, received=1.5):
    return struct.pack(">dI", received, len(data)) + data


class TestTraceFile:
    def test_ends_behind_the_last_whole_record(self, tmp_path):
        path = tmp_path / "otlp.binpb"
        path.write_bytes(record(b"one") + record(b"two")[:-1])

        assert TraceFile(path).end() == len(record(b"one"))

    def test_a_record_that_became_whole_is_seen(self, tmp_path):
        path = tmp_path / "otlp.binpb"
        path.write_bytes(record(b"one") + record(b"two")[:-1])
        traces = TraceFile(path)
        start = traces.end()
        with path.open("ab") as file:
            file.write(record(b"two")[-1:])

        assert traces.read(start, traces.end()) == record(b"two")

    def test_a_file_begun_anew_is_read_from_its_start(self, tmp_path):
        path = tmp_path / "otlp.binpb"
        path.write_bytes(record(b"a longer one"))
        traces = TraceFile(path)
        traces.end()
        path.write_bytes(record(b"new"))

        assert traces.end() == len(record(b"new"))

    def test_an_absent_file_holds_nothing(self, tmp_path):
        traces = TraceFile(tmp_path / "none")

        assert traces.end() == 0
        assert traces.read(0, 0) == b""

    @given(st.lists(st.tuples(st.floats(allow_nan=False), st.binary(max_size=40))))
    def test_records_come_back_as_they_were(self, written):
        data = b"".join(record(request, received) for received, request in written)

        assert records(data) == written


class TestLogSlice:
    def test_is_what_was_appended(self, tmp_path):
        path = tmp_path / "log"
        path.write_text("old\n")
        part = LogSlice(path)
        with path.open("a") as file:
            file.write("new\n")

        assert part.read() == b"new\n"

    def test_of_a_log_begun_anew_is_all_of_it(self, tmp_path):
        path = tmp_path / "log"
        path.write_text("a long old text\n")
        part = LogSlice(path)
        path.write_text("new\n")

        assert part.read() == b"new\n"

    def test_of_an_absent_log_is_empty(self, tmp_path):
        assert LogSlice(tmp_path / "none").read() == b""


class TestHandleEndedAfter:
    def traces(self, name="pkg.controller.Propeller/Handle", execution="e", end=10):
        request = ExportTraceServiceRequest()
        span = request.resource_spans.add().scope_spans.add().spans.add()
        span.name = name
        span.end_time_unix_nano = end
        span.attributes.add(key="exec_id").value.string_value = execution
        return record(request.SerializeToString())

    def test_a_later_handle_of_the_execution_is_seen(self):
        other = self.traces(execution="other")
        assert handle_ended_after(other + self.traces() + other, "e", 10)

    @pytest.mark.parametrize(
        "changes", [{"execution": "ee"}, {"end": 9}, {"name": "streak"}], ids=str
    )
    def test_another_span_is_not_taken_for_it(self, changes):
        assert not handle_ended_after(self.traces(**changes), "e", 10)


class TestRecordingFolder:
    def test_appears_whole(self, tmp_path):
        with RecordingFolder(tmp_path / "case/0") as out:
            out.plain("recording.json", b"{}")
            assert not (tmp_path / "case/0").exists()

        assert [p.name for p in (tmp_path / "case").iterdir()] == ["0"]

    def test_is_absent_after_a_failure(self, tmp_path):
        with (  # noqa: PT012 - the interrupt comes in the block
            pytest.raises(KeyboardInterrupt),
            RecordingFolder(tmp_path / "case/0") as out,
        ):
            out.plain("recording.json", b"{}")
            raise KeyboardInterrupt

        assert list((tmp_path / "case").iterdir()) == []

    def test_does_not_replace_one_that_is_there(self, tmp_path):
        (tmp_path / "0").mkdir()
        (tmp_path / "0/kept").write_text("kept")
        with (
            pytest.raises(RecordingError, match="free it or name another folder"),
            RecordingFolder(tmp_path / "0") as out,
        ):
            out.plain("recording.json", b"{}")

        assert (tmp_path / "0/kept").read_text() == "kept"

    def test_a_full_disk_is_one_line(self, tmp_path, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        with (  # noqa: PT012 - the disk fills in the block
            pytest.raises(RecordingError) as caught,
            RecordingFolder(tmp_path / "0") as out,
        ):
            monkeypatch.setattr(Path, "write_bytes", full)
            out.plain("otlp.binpb", b"")

        expected = (
            f"{tmp_path}/0/otlp.binpb: No space left on device; free it or name another folder"
        )
        assert str(caught.value) == expected

    def test_is_readable_as_other_files_of_the_user(self, tmp_path):
        plain = tmp_path / "plain"
        plain.mkdir()
        with RecordingFolder(tmp_path / "0"):
            pass

        assert (tmp_path / "0").stat().st_mode == plain.stat().st_mode


def test_lines_hold_the_events_bytes():
    line = jsonl([Received(1795354445.47153, b'{"type":"ADDED","object":{ }}')])

    assert line == b'{"received": 1795354445.47153, "event": {"type":"ADDED","object":{ }}}\n'


class TestPodLogs:
    def added(self, name):
        metadata = {"namespace": "ns", "name": name}
        event = {"type": "ADDED", "object": {"metadata": metadata}}
        return Received(0.0, json.dumps(event, separators=(",", ":")).encode())

    def test_are_those_of_the_pods_that_appeared(self, tmp_path):
        (tmp_path / "ns_a_main.log").write_text("said\n")
        (tmp_path / "ns_ab_main.log").write_text("another's\n")
        (tmp_path / "ns_silent_main.log").write_text("")
        events = [self.added("a"), self.added("silent"), self.added("gone")]

        lines = pod_logs(str(tmp_path), events).splitlines()
        assert [json.loads(x) for x in lines] == [
            {"pod": "a", "container": "main", "log": "said\n"}
        ]

    def test_are_cut_to_their_end(self, tmp_path):
        (tmp_path / "ns_a_main.log").write_text("x" * MOST_BYTES + "end")

        (line,) = pod_logs(str(tmp_path), [self.added("a")]).splitlines()
        assert len(json.loads(line)["log"]) == MOST_BYTES
        assert json.loads(line)["log"].endswith("xend")

    def test_are_none_where_nobody_keeps_them(self):
        assert pod_logs(None, [self.added("a")]) == b""


class TestMachine:
    @pytest.fixture
    def proc(self, tmp_path):
        (tmp_path / "stat").write_text("cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 1 2 3 4\n")
        (tmp_path / "pressure").mkdir()
        text = "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\nfull avg10=0.00 total=1\n"
        (tmp_path / "pressure/cpu").write_text(text)
        (tmp_path / "9").mkdir()
        fields = " ".join(["S", *"123456789", "0", "40", "50", "0"])
        (tmp_path / "9/stat").write_text(f"9 (a ) name) {fields}\n")
        (tmp_path / "9/status").write_text("Name:\ta\nVmRSS:\t    3 kB\n")
        return tmp_path

    def test_reads_states_pressure_and_processes(self, proc):
        seen = look({"propeller": 9, "gone": 10}, proc)

        assert (seen.cpu_ticks["user"], seen.cpu_ticks["steal"]) == (1, 8)
        assert seen.pressure_us == {"cpu": 77}
        assert list(seen.processes) == ["propeller"]
        assert seen.processes["propeller"].resident_bytes == 3072
        assert seen.processes["propeller"].user_ticks == 40
        assert seen.processes["propeller"].system_ticks == 50

    def test_knows_nothing_where_there_is_no_proc(self, tmp_path):
        assert look({}, tmp_path) is None
