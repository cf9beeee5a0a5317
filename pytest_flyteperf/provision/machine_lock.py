"""One repeat at a time on a machine: whoever measures holds this lock, whichever user it is.

Two files are locked in turn. Who wants to measure first queues at the entrance and keeps it until
the machine is free, so that a run that goes from repeat to repeat stands behind one that waits.
Both locks are of the operating system and end with their holder, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from pytest_flyteperf.errors import BusyError, ClusterError
from pytest_flyteperf.paths import lock_dir
from pytest_flyteperf.progress import Beat, Progress, silent

PREFIX = "pytest-flyteperf"
SLICE_S = 2.0
"""How long a wait lasts before the user hears of it."""
_NAME_BYTES = 200


class MachineLock:
    """The machine's lock, entered for a repeat or a block of repeats, again and again.

    Args:
        who: what is measured; shown to whoever is refused or waits.
        wait_s: how long to wait for another holder before giving up.
        progress: hears of waits longer than two seconds.
        folder: where the lock lies; that of the machine unless given.
    """

    def __init__(
        self,
        who: str,
        *,
        wait_s: float = 0.0,
        progress: Progress = silent,
        folder: Path | None = None,
    ) -> None:
        self._who = who
        self._wait_s = wait_s
        self._progress = progress
        self._folder = folder or lock_dir()
        self._turn: _Turn | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            BusyError: somebody else holds it, and did so all the time that was to be waited.
            ClusterError: the lock cannot be opened.
        """
        try:
            turn = _Turn(self._folder)
        except OSError as error:
            raise ClusterError(
                f"{error.filename or self._folder}: {error.strerror}; "
                "set FLYTEPERF_LOCK to a folder that all who measure here can write"
            ) from error
        try:
            self._await(turn)
        except BaseException:
            turn.end()
            raise
        turn.sign(f"{self._who} (pid {os.getpid()})")
        self._turn = turn
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the lock back."""
        if self._turn is not None:
            self._turn.end()
            self._turn = None

    def _await(self, turn: _Turn) -> None:
        if turn.at_once():
            return
        deadline = time.monotonic() + self._wait_s
        if self._wait_s > 0:
            turn.queue()
        beat: Beat | None = None
        while not turn.came(min(SLICE_S, max(0.0, deadline - time.monotonic()))):
            holder = turn.holder()
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"{holder} is measuring on this machine; wait for it to end, or give "
                    "--flyteperf-wait a number of seconds"
                )
            beat = beat or Beat(self._progress, f"waiting for {holder} to end its repeat")
            beat.tick()


class _Turn:
    """One wait for the machine, and its use."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._entrance = _open(folder / f"{PREFIX}.entrance.lock")
        try:
            self._measuring = _open(folder / f"{PREFIX}.measuring.lock")
        except OSError:
            os.close(self._entrance)
            raise
        self._came = threading.Event()
        self._changing = threading.Lock()
        self._queueing = False
        self._ended = False

    def at_once(self) -> bool:
        """Take the machine if it is free and nobody waits for it."""
        if not _taken(self._entrance):
            return False
        if _taken(self._measuring):
            self._came.set()
        fcntl.flock(self._entrance, fcntl.LOCK_UN)
        return self._came.is_set()

    def queue(self) -> None:
        """Wait in a thread: only a wait without end has a place in the kernel's queue."""
        self._queueing = True
        threading.Thread(target=self._wait, name="machine lock", daemon=True).start()

    def came(self, seconds: float) -> bool:
        """Wait some time for the turn; tell whether it came."""
        return self._came.wait(seconds)

    def sign(self, who: str) -> None:
        """Tell others who measures; a file of another user may refuse it."""
        with suppress(OSError):
            os.ftruncate(self._measuring, 0)
            os.pwrite(self._measuring, who.encode(), 0)

    def holder(self) -> str:
        """Who measures, as far as they told."""
        said = os.pread(self._measuring, _NAME_BYTES, 0).decode(errors="replace")
        return "".join(c if c.isprintable() else "?" for c in said) or "another run"

    def end(self) -> None:
        """Let the next one in; a wait that still goes on ends when its turn comes."""
        with self._changing:
            self._ended = True
            if self._queueing:
                return
            if self._came.is_set():
                self.sign("")
            self._close()

    def _wait(self) -> None:
        fcntl.flock(self._entrance, fcntl.LOCK_EX)
        if not self._ended:
            fcntl.flock(self._measuring, fcntl.LOCK_EX)
        with self._changing:
            self._queueing = False
            if self._ended:
                self._close()
                return
            fcntl.flock(self._entrance, fcntl.LOCK_UN)
            self._came.set()

    def _close(self) -> None:
        for file in (self._measuring, self._entrance):
            # A process that was forked meanwhile has the file too.
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)


def _open(path: Path) -> int:
    """Open a lock that every user of the machine may take; reading is enough for that."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    for _ in range(2):
        with suppress(FileNotFoundError):
            try:
                return os.open(path, os.O_RDWR | flags)
            except PermissionError:
                return os.open(path, os.O_RDONLY | flags)
        # Not O_CREAT alone: in a sticky folder the kernel refuses that for another user's file.
        with suppress(FileExistsError):
            made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o666)
            os.fchmod(made, 0o666)
            return made
    return os.open(path, os.O_RDWR | flags)


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
