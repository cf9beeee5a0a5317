"""Progress on pytest's terminal, beside its own lines and despite its capturing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.capture import CaptureManager

LINE_EVERY_S = 15.0
"""Where lines cannot be replaced (a log, a worker of xdist), at most one in so many seconds."""
_ERASE = "\r\x1b[2K"


class Screen:
    """A `Progress` that shows one line below pytest's and takes it away again."""

    def __init__(self, config: pytest.Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._capture: CaptureManager | None = config.pluginmanager.getplugin("capturemanager")
        self._reporter: pytest.TerminalReporter | None = config.pluginmanager.getplugin(
            "terminalreporter"
        )
        self._clock = clock
        self._shown = False
        self._column = 0
        self._told = float("-inf")

    def __call__(self, message: str, /) -> None:
        """Show a line in place of the last one, or, in a log, now and then below it."""
        line = f"flyteperf: {message}"
        if self._reporter is None:
            self._log(lambda: print(line, file=sys.stderr, flush=True))  # noqa: T201 # no reporter
        elif self._reporter.isatty():
            self._replace(self._reporter, line)
        else:
            self._log(lambda: self._append(line))

    def clear(self) -> None:
        """Take the line away and put the cursor where pytest left it."""
        if not self._shown or self._reporter is None:
            return
        self._shown = False
        right = f"\x1b[{self._column}C" if self._column else ""
        with self._uncaptured():
            self._raw(self._reporter, f"{_ERASE}\x1b[1A{right}")

    def _replace(self, reporter: pytest.TerminalReporter, line: str) -> None:
        room = max(reporter._tw.fullwidth - 1, 10)  # noqa: SLF001 # pytest offers no other way
        with self._uncaptured():
            if not self._shown:
                self._column = reporter._tw.width_of_current_line  # noqa: SLF001 # likewise
                self._raw(reporter, "\n")
                self._shown = True
            self._raw(reporter, _ERASE + line[:room])

    def _append(self, line: str) -> None:
        if self._reporter is not None:
            self._reporter.ensure_newline()
            self._reporter.write_line(line)
            self._reporter.flush()

    def _log(self, write: Callable[[], None]) -> None:
        now = self._clock()
        if now - self._told < LINE_EVERY_S:
            return
        self._told = now
        with self._uncaptured():
            write()

    @staticmethod
    def _raw(reporter: pytest.TerminalReporter, text: str) -> None:
        file = reporter._tw._file  # noqa: SLF001 # the writer counts columns; these are not text
        file.write(text)
        file.flush()

    @contextmanager
    def _uncaptured(self) -> Iterator[None]:
        if self._capture is None:
            yield
            return
        with self._capture.global_and_fixture_disabled():
            yield
