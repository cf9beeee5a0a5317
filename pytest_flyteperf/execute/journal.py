"""Which executions were started and not yet cleaned up, on disk, so that a later run can.

Lines of one file: `+name` before an execution is created, `-name` after it has been discarded.
Appended lines of this length are whole or absent; only executions written here are ever touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

FILE = "executions"


class ExecutionJournal:
    """The executions of one cluster that this tool created and has not discarded."""

    def __init__(self, directory: str | Path) -> None:
        self._path = Path(directory, FILE)

    def started(self, name: str) -> None:
        """Write down that an execution is about to be created."""
        self._append(f"+{name}\n")

    def discarded(self, names: Iterable[str]) -> None:
        """Write down that nothing of these executions is left."""
        self._append("".join(f"-{name}\n" for name in names))

    def open(self) -> tuple[str, ...]:
        """Names that were started and not discarded, oldest first."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return ()
        names: dict[str, None] = {}
        for line in lines:
            if line.startswith("+"):
                names[line[1:]] = None
            elif line.startswith("-"):
                names.pop(line[1:], None)
        return tuple(names)

    def clear(self) -> None:
        """Forget all; for when nothing is open, so that the file does not grow for ever."""
        self._path.unlink(missing_ok=True)

    def _append(self, text: str) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
