"""Clusters that a supervisor of ours owns: where they lie, who holds them, how they end.

A cluster's folder lies under `state_dir()/clusters`. It has a journal of all that was created for
it, a supervisor process, and once it is up `cluster.json`. A cluster that is not kept ends soon
after its last lease; what a killed one left behind is found by the journal and reaped.
"""

from __future__ import annotations

import errno
import os
import signal
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
from filelock import Timeout

from pytest_flyteperf.engine.control import Control
from pytest_flyteperf.engine.process import ProcessState
from pytest_flyteperf.engine.reap import (
    Reaped,
    reap,
    reap_cluster,
    start_lock,
    supervisor_pid,
)
from pytest_flyteperf.engine.undo import patience_s
from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.model import Cluster
from pytest_flyteperf.paths import state_dir
from pytest_flyteperf.provision.layout import (
    CLUSTER_FILE,
    HANDOVER_S,
    PROCESSES,
    STOP_S,
    layout_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_flyteperf.progress import Progress


def clusters_dir() -> Path:
    """Folder of all clusters of this user; it may not exist yet."""
    return state_dir() / "clusters"


class Start(Protocol):
    """Starts a cluster whose folder does not exist yet."""

    def __call__(self, directory: Path, *, keep: bool) -> Cluster:
        """Start it; what fails leaves nothing running."""


def ensure(directory: Path, start: Start, progress: Progress, *, keep: bool) -> Cluster:
    """Return the running cluster of a folder, starting it if there is none.

    The folder's name is `<kind>-<digest of the place>-<digest of the code>`: a kept cluster of the
    same place but other code is stopped.

    Raises:
        ClusterError: it cannot be brought up.
    """
    with in_one_line(directory):
        clusters_dir().mkdir(mode=0o700, parents=True, exist_ok=True)
        with starting(directory, progress):
            found = join(directory, keep=keep)
            if found is not None:
                return found
            remove(directory)
            try:
                reap(clusters_dir(), skip=(directory.name,))
            except ClusterError as error:
                progress(f"left over from another cluster: {error}")
            kept = _end_outdated(directory, progress)
            return start(directory, keep=keep or kept)


def running() -> tuple[Cluster, ...]:
    """Return all usable clusters of this user, whatever their kind, engine and project."""
    folders = sorted(path.parent for path in clusters_dir().glob(f"*/{CLUSTER_FILE}"))
    found = (usable(folder) for folder in folders)
    return tuple(cluster for cluster in found if cluster is not None)


def hold(cluster: Cluster, who: str) -> Control:
    """Take a lease: the cluster lives at least as long as the connection that is returned.

    Raises:
        ClusterError: the cluster is gone or going.
    """
    if cluster.control_socket is None:
        raise ClusterError(f"{cluster.name}: a {cluster.kind} cluster has no supervisor to ask")
    control = Control(cluster.control_socket)
    try:
        control.attach(who)
    except BaseException:
        control.close()
        raise
    return control


def down(cluster: Cluster) -> None:
    """Stop a cluster, its Flyte included, and remove its folder.

    Raises:
        ClusterError: something of it cannot be ended or removed.
    """
    directory = Path(cluster.directory)
    with in_one_line(directory), start_lock(directory):
        remove(directory)


def reap_dead() -> tuple[Reaped, ...]:
    """End what killed clusters left behind; those that live or are being started are not touched.

    Raises:
        ClusterError: something cannot be ended or removed.
    """
    with in_one_line(clusters_dir()):
        return reap(clusters_dir())


@contextmanager
def starting(directory: Path, progress: Progress) -> Iterator[None]:
    """Be the only one who starts this cluster."""
    lock = start_lock(directory)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress("waiting for another session that is starting the cluster")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def usable(directory: Path) -> Cluster | None:
    """The cluster of a folder, if its supervisor lives and its processes are ready."""
    try:
        written = (directory / CLUSTER_FILE).read_bytes()
        cluster = msgspec.json.decode(written, type=Cluster)
        if cluster.control_socket is None or supervisor_pid(directory) is None:
            return None
        with Control(cluster.control_socket) as control:
            states = {process.name: process.state for process in control.status().processes}
    except (OSError, msgspec.DecodeError, ClusterError):
        return None
    needed = PROCESSES.get(cluster.kind, ())
    ready = all(states.get(name) is ProcessState.READY for name in needed)
    return cluster if ready else None


def join(directory: Path, *, keep: bool) -> Cluster | None:
    """Keep a running cluster alive for the caller; None if there is none or it is stopping."""
    cluster = usable(directory)
    if cluster is None:
        return None
    try:
        with hold(cluster, f"pid {os.getpid()}") as control:
            if keep:
                control.keep()
            control.detach(HANDOVER_S)
    except ClusterError:
        return None
    return cluster


def remove(directory: Path) -> None:
    """Stop a cluster in order if its supervisor listens, else by force; remove its folder."""
    if not directory.exists():
        return
    with suppress(ClusterError), Control(str(layout_of(directory).control)) as control:
        control.shutdown(STOP_S + patience_s(directory))
    pid = supervisor_pid(directory)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    reap_cluster(directory)


@contextmanager
def in_one_line(directory: Path) -> Iterator[None]:
    """Turn a refusal of the file system into a line that says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        remedy = "make room" if full else "make it writable"
        raise ClusterError(
            f"{error.filename or directory}: {error.strerror}; {remedy} or set FLYTEPERF_STATE"
        ) from error


def _end_outdated(directory: Path, progress: Progress) -> bool:
    """Stop kept clusters of the same place but other code; tell whether there was one.

    One that a session still uses is left alone.
    """
    place, _, _ = directory.name.rpartition("-")
    outdated = False
    for other in clusters_dir().glob(f"{place}-*/"):
        if other == directory:
            continue
        try:
            with Control(str(layout_of(other).control)) as control:
                status = control.status()
        except ClusterError:
            continue
        if status.keep and not status.leases:
            progress("stopping the cluster that was up: it runs older code")
            with start_lock(other):
                remove(other)
            outdated = True
    return outdated
