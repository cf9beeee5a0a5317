"""A full Flyte's own answers: GetExecutionMetrics, a gate, a sub-task that was tried again."""

import gzip
import shutil
from pathlib import Path

import msgspec
import pytest

from pytest_flyteperf.analyze import analyze_recording

ANSWERS = Path(__file__).parents[1] / "data" / "full_flyte"
DISAGREE = "execution metrics disagree"


def path_points(name):
    """Milliseconds along the critical path by owner and detail."""
    owners = analyze_recording(ANSWERS / name).ownership.owners
    return {f"{one.owner} {one.detail}": round(one.point_ns / 1e6) for one in owners}


def disagreements(folder):
    return [f.evidence for f in analyze_recording(folder).findings if f.check == DISAGREE]


def nodes_of(span):
    found = [span] if "node_id" in span else []
    return found + [one for below in span.get("spans", ()) for one in nodes_of(below)]


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("dynamic", 1 + 10),
        ("launch_plan_fan", 3 + 3),
        ("retried_map", 1),
        ("sleeping", 2),
        ("user_retries", 1),
    ],
)
def test_flyteadmins_account_agrees(name, nodes):
    """It leaves out start and end nodes only: every other node, beneath launch plans too."""
    answer = gzip.decompress((ANSWERS / name / "execution_metrics.json.gz").read_bytes())

    assert len(nodes_of(msgspec.json.decode(answer)["span"])) == nodes
    assert disagreements(ANSWERS / name) == []


def test_another_executions_account_does_not(tmp_path):
    folder = tmp_path / "dynamic"
    shutil.copytree(ANSWERS / "dynamic", folder)
    shutil.copy(ANSWERS / "user_retries" / "execution_metrics.json.gz", folder)

    (evidence,) = disagreements(folder)

    assert "is in no list" in evidence


def test_a_gate_whose_sleep_is_over_waits_for_the_resync():
    """
    A sleep of 3 s took 10.1 s: the informer's resync comes every 10 s. Without traces, working and
    waiting are one.
    """
    found = path_points("sleeping")

    assert found["user sleep"] == 3000
    assert found["flyte working or waiting"] > 7000


def test_a_sub_tasks_first_attempt_is_lost_though_its_container_ended_well():
    """Flytekit's container exits with 0 whatever the task raises: FlyteAdmin's phase tells."""
    found = path_points("retried_map")

    assert found["user lost"] == pytest.approx(2740, abs=1)
    assert found["user container"] == pytest.approx(1326, abs=1)


def test_nothing_of_them_is_unknown():
    """But for the launch plans' timers and all that Propeller did, which traces would tell."""
    for folder in sorted(path for path in ANSWERS.iterdir() if path.is_dir()):
        assert analyze_recording(folder).metrics["unknown_ns"] == 0, folder.name
