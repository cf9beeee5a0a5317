"""End what killed clusters left behind: their processes and folders, never anything else.

A cluster is dead when its supervisor is. A process is the dead cluster's if its environment carries
the cluster's random id; a journal names those to expect, with process id and start time, and a
process must match both (its environment may be unreadable, its id used again by another).
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from filelock import FileLock, Timeout

from pytest_flyteperf.engine.control import SUPERVISOR
from pytest_flyteperf.engine.journal import Folder, Opened, Started, read
from pytest_flyteperf.engine.process import CLUSTER_MARKER, PROCESS_MARKER
from pytest_flyteperf.engine.procfs import own_processes, start_ticks, variable
from pytest_flyteperf.engine.undo import undo
from pytest_flyteperf.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Collection

_PATIENCE_S = 10.0
"""How long killed processes may take to disappear."""


class Reaped(msgspec.Struct, frozen=True, kw_only=True):
    """What `reap` did to one dead cluster."""

    cluster: str
    """Name of its folder."""
    processes: tuple[str, ...]
    """`name (pid N)` of each process that was ended."""
    folders: tuple[str, ...]
    """Folders that were removed."""
    things: tuple[str, ...] = ()
    """What else the journal named, e.g. `kind cluster flyteperf-1f2e`."""


def cluster_id(directory: str | Path) -> str | None:
    """Value of `CLUSTER_MARKER` of a cluster's processes; None without a journal."""
    opened = (entry for entry in read(directory) if isinstance(entry, Opened))
    return next((entry.id for entry in opened), None)


def supervisor_pid(directory: str | Path) -> int | None:
    """Process id of the cluster's supervisor, if it lives."""
    marker = cluster_id(directory)
    if marker is None:
        return None
    for entry in read(directory):
        if isinstance(entry, Started) and entry.name == SUPERVISOR and _lives(entry, marker):
            return entry.pid
    # Announced and killed before, or not yet, journaled: its environment still tells.
    return next(
        (pid for pid in _marked(marker) if variable(pid, PROCESS_MARKER) == SUPERVISOR), None
    )


def start_lock(directory: Path) -> FileLock:
    """Return the lock of whoever starts, stops or reaps a cluster; not yet acquired."""
    return FileLock(directory.with_name(f"{directory.name}.lock"))


def reap(clusters: Path, skip: Collection[str] = ()) -> tuple[Reaped, ...]:
    """End the processes of all dead clusters under a folder and remove the clusters' folders.

    Clusters that live, are being started or stopped, or are named in `skip` are not touched.

    Raises:
        ClusterError: a process of ours cannot be ended, or a folder cannot be removed.
    """
    if not clusters.is_dir():
        return ()
    reaped = []
    for directory in sorted(path for path in clusters.iterdir() if path.is_dir()):
        if directory.name in skip or directory.is_symlink():
            continue
        with suppress(Timeout), start_lock(directory).acquire(timeout=0):
            if supervisor_pid(directory) is None:
                reaped.append(reap_cluster(directory))
    return tuple(reaped)


def reap_cluster(directory: Path) -> Reaped:
    """End the processes of one dead cluster and remove its folders.

    Raises:
        ClusterError: as `reap`.
    """
    marker = cluster_id(directory)
    ended = () if marker is None else _end(directory, marker)
    things = undo(directory)
    outside = (Path(entry.path) for entry in read(directory) if isinstance(entry, Folder))
    folders = tuple(folder for folder in (*outside, directory) if _remove(folder))
    return Reaped(
        cluster=directory.name,
        processes=ended,
        folders=tuple(str(folder) for folder in folders),
        things=things,
    )


def _leftovers(directory: Path, marker: str) -> dict[int, str]:
    """Processes of a cluster that live, by id, with their names."""
    journaled = {
        entry.pid: entry.name
        for entry in read(directory)
        if isinstance(entry, Started) and entry.pid is not None and _lives(entry, marker)
    }
    marked = {pid: variable(pid, PROCESS_MARKER) or "process" for pid in _marked(marker)}
    return marked | journaled


def _lives(entry: Started, marker: str) -> bool:
    """Whether the journaled process still is that process, and ours."""
    return (
        entry.pid is not None
        and entry.start_ticks is not None
        and start_ticks(entry.pid) == entry.start_ticks
        and variable(entry.pid, CLUSTER_MARKER) == marker
    )


def _marked(marker: str) -> tuple[int, ...]:
    return tuple(
        pid
        for pid in own_processes()
        if variable(pid, CLUSTER_MARKER) == marker and start_ticks(pid) is not None
    )


def _end(directory: Path, marker: str) -> tuple[str, ...]:
    """Kill leftovers until there are none: one may have started another meanwhile."""
    ended: dict[tuple[int, int | None], str] = {}
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        leftovers = _leftovers(directory, marker)
        for pid, name in leftovers.items():
            ended[pid, start_ticks(pid)] = f"{name} (pid {pid})"
            _kill(pid, marker)
        # One that is ending has no environment any more, but may still hold files.
        ending = [
            name
            for (pid, ticks), name in ended.items()
            if ticks is not None and start_ticks(pid) == ticks
        ]
        if not leftovers and not ending:
            return tuple(dict.fromkeys(ended.values()))
        if time.monotonic() > deadline:
            raise ClusterError(f"{directory}: {', '.join(ending)} cannot be ended; see it with ps")
        time.sleep(0.005)


def _kill(pid: int, marker: str) -> None:
    """SIGKILL through a pidfd: an id that is used again by another process is never hit."""
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            if variable(pid, CLUSTER_MARKER) == marker:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def _remove(folder: Path) -> bool:
    if not folder.exists():
        return False
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise ClusterError(
            f"{error.filename or folder}: cannot be removed: {error.strerror}; remove it by hand"
        ) from error
    return True
