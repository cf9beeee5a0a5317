"""Flytekit's own timers in a task's process, left beside its log for whoever records it.

`flytekit.core.utils.timeit` times the loading of the task, downloads, conversions, the user's code
and uploads for a deck. The same ends are noted here; the task and its code are not touched.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import msgspec
from flytekit.core.utils import timeit

from pytest_flyteperf.engine.forkserver import protocol

MOST = 1000
"""Steps that are kept; a task may load a file in each turn of a loop."""


class Watch:
    """Notes the timers that end in this process from now on."""

    def __init__(self, started_ns: int) -> None:
        self._pid = os.getpid()
        self._started_ns = started_ns
        self._ended: list[protocol.Step] = []
        ended, leave = self._ended, timeit.__exit__

        def note(timer: Any, *error: object) -> None:  # noqa: ANN401 - flytekit has no types
            if len(ended) < MOST:
                start_ns = round(timer.start_time.timestamp() * 1e6) * 1000
                ended.append(protocol.Step(timer._name, start_ns, time.time_ns()))  # noqa: SLF001 - it tells no other way
            leave(timer, *error)

        timeit.__exit__ = note

    def leave(self, log: str) -> None:
        """Write them beside a log, for the process that began alone, not for one that it forked.

        If they cannot be written the recording misses them; the task does not.
        """
        if os.getpid() != self._pid:
            return
        told = protocol.Steps(self._started_ns, time.time_ns(), self._ended)
        with contextlib.suppress(OSError):
            Path(log).with_suffix(protocol.STEPS).write_bytes(msgspec.json.encode(told))
