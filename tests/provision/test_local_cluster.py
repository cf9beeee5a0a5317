from __future__ import annotations

import os
import signal
import ssl
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import grpc
import msgspec
import pytest

from pytest_flyteperf.engine.build import ensure_engine
from pytest_flyteperf.engine.process import CLUSTER_MARKER
from pytest_flyteperf.engine.procfs import own_processes, variable
from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.kubeapi import Access, KubeApi, KubeError
from pytest_flyteperf.model import Cluster
from pytest_flyteperf.provision import local

pytestmark = pytest.mark.engine

PATIENCE_S = 60.0
UP = """
import sys
from pathlib import Path
import msgspec
from pytest_flyteperf.engine.build import Engine
from pytest_flyteperf.provision import local
engine = msgspec.json.decode(sys.argv[1], type=Engine)
cluster = local.up(engine, Path(sys.argv[2]))
control = local.hold(cluster, "another session")
print(msgspec.json.encode(cluster).decode(), flush=True)
sys.stdin.read()
"""


def until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


def processes(cluster: Cluster) -> list[int]:
    start = f"{cluster.name}."
    marked = ((pid, variable(pid, CLUSTER_MARKER) or "") for pid in own_processes())
    return [pid for pid, marker in marked if marker.startswith(start)]


@pytest.fixture(scope="module")
def engine():
    return ensure_engine()


@pytest.fixture(scope="module")
def shared(engine, tmp_path_factory):
    """A cluster of this module, and the lease on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLYTEPERF_STATE", str(tmp_path_factory.mktemp("state")))
        project = tmp_path_factory.mktemp("project")
        cluster = local.up(engine, project)
        assert local.find(engine, project) == cluster
        with local.hold(cluster, "tests") as control:
            yield cluster, control
            local.down(cluster)


@pytest.fixture
def cluster(shared):
    return shared[0]


@pytest.fixture
def own(engine, tmp_path, monkeypatch):
    """A cluster of one test, which may break it."""
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / "state"))
    cluster = local.up(engine, tmp_path)
    with local.hold(cluster, "test") as control:
        yield cluster, control
    local.down(cluster)


def put(cluster: Cluster, secret: str, key: str, body: bytes) -> int:
    request = botocore.awsrequest.AWSRequest(
        "PUT", f"{cluster.store.endpoint}/{cluster.store.bucket}/{key}", data=body
    )
    identity = botocore.credentials.Credentials(cluster.store.access_key, secret)
    botocore.auth.S3SigV4Auth(identity, "s3", cluster.store.region).add_auth(request)
    prepared = request.prepare()
    call = urllib.request.Request(  # noqa: S310 # loopback
        prepared.url, data=body, headers=dict(prepared.headers), method="PUT"
    )
    try:
        with urllib.request.urlopen(call) as answer:  # noqa: S310 # loopback
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_api_has_the_namespace_and_one_node(cluster):
    with KubeApi.from_kubeconfig(cluster.kubeconfig) as api:
        namespace = api.request("GET", "/api/v1/namespaces/flytesnacks-development")
        nodes = api.list("/api/v1/nodes")["items"]

    assert namespace["status"]["phase"] == "Active"
    assert [node["metadata"]["name"] for node in nodes] == ["flyteperf"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer guess"}])
def test_the_api_is_for_its_user_alone(cluster, headers):
    access = Access.from_kubeconfig(cluster.kubeconfig)
    with KubeApi(Access(server=access.server, ca=access.ca, headers=headers)) as api:
        for path in ("/api/v1/pods", "/version", "/healthz", "/metrics"):
            with pytest.raises(KubeError) as refused:
                api.request("GET", path)
            assert refused.value.status == 401


def test_the_servers_certificate_is_not_the_systems(cluster):
    server = Access.from_kubeconfig(cluster.kubeconfig).server

    with pytest.raises(urllib.error.URLError) as refused:
        urllib.request.urlopen(server, context=ssl.create_default_context())  # noqa: S310
    assert isinstance(refused.value.reason, ssl.SSLCertVerificationError)


def test_the_store_takes_objects_of_its_user_alone(cluster):
    assert put(cluster, cluster.store.secret_key, "a/b", b"blob") == 200
    assert put(cluster, "guess", "a/c", b"blob") == 403

    bucket = Path(cluster.directory) / "data" / "blobs" / cluster.store.bucket
    assert (bucket / "a" / "b").read_bytes() == b"blob"
    assert not (bucket / "a" / "c").exists()


def test_everything_listens_on_loopback_alone(cluster):
    mine = {f"socket:[{inode}]" for pid in processes(cluster) for inode in sockets(pid)}
    listening = [
        fields[1]
        for table in ("tcp", "tcp6")
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text("ascii").splitlines()[1:])
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in mine
    ]
    loopback = {"0100007F", "0000000000000000FFFF00000100007F"}

    assert len(listening) >= 3
    assert {address.partition(":")[0] for address in listening} <= loopback


def sockets(pid: int) -> list[str]:
    links = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
    return [link[8:-1] for link in links if link.startswith("socket:[")]


def test_no_secret_can_be_read_by_others_or_seen_in_a_command(cluster):
    directory = Path(cluster.directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(cluster.kubeconfig).stat().st_mode) == 0o600
    token = (directory / "credentials" / "token").read_text("ascii")
    for pid in processes(cluster):
        command = Path(f"/proc/{pid}/cmdline").read_text("utf-8")
        assert token not in command
        assert cluster.store.secret_key not in command


def test_traces_have_their_port(shared):
    cluster, control = shared
    before = control.status().traces
    with grpc.insecure_channel(cluster.otlp_endpoint.removeprefix("http://")) as channel:
        export = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        channel.unary_unary(export)(b"", timeout=10)

    after = control.status().traces
    assert after.requests == before.requests + 1
    assert (after.endpoint, after.file) == (cluster.otlp_endpoint, cluster.traces)


def test_a_cluster_is_of_one_project(engine, shared, tmp_path):
    cluster, _ = shared

    assert local.running() == (cluster,)
    assert local.find(engine, tmp_path) is None


def test_byte_code_is_no_installation(tmp_path, monkeypatch):
    (tmp_path / "six-1.17.0.dist-info").mkdir()
    monkeypatch.setattr(local.sysconfig, "get_path", lambda _: str(tmp_path))

    def name():
        local._edits.cache_clear()
        return local.cluster_name("tools", tmp_path)

    try:
        before = name()
        (tmp_path / "__pycache__").mkdir()
        assert name() == before
        (tmp_path / "seven-1.0.dist-info").mkdir()
        assert name() != before
    finally:
        local._edits.cache_clear()


def test_sessions_that_start_together_get_one_cluster(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / "state"))
    arguments = (sys.executable, "-c", UP, msgspec.json.encode(engine).decode(), str(tmp_path))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(arguments, **pipes) as one, subprocess.Popen(arguments, **pipes) as two:
        first, second = (
            msgspec.json.decode(session.stdout.readline(), type=Cluster) for session in (one, two)
        )
        assert first == second
        assert local.find(engine, tmp_path) == first
        with local.hold(first, "test") as control:
            leases = control.status().leases
        assert leases == ("another session", "another session", "test")

        one.kill()
        one.wait()
        with local.hold(first, "test"):
            assert local.find(engine, tmp_path) == first
        two.kill()
        until(lambda: not processes(first))
    assert local.find(engine, tmp_path) is None


def test_a_cluster_needs_no_network(engine, tmp_path, monkeypatch):
    loopback = ("sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    alone = ("unshare", "--map-root-user", "--net", *loopback)
    if subprocess.run((*alone, "true"), check=False, capture_output=True).returncode:
        pytest.skip("no network namespace to be had here")
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / "state"))
    command = (sys.executable, "-c", UP, msgspec.json.encode(engine).decode(), str(tmp_path))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen((*alone, *command), **pipes) as session:
        cluster = msgspec.json.decode(session.stdout.readline(), type=Cluster)
        assert session.stdin is not None
        session.stdin.close()
        assert session.wait() == 0
    until(lambda: not processes(cluster))


def test_a_killed_etcd_is_reported_and_the_next_start_is_fresh(engine, own, tmp_path):
    cluster, control = own
    pids = {process.name: process.pid for process in control.status().processes}
    os.kill(pids["etcd"], signal.SIGKILL)

    death = until(control.death)
    assert death.describe().startswith("etcd: killed by SIGKILL")
    assert local.find(engine, tmp_path) is None

    fresh = local.up(engine, tmp_path)
    assert fresh.name == cluster.name
    assert fresh.store.secret_key != cluster.store.secret_key
    with pytest.raises(ClusterError):
        control.status()


def test_a_killed_supervisor_leaves_nothing_running(engine, own, tmp_path):
    cluster, control = own
    os.kill(control.status().pid, signal.SIGKILL)

    assert until(control.death).name == "supervisor"
    until(lambda: not processes(cluster))
    assert local.find(engine, tmp_path) is None
    assert [cluster.name] == [reaped.cluster for reaped in local.reap_dead()]
    assert not Path(cluster.directory).exists()


def test_down_leaves_neither_process_nor_folder(engine, own, tmp_path):
    cluster, _ = own
    local.down(cluster)

    assert processes(cluster) == []
    assert not Path(cluster.directory).exists()
    assert local.find(engine, tmp_path) is None


def test_a_kept_cluster_is_joined_and_stays(engine, own, tmp_path):
    cluster, control = own
    assert local.up(engine, tmp_path, keep=True) == cluster
    assert control.status().keep
    control.close()

    with local.hold(cluster, "later") as later:
        assert later.status().leases == ("later",)


def test_a_kept_cluster_of_older_code_is_replaced(engine, own, tmp_path, monkeypatch):
    cluster, control = own
    control.keep()
    control.close()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "edited"))
    told: list[str] = []
    fresh = local.up(engine, tmp_path, told.append)

    with local.hold(fresh, "test") as lease:
        assert lease.status().keep
        assert "stopping the cluster that was up: it runs older code" in told
        assert processes(cluster) == []
        assert local.running() == (fresh,)
    local.down(fresh)
