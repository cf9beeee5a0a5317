"""kind, helm and docker as they fail: programs on PATH and a daemon that behave like them."""

from __future__ import annotations

import gc
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from docker.errors import DockerException

from pytest_flyteperf.engine.process import CLUSTER_MARKER
from pytest_flyteperf.engine.procfs import own_processes, variable
from pytest_flyteperf.engine.reap import reap_cluster
from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.model import Cluster, ObjectStore
from pytest_flyteperf.provision import kind, requirements, supervised
from pytest_flyteperf.provision.owner import create
from tests.doubles.docker import GIB, FakeDocker

WISH = kind.Wish(store_image="versity/versitygw:v1.8.0")
CLUSTER = Cluster(
    kind="kind",
    name="flyteperf-1",
    directory="",
    kubeconfig="/nowhere",
    store=ObjectStore(endpoint="", access_key="", secret_key="", bucket=""),
    distribution="kind",
    blob_store="versitygw",
)
KIND = """
import json, os, sys, time
log, behaviour = sys.argv[1:3]
arguments = sys.argv[3:]
with open(log, "a") as file:
    file.write(json.dumps(arguments) + "\\n")
if arguments == ["version"]:
    print("kind v0.33.0 go1.26 linux/amd64")
elif arguments[0] == "create":
    print("Creating cluster ...", file=sys.stderr, flush=True)
    if behaviour == "hangs":
        time.sleep(600)
    if behaviour in ("fails", "undeletable"):
        sys.exit("ERROR: failed to create cluster: port is already allocated\\n\\nStack Trace:")
    if behaviour == "half":
        path = arguments[arguments.index("--kubeconfig") + 1]
        open(path, "w").write('{"half": "a kubecon')
elif arguments[0] == "load" and behaviour == "full":
    sys.exit("ERROR: failed to load image: no space left on device")
elif arguments[0] == "delete" and behaviour == "undeletable":
    sys.exit("ERROR: failed to delete cluster: permission denied")
"""


class Tools:
    """A folder of programs on PATH."""

    def __init__(self, folder: Path):
        self.folder = folder / "bin"
        self.folder.mkdir()
        self.log = folder / "kind.log"
        self.program("docker", "exit 0")
        self.program("helm", "echo v3.22.0+g123")
        self.kind("works")

    def program(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(stat.S_IRWXU)

    def kind(self, behaviour: str) -> None:
        code = self.folder / "kind.py"
        code.write_text(KIND)
        self.program("kind", f'exec {sys.executable} -S {code} {self.log} {behaviour} "$@"')

    def calls(self) -> list[list[str]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]

    def created(self) -> list[str]:
        return [c[c.index("--name") + 1] for c in self.calls() if c[0] == "create"]

    def deleted(self) -> list[str]:
        return [c[c.index("--name") + 1] for c in self.calls() if c[0] == "delete"]


@pytest.fixture
def daemon(tmp_path, monkeypatch):
    with FakeDocker(tmp_path) as daemon:
        monkeypatch.setenv("DOCKER_HOST", daemon.host)
        yield daemon


@pytest.fixture
def tools(tmp_path, monkeypatch, daemon):
    assert daemon.host == os.environ["DOCKER_HOST"]
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / "state"))
    tools = Tools(tmp_path)
    monkeypatch.setenv("PATH", str(tools.folder))
    return tools


def refusal(tmp_path: Path) -> str:
    """What is said, in one line, when a cluster is asked for; nothing of it may be left."""
    with pytest.raises(ClusterError) as refused:
        kind.up(WISH, tmp_path)
    assert [p for p in supervised.clusters_dir().iterdir() if p.is_dir()] == []
    mine = f"{kind.cluster_name(WISH, tmp_path)}."
    assert not [p for p in own_processes() if (variable(p, CLUSTER_MARKER) or "").startswith(mine)]
    said = str(refused.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize("name", ["kind", "docker", "helm"])
def test_a_missing_program_is_named(tools, tmp_path, name):
    (tools.folder / name).unlink()

    assert refusal(tmp_path).startswith(f"{name}: not on PATH; install it")
    assert tools.created() == []


@pytest.mark.parametrize(
    ("name", "says", "least"), [("kind", "kind v0.9.0", "0.20"), ("helm", "v2.17.0+g1", "3.8")]
)
def test_a_program_that_is_too_old_is_refused(tools, tmp_path, name, says, least):
    tools.program(name, f"echo {says}")

    assert f"is older than {least}; upgrade it" in refusal(tmp_path)
    assert tools.created() == []


def test_a_program_that_tells_no_version_is_refused(tools, tmp_path):
    tools.program("kind", "echo none")
    assert refusal(tmp_path).endswith("does not tell its version; version 0.20 is needed")

    tools.program("kind", "exit 1")
    assert "does not tell its version" in refusal(tmp_path)

    (tools.folder / "kind").write_text("\x7fELF of another machine")
    assert refusal(tmp_path).endswith("reinstall it")


def test_a_program_that_does_not_answer_is_refused(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(requirements, "ANSWER_S", 0.1)
    tools.program("kind", "while :; do :; done")

    assert "kind: does not tell its version" in refusal(tmp_path)


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket")
def test_a_daemon_that_does_not_run_is_said(tools, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert tools.created() == []

    said = refusal(tmp_path)
    assert said.startswith(
        f"docker: the daemon on unix://{tmp_path}/none.sock does not do its work"
    )
    assert said.endswith("is it running?")
    gc.collect()  # the docker package leaves a socket that could not connect


def test_a_daemon_that_does_not_answer_is_said(tools, daemon, tmp_path, monkeypatch):
    monkeypatch.setattr("pytest_flyteperf.provision.daemon.ANSWER_S", 0.1)
    daemon.delay_s = 0.5

    assert "does not do its work (" in refusal(tmp_path)
    assert "timed out" in refusal(tmp_path)
    assert tools.created() == []


@pytest.mark.parametrize("text", ['{"half": ', "[]", ""])
def test_a_daemon_that_talks_nonsense_is_said(tools, daemon, tmp_path, text):
    daemon.broken["info"] = text

    assert refusal(tmp_path).startswith("docker: the daemon ")
    assert tools.created() == []


def test_a_daemon_that_one_may_not_use_is_said(tools, tmp_path, monkeypatch):
    # Root may use every socket: the package's own words for who may not.
    words = "('Connection aborted.', PermissionError(13, 'Permission denied'))"

    def refuse(**_):
        raise DockerException(f"Error while fetching server API version: {words}")

    monkeypatch.setattr("docker.from_env", refuse)

    assert refusal(tmp_path).endswith("join the group docker, or run as one who may")
    assert tools.created() == []


def test_too_small_a_disk_is_refused(tools, tmp_path, monkeypatch):
    usage = shutil._ntuple_diskusage(100 * GIB, 99 * GIB, 1 * GIB)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)

    assert "1.0 GiB free, a kind cluster needs 4; make room" in refusal(tmp_path)
    assert tools.created() == []


@pytest.mark.parametrize(
    ("info", "says"),
    [
        ({"ServerVersion": "19.3.1"}, "docker: version 19.3.1 is older than 20.10; upgrade it"),
        ({"MemTotal": 2 * GIB}, "docker: has 2.0 GiB of memory"),
        ({"MemTotal": None}, "not what it is; upgrade it"),
    ],
)
def test_a_daemon_that_cannot_carry_a_cluster_is_refused(tools, daemon, tmp_path, info, says):
    daemon.info |= info

    assert says in refusal(tmp_path)
    assert tools.created() == []


def test_a_cluster_that_cannot_be_created_is_deleted_and_kinds_error_told(tools, tmp_path):
    tools.kind("fails")

    said = refusal(tmp_path)
    assert "kind create: ERROR: failed to create cluster: port is alre" in said
    assert tools.deleted() == tools.created() != []


def test_a_cluster_that_cannot_be_deleted_stays_in_the_journal(tools, tmp_path):
    tools.kind("undeletable")

    with pytest.raises(ClusterError) as refused:
        kind.up(WISH, tmp_path)
    (name,) = tools.created()
    assert str(refused.value).startswith("kind create: ERROR: failed to create cluster: port is")
    assert f"kind cluster {name}: not removed: ERROR: failed to delete" in str(refused.value)

    tools.kind("works")
    (reaped,) = supervised.reap_dead()
    assert reaped.things == (f"kind cluster {name}",)
    assert supervised.reap_dead() == ()


def test_a_cluster_that_takes_too_long_is_deleted(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(kind, "CREATE_S", 1.0)
    tools.kind("hangs")

    assert "kind create: took longer than 1 s" in refusal(tmp_path)
    assert tools.deleted() == tools.created() != []


def test_a_cluster_without_a_network_is_deleted(tools, tmp_path):
    assert "docker: network kind has no IPv4 gateway" in refusal(tmp_path)
    assert tools.deleted() == tools.created() != []


@pytest.mark.parametrize("text", ["{", "[{}]", '[{"Name": "kind", "IPAM": null}]'])
def test_a_daemon_that_breaks_meanwhile_leaves_no_cluster(tools, daemon, tmp_path, text):
    daemon.broken["networks"] = text

    assert refusal(tmp_path).startswith("docker: ")
    assert tools.deleted() == tools.created() != []


def test_an_image_that_does_not_fit_is_told(tools, daemon, tmp_path):
    layout = create(tmp_path / "cluster")
    cluster = msgspec.structs.replace(CLUSTER, directory=str(layout.directory))
    daemon.images["flyte:mine"] = {"Id": "sha256:1"}
    tools.kind("full")

    with pytest.raises(ClusterError, match=r"^kind load: ERROR: .* no space left on device$"):
        kind.load(cluster, ["flyte:mine", "postgres:15"])
    (loaded,) = (call for call in tools.calls() if call[0] == "load")
    assert loaded[-1] == "flyte:mine"  # the node pulls the other one
    reap_cluster(layout.directory)


def test_an_image_is_loaded_anew_only_where_its_content_is_another(tools, daemon, tmp_path):
    layout = create(tmp_path / "cluster")
    cluster = msgspec.structs.replace(CLUSTER, directory=str(layout.directory))
    for content in ("sha256:1", "sha256:1", "sha256:2"):
        daemon.images["flyte:mine"] = {"Id": content}
        kind.load(cluster, ["flyte:mine"])

    assert len([call for call in tools.calls() if call[0] == "load"]) == 2
    reap_cluster(layout.directory)


def test_a_half_made_cluster_is_deleted(tools, daemon, tmp_path):
    daemon.networks["kind"] = {"IPAM": {"Config": [{"Gateway": "127.0.0.1"}]}}
    tools.kind("half")

    assert "not a usable kubeconfig" in refusal(tmp_path)
    assert tools.deleted() == tools.created() != []


def test_a_killed_start_is_found_by_its_journal(tools, tmp_path):
    tools.kind("hangs")
    code = "import sys; from pathlib import Path; from pytest_flyteperf.provision import kind; "
    code += f"kind.up(kind.Wish(store_image='s:1'), Path({str(tmp_path)!r}))"
    with subprocess.Popen([sys.executable, "-c", code], env=os.environ) as session:
        while not tools.created() and session.poll() is None:
            pass
        session.kill()
    (reaped,) = supervised.reap_dead()

    assert [f"kind cluster {name}" for name in tools.created()] == list(reaped.things)
    assert tools.deleted() == tools.created() != []
    assert not Path(reaped.folders[-1]).exists()
    assert supervised.reap_dead() == ()
