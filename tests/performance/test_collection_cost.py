"""What observing does to the executions that are observed: recording, and Flyte's own tracing.

Each against none, in blocks in the order ABBA on one cluster; the duration is FlytePropeller's own,
from the execution's closure. Nothing is asserted but that all ran: the figures are read by people.
"""

import random
import secrets
import statistics
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from flyteidl.admin import execution_pb2

sys.path.append(str(Path(__file__).parents[1] / "engine"))
import wf

from pytest_flyteperf.collect import Admin, phase_name
from pytest_flyteperf.deploy import composition, processes
from pytest_flyteperf.deploy.request import plan
from pytest_flyteperf.execute import CaseSpec, run_case
from pytest_flyteperf.execute.names import execution_name
from pytest_flyteperf.execute.phase import phase_offset_ns, wait_for_phase
from pytest_flyteperf.execute.registration import register
from pytest_flyteperf.model import RunPlan
from pytest_flyteperf.progress import silent
from pytest_flyteperf.settings import resolve
from pytest_flyteperf.stack import Stack

RESAMPLES = 2000
POLL_S = 0.1

pytestmark = pytest.mark.engine


@pytest.fixture
def stack():
    root = Path(__file__).parents[2]
    return Stack(resolve({"wait": 600}, {}, lambda _key: None, root), silent)


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


def report(benchmark, durations):
    """Medians of both ways, and their difference with an interval of 95 % (bootstrap)."""
    (with_name, observed), (without_name, plain) = durations.items()
    for name, found in durations.items():
        benchmark.extra_info[name] = {
            "runs": len(found),
            "median_ms": statistics.median(found) / 1e6,
            "least_ms": min(found) / 1e6,
            "most_ms": max(found) / 1e6,
        }
    draw = random.Random(1)
    differences = sorted(
        statistics.median(draw.choices(observed, k=len(observed)))
        - statistics.median(draw.choices(plain, k=len(plain)))
        for _ in range(RESAMPLES)
    )
    benchmark.extra_info[f"{with_name} - {without_name}"] = {
        "median_ms": (statistics.median(observed) - statistics.median(plain)) / 1e6,
        "low_ms": differences[round(RESAMPLES * 0.025)] / 1e6,
        "high_ms": differences[round(RESAMPLES * 0.975)] / 1e6,
    }


@pytest.mark.parametrize(("workflow", "blocks"), [("echo_chain", 10), ("chain", 5)])
def test_recording_costs_an_execution(benchmark, stack, tmp_path, workflow, blocks):
    entity = getattr(wf, workflow)
    durations = {recorded: [], bare: []}

    def run():
        with stack.cluster("cost") as cluster, stack.deployment(cluster) as deployment:
            for way in (recorded, bare, bare, recorded) * blocks:
                durations[way].append(way(stack, deployment, entity, tmp_path))

    benchmark.pedantic(run, rounds=1)
    assert [len(found) for found in durations.values()] == [2 * blocks] * 2
    report(benchmark, {way.__name__: found for way, found in durations.items()})


@contextmanager
def untraced(monkeypatch):
    with monkeypatch.context() as patch:
        for name in ("propeller_config", "standin_config"):
            compose = getattr(composition, name)
            patch.setattr(
                composition,
                name,
                lambda *given, compose=compose: {**compose(*given), "otel": {"type": "noop"}},
            )
        yield


def test_tracing_costs_an_execution(benchmark, stack, tmp_path, monkeypatch):
    """Each block on a fresh Flyte, its first execution discarded: a Flyte traces or does not."""
    durations = {"traced": [], "untraced": []}
    request = plan(stack.engine)
    runs, blocks = 6, 2

    def block(cluster, way):
        deployment = processes.deploy(cluster, stack.control, request, fresh=True)
        found = [bare(stack, deployment, wf.echo_chain, tmp_path) for _ in range(runs + 1)]
        durations[way] += found[1:]

    def run():
        with stack.cluster("cost") as cluster:
            with stack.deployment(cluster):
                pass
            for way in ("traced", "untraced", "untraced", "traced") * blocks:
                if way == "traced":
                    block(cluster, way)
                else:
                    with untraced(monkeypatch):
                        block(cluster, way)
            processes.undeploy(cluster, stack.control)

    benchmark.pedantic(run, rounds=1)
    assert [len(found) for found in durations.values()] == [2 * blocks * runs] * 2
    report(benchmark, durations)
