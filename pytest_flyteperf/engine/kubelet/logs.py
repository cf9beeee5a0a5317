"""Where the output of each container is kept, and for how long."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from typing import TYPE_CHECKING

from pytest_flyteperf.engine.forkserver.protocol import STEPS

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_flyteperf.engine.kubelet.pods import Pod

KEPT_FILES = 4000
"""Enough for three map tasks of 1,000 and their parents."""
KEPT_BYTES = 1 << 28
TAIL_LINES = 80
TAIL_BYTES = 2048
"""Kubernetes' own limits for FallbackToLogsOnError."""

_NAME_BYTES = 200
_ODD = re.compile(r"[^A-Za-z0-9.-]")


def log_path(folder: Path, pod: Pod, container: str) -> Path:
    """File for a container's output: `<namespace>_<pod>_<container>.log`."""
    parts = (pod.metadata.namespace, pod.metadata.name, container)
    name = "_".join(_ODD.sub("-", part) for part in parts)
    if len(name) > _NAME_BYTES:
        name = f"{name[:_NAME_BYTES]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return folder / f"{name}.log"


def tail(log: Path) -> str:
    """Last lines of a log, as a container's message; empty if there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            data = file.read(TAIL_BYTES)
    except OSError:
        return ""
    return "\n".join(data.decode(errors="replace").splitlines()[-TAIL_LINES:])


def prune(folder: Path, files: int = KEPT_FILES, size: int = KEPT_BYTES) -> int:
    """Delete the oldest logs beyond a number of files or bytes; returns how many."""
    logs = []
    for entry in os.scandir(folder):
        if entry.name.endswith(".log"):
            with contextlib.suppress(FileNotFoundError):
                stat = entry.stat()
                logs.append((stat.st_mtime_ns, stat.st_size, entry.path))
    logs.sort(reverse=True)
    deleted = 0
    for place, (_, length, path) in enumerate(logs):
        size -= length
        if place >= files or size < 0:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - no Path per file
                deleted += 1
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path.removesuffix(".log") + STEPS)  # noqa: PTH108 - likewise
    return deleted
