"""What Linux tells about processes: who is alive, since when, with which environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROC = Path("/proc")
_STATE, _PARENT, _START = 0, 1, 19
"""Fields of /proc/PID/stat after the command's name (proc_pid_stat(5): 3, 4 and 22)."""


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if it is gone or a zombie.

    With the process id it names a process uniquely until the next boot.
    """
    fields = _stat(pid)
    return int(fields[_START]) if fields and fields[_STATE] not in {"Z", "X"} else None


def parent(pid: int) -> int | None:
    """Process id of the parent; None if the process is gone or a zombie."""
    fields = _stat(pid)
    return int(fields[_PARENT]) if fields and fields[_STATE] not in {"Z", "X"} else None


def variable(pid: int, name: str) -> str | None:
    """An environment variable as the process got it when its program started.

    None too if the process is gone or belongs to someone else.
    """
    try:
        environ = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    start = f"{name}=".encode()
    found = (entry for entry in environ.split(b"\0") if entry.startswith(start))
    value = next(found, None)
    return None if value is None else os.fsdecode(value[len(start) :])


def own_processes() -> Iterator[int]:
    """Process ids of this user, this process excluded."""
    uid = os.geteuid()
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if entry.stat().st_uid == uid:
                yield int(entry.name)
        except FileNotFoundError:
            continue


def children(pid: int) -> tuple[int, ...]:
    """Process ids of the direct children that are no zombies."""
    return tuple(other for other in own_processes() if parent(other) == pid)


def _stat(pid: int) -> list[str]:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()
