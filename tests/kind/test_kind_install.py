"""Flyte put onto a cluster that is there already, and taken off it again."""

from __future__ import annotations

import json

import pytest

pytestmark = [
    pytest.mark.kind,
    pytest.mark.timeout(900, func_only=True),
    # The docker package leaves sockets that could not connect while the daemon starts.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket"),
]

IMAGES = ("FLYTE", "TASK_IMAGE", "STORE_IMAGE", "DATABASE_IMAGE")


@pytest.fixture
def bare(project):
    """A project, and the kubeconfig of a cluster without Flyte whose node has the images."""
    made = project.flyteperf("provision", "--cluster", "kind")
    assert made.returncode == 0, made.stdout
    (folder,) = project.clusters()
    cluster = json.loads((folder / "cluster.json").read_text())
    images = [project.environment[f"FLYTEPERF_{name}"].removeprefix("image:") for name in IMAGES]
    project.told("kind", "load", "docker-image", "--name", cluster["name"], *images)
    yield project, cluster["kubeconfig"]
    project.flyteperf("down", "--all")


def test_flyte_is_put_onto_a_cluster_and_taken_off_again(bare):
    project, kubeconfig = bare
    onto = (
        *("benchmarks/test_short_task.py", "--flyteperf-short", "--flyteperf-cluster", "existing"),
        *("--flyteperf-kubeconfig", kubeconfig, "--flyteperf-install"),
        *("--flyteperf-jaeger-image", "none"),
    )
    assert project.of_flyte(kubeconfig) == []

    project.measured(*onto)
    assert project.measures(project.repeat("short_task"))["pods"] == 1
    project.await_end("provisioned")
    assert project.of_flyte(kubeconfig) == []

    with project.pytest_until("short_task: repeat", *onto, "--flyteperf-repeats", "50"):
        pass
    assert project.of_flyte(kubeconfig) != []
    project.kill_supervisor("provisioned")
    reaped = project.flyteperf("reap")
    assert "Flyte flyteperf-" in reaped.stdout, reaped.stdout
    assert project.of_flyte(kubeconfig) == []
