"""Temporary folders: each pod has its own, as each container has its own /tmp."""

from __future__ import annotations

import queue
import shutil
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path


class Scratch:
    """Folders that TMPDIR names, removed in a thread of its own once their pods ended.

    They lie in a folder of the cluster's, so a kubelet finds what its predecessor left.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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

    def _remove(self) -> None:
        while True:
            shutil.rmtree(self._dropped.get(), ignore_errors=True)
