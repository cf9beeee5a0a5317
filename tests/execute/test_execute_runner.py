import contextlib
import gzip
import json
from pathlib import Path

import grpc
import pytest
from execute_workflows import pair, single

from pytest_flyteperf.collect import Collector
from pytest_flyteperf.collect.watching import Watcher
from pytest_flyteperf.errors import ClusterError, ExecutionError, RecordingError, RegistrationError
from pytest_flyteperf.execute import ABSENT, CaseSpec, run_case
from pytest_flyteperf.execute.journal import ExecutionJournal
from pytest_flyteperf.kubeapi import KubeError
from pytest_flyteperf.model import RunPlan
from tests.doubles.flyte import FakeFlyte
from tests.doubles.kube import PODS, WORKFLOWS, flyteworkflow, pod


@pytest.fixture
def flyte(tmp_path):
    with FakeFlyte(tmp_path) as flyte:
        yield flyte


class Lock:
    """A reusable lock that counts and refuses to be entered twice."""

    def __init__(self):
        self.entered = 0
        self.held = False

    def __enter__(self):
        assert not self.held
        self.held = True
        self.entered += 1

    def __exit__(self, *_):
        self.held = False


def start(flyte, spec=None, *, lock=None, control=None, said=None, **plan):
    spec = spec or CaseSpec(name="single", entity=single, inputs={"a": 0})
    plan = {"warmups": 0, "repeats": 1, "timeout_s": 10, "seed": 1, "random_phase": False, **plan}
    return run_case(
        spec,
        flyte.deployment(),
        RunPlan(**plan),
        out_dir=flyte.folder / "out",
        progress=(said if said is not None else []).append,
        lock=lock or contextlib.nullcontext(),
        control=control,
    )


def header(repeat):
    return json.loads(Path(repeat.recording, "recording.json").read_bytes())


def unpacked(repeat, name):
    return gzip.decompress(Path(repeat.recording, name).read_bytes())


class TestRepeats:
    def test_warm_ups_come_first_and_count_apart(self, flyte):
        repeats = list(start(flyte, warmups=2, repeats=2))

        assert [(r.index, r.warmup) for r in repeats] == [
            (0, True),
            (1, True),
            (0, False),
            (1, False),
        ]
        assert [Path(r.recording).name for r in repeats] == ["warmup-0", "warmup-1", "0", "1"]

    def test_a_case_may_need_more_warm_ups_than_planned(self, flyte):
        spec = CaseSpec(name="cached", entity=single, inputs={"a": 1}, least_warmups=1)

        assert [r.warmup for r in start(flyte, spec)] == [True, False]

    def test_more_can_be_asked_for_while_it_runs(self, flyte):
        run = start(flyte)
        indices = []
        for repeat in run:
            indices.append(repeat.index)
            if repeat.index == 0:
                run.more(2)

        assert indices == [0, 1, 2]

    def test_the_lock_is_held_for_a_repeat_with_its_warm_ups_and_never_while_suspended(self, flyte):
        lock = Lock()
        held = [lock.held for _ in start(flyte, lock=lock, warmups=2, repeats=3)]

        assert held == [False] * 5
        assert lock.entered == 3

    def test_outputs_are_what_the_workflow_returned(self, flyte):
        flyte.outputs = {"o0": 42}
        run = start(flyte)
        assert run.outputs is ABSENT
        list(run)
        assert run.outputs == 42

    def test_several_outputs_are_a_tuple_in_their_order(self, flyte):
        flyte.outputs = {"o1": 2, "o0": 1}
        run = start(flyte, CaseSpec(name="pair", entity=pair, expected=(1, 2)))

        assert [r.problem for r in run] == [None]
        assert run.outputs == (1, 2)

    def test_a_drawn_phase_is_kept_with_its_wait(self, flyte):
        (repeat,) = start(flyte, random_phase=True, seed=3)
        about = header(repeat)

        submitted = about["submitted_unix_ns"] % 1_000_000_000
        late = (submitted - about["phase_offset_ns"]) % 1_000_000_000
        assert late < 500_000_000
        assert about["phase_wait_ns"] == repeat.phase_wait_ns

    def test_inputs_arrive_as_literals(self, flyte):
        list(start(flyte, CaseSpec(name="single", entity=single, inputs={"a": 11})))

        request = flyte.admin.requests[flyte.admin.calls.index("CreateExecution")]
        assert request.inputs.literals["a"].scalar.primitive.integer == 11


class TestRecording:
    def test_has_the_files_of_the_layout(self, flyte):
        (repeat,) = start(flyte)

        assert {p.name for p in Path(repeat.recording).iterdir()} == {
            "recording.json",
            "execution.json",
            "node_executions.json.gz",
            "task_executions.json.gz",
            "pods.jsonl.gz",
            "flyteworkflows.jsonl.gz",
            "metrics.kube-apiserver.before.prom.gz",
            "metrics.kube-apiserver.after.prom.gz",
            "otlp.binpb.gz",
            "propeller.log.gz",
        }

    def test_holds_the_events_of_its_own_repeat_as_they_came(self, flyte):
        first, second = start(flyte, repeats=2)
        for repeat in (first, second):
            lines = [
                json.loads(line)
                for line in unpacked(repeat, "flyteworkflows.jsonl.gz").splitlines()
            ]
            mine = [
                x["event"]
                for x in lines
                if x["event"]["object"]["metadata"]["name"] == repeat.execution
            ]

            assert [e["type"] for e in mine] == ["ADDED", "MODIFIED"]
            raw = [line for path, line in flyte.kube.events if path == WORKFLOWS]
            assert all(json.dumps(e, separators=(",", ":")).encode() in raw for e in mine)
            assert all(isinstance(x["received"], float) for x in lines)

    def test_holds_what_the_log_said_since_the_submission(self, flyte):
        first, second = start(flyte, repeats=2)

        assert unpacked(second, "propeller.log.gz").decode() == f"evaluated {second.execution}\n"
        assert unpacked(first, "propeller.log.gz").decode() == f"evaluated {first.execution}\n"

    def test_holds_the_traces_of_its_own_repeat(self, flyte):
        first, second = start(flyte, repeats=2)

        assert second.execution.encode() in unpacked(second, "otlp.binpb.gz")
        assert first.execution.encode() not in unpacked(second, "otlp.binpb.gz")
        assert header(second)["traces_complete"]

    def test_says_when_the_last_handle_never_came(self, flyte, monkeypatch):
        monkeypatch.setattr("pytest_flyteperf.collect.traces.ReceivedTraces.grace_s", 0.0)
        flyte.export_handle = lambda _name: None
        (repeat,) = start(flyte)

        assert header(repeat)["traces_complete"] is False

    def test_knows_case_inputs_and_subject(self, flyte):
        (repeat,) = start(flyte)
        about = header(repeat)

        assert (about["case"], about["inputs"], about["phase"]) == ("single", {"a": 0}, 4)
        assert about["subject"]["flyte"] == "v1.16.8"
        assert len(about["environment_digest"]) == 64
        assert about["client_seconds"] == pytest.approx(repeat.client_ns / 1e9)

    def test_is_not_written_over(self, flyte):
        list(start(flyte))
        with pytest.raises(RecordingError, match=r"out/single/0: a recording is there already"):
            list(start(flyte))

    def test_is_absent_when_it_cannot_be_read_whole(self, flyte):
        flyte.admin.refuse["ListNodeExecutions"] = (grpc.StatusCode.INTERNAL, "broken")
        with pytest.raises(Exception, match="ListNodeExecutions: INTERNAL: broken"):
            list(start(flyte))

        assert not list((flyte.folder / "out").rglob("*.json"))

    def test_that_cannot_be_written_is_one_line(self, flyte):
        (flyte.folder / "out").write_text("in the way")
        with pytest.raises(
            RecordingError, match=r"out/single/0: .*; free it or name another folder"
        ):
            list(start(flyte))


class TestFailures:
    def failing(self, flyte, spec=None, **plan):
        run = start(flyte, spec, repeats=3, **plan)
        repeats = []
        with pytest.raises(ExecutionError) as caught:  # noqa: PT012 - the step that raises varies
            for repeat in run:
                repeats.append(repeat)  # noqa: PERF402 - kept when the iteration raises
        return repeats, str(caught.value)

    def test_a_failed_execution_is_kept_and_ends_the_case(self, flyte):
        flyte.ends = "FAILED"
        (repeat,), message = self.failing(flyte)

        assert repeat.problem == f"single: execution {repeat.execution} ended FAILED"
        assert message == f"{repeat.problem}; its recording: {repeat.recording}"
        assert Path(repeat.recording, "execution.json").exists()

    def test_an_expected_failure_is_none(self, flyte):
        flyte.ends = "FAILED"
        spec = CaseSpec(name="failing", entity=single, expected_phase="FAILED")

        assert [r.problem for r in start(flyte, spec)] == [None]

    def test_wrong_outputs_are_shown_beside_the_right_ones(self, flyte):
        spec = CaseSpec(name="single", entity=single, expected=2)
        (repeat,), _ = self.failing(flyte, spec)

        assert repeat.problem.endswith(" returned 1, not 2")

    def test_a_failed_check_is_a_failed_repeat(self, flyte):
        def check(outputs):
            assert outputs > 5, f"{outputs} is too small"

        spec = CaseSpec(name="single", entity=single, check=check)
        (repeat,), _ = self.failing(flyte, spec)

        assert "1 is too small" in repeat.problem

    def test_absent_outputs_never_pass(self, flyte):
        flyte.outputs = {}
        (repeat,), _ = self.failing(flyte)

        assert repeat.problem.endswith(": outputs o0 are absent")

    def test_one_that_takes_too_long_is_aborted_and_kept(self, flyte):
        flyte.ends = None
        (repeat,), message = self.failing(flyte, timeout_s=0.05)

        assert "did not end within 0.05 s and was aborted" in message
        assert flyte.admin.calls.count("TerminateExecution") == 1
        assert header(repeat)["timed_out"]

    def test_one_that_not_even_an_abort_ends_is_reported(self, flyte, monkeypatch):
        monkeypatch.setattr("pytest_flyteperf.execute.runner.ABORT_S", 0.05)
        monkeypatch.setattr("pytest_flyteperf.execute.disposal.INTERRUPT_S", 0.05)
        flyte.ends = None
        flyte.admin.on_terminate = lambda _name: None
        with pytest.raises(ExecutionError, match=r"did not end within .*, nor within .* its abort"):
            list(start(flyte, timeout_s=0.05))

    def test_a_refused_submission_is_one_line(self, flyte):
        flyte.admin.refuse["CreateExecution"] = (grpc.StatusCode.INVALID_ARGUMENT, "no\ngood")
        with pytest.raises(ExecutionError, match=r"single: single-r00-\w+ was refused: no good"):
            list(start(flyte))

    def test_an_unknown_input_names_the_known_ones(self, flyte):
        spec = CaseSpec(name="single", entity=single, inputs={"b": 1})
        with pytest.raises(RegistrationError, match="has no input b; its inputs: a"):
            list(start(flyte, spec))

    def test_an_input_of_the_wrong_type_is_one_line(self, flyte):
        spec = CaseSpec(name="single", entity=single, inputs={"a": "text"})
        with pytest.raises(RegistrationError, match="single: inputs do not fit: "):
            list(start(flyte, spec))

    def test_a_died_process_ends_the_wait_with_its_last_words(self, flyte):
        flyte.ends = None

        class Control:
            looks = 0

            def death(self):
                self.looks += 1
                return self if self.looks > 2 else None

            def describe(self):
                return "propeller: killed by SIGKILL: last words"

        said = []
        with pytest.raises(ClusterError, match="single: propeller: killed by SIGKILL: last words"):
            list(start(flyte, control=Control(), said=said))
        assert "TerminateExecution" not in flyte.admin.calls


class TestCleaningUp:
    def test_nothing_of_a_finished_execution_is_left(self, flyte):
        flyte.kube.put(PODS, pod("foreign", "someone-elses"))
        list(start(flyte, repeats=2))

        assert [name for _, name in flyte.kube.objects] == ["foreign"]

    def test_an_interrupted_execution_is_aborted_and_discarded(self, flyte):
        flyte.ends = None

        class Impatient:
            looks = 0

            def death(self):
                self.looks += 1
                if self.looks > 2:
                    raise KeyboardInterrupt

        run = start(flyte, control=Impatient())
        with pytest.raises(KeyboardInterrupt):
            list(run)

        assert flyte.admin.calls.count("TerminateExecution") == 1
        assert flyte.kube.objects == {}
        assert ExecutionJournal(flyte.folder / "cluster").open() == ()

    def test_what_a_killed_run_left_is_aborted_before_measuring(self, flyte):
        deployment = flyte.deployment()
        ExecutionJournal(deployment.cluster.directory).started("left-r00-abc")
        flyte.admin.put("left-r00-abc", "RUNNING")
        flyte.kube.put(WORKFLOWS, flyteworkflow("left-r00-abc"))
        flyte.kube.put(PODS, pod("left-r00-abc-n0-0", "left-r00-abc"))
        list(start(flyte))

        calls = [c for c in flyte.admin.calls if c in ("TerminateExecution", "CreateExecution")]
        assert calls == ["TerminateExecution", "CreateExecution"]
        assert flyte.kube.objects == {}

    def test_executions_of_others_are_left_alone(self, flyte):
        flyte.admin.put("theirs", "RUNNING")
        flyte.kube.put(WORKFLOWS, flyteworkflow("theirs"))
        list(start(flyte))

        assert "TerminateExecution" not in flyte.admin.calls
        assert [name for _, name in flyte.kube.objects] == ["theirs"]

    def test_a_finished_repeat_outlives_a_failed_cleaning_up(self, flyte, monkeypatch):
        said = []
        refused = KubeError("DELETE: 500 no space", 500)
        monkeypatch.setattr(Collector, "discard", lambda *_: (_ for _ in ()).throw(refused))
        (repeat,) = start(flyte, said=said)

        assert Path(repeat.recording, "recording.json").exists()
        assert f"single: {repeat.execution} is left for the next run: {refused}" in said
        assert ExecutionJournal(flyte.folder / "cluster").open() == (repeat.execution,)

    def test_a_gap_of_the_watch_counts_for_the_repeat_it_fell_into(self, flyte, monkeypatch):
        watchers = []
        enter = Watcher.__enter__
        monkeypatch.setattr(Watcher, "__enter__", lambda w: (watchers.append(w), enter(w))[1])
        created = flyte.admin.on_create
        names = []

        def with_a_gap_in_the_second(request):
            names.append(request.name)
            watchers[0].gaps += len(names) == 2
            created(request)

        flyte.admin.on_create = with_a_gap_in_the_second
        assert [header(r)["watch_gaps"] for r in start(flyte, repeats=3)] == [0, 1, 0]

    def test_a_journal_survives_and_forgets(self, tmp_path):
        journal = ExecutionJournal(tmp_path)
        journal.started("a")
        journal.started("b")
        journal.discarded(["a", "child-of-a"])

        assert ExecutionJournal(tmp_path).open() == ("b",)
        journal.clear()
        assert journal.open() == ()
