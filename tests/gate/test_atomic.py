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


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_is_as_open_as_others_that_the_process_makes(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        atomic.write_text(tmp_path / "a" / "b" / "file", "é → 1")
    finally:
        os.umask(before)

    assert (tmp_path / "a" / "b" / "file").stat().st_mode & 0o777 == mode
    assert (tmp_path / "a" / "b" / "file").read_bytes() == "é → 1".encode()


def test_a_file_takes_its_place_within_its_folder(tmp_path, monkeypatch):
    """A rename from another folder may be one between file systems: it would not be at once."""
    seen = []
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda path, target: seen.append((path, target)), raising=True
    )

    atomic.write_text(tmp_path / "file", "text")

    ((temporary, target),) = seen
    assert temporary.parent == target.parent == tmp_path
    assert temporary.name.startswith(".file.")
