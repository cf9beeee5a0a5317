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
    """Let SIGTERM unwind like Ctrl-C, so that what was started ends and what is done is kept.

    And let Ctrl-C end the run: flytekit, once it is imported, has it raise SystemExit, which fails
    the test that runs and lets the next one start.
    """

    def stop(*_: object) -> NoReturn:
        raise pytest.exit.Exception("SIGTERM", returncode=TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {signal.SIGTERM: stop, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
