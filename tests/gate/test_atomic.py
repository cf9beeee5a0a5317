"""A file is whole or as it was, and an error names it."""

import os

import pytest

from pytest_flyteperf.gate import atomic


def test_a_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "new" / "file"
    atomic.write_text(path, "first")
    atomic.write_text(path, "second")

    assert path.read_text() == "second"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_one_and_is_named(tmp_path, monkeypatch):
    path = tmp_path / "file"
    atomic.write_text(path, "first")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        atomic.write_text(path, "second")

    assert caught.value.filename == str(path)
    assert path.read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
