"""What a cluster created, written down before it is created, so that a kill loses track of nothing.

`journal.jsonl` in the cluster's folder, a JSON object a line. A process is announced before it is
started (then only its environment marker would find it) and completed once its id is known.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.engine.procfs import start_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator

JOURNAL = "journal.jsonl"


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag_field="what", tag="cluster"):
    """The cluster itself: the first line."""

    id: str
    """Value of `CLUSTER_MARKER` in the environment of all its processes; random per start."""


class Folder(msgspec.Struct, frozen=True, kw_only=True, tag_field="what", tag="folder"):
    """A folder outside of the cluster's own."""

    path: str


class Started(msgspec.Struct, frozen=True, kw_only=True, tag_field="what", tag="process"):
    """A process; announced with neither id nor start."""

    name: str
    pid: int | None = None
    start_ticks: int | None = None
    """As in `procfs.start_ticks`."""


class Undo(msgspec.Struct, frozen=True, kw_only=True, tag_field="what", tag="undo"):
    """A thing outside of this machine's processes and folders, and the command that removes it."""

    thing: str
    """As users know it, e.g. `kind cluster flyteperf-1f2e`."""
    argv: tuple[str, ...]
    """Program, by its path, and arguments; it succeeds where the thing is gone already."""
    env: dict[str, str] = {}
    """Variables over those of whoever runs it."""
    patience_s: float = 120.0
    """Longest that it may take."""


Entry = Opened | Folder | Started | Undo
_DECODER = msgspec.json.Decoder(Entry)


class Journal:
    """The journal of one cluster, open for appending."""

    def __init__(self, directory: str | Path) -> None:
        self._path = Path(directory) / JOURNAL

    def write(self, entry: Entry) -> None:
        """Append a line; durable but for processes, which no power cut survives."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        file = os.open(self._path, flags, 0o600)
        try:
            os.write(file, msgspec.json.encode(entry) + b"\n")
            if not isinstance(entry, Started):
                os.fsync(file)
        finally:
            os.close(file)

    def process(self, name: str, pid: int) -> None:
        """Complete the announcement of a process."""
        self.write(Started(name=name, pid=pid, start_ticks=start_ticks(pid)))


def read(directory: str | Path) -> Iterator[Entry]:
    """Read a journal; a line that a kill or a full disk cut short is passed over."""
    try:
        lines = (Path(directory) / JOURNAL).read_bytes().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return
    for line in lines:
        try:
            yield _DECODER.decode(line)
        except msgspec.DecodeError:
            continue
