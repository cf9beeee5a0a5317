from __future__ import annotations

import os

import pytest

from pytest_flyteperf.engine.kubelet.scratch import Scratch


@pytest.fixture
def folder(tmp_path):
    """Where the folders of pods lie."""
    folder = tmp_path / "pods"
    folder.mkdir()
    return folder


def until_removed(scratch, *folders):
    """The folders that are removed are removed in order: a last one tells that all are."""
    scratch.make("last")
    scratch.drop("last")
    last = scratch.make("probe").parent / "last"
    while last.exists():
        os.sched_yield()
    return [folder.exists() for folder in folders]


def test_a_folder_is_made_once_and_dropped(folder):
    scratch = Scratch(folder)
    own = scratch.make("uid")
    (own / "file").touch()

    assert scratch.make("uid") == own
    scratch.drop("uid")

    assert until_removed(scratch, own) == [False]
    assert own.parent == folder


def test_a_successor_finds_the_same_folders_and_keeps_those_of_living_pods(folder):
    first = Scratch(folder)
    kept, dropped = first.make("kept"), first.make("dropped")
    second = Scratch(folder)
    second.keep_only({"kept"})

    assert until_removed(second, kept, dropped) == [True, False]


def test_only_what_is_in_use_stays_after_an_orderly_end(folder):
    scratch = Scratch(folder)
    scratch.make("ended")
    scratch.make("running")
    scratch.close({"running"})

    assert [path.name for path in folder.iterdir()] == ["running"]
