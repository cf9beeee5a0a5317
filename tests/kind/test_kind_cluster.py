"""The product's own path on a real kind cluster: create, deploy, measure, judge, delete, reap."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
import yaml
from kind_project import containers

from pytest_flyteperf.deploy import manifests
from pytest_flyteperf.kubeapi import KubeApi

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1800)]

PORTFOLIO = Path(__file__).parents[2] / "benchmarks"
SHORT = ("--flyteperf-cluster", "kind", "--flyteperf-short")


@pytest.fixture
def portfolio(project):
    """The project with the portfolio's three oldest cases."""
    shutil.copytree(PORTFOLIO, project.folder / "benchmarks")
    cases = ("test_short_task.py", "test_chain.py", "test_map.py")
    return tuple(f"benchmarks/{name}" for name in cases)


def test_the_portfolio_runs_and_gates_against_its_own_baseline(project, portfolio):
    first = project.pytest(*portfolio, *SHORT, "--flyteperf-keep", "--flyteperf-update", "new")
    assert first.returncode == 0, first.stdout
    (baselines,) = (project.folder / "baselines").iterdir()
    assert baselines.name.startswith("kind-stand-in-")
    stored = yaml.safe_load((baselines / "short_task.yaml").read_text())["sizes"]["short"]
    assert stored["environment"]["chart"] == "flyte-binary 0.0.1"

    second = project.pytest(*portfolio, *SHORT, "--flyteperf-keep", "--flyteperf-baseline", "-v")
    assert second.returncode == 0, second.stdout
    assert "incomparable" not in second.stdout
    assert "no-baseline" not in second.stdout

    down = project.flyteperf("down", "--cluster", "kind")
    assert down.stdout.startswith("down: flyteperf-"), down.stdout


def test_declared_as_existing_its_flyte_is_found_and_forwarded(project, rig, portfolio):
    up = project.flyteperf("up", "--cluster", "kind", "--json")
    assert up.returncode == 0, up.stdout
    (told,) = (json.loads(line) for line in up.stdout.splitlines() if line.startswith("{"))
    kubeconfig = told["cluster"]["kubeconfig"]

    run = project.pytest(
        portfolio[0],
        *("--flyteperf-cluster", "existing", "--flyteperf-kubeconfig", kubeconfig),
        *("--flyteperf-task-image", told["image"], "--flyteperf-short"),
    )
    assert run.returncode == 0, run.stdout
    (results,) = project.folder.glob(".flyteperf/runs/*/results.json")
    assert "at flyte/flyte-grpc:8089" in results.read_text()
    recording = next(project.folder.glob(".flyteperf/runs/*/short_task/0"))
    assert (recording / "metrics.after.prom.gz").exists()

    with KubeApi.from_kubeconfig(kubeconfig) as api:
        manifests.apply(api, jaeger_of_the_docs(), dry_run=True)
    project.flyteperf("down", "--cluster", "kind")
    assert containers(rig) == []


def jaeger_of_the_docs():
    text = (PORTFOLIO.parent / "docs/clusters.md").read_text()
    found = re.search(r"```yaml\n# jaeger.yaml.*?\n(.*?)```", text, re.DOTALL)
    return tuple(yaml.safe_load_all(found[1]))


@pytest.mark.parametrize("phase", ["creating the cluster", "loading", "deploying Flyte"])
def test_a_killed_start_leaves_nothing_once_it_is_reaped(project, rig, portfolio, phase):
    process = project.pytest_until(phase, portfolio[0], *SHORT)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()

    # A supervisor that lives on deletes the cluster itself, soon after the last lease.
    deadline = time.monotonic() + 120
    while project.left() and time.monotonic() < deadline:
        reaped = project.flyteperf("reap")
        assert reaped.returncode == 0, reaped.stdout
    assert project.left() == []
    assert containers(rig) == []
