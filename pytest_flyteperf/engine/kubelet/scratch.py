"""Temporary folders: each pod has its own, as each container has its own /tmp."""

from __future__ import annotations

import fcntl
import hashlib
import os
import queue
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_flyteperf.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Container

_MARK = 10
_ABANDONED_S = 24 * 3600
"""After a kubelet was killed its tasks may go on, but not for so long without a new pod."""


class Scratch:
    """Folders that TMPDIR names, removed in a thread of its own once their pods ended.

    They lie beneath the system's temporary folder, whose path is short: sockets that tasks make
    there have 107 characters for theirs. The name follows from the logs' folder, so that a kubelet
    finds what its predecessor left.

    Raises:
        ClusterError: the folder belongs to somebody else.
    """

    def __init__(self, logs: Path) -> None:
        mark = hashlib.sha256(str(logs.resolve()).encode()).hexdigest()[:_MARK]
        self._folder = Path(tempfile.gettempdir()) / f"flyteperf-{mark}"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._folder.is_symlink() or self._folder.stat().st_uid != os.getuid():
            raise ClusterError(
                f"kubelet: {self._folder} is not this user's; remove it or set TMPDIR elsewhere"
            )
        # Held for life, and let go of by the kernel however this process ends.
        self._lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_SH)
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
        os.close(self._lock)

    def _remove(self) -> None:
        for folder in self._folder.parent.glob("flyteperf-" + "[0-9a-f]" * _MARK):
            if folder != self._folder and _abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)
        while True:
            shutil.rmtree(self._dropped.get(), ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    """Whether a folder is ours, no kubelet holds it, and nothing was put there for a day."""
    try:
        about = folder.lstat()
        if about.st_uid != os.getuid() or time.time() - about.st_mtime < _ABANDONED_S:
            return False
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(number)
    return True
