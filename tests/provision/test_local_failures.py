from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_flyteperf.engine.build import Engine
from pytest_flyteperf.engine.journal import Folder, Journal, Opened
from pytest_flyteperf.engine.process import CLUSTER_MARKER
from pytest_flyteperf.engine.procfs import own_processes, variable
from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.provision import local
from pytest_flyteperf.provision.layout import layout_of
from pytest_flyteperf.provision.programs import has_user_xattrs

GATEWAY = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1].rpartition(":")[2])))
while True:
    connection, _ = listener.accept()
    connection.recv(9999)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
    connection.close()
"""


def left_running(name: str) -> list[int]:
    return [
        pid
        for pid in own_processes()
        if (variable(pid, CLUSTER_MARKER) or "").startswith(f"{name}.")
    ]


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def engine(tmp_path):
    """An engine whose programs wait, but for an API server that is given as a shell script."""

    def program(name: str, script: str) -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
        path.chmod(stat.S_IRWXU)
        return str(path)

    def build(apiserver: str) -> Engine:
        return Engine(
            etcd=program("etcd", "exec sleep 600"),
            kube_apiserver=program("kube-apiserver", apiserver),
            s3_gateway=program("versitygw", f"exec {sys.executable} -S -c '{GATEWAY}' $2"),
            propeller=None,
            admin=None,
            full_flyte=None,
            flyte="v1.16.8",
            tools_digest="0" * 16,
            flyte_digest="1" * 16,
            digest="2" * 16,
            versions={"kube-apiserver": "v1", "versitygw": "v1", "etcd": "v1"},
        )

    return build


def test_a_program_that_dies_ends_the_start_with_its_last_words(state, engine, tmp_path):
    broken = engine("echo starting; echo 'F1122 disk: no space left on device' >&2; exit 3")
    name = local.cluster_name(broken.tools_digest, tmp_path)

    with pytest.raises(ClusterError) as failure:
        local.up(broken, tmp_path)

    log = state / "clusters" / name / "logs" / "kube-apiserver.log"
    said = "kube-apiserver: exited with 3: F1122 disk: no space left on device"
    assert str(failure.value) == f"{said}; see {log}"
    assert log.read_text(encoding="ascii").startswith("starting\n")
    assert left_running(name) == []
    assert local.find(broken, tmp_path) is None
    assert {"logs"} == {path.name for path in log.parents[1].iterdir()}


@pytest.mark.usefixtures("state")
def test_a_port_taken_meanwhile_is_tried_again_and_then_named(engine, tmp_path):
    taken = engine(f"echo try >> {tmp_path / 'tries'}; echo 'bind: address already in use'; exit 1")
    told: list[str] = []

    with pytest.raises(ClusterError, match="kube-apiserver: exited with 1: bind: address already"):
        local.up(taken, tmp_path, told.append)

    assert len((tmp_path / "tries").read_text(encoding="ascii").split()) == 3
    assert told.count("starting the cluster") == 3
    assert left_running(local.cluster_name(taken.tools_digest, tmp_path)) == []


def test_a_full_disk_is_said_before_anything_starts(state, engine, tmp_path, monkeypatch):
    usage = SimpleNamespace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    with pytest.raises(ClusterError) as failure:
        local.up(engine("exec sleep 600"), tmp_path)

    said = "1 MiB free, 512 MiB needed; make room or set FLYTEPERF_STATE"
    assert str(failure.value) == f"{state / 'clusters'}: {said}"
    assert not [path for path in (state / "clusters").iterdir() if path.is_dir()]


def test_a_state_folder_that_cannot_be_made_is_one_clear_line(engine, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / "file"))

    with pytest.raises(ClusterError) as failure:
        local.up(engine("exec sleep 600"), tmp_path)

    said = "Not a directory; make it writable or set FLYTEPERF_STATE"
    assert str(failure.value) == f"{tmp_path / 'file' / 'clusters'}: {said}"


@pytest.mark.usefixtures("state")
def test_an_interrupted_start_leaves_nothing_running(engine, tmp_path):
    waiting = engine("exec sleep 600")
    name = local.cluster_name(waiting.tools_digest, tmp_path)

    def interrupt(message: str) -> None:
        if "ready" in message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local.up(waiting, tmp_path, interrupt)

    assert left_running(name) == []


def test_a_dead_clusters_folder_makes_room_for_the_next(state, engine, tmp_path):
    broken = engine("exit 3")
    dead = state / "clusters" / "local-dead"
    own = state / "clusters" / local.cluster_name(broken.tools_digest, tmp_path)
    for folder in (dead, own):
        folder.mkdir(parents=True)
        (folder / "old").write_bytes(b"")

    with pytest.raises(ClusterError):
        local.up(broken, tmp_path)

    assert not dead.exists()
    assert not (own / "old").exists()


def test_sockets_lie_elsewhere_if_the_path_is_too_long(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / ("deep" * 25)))
    name = local.cluster_name("0" * 16, tmp_path)
    folders: list[Path] = []

    def look(_: str) -> None:
        folders.append(layout_of(local.clusters_dir() / name).run)

    with pytest.raises(ClusterError, match="kube-apiserver: exited with 3"):
        local.up(engine("sleep 2; exit 3"), tmp_path, look)

    outside = folders[-1]
    assert outside.parent.name.startswith("flyteperf-")
    assert not outside.parent.exists()
    assert left_running(name) == []


@pytest.mark.usefixtures("state")
def test_the_name_depends_on_engine_project_and_state(tmp_path, monkeypatch):
    name = local.cluster_name("a", tmp_path)

    assert re.fullmatch(r"local-[0-9a-f]{8}-[0-9a-f]{8}", name)
    assert name == local.cluster_name("a", tmp_path / "." / "x" / "..")
    assert name != local.cluster_name("b", tmp_path)
    assert name != local.cluster_name("a", tmp_path / "checkout")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert name != local.cluster_name("a", tmp_path)
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / "other"))
    assert name != local.cluster_name("a", tmp_path)


def test_missing_extended_attributes_are_noticed(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)

    assert not has_user_xattrs(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("state")
def test_nothing_runs_where_nothing_was_started(engine, tmp_path):
    assert local.find(engine("exit 3"), tmp_path) is None
    assert local.running() == ()
    assert local.reap_dead() == ()


def test_a_folder_outside_is_found_by_the_journal(tmp_path):
    journal = Journal(tmp_path)
    journal.write(Opened(id="local-1.ff"))
    journal.write(Folder(path="/tmp/flyteperf-1"))
    journal.write(Folder(path="/tmp/another"))

    layout = layout_of(tmp_path)
    assert (layout.cluster_id, layout.temporary) == ("local-1.ff", Path("/tmp/flyteperf-1"))
    assert layout.run == tmp_path / "run"
    assert layout_of(tmp_path / ("deep" * 25)).run.name == "run"
