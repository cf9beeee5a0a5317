"""The folder of one recording: written beside its place, then moved there, whole or absent."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from pytest_flyteperf.collect.admin import Harvest, files
from pytest_flyteperf.collect.watching import Received
from pytest_flyteperf.errors import RecordingError

PACK_LEVEL = 1
"""gzip's fastest level: half a recording is metrics text, and the next repeat waits."""
PLAIN = frozenset({"execution.json", "recording.json"})
"""Files that the layout keeps readable."""


class RecordingFolder:
    """A recording being written; it appears under its name when the `with` block ends well."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._work = Path(
                tempfile.mkdtemp(prefix=f".{self._folder.name}-", dir=self._folder.parent)
            )
        except OSError as error:
            raise _unwritable(self._folder, error) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            shutil.rmtree(self._work, ignore_errors=True)
            return
        try:
            self._work.chmod(0o777 & ~_umask())
            self._work.rename(self._folder)
        except OSError as error:
            shutil.rmtree(self._work, ignore_errors=True)
            raise _unwritable(self._folder, error) from None

    def plain(self, name: str, data: bytes) -> None:
        """Write a file as it is.

        Raises:
            RecordingError: the file cannot be written, e.g. because the disk is full.
        """
        path = self._work / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise _unwritable(self._folder / name, error) from None

    def packed(self, name: str, data: bytes) -> None:
        """Write a file compressed, as `<name>.gz`; equal data gives equal bytes."""
        self.plain(f"{name}.gz", gzip.compress(data, PACK_LEVEL, mtime=0))

    def harvest(self, harvest: Harvest) -> None:
        """Write FlyteAdmin's rows, those of child executions in `children/`."""
        for name, data in files(harvest).items():
            write = self.plain if Path(name).name in PLAIN else self.packed
            write(name, data)


def jsonl(events: Iterable[Received]) -> bytes:
    """Lines of watch events with their receipt time, the events as the API server sent them."""
    return b"".join(
        b'{"received": %s, "event": %s}\n' % (repr(event.unix_s).encode(), event.raw)
        for event in events
    )


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _unwritable(path: Path, error: OSError) -> RecordingError:
    return RecordingError(f"{path}: {error.strerror}; free it or name another folder")
