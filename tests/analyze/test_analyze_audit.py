"""Every check of the audit is seen to fire."""

import gzip
import json
import re

import pytest
from analyze_folders import packed, read, records, write

from pytest_flyteperf.analyze import analyze_recording, audit
from pytest_flyteperf.analyze.nodes import Run
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.model import Severity, Signal


def findings(folder):
    return {f.check: f for f in analyze_recording(folder).findings}


def without(folder, lost):
    """Take spans out of a recording's traces."""
    path = folder / "otlp.binpb.gz"
    pairs = []
    for received, request in records(read(path)):
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                kept = [span for span in scope.spans if not lost(span)]
                del scope.spans[:]
                scope.spans.extend(kept)
        pairs.append((received, request))
    write(path, packed(pairs))


def once(name):
    """True for the first span of a name only."""
    seen = []

    def lost(span):
        if span.name.endswith(name) and span.kind in {1, 3} and not seen:
            seen.append(span)
            return True
        return False

    return lost


def test_a_lost_event_span_is_missed_because_flyteadmin_stored_more(copied):
    folder = copied("chain/0")
    without(folder, once("CreateNodeEvent"))

    finding = findings(folder)["lost spans"]

    assert finding.severity is Severity.INVALID
    assert finding.evidence == "17 node events in spans, at least 18 stored"


def test_a_lost_parent_leaves_its_children_behind(copied):
    folder = copied("chain/0")
    without(folder, once("/streak"))

    assert re.search(r"\d+ spans without parent", findings(folder)["lost spans"].evidence)


def test_a_lost_handle_leaves_strays_and_events_that_nobody_sent(copied):
    folder = copied("chain/0")
    without(folder, once("/Handle"))

    evidence = findings(folder)["lost spans"].evidence

    assert "spans without handle" in evidence
    assert re.search(r"\d events outside any handle", evidence)


def test_traces_that_have_no_handle_of_the_execution_are_lost(copied, recordings):
    folder = copied("chain/0")
    (folder / "otlp.binpb.gz").write_bytes((recordings / "fan/0/otlp.binpb.gz").read_bytes())

    finding = findings(folder)["lost spans"]

    assert "3 stored" in finding.evidence
    assert finding.severity is Severity.INVALID


def test_absent_traces_are_noted(copied):
    folder = copied("chain/0")
    (folder / "otlp.binpb.gz").unlink()

    assert findings(folder)["no traces"].severity is Severity.NOTE


def test_spans_of_the_execution_before_are_not_missed(recordings):
    """`single/1` begins with the tail of the execution before it, whose handles are elsewhere."""
    assert findings(recordings / "single/1") == {}


def test_a_node_that_ends_before_it_begins_is_a_clock(copied):
    folder = copied("chain/0")
    path = folder / "node_executions.json.gz"
    nodes = json.loads(read(path))
    nodes[1]["closure"]["duration"] = "0s"
    nodes[1]["closure"]["started_at"] = "2026-11-22T13:34:01.479563027Z"
    write(path, json.dumps(nodes).encode())

    finding = findings(folder)["clock"]

    assert finding.severity is Severity.INVALID
    assert "node n0 of a7vj8jp5gzbdchprm6fk ended before it began" in finding.evidence


def precise(folder, ahead_ns):
    """Give the first pod nanosecond stamps, so far ahead of the receipt of its start."""
    path = folder / "pods.jsonl.gz"
    lines = [json.loads(line) for line in read(path).splitlines()]
    for line in lines[2:4]:
        begun = round(lines[2]["received"] * 10**9) + ahead_ns
        line["event"]["object"]["metadata"]["annotations"] |= {
            "flyteperf.dev/started-ns": str(begun),
        }
    write(path, b"\n".join(json.dumps(line).encode() for line in lines))


def test_a_stamp_after_its_own_receipt_is_a_clock(copied):
    folder = copied("chain/0")
    precise(folder, audit.CLOCK_SLACK_NS + 1_000_000)

    assert "start of a7vj8jp5gzbdchprm6fk-n0-0 stamped 51 ms" in findings(folder)["clock"].evidence


def test_a_start_before_the_pod_was_seen_is_a_clock(copied):
    folder = copied("chain/0")
    precise(folder, -60_000_000_000)

    assert "ms before its creation was seen" in findings(folder)["clock"].evidence


def test_a_stamp_within_the_slack_is_none(copied):
    folder = copied("chain/0")
    precise(folder, audit.CLOCK_SLACK_NS - 1_000_000)

    assert "clock" not in findings(folder)


def test_a_refused_event_is_noted(recordings):
    """A child's first event came before FlyteAdmin had stored the child."""
    finding = findings(recordings / "launchplan2/0")["refused events"]

    assert (finding.severity, finding.evidence) == (Severity.NOTE, "1 of 10 workflow events")


def test_a_failed_write_of_the_workflow_object_is_noted(copied):
    folder = copied("chain/0")
    path = folder / "otlp.binpb.gz"
    pairs = list(records(read(path)))
    for _, request in pairs:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    if span.name == "WorkflowStore.Update":
                        span.status.code = 2
    write(path, packed(pairs))

    assert findings(folder)["CRD write failed"].evidence == "33 of 33 updates"


def test_much_unknown_time_is_noted(copied):
    folder = copied("launchplan2/0")
    for child in (folder / "children").iterdir():
        for file in child.iterdir():
            file.unlink()
        child.rmdir()

    assert findings(folder)["unknown time"].evidence == "99 % of the wall clock has no known owner"


def noticed(folder, **noted):
    """What the recorder wrote down beside the rest."""
    path = folder / "recording.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | noted))
    return findings(folder)


def looks(ticks, **processes):
    """Two looks at the machine: what was used between them."""
    after = {name: {"user_ticks": used, "resident_bytes": 4096} for name, used in processes.items()}
    before = {name: {"user_ticks": 0, "resident_bytes": 1} for name in processes}
    return {
        "machine_before": {"cpu_ticks": dict.fromkeys(ticks, 0), "processes": before},
        "machine_after": {"cpu_ticks": ticks, "processes": after},
    }


def waited(memory_us):
    """Two looks at the machine around one second in which tasks waited for memory."""
    return {
        "client_seconds": 1.0,
        "machine_before": {"pressure_us": {"cpu": 7, "memory": 500}},
        "machine_after": {"pressure_us": {"cpu": 900_000, "memory": 500 + memory_us}},
    }


@pytest.mark.parametrize(
    ("noted", "check", "evidence"),
    [
        ({"traces_complete": False}, "lost spans", "the last handle's span did not arrive in time"),
        ({"watch_gaps": 2}, "watch gap", "2 times events may be lost"),
        ({"clock_step_ns": -51_000_000}, "clock", "the wall clock moved by -51 ms"),
        (looks({"user": 90, "idle": 86, "steal": 24}, p=90), "steal", "12 % of CPU time"),
        (looks({"user": 199, "idle": 1}, p=10), "other CPU use", "94 % of CPU time"),
        (
            {"neighbours_before": {"workflows": 0}, "neighbours_after": {"workflows": 2}},
            "other workflows",
            "2 of others ran on the cluster",
        ),
        (
            {"neighbours_before": {"workflows": None, "pressed": ["n1: DiskPressure"]}},
            "node pressure",
            "n1: DiskPressure",
        ),
        (waited(21_000), "memory pressure", "tasks waited for memory in 2 % of the time"),
    ],
)
def test_what_the_recorder_noticed_makes_a_repeat_invalid(copied, noted, check, evidence):
    found = noticed(copied("echo_chain/0"), **noted)

    assert (found[check].severity, found[check].evidence) == (Severity.INVALID, evidence)


def test_some_steal_is_noted_and_the_repeat_stands(copied):
    found = noticed(copied("echo_chain/0"), **looks({"user": 90, "idle": 96, "steal": 14}, p=90))

    steal = found["steal"]
    assert (steal.severity, steal.evidence) == (Severity.NOTE, "7 % of CPU time")


def test_other_cpu_use_is_unknown_where_flytes_own_is(copied):
    found = noticed(copied("echo_chain/0"), **looks({"user": 199, "idle": 1}))

    assert "other CPU use" not in found


def test_much_other_cpu_use_that_leaves_enough_is_noted(copied):
    found = noticed(copied("echo_chain/0"), **looks({"user": 180, "idle": 20}, p=60))

    finding = found["other CPU use"]
    assert (finding.severity, finding.evidence) == (Severity.NOTE, "60 % of CPU time")


def sung(before, after):
    return {"canaries_before": {"cpu_ns": before}, "canaries_after": {"cpu_ns": after}}


@pytest.mark.parametrize(("after", "moved"), [(70, "+75 %"), (20, "-50 %")])
def test_a_pace_that_changed_meanwhile_is_noted(copied, after, moved):
    finding = noticed(copied("echo_chain/0"), **sung(40, after))["pace"]

    assert finding.severity is Severity.NOTE
    assert finding.evidence == f"the CPU canary took {moved} after the repeat"


@pytest.mark.parametrize(
    "noted",
    [
        sung(40, 55),
        sung(0, 40),
        {"traces_complete": None, "clock_step_ns": 49_000_000},
        looks({"user": 100, "idle": 98, "steal": 2}, p=60),
        looks({"user": 10, "idle": 5}, p=0),  # too few ticks to say anything
        waited(9_000),
    ],
)
def test_what_lies_within_the_thresholds_is_no_finding(copied, noted):
    assert noticed(copied("echo_chain/0"), **noted) == {}


def test_the_cpu_time_of_tasks_is_not_other_use(copied):
    assert noticed(copied("single/1"), **looks({"user": 190, "idle": 10}, p=60)) == {}


def test_components_use_is_what_they_used_between_the_two_looks(copied):
    folder = copied("echo_chain/0")
    noticed(folder, **looks({"user": 100, "idle": 100}, propeller=60, etcd=7))

    used = analyze_recording(folder).components

    assert [(use.component, use.cpu_ns, use.resident_bytes) for use in used] == [
        ("etcd", 70_000_000, 4096),
        ("propeller", 600_000_000, 4096),
    ]


@pytest.mark.parametrize("name", ["chain/0", "fan/1", "nested_dynamic/1", "launchplan2/1"])
def test_stored_events_are_never_more_than_the_spans_of_a_whole_recording(recordings, name):
    recording = Recording(recordings / name)

    least = audit.stored_events([Run(part, None) for part in (recording, *recording.children)])
    metrics = analyze_recording(recordings / name).metrics

    assert all(0 < least[count] <= metrics[count] for count in least)


def test_attempts_after_a_first_are_noted(recordings):
    found = {
        finding.check: finding for finding in analyze_recording(recordings / "retry/0").findings
    }

    assert found["retries"].severity is Severity.NOTE
    assert found["retries"].evidence == "1 attempts after a first"


def test_an_image_that_does_not_come_makes_a_repeat_invalid(copied):
    folder = copied("single/0")
    path = next(folder.glob("task_executions.json*"))
    content = path.read_bytes()
    text = gzip.decompress(content) if path.suffix == ".gz" else content
    tasks = json.loads(text)
    said = "[ContainersNotReady|ErrImagePull]: containers with unready status"
    tasks[0]["closure"]["reasons"][0]["message"] = said
    (folder / "task_executions.json").write_text(json.dumps(tasks))

    finding = findings(folder)["image pull"]

    assert (finding.severity, finding.evidence) == (
        Severity.INVALID,
        "failed for 1 nodes, first n0",
    )


def test_throttled_events_are_noted():
    signals = [
        Signal(name="throttled node events", count=3, sum_ns=None, source="m"),
        Signal(name="throttled task events", count=0, sum_ns=None, source="m"),
    ]

    (finding,) = audit.check_throttling(signals)

    assert (finding.severity, finding.evidence) == (Severity.NOTE, "3 throttled node events")
