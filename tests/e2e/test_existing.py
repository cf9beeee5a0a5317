"""A cluster and a Flyte that are there already: the local engine's, declared as somebody's."""

import gzip
import json
import subprocess
import sys

import pytest
from project import kill, ran, until

from pytest_flyteperf.kubeapi import KubeApi

pytestmark = pytest.mark.engine


BENCHMARKS = """
    import pytest
    from flows import add_once, echo_once, never_end

    @pytest.mark.flyteperf(repeats=3)
    def test_echo(flyteperf):
        assert flyteperf(echo_once, a=3) == 3

    @pytest.mark.flyteperf(repeats=1)
    def test_add(flyteperf):
        assert flyteperf(add_once, a=3) == 4

    @pytest.mark.flyteperf(repeats=1)
    def test_endless(flyteperf):
        flyteperf(never_end, a=1)
"""
SHORT = ("test_it.py::test_echo", "test_it.py::test_add")
WORKFLOWS = "/apis/flyte.lyft.com/v1alpha1/namespaces/flytesnacks-development/flyteworkflows"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/flytesnacks-development/leases"


@pytest.fixture(scope="module")
def flyte(shared_project):
    """Flyte, left up: its kubeconfig and the address of its FlyteAdmin."""
    shared_project.write("test_it.py", BENCHMARKS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest_flyteperf.cli", "up", "--json"],
        cwd=shared_project.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def existing(flyte):
    """How to declare it."""
    return (
        "--flyteperf-cluster=existing",
        f"--flyteperf-kubeconfig={flyte['cluster']['kubeconfig']}",
        f"--flyteperf-endpoint={flyte['admin_endpoint']}",
    )


@pytest.fixture
def holders(flyte):
    with KubeApi.from_kubeconfig(flyte["cluster"]["kubeconfig"]) as api:
        yield lambda: [
            lease["spec"]["holderIdentity"]
            for lease in api.list(LEASES)["items"]
            if lease["metadata"]["name"] == "pytest-flyteperf"
        ]


def test_it_is_measured_and_gated(shared_project, existing, holders):
    code, output = shared_project.run(*SHORT, *existing, "--flyteperf-update=new")
    assert ran(code, output), output
    assert holders() == []
    for recording in shared_project.recordings():
        about = json.loads((recording / "recording.json").read_text())
        assert about["neighbours_before"] == {"workflows": 0, "pressed": []}
        created = gzip.decompress((recording / "flyteworkflows.jsonl.gz").read_bytes())
        assert b'"app.kubernetes.io/managed-by":"pytest-flyteperf"' in created
    if code:
        pytest.skip("the machine is too busy to measure")
    assert "baselines: 2 written to baselines/existing-stand-in-" in output

    code, output = shared_project.run(*SHORT, *existing, "--flyteperf-baseline")
    assert ran(code, output), output
    assert "no-baseline" not in output
    assert "incomparable" not in output


def test_four_stages_hand_over_files_and_any_may_be_somebody_elses(shared_project, flyte):
    """Here the first is: a program that brings the cluster that is up anyway."""
    program = shared_project.folder / "provisioner"
    program.write_text(
        "#!/bin/sh\n"
        f'[ "$1" != up ] || cp {flyte["cluster"]["kubeconfig"]} "$3/kubeconfig"\n'
        f'echo "$@" >> {shared_project.folder}/provisioned\n'
    )
    program.chmod(0o700)

    def stage(command, *arguments, into):
        done = subprocess.run(
            [sys.executable, "-m", "pytest_flyteperf.cli", command, *arguments],
            cwd=shared_project.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr  # 1: too busy a machine to measure on
        (shared_project.folder / into).write_text(done.stdout)
        return done.stdout

    stage("provision", "--cluster", "command:./provisioner", into="cluster.json")
    told = stage("deploy", "cluster.json", "--endpoint", flyte["admin_endpoint"], into="flyte.json")
    assert json.loads(told)["environment"]["cluster_kind"] == "provisioned"
    stage("run", SHORT[1], "--deployment", "flyte.json", "--out", "of-stages", into="said")
    (folder,) = shared_project.folder.glob("of-stages/runs/*/add/0")
    (measures,) = json.loads(stage("analyze", "--json", str(folder), into="said")).values()
    assert measures["metrics"]["pods"] == 1

    down = stage("down", "--cluster", "command:./provisioner", into="said")
    assert down.startswith("down: flyteperf-")
    said = (shared_project.folder / "provisioned").read_text().split("\n")
    assert [line.partition(" ")[0] for line in said] == ["up", "describe", "down", ""]


@pytest.fixture
def measuring(shared_project, existing, holders):
    """A run in mid-repeat, which holds the Lease."""
    process = shared_project.start("test_it.py::test_endless", *existing)
    until(holders)
    yield process
    kill(process.pid)
    process.communicate()


def test_a_second_run_is_refused_with_the_holders_name(shared_project, existing, measuring):
    code, output = shared_project.run(SHORT[0], *existing, "--flyteperf-wait=0")

    assert code == 1
    assert "test_it.py::test_endless (" in output
    assert f"pid {measuring.pid}) is measuring on this cluster; wait for it to end" in output
    assert "Traceback" not in output


@pytest.mark.slow  # waits for a Lease to expire
def test_a_killed_runs_lease_expires_and_its_execution_is_aborted(
    shared_project, flyte, existing, measuring, holders
):
    kill(measuring.pid)
    assert holders() != []

    code, output = shared_project.run(SHORT[0], *existing, "--flyteperf-wait=60")

    assert ran(code, output), output
    assert holders() == []
    with KubeApi.from_kubeconfig(flyte["cluster"]["kubeconfig"]) as api:
        assert api.list(WORKFLOWS)["items"] == []
