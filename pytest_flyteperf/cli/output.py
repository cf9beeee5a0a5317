"""What commands print: lines for people, JSON for programs, progress on standard error."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_flyteperf.progress import Progress
    from pytest_flyteperf.report.text import Style


def say(lines: Iterable[str]) -> None:
    """Print lines for people."""
    for line in lines:
        print(line)


def say_json(value: object) -> None:
    """Print a value as one line of JSON."""
    import msgspec  # only where it is asked for

    print(msgspec.json.encode(value).decode())


def columns() -> int:
    """How wide the terminal is."""
    return shutil.get_terminal_size().columns


def style() -> Style:
    """Paints where a terminal shows it and nobody said NO_COLOR (https://no-color.org)."""
    from pytest_flyteperf.report.text import Style  # only for those that paint

    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return Style(colour=sys.stdout.isatty() and not plain)


class ProgressLine:
    """A `Progress` on standard error: one line that changes at a terminal, else a line each."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()
        self._last = ""

    def __enter__(self) -> Progress:
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._tty and self._last:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    def _show(self, message: str, /) -> None:
        if message == self._last:
            return
        self._last = message
        if self._tty:
            sys.stderr.write(f"\r\x1b[2K{message[: columns() - 1]}")
        else:
            sys.stderr.write(f"{message}\n")
        sys.stderr.flush()
