"""What recording does to the executions it records: with everything collected, and with nothing.

Pairs in the order ABBA on one deployment; the duration is FlytePropeller's own, from the
execution's closure. Nothing is asserted but that both ran: the figures are read by people.
"""

import secrets
import statistics
import sys
import time
from pathlib import Path

import pytest
from flyteidl.admin import execution_pb2

sys.path.append(str(Path(__file__).parents[1] / "engine"))
import wf

from pytest_flyteperf.collect import Admin, phase_name
from pytest_flyteperf.execute import CaseSpec, run_case
from pytest_flyteperf.execute.names import execution_name
from pytest_flyteperf.execute.phase import phase_offset_ns, wait_for_phase
from pytest_flyteperf.execute.registration import register
from pytest_flyteperf.model import RunPlan
from pytest_flyteperf.progress import silent
from pytest_flyteperf.settings import resolve
from pytest_flyteperf.stack import Stack

BLOCKS = 5
POLL_S = 0.1

pytestmark = pytest.mark.engine


def recorded(stack, deployment, entity, folder):
    run = run_case(
        CaseSpec(name="recorded", entity=entity),
        deployment,
        RunPlan(warmups=0, repeats=1, timeout_s=60, seed=secrets.randbits(32)),
        out_dir=folder / secrets.token_hex(4),
        progress=silent,
        lock=stack.machine_lock("cost"),
        control=stack.control,
    )
    (repeat,) = run
    with Admin(deployment) as admin:
        return duration_ns(admin.execution(admin.identifier(repeat.execution)))


def bare(stack, deployment, entity, _folder):
    with Admin(deployment) as admin, stack.machine_lock("cost"):
        launch_plan = register(entity, deployment, admin).launch_plan
        name = execution_name("bare", 0, warmup=False)
        wait_for_phase(phase_offset_ns(secrets.randbits(32), "bare", 0))
        request = execution_pb2.ExecutionCreateRequest(
            project=deployment.project,
            domain=deployment.domain,
            name=name,
            spec=execution_pb2.ExecutionSpec(launch_plan=launch_plan),
        )
        admin.call("CreateExecution", request)
        while phase_name(execution := admin.execution(admin.identifier(name))) != "SUCCEEDED":
            time.sleep(POLL_S)
        return duration_ns(execution)


def duration_ns(execution):
    return execution.closure.duration.ToNanoseconds()


@pytest.mark.parametrize("workflow", ["echo_chain", "chain"])
def test_recording_costs_an_execution(benchmark, tmp_path, workflow):
    stack = Stack(resolve({"wait": 600}, {}, lambda _key: None, Path(__file__).parents[2]), silent)
    entity = getattr(wf, workflow)
    durations = {recorded: [], bare: []}

    def blocks():
        with stack.cluster("cost") as cluster, stack.deployment(cluster) as deployment:
            for way in (recorded, bare, bare, recorded) * BLOCKS:
                durations[way].append(way(stack, deployment, entity, tmp_path))

    benchmark.pedantic(blocks, rounds=1)
    for way, found in durations.items():
        assert len(found) == 2 * BLOCKS
        benchmark.extra_info[way.__name__] = {
            "median_ms": statistics.median(found) / 1e6,
            "least_ms": min(found) / 1e6,
            "most_ms": max(found) / 1e6,
        }
