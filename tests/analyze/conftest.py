"""Recordings of real Flyte, and folders that stand in for them."""

import gzip
import shutil
from pathlib import Path

import pytest

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"


@pytest.fixture(scope="session")
def recordings():
    """The folder of recordings; see its README."""
    return RECORDINGS


@pytest.fixture
def copied(tmp_path):
    """Copies a recording, so that a test may damage it."""

    def copy(name):
        folder = tmp_path / name.replace("/", "-")
        shutil.copytree(RECORDINGS / name, folder)
        return folder

    return copy


@pytest.fixture
def unpacked(copied):
    """Copies a recording with every file unpacked."""

    def unpack(name):
        folder = copied(name)
        for packed in folder.rglob("*.gz"):
            packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
            packed.unlink()
        return folder

    return unpack
