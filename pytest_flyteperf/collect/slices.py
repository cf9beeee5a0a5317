"""What was appended to a file between two moments: logs by bytes, traces by whole records."""

from __future__ import annotations

import os
import struct
from pathlib import Path

RECORD_HEAD = struct.Struct(">dI")
"""A record of received traces: Unix seconds of receipt, length of the request that follows."""


class LogSlice:
    """A log file from the moment this is made."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._start = size(self._path)

    def read(self) -> bytes:
        """Return what was appended so far; all of it if the file was begun anew."""
        try:
            with self._path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(self._start if end >= self._start else 0)
                return file.read()
        except FileNotFoundError:
            return b""


class TraceFile:
    """The growing file of received traces; knows where its last whole record ends."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._end = 0

    def end(self) -> int:
        """Offset behind the last whole record, found by walking the heads of new records."""
        limit = size(self._path)
        if limit < self._end:
            self._end = 0
        if limit - self._end < RECORD_HEAD.size:
            return self._end
        with self._path.open("rb") as file:
            while limit - self._end >= RECORD_HEAD.size:
                file.seek(self._end)
                _, length = RECORD_HEAD.unpack(file.read(RECORD_HEAD.size))
                following = self._end + RECORD_HEAD.size + length
                if following > limit:
                    break
                self._end = following
        return self._end

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes between two offsets that `end` gave."""
        if end <= start:
            return b""
        with self._path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)


def records(data: bytes) -> list[tuple[float, bytes]]:
    """Split whole records into receipt time (Unix seconds) and request."""
    found = []
    offset = 0
    while offset < len(data):
        received, length = RECORD_HEAD.unpack_from(data, offset)
        offset += RECORD_HEAD.size
        found.append((received, data[offset : offset + length]))
        offset += length
    return found


def size(path: Path) -> int:
    """Bytes of a file; 0 for one that is not there yet, as it then holds nothing."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
