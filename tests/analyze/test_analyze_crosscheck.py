"""FlyteAdmin's own account of an execution against ours."""

import gzip
import shutil

import msgspec
import pytest

from pytest_flyteperf.analyze import analyze_recording

CHECK = "execution metrics disagree"


@pytest.fixture
def chain(recordings, tmp_path):
    """A recording of `chain` without GetExecutionMetrics."""
    shutil.copytree(recordings / "chain/0", tmp_path / "chain")
    return tmp_path / "chain"


def document(folder, name):
    return (
        msgspec.json.decode(gzip.decompress((folder / f"{name}.gz").read_bytes()))
        if (folder / f"{name}.gz").exists()
        else msgspec.json.decode((folder / name).read_bytes())
    )


def answer(folder):
    """What `AM/metrics_manager.go` makes of the recording's own lists."""
    execution = document(folder, "execution.json")
    nodes = document(folder, "node_executions.json")
    tasks = {
        task["id"]["node_execution_id"]["node_id"]: task
        for task in document(folder, "task_executions.json")
    }
    spans = []
    for node in nodes:
        name = node["id"]["node_id"]
        if name in {"start-node", "end-node"}:
            continue
        task = tasks[name]
        ran = {
            "start_time": task["closure"]["created_at"],
            "end_time": node["closure"]["updated_at"],
        }
        if begun := task["closure"].get("started_at"):
            ended = (
                begun
                if "duration" not in task["closure"]
                else _later(begun, task["closure"]["duration"])
            )
            runtime = {"operation_id": "TASK_RUNTIME", "start_time": begun, "end_time": ended}
            ran["spans"] = [runtime]
        spans.append(
            {
                "node_id": node["id"],
                "start_time": node["closure"]["created_at"],
                "end_time": node["closure"]["updated_at"],
                "spans": [ran | {"task_id": task["id"]}],
            },
        )
    return {
        "span": {
            "workflow_id": execution["id"],
            "start_time": execution["closure"]["created_at"],
            "end_time": execution["closure"]["updated_at"],
            "spans": spans,
        },
    }


def _later(stamp, duration):
    """A whole-second stamp some whole seconds later, within its minute."""
    second = int(stamp[17:19]) + int(float(duration[:-1]))
    return f"{stamp[:17]}{second:02}{stamp[19:]}"


def disagreements(folder, told):
    (folder / "execution_metrics.json").write_bytes(msgspec.json.encode(told))
    findings = analyze_recording(folder).findings
    return [finding.evidence for finding in findings if finding.check == CHECK]


def test_an_account_of_the_same_lists_agrees(chain):
    told = answer(chain)

    assert len(told["span"]["spans"]) == 5
    assert disagreements(chain, told) == []


def test_without_an_account_nothing_disagrees(chain):
    assert all(finding.check != CHECK for finding in analyze_recording(chain).findings)


def test_another_wall_clock_is_told(chain):
    told = answer(chain)
    told["span"]["end_time"] = "2026-11-22T23:59:59Z"

    (evidence,) = disagreements(chain, told)
    assert evidence.startswith("the execution took ")


def test_a_missing_node_is_told(chain):
    told = answer(chain)
    gone = told["span"]["spans"].pop(2)["node_id"]["node_id"]

    (evidence,) = disagreements(chain, told)
    assert evidence.startswith(f"node {gone} of ")
    assert evidence.endswith("is missing")


def test_a_node_that_no_list_has_is_told(chain):
    told = answer(chain)
    told["span"]["spans"][0]["node_id"] |= {"node_id": "nobody"}

    (evidence,) = disagreements(chain, told)
    assert "node nobody" in evidence
    assert "is in no list" in evidence


def test_a_node_that_begins_elsewhere_is_told(chain):
    told = answer(chain)
    told["span"]["spans"][0]["start_time"] = told["span"]["start_time"]

    (evidence,) = disagreements(chain, told)
    assert "from its first event" in evidence


def test_a_container_outside_the_second_that_is_told(chain):
    told = answer(chain)
    runtimes = [
        runtime
        for node in told["span"]["spans"]
        for task in node["spans"]
        for runtime in task.get("spans", ())
    ]
    assert runtimes
    runtimes[0]["end_time"] = _later(runtimes[0]["end_time"], "3s")

    (evidence,) = disagreements(chain, told)
    assert "ended" in evidence
    assert "from FlyteAdmin's second" in evidence


def test_a_stamp_that_is_none_is_told(chain):
    told = answer(chain)
    told["span"]["spans"][0]["start_time"] = "yesterday"

    assert disagreements(chain, told) == ["yesterday is no stamp"]
