from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

import pytest

from pytest_flyteperf.engine.build import ensure_engine
from pytest_flyteperf.errors import BusyError, ClusterError
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from pytest_flyteperf.provision import lease, local
from pytest_flyteperf.provision.launch import NAMESPACE
from pytest_flyteperf.provision.lease import LeaseLock

pytestmark = pytest.mark.engine

LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
HOLDER = f"""
import sys
from pytest_flyteperf.provision.lease import LeaseLock
with LeaseLock(sys.argv[1], {NAMESPACE!r}, "another run"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lease")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLYTEPERF_STATE", str(folder / "state"))
        cluster = local.up(ensure_engine(), folder)
        with local.hold(cluster, "test"):
            yield cluster.kubeconfig
        local.down(cluster)


@pytest.fixture
def holder(kubeconfig):
    """Another process that holds the Lease until its input ends."""
    command = (sys.executable, "-c", HOLDER, kubeconfig)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.stdin.close()
        process.wait(30)


@pytest.fixture
def leases(kubeconfig):
    with KubeApi.from_kubeconfig(kubeconfig) as api:
        yield lambda: api.list(LEASES)["items"]


def test_a_second_run_is_refused_with_the_holders_name(kubeconfig, holder):
    with (
        pytest.raises(BusyError, match=rf"another run \(.+, pid {holder.pid}\) is measuring"),
        LeaseLock(kubeconfig, NAMESPACE, "this run"),
    ):
        pass


def test_a_second_run_waits_for_the_first(kubeconfig, holder, leases):
    told = []

    def progress(line):
        told.append(line)
        holder.stdin.close()

    with LeaseLock(kubeconfig, NAMESPACE, "this run", wait_s=60, progress=progress):
        (held,) = leases()
        assert held["spec"]["holderIdentity"].startswith("this run (")
    assert told[0].startswith("waiting for another run (")
    assert leases() == []


def test_a_killed_holders_lease_expires(kubeconfig, holder, leases, monkeypatch):
    (held,) = leases()
    held["spec"]["leaseDurationSeconds"] = 1
    holder.kill()
    holder.wait()
    with KubeApi.from_kubeconfig(kubeconfig) as api:
        api.request("PUT", f"{LEASES}/{lease.NAME}", body=held)
    monkeypatch.setattr(lease, "POLL_S", 0.1)

    with LeaseLock(kubeconfig, NAMESPACE, "this run", wait_s=30):
        assert leases()[0]["spec"]["holderIdentity"].startswith("this run (")


def test_it_is_renewed_while_it_is_held(kubeconfig, leases, monkeypatch):
    monkeypatch.setattr(lease, "RENEW_S", 0.05)
    with LeaseLock(kubeconfig, NAMESPACE, "this run"):
        (first,) = leases()
        while leases()[0]["spec"]["renewTime"] == first["spec"]["renewTime"]:
            pass


def test_a_lease_taken_away_is_told_at_the_end(kubeconfig, leases, monkeypatch):
    monkeypatch.setattr(lease, "RENEW_S", 0.05)
    lock = LeaseLock(kubeconfig, NAMESPACE, "this run").__enter__()
    with KubeApi.from_kubeconfig(kubeconfig) as api:
        while not lock._lost:
            (held,) = leases()
            held["spec"]["holderIdentity"] = "another run"
            with suppress(KubeError):  # it was renewed just then
                api.request("PUT", f"{LEASES}/{lease.NAME}", body=held)
        with pytest.raises(ClusterError, match="taken by another run while this one measured"):
            lock.__exit__(None, None, None)
        assert leases()[0]["spec"]["holderIdentity"] == "another run"
        api.delete(f"{LEASES}/{lease.NAME}")


def test_it_can_be_entered_again(kubeconfig, leases):
    lock = LeaseLock(kubeconfig, NAMESPACE, "this run")
    for _ in range(2):
        with lock:
            assert len(leases()) == 1
        assert leases() == []
