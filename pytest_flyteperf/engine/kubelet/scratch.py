"""Temporary folders: each pod has its own, as each container has its own /tmp."""

from __future__ import annotations

import hashlib
import os
import queue
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_flyteperf.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Container


class Scratch:
    """Folders that TMPDIR names, removed in a thread of its own once their pods ended.

    They lie beneath the system's temporary folder, whose path is short: sockets that tasks make
    there have 107 characters for theirs. The name follows from the logs' folder, so that a kubelet
    finds what its predecessor left.

    Raises:
        ClusterError: the folder belongs to somebody else.
    """

    def __init__(self, logs: Path) -> None:
        mark = hashlib.sha256(str(logs.resolve()).encode()).hexdigest()[:10]
        self._folder = Path(tempfile.gettempdir()) / f"flyteperf-{mark}"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._folder.is_symlink() or self._folder.stat().st_uid != os.getuid():
            raise ClusterError(
                f"kubelet: {self._folder} is not this user's; remove it or set TMPDIR elsewhere"
            )
        self._dropped: queue.SimpleQueue[Path] = queue.SimpleQueue()
        threading.Thread(target=self._remove, name="scratch", daemon=True).start()

    def make(self, uid: str) -> Path:
        """The folder of a pod, made if need be."""
        folder = self._folder / uid
        folder.mkdir(exist_ok=True)
        return folder

    def drop(self, uid: str) -> None:
        """Remove the folder of a pod that ended, soon."""
        self._dropped.put(self._folder / uid)

    def keep_only(self, uids: Container[str]) -> None:
        """Remove what belongs to no pod, soon."""
        for folder in self._folder.iterdir():
            if folder.name not in uids:
                self._dropped.put(folder)

    def close(self, running: Container[str]) -> None:
        """Remove all that is not in use, now."""
        for folder in self._folder.iterdir():
            if folder.name not in running:
                shutil.rmtree(folder, ignore_errors=True)
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _remove(self) -> None:
        while True:
            shutil.rmtree(self._dropped.get(), ignore_errors=True)
