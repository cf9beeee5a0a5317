"""The embedded engine, brought up once, for tests that run workflows on it."""

import secrets
from pathlib import Path

import pytest

from pytest_flyteperf.execute import CaseSpec, run_case
from pytest_flyteperf.model import RunPlan
from pytest_flyteperf.progress import silent
from pytest_flyteperf.settings import resolve
from pytest_flyteperf.stack import Stack


@pytest.fixture(scope="session")
def stack():
    root = Path(__file__).parents[2]
    return Stack(resolve({"wait": 600}, {}, lambda _key: None, root), silent)


@pytest.fixture(scope="session")
def deployment(stack):
    with stack.cluster("tests") as cluster, stack.deployment(cluster) as deployment:
        yield deployment


@pytest.fixture
def execute(stack, deployment, tmp_path):
    """Run a workflow as a case; returns the folders of its recordings."""

    def run(name, entity, *, repeats=1, **spec):
        finished = run_case(
            CaseSpec(name=name, entity=entity, **spec),
            deployment,
            RunPlan(warmups=0, repeats=repeats, timeout_s=180, seed=secrets.randbits(32)),
            out_dir=tmp_path / secrets.token_hex(4),
            progress=silent,
            lock=stack.machine_lock("tests"),
            control=stack.control,
        )
        return [Path(repeat.recording) for repeat in finished]

    return run
