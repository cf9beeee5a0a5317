import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pytest_flyteperf.collect.folder import RecordingFolder, jsonl
from pytest_flyteperf.collect.machine import PAGE_BYTES, MemoryWatch, look
from pytest_flyteperf.collect.podfiles import MOST_BYTES, pod_logs, task_steps
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


def added(name):
    metadata = {"namespace": "ns", "name": name}
    event = {"type": "ADDED", "object": {"metadata": metadata}}
    return Received(0.0, json.dumps(event, separators=(",", ":")).encode())


class TestPodLogs:
    def test_are_those_of_the_pods_that_appeared(self, tmp_path):
        (tmp_path / "ns_a_main.log").write_text("said\n")
        (tmp_path / "ns_ab_main.log").write_text("another's\n")
        (tmp_path / "ns_silent_main.log").write_text("")
        events = [added("a"), added("silent"), added("gone")]

        lines = pod_logs(str(tmp_path), events).splitlines()
        assert [json.loads(x) for x in lines] == [
            {"pod": "a", "container": "main", "log": "said\n"}
        ]

    def test_are_cut_to_their_end(self, tmp_path):
        (tmp_path / "ns_a_main.log").write_text("x" * MOST_BYTES + "end")

        (line,) = pod_logs(str(tmp_path), [added("a")]).splitlines()
        assert len(json.loads(line)["log"]) == MOST_BYTES
        assert json.loads(line)["log"].endswith("xend")

    def test_are_none_where_nobody_keeps_them(self):
        assert pod_logs(None, [added("a")]) == b""


class TestTaskSteps:
    TOLD = '{"started_ns":1,"returned_ns":9,"steps":[{"name":"Load task","start_ns":2,"end_ns":3}]}'

    def test_are_those_of_the_pods_that_appeared(self, tmp_path):
        for name in ("ns_a_main", "ns_ab_main"):
            (tmp_path / f"{name}.steps.json").write_text(self.TOLD)
        (tmp_path / "ns_a_main.log").write_text("said\n")

        (line,) = task_steps(str(tmp_path), [added("a"), added("silent")]).splitlines()
        assert json.loads(line) == {"pod": "a", "container": "main", **json.loads(self.TOLD)}

    def test_one_that_was_cut_off_is_left_out(self, tmp_path):
        (tmp_path / "ns_a_main.steps.json").write_text(self.TOLD[:-1])

        assert task_steps(str(tmp_path), [added("a")]) == b""


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
        (tmp_path / "9/statm").write_text("9 3 1 1 0 1 0\n")
        (tmp_path / "9/status").write_text("Name:\ta\nVmHWM:\t    80 kB\n")
        (tmp_path / "9/io").write_text("rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\n")
        (tmp_path / "9/clear_refs").touch()
        (tmp_path / "9/fd").mkdir()
        (tmp_path / "9/fd/0").touch()
        (tmp_path / "net").mkdir()
        counts = " ".join(map(str, range(1, 17)))
        (tmp_path / "net/dev").write_text(f"Inter-|\n face |bytes\n    lo: {counts}\n")
        return tmp_path

    def test_reads_states_pressure_and_processes(self, proc):
        seen = look({"propeller": 9, "gone": 10}, proc)

        assert (seen.cpu_ticks["user"], seen.cpu_ticks["steal"]) == (1, 8)
        assert seen.pressure_us == {"cpu": 77}
        assert list(seen.processes) == ["propeller"]
        use = seen.processes["propeller"]
        assert (use.user_ticks, use.system_ticks) == (40, 50)
        assert use.resident_bytes == 3 * PAGE_BYTES
        assert (use.read_bytes, use.written_bytes, use.descriptors) == (4096, 8192, 1)
        assert (seen.network["lo"].received_bytes, seen.network["lo"].sent_bytes) == (1, 9)

    def test_what_the_kernel_does_not_say_is_unknown(self, proc):
        (proc / "9/io").unlink()
        (proc / "9/fd/0").unlink()
        (proc / "9/fd").rmdir()
        use = look({"propeller": 9}, proc).processes["propeller"]

        assert (use.read_bytes, use.written_bytes, use.descriptors) == (None, None, None)

    def test_memory_has_the_kernels_peak_since_it_was_set_back(self, proc):
        watch = MemoryWatch({"propeller": 9, "gone": 10}, proc)
        (proc / "9/statm").write_text("9 5 1 1 0 1 0\n")
        watch.sample()

        assert (proc / "9/clear_refs").read_bytes() == b"5"
        (use,) = watch.use().values()
        assert (use.samples, use.mean_bytes, use.peak_bytes) == (2, 4 * PAGE_BYTES, 80 * 1024)

    def test_memory_has_the_largest_sample_where_the_peak_cannot_be_set_back(self, proc):
        (proc / "9/clear_refs").unlink()
        (proc / "9/clear_refs").mkdir()
        watch = MemoryWatch({"propeller": 9}, proc)

        assert watch.use()["propeller"].peak_bytes == 3 * PAGE_BYTES

    def test_knows_nothing_where_there_is_no_proc(self, tmp_path):
        assert look({}, tmp_path) is None
