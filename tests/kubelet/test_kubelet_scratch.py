from __future__ import annotations

import fcntl
import os
import tempfile
import time

import pytest

from pytest_flyteperf.engine.kubelet.scratch import Scratch
from pytest_flyteperf.errors import ClusterError

DAY_S = 24 * 3600


@pytest.fixture
def system(tmp_path, monkeypatch):
    """The system's temporary folder."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def age(folder, seconds):
    then = time.time() - seconds
    os.utime(folder, (then, then))


def until_removed(scratch, *folders):
    """The folders that are removed are removed in order: a last one tells that all are."""
    scratch.make("last")
    scratch.drop("last")
    last = scratch.make("probe").parent / "last"
    while last.exists():
        os.sched_yield()
    return [folder.exists() for folder in folders]


def test_a_folder_is_made_once_and_dropped(system, tmp_path):
    scratch = Scratch(tmp_path)
    folder = scratch.make("uid")
    (folder / "file").touch()

    assert scratch.make("uid") == folder
    scratch.drop("uid")

    assert until_removed(scratch, folder) == [False]
    assert folder.parent.parent == system


@pytest.mark.usefixtures("system")
def test_a_successor_finds_the_same_folders_and_keeps_those_of_living_pods(tmp_path):
    first = Scratch(tmp_path)
    kept, dropped = first.make("kept"), first.make("dropped")
    second = Scratch(tmp_path)
    second.keep_only({"kept"})

    assert until_removed(second, kept, dropped) == [True, False]


def test_nothing_stays_after_an_orderly_end(system, tmp_path):
    scratch = Scratch(tmp_path)
    scratch.make("uid")
    scratch.close(())

    assert list(system.iterdir()) == []


def test_what_killed_kubelets_left_is_removed_after_a_day(system, tmp_path):
    names = ("0123456789", "abcdef0123", "abcdef0124", "forkserver", "00112233445")
    old, fresh, held, other, longer = (system / f"flyteperf-{name}" for name in names)
    for folder in (old, fresh, held, other, longer):
        folder.mkdir()
        age(folder, 2 * DAY_S)
    age(fresh, DAY_S / 2)
    lock = os.open(held, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_SH)
    scratch = Scratch(tmp_path)

    gone = until_removed(scratch, old, fresh, held, other, longer)
    os.close(lock)
    assert gone == [False, True, True, True, True]


@pytest.mark.usefixtures("system")
def test_a_folder_that_is_a_link_is_refused(tmp_path):
    scratch = Scratch(tmp_path)
    folder = scratch.make("uid").parent
    scratch.close(())
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ClusterError, match="is not this user's; remove it or set TMPDIR elsewhere"):
        Scratch(tmp_path)
