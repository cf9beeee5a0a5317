"""What running and recording cost beside Flyte itself: between repeats, and in a wide case."""

import contextlib
import json
import secrets
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "execute"))
from execute_workflows import single, with_dynamic

from pytest_flyteperf.collect import Admin
from pytest_flyteperf.collect.folder import RecordingFolder, jsonl
from pytest_flyteperf.collect.watching import Received, ended
from pytest_flyteperf.execute import CaseSpec, run_case
from pytest_flyteperf.execute.registration import register
from pytest_flyteperf.model import RunPlan
from pytest_flyteperf.progress import silent
from tests.doubles.admin import FakeAdmin
from tests.doubles.flyte import FakeFlyte
from tests.doubles.kube import flyteworkflow

RECORDINGS = Path(__file__).parents[1] / "data/recordings"
PODS = 1_000
EVENTS_A_POD = 4
POD_BYTES = 5_000


@pytest.fixture
def flyte(tmp_path):
    with FakeFlyte(tmp_path) as flyte:
        yield flyte


def test_a_repeat_costs_the_harness(benchmark, flyte):
    """One repeat on doubles that answer at once: the time between two repeats is ours."""
    deployment = flyte.deployment()

    def repeat():
        run = run_case(
            CaseSpec(name="single", entity=single),
            deployment,
            RunPlan(warmups=0, repeats=1, timeout_s=10, seed=1, random_phase=False),
            out_dir=flyte.folder / secrets.token_hex(4),
            progress=silent,
            lock=contextlib.nullcontext(),
            control=None,
        )
        assert [r.problem for r in run] == [None]

    benchmark.pedantic(repeat, rounds=10, warmup_rounds=2)


@pytest.mark.parametrize("entity", [single, with_dynamic], ids=["single", "dynamic"])
def test_a_registered_workflow_is_found_again(benchmark, flyte, entity):
    deployment = flyte.deployment()
    with Admin(deployment) as admin:
        register(entity, deployment, admin)
        assert benchmark(register, entity, deployment, admin).created == 0


def test_fifty_nodes_are_read(benchmark, flyte):
    name = flyte.admin.load(RECORDINGS / "echo_wide/0")
    with Admin(flyte.deployment()) as admin:
        harvest = benchmark(admin.harvest, admin.identifier(name))
    assert len(harvest.nodes) == 52


def test_the_watch_of_a_thousand_pods_is_written(benchmark, tmp_path):
    body = json.dumps({"type": "MODIFIED", "object": {"x": secrets.token_hex(POD_BYTES // 4) * 2}})
    events = [Received(1.5 + i, body.encode()) for i in range(PODS * EVENTS_A_POD)]

    def write():
        with RecordingFolder(tmp_path / secrets.token_hex(4)) as out:
            out.packed("pods.jsonl", jsonl(events))

    benchmark.pedantic(write, rounds=3)


def test_an_event_is_looked_at(benchmark):
    event = json.dumps({"type": "MODIFIED", "object": flyteworkflow("a") | {"x": "y" * 100_000}})
    assert not benchmark(ended, Received(0.0, event.encode()), "a")


def test_a_double_answers(benchmark, tmp_path):
    """What of these figures is the double's own: one call."""
    with FakeAdmin() as server:
        name = server.load(RECORDINGS / "single/0")
        with FakeFlyte(tmp_path) as flyte:
            deployment = flyte.deployment(admin_endpoint=server.endpoint)
            with Admin(deployment) as admin:
                benchmark(admin.execution, admin.identifier(name))
