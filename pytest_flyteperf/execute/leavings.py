"""flytekit leaves two folders in the system's temporary folder: they end with whoever made them."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_flyteperf.engine.journal import Folder, Journal

_MADE = (
    ("flytekit.configuration", "Config", "local_sandbox_path"),
    ("flytekit.core.data_persistence", "flyte_tmp_dir"),
)
"""Module and attributes that name a folder made when the module was imported."""


@contextmanager
def removed_with(directory: str) -> Iterator[None]:
    """Remove flytekit's folders at the end, or, if this process is killed, with a cluster.

    Args:
        directory: the cluster's folder, whose journal names what ends with it.
    """
    journal = Journal(directory)
    for folder in leavings():
        journal.write(Folder(path=str(folder)))
    try:
        yield
    finally:
        for folder in leavings():
            shutil.rmtree(folder, ignore_errors=True)


def leavings() -> tuple[Path, ...]:
    """The folders that flytekit has made in this process; none if it is not imported."""
    found = []
    for module, *attributes in _MADE:
        value: object = sys.modules.get(module)
        for attribute in attributes:
            value = getattr(value, attribute, None)
        if isinstance(value, str):
            found.append(Path(value))
    system = Path(tempfile.gettempdir())
    return tuple(f for f in found if f.parent == system and f.name.startswith("flyte"))
