"""One repeat at a time on a machine: whoever measures holds this lock.

The lock is of the operating system and ends with its holder, however that ends.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from pytest_flyteperf.errors import BusyError
from pytest_flyteperf.paths import state_dir
from pytest_flyteperf.progress import Beat, Progress, silent

SLICE_S = 2.0
"""How long one wait for the lock lasts before the user hears of it."""


class MachineLock:
    """The machine's lock, entered for a repeat or a block of repeats, again and again.

    Args:
        who: what is measured; shown to whoever is refused or waits.
        wait_s: how long to wait for another holder before giving up.
        progress: hears of waits longer than two seconds.
        folder: where the lock lies; the user's state folder unless given.
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
        self._folder = folder or state_dir()
        self._lock = FileLock(self._folder / "measuring.lock")
        self._holder = self._folder / "measuring.holder"

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            BusyError: somebody else holds it, and did so all the time that was to be waited.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + self._wait_s
        beat: Beat | None = None
        while True:
            left = max(0.0, deadline - time.monotonic())
            try:
                self._lock.acquire(timeout=min(SLICE_S, left))
            except Timeout:
                holder = self._read_holder()
                if left <= 0:
                    raise BusyError(
                        f"{holder} is measuring on this machine; wait for it to end, or give "
                        "--flyteperf-wait a number of seconds"
                    ) from None
                beat = beat or Beat(self._progress, f"waiting for {holder} to end its repeat")
                beat.tick()
                continue
            self._holder.write_text(f"{self._who} (pid {os.getpid()})", encoding="utf-8")
            return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the lock back."""
        self._holder.unlink(missing_ok=True)
        self._lock.release()

    def _read_holder(self) -> str:
        try:
            return self._holder.read_text(encoding="utf-8") or "another run"
        except FileNotFoundError:
            return "another run"
