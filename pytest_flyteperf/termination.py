"""The end of a run that is asked for by a signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

TERMINATED = 128 + signal.SIGTERM
"""Exit code of a run that SIGTERM ended, as shells have it."""


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C, so that what was started ends and what is done is kept."""

    def stop(*_: object) -> NoReturn:
        raise pytest.exit.Exception("SIGTERM", returncode=TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
