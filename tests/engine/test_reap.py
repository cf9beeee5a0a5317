from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from pytest_flyteperf.engine.journal import JOURNAL, Folder, Journal, Opened, Started, read
from pytest_flyteperf.engine.process import CLUSTER_MARKER, PROCESS_MARKER
from pytest_flyteperf.engine.procfs import start_ticks
from pytest_flyteperf.engine.reap import reap, start_lock, supervisor_pid

WAITER = "import sys; print('up', flush=True); sys.stdin.read()"


@contextmanager
def process(marker: str | None, name: str = "worker"):
    """A process that carries a cluster's marker, or none."""
    env = os.environ | ({} if marker is None else {CLUSTER_MARKER: marker, PROCESS_MARKER: name})
    command = (sys.executable, "-S", "-c", WAITER)
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as started:
        assert started.stdout.readline() == b"up\n"
        yield started
        started.kill()


@pytest.fixture
def cluster(tmp_path):
    """The folder of a cluster that was opened and whose supervisor is not there."""
    directory = tmp_path / "clusters" / "local-1"
    directory.mkdir(parents=True)
    Journal(directory).write(Opened(id="local-1.ff"))
    return directory


def test_a_journaled_process_is_ended_and_the_folder_removed(cluster):
    with process("local-1.ff") as worker:
        Journal(cluster).process("etcd", worker.pid)
        (reaped,) = reap(cluster.parent)

        assert worker.wait(10) == -9
    assert (reaped.cluster, reaped.folders) == ("local-1", (str(cluster),))
    assert reaped.processes == (f"etcd (pid {worker.pid})",)
    assert not cluster.exists()


def test_a_process_that_was_only_announced_is_found_by_its_marker(cluster):
    Journal(cluster).write(Started(name="etcd"))
    with process("local-1.ff", "etcd") as worker:
        (reaped,) = reap(cluster.parent)

        assert worker.wait(10) == -9
    assert reaped.processes == (f"etcd (pid {worker.pid})",)


def test_another_process_with_a_journaled_id_is_left_alone(cluster):
    with process(None) as stranger:
        Journal(cluster).process("etcd", stranger.pid)
        (reaped,) = reap(cluster.parent)

        assert stranger.poll() is None
    assert reaped.processes == ()


def test_a_later_process_of_the_same_id_is_left_alone(cluster):
    with process("local-1.00") as later:
        ticks = start_ticks(later.pid)
        Journal(cluster).write(Started(name="etcd", pid=later.pid, start_ticks=ticks - 1))
        (reaped,) = reap(cluster.parent)

        assert later.poll() is None
    assert reaped.processes == ()


def test_the_processes_of_another_cluster_of_that_name_are_left_alone(cluster):
    with process("local-1.00") as other:
        assert reap(cluster.parent)[0].processes == ()
        assert other.poll() is None


def test_a_live_cluster_is_left_alone(cluster):
    with process("local-1.ff", "supervisor") as supervisor, process("local-1.ff") as worker:
        Journal(cluster).process("supervisor", supervisor.pid)
        assert reap(cluster.parent) == ()

        assert supervisor_pid(cluster) == supervisor.pid
        assert worker.poll() is None
    assert cluster.exists()


def test_a_cluster_that_is_being_started_is_left_alone(cluster):
    with start_lock(cluster), process("local-1.ff") as worker:
        assert reap(cluster.parent) == ()
        assert worker.poll() is None
    assert cluster.exists()


def test_a_folder_outside_is_removed_with_its_cluster(cluster, tmp_path):
    outside, other = tmp_path / "flyteperf-run-1", tmp_path / "other"
    for folder in (outside, other):
        folder.mkdir()
    Journal(cluster).write(Folder(path=str(outside)))

    (reaped,) = reap(cluster.parent)

    assert reaped.folders == (str(outside), str(cluster))
    assert not outside.exists()
    assert other.exists()


def test_a_link_is_not_followed(cluster, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (cluster.parent / "link").symlink_to(precious)
    (cluster / "link").symlink_to(precious)

    reap(cluster.parent)

    assert precious.exists()


def test_a_folder_without_a_journal_is_removed(tmp_path):
    (tmp_path / "old" / "logs").mkdir(parents=True)

    (reaped,) = reap(tmp_path)

    assert (reaped.cluster, reaped.processes) == ("old", ())
    assert not (tmp_path / "old").exists()


def test_nothing_is_there_to_reap(tmp_path):
    assert reap(tmp_path / "clusters") == ()


@pytest.mark.parametrize("rest", [b"", b'{"what":"process","na', b"\xff\x00\n", b'{"what":"x"}\n'])
def test_a_journal_cut_short_is_read_up_to_there(cluster, rest):
    Journal(cluster).write(Started(name="etcd", pid=1, start_ticks=2))
    with (cluster / JOURNAL).open("ab") as file:
        file.write(rest)

    assert list(read(cluster)) == [
        Opened(id="local-1.ff"),
        Started(name="etcd", pid=1, start_ticks=2),
    ]


def test_only_the_user_reads_the_journal(cluster):
    assert (cluster / JOURNAL).stat().st_mode & 0o077 == 0
