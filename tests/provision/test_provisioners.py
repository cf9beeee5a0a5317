"""Clusters that a program of the user's makes: found, created, described, deleted, reaped."""

import os
import signal
import stat
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from pytest_flyteperf.engine.reap import supervisor_pid
from pytest_flyteperf.errors import ClusterError, UsageError
from pytest_flyteperf.provision import command, supervised
from pytest_flyteperf.provision.command import Provisioner, find_provisioner
from tests.doubles.kube import FakeKube

PROGRAM = """#!/bin/sh
echo "$@" >> {said}
shift
case "$1" in
up) {up};;
describe) echo "k3d v5.8, 1 node";;
esac
"""


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / "state"))


@pytest.fixture
def kubeconfig(tmp_path):
    with FakeKube() as kube:
        kube.pages["/version"] = {"gitVersion": "v1.33.0"}
        yield kube.kubeconfig(tmp_path)


@pytest.fixture
def program(tmp_path, kubeconfig):
    """Write the program; `up` is what it does then."""

    def write(up=f"cp {kubeconfig} $3/kubeconfig"):
        path = tmp_path / "provisioner"
        path.write_text(PROGRAM.format(said=tmp_path / "said", up=up))
        path.chmod(stat.S_IRWXU)
        return Provisioner(argv=(str(path), "--zone=here"))

    return write


@pytest.fixture
def said(tmp_path):
    def read():
        lines = (tmp_path / "said").read_text().splitlines()
        return [line.split()[1] for line in lines]  # after --zone

    return read


class TestNames:
    def test_a_program_may_have_arguments(self, tmp_path, program):
        path = program().argv[0]

        found = find_provisioner("command:./provisioner --zone 'b c'", tmp_path)
        assert found.argv == (path, "--zone", "b c")

    @pytest.mark.parametrize(
        ("cluster", "says"),
        [
            ("command:nowhere", "nowhere is no program"),
            ("command:.", "is no program"),
            ("command:", "give a program"),
            ("command:'", "give a program"),
            ("provisioner:k3d", "no package brings this provisioner"),
        ],
    )
    def test_what_is_no_program_is_refused(self, tmp_path, cluster, says):
        with pytest.raises(UsageError, match=says):
            find_provisioner(cluster, tmp_path)

    def test_a_package_may_bring_one(self, tmp_path, monkeypatch):
        entry = EntryPoint("k3d", "tests.provision:none", command.GROUP)
        monkeypatch.setattr(command, "entry_points", lambda **_: [entry])
        monkeypatch.setattr(EntryPoint, "load", lambda _: lambda: ["/bin/k3d", "provision"])

        assert find_provisioner("provisioner:k3d", tmp_path).argv == ("/bin/k3d", "provision")

    def test_one_that_breaks_is_named(self, tmp_path, monkeypatch):
        entry = EntryPoint("k3d", "nowhere:none", command.GROUP)
        monkeypatch.setattr(command, "entry_points", lambda **_: [entry])

        with pytest.raises(UsageError, match=r"k3d \(nowhere:none\): No module named 'nowhere'"):
            find_provisioner("provisioner:k3d", tmp_path)


def test_a_cluster_is_made_found_again_and_deleted(tmp_path, program, said):
    provisioner = program()

    cluster = command.up(provisioner, tmp_path, keep=True)
    assert cluster.distribution == "k3d v5.8, 1 node, Kubernetes v1.33.0"
    assert (cluster.kind, cluster.name[:10]) == ("provisioned", "flyteperf-")
    assert command.up(provisioner, tmp_path) == cluster
    assert command.find(provisioner, tmp_path) == cluster
    assert said() == ["up", "describe"]

    supervised.down(cluster)
    assert said() == ["up", "describe", "down"]
    assert command.find(provisioner, tmp_path) is None


@pytest.mark.parametrize(
    ("up", "says"),
    [
        ("echo no such machine type; exit 7", "provisioner up: no such machine type"),
        (":", "provisioner up: left no .*/kubeconfig"),
        ("echo '{}' > $3/kubeconfig", "is no kubeconfig"),
    ],
)
def test_one_that_cannot_be_made_leaves_nothing(tmp_path, program, said, up, says):
    with pytest.raises((ClusterError, UsageError), match=says):
        command.up(program(up), tmp_path)
    assert said()[-1] == "down"
    assert not any(supervised.clusters_dir().glob("*/"))


def test_a_killed_runs_cluster_is_deleted_by_reap(tmp_path, program, said):
    cluster = command.up(program(), tmp_path, keep=True)
    os.kill(supervisor_pid(cluster.directory), signal.SIGKILL)

    done = subprocess.run(
        [sys.executable, "-m", "pytest_flyteperf.cli", "reap"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"cluster {cluster.name} of provisioner" in done.stdout
    assert said() == ["up", "describe", "down"]


def test_services_that_signed_addresses_name_are_told_with_their_ports(
    tmp_path, program, kubeconfig
):
    up = f"cp {kubeconfig} $3/kubeconfig; echo flyte/minio:9000 30002 > $3/forwards"

    cluster = command.up(program(up), tmp_path, keep=True)
    try:
        assert command.forwards(cluster) == {"flyte/minio:9000": 30002}
    finally:
        supervised.down(cluster)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("flyte/minio:9000", "give lines NAMESPACE/SERVICE:PORT PORT"),
        ("flyte/minio:9000 http", "give lines NAMESPACE/SERVICE:PORT PORT"),
        ("minio:9000 30002", "minio:9000 is no NAMESPACE/SERVICE:PORT"),
    ],
)
def test_services_told_otherwise_are_refused(tmp_path, program, kubeconfig, line, says):
    up = f"cp {kubeconfig} $3/kubeconfig; echo {line} > $3/forwards"

    with pytest.raises(ClusterError, match=says):
        command.up(program(up), tmp_path)
    assert not any(supervised.clusters_dir().glob("*/"))
