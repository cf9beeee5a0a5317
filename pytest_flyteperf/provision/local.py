"""The local cluster: real etcd, kube-apiserver, S3 gateway and a process kubelet, on loopback.

One cluster per engine, interpreter, environment and project folder, so that none is ever used with
another's code. Its folder lies under `state_dir()/clusters`; a supervisor process owns it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import sys
import sysconfig
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from filelock import FileLock, Timeout

from pytest_flyteperf.engine.control import Control
from pytest_flyteperf.engine.process import ProcessState
from pytest_flyteperf.engine.reap import (
    Reaped,
    reap,
    reap_cluster,
    start_lock,
    supervisor_pid,
)
from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.model import Cluster
from pytest_flyteperf.paths import state_dir
from pytest_flyteperf.progress import silent
from pytest_flyteperf.provision.layout import (
    CLUSTER_FILE,
    HANDOVER_S,
    PROCESSES,
    STOP_S,
    layout_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_flyteperf.engine.build import Engine
    from pytest_flyteperf.progress import Progress

_PACKAGE = Path(__file__).parents[1]


def clusters_dir() -> Path:
    """Folder of all local clusters of this user; it may not exist yet."""
    return state_dir() / "clusters"


def cluster_name(tools_digest: str, project: Path) -> str:
    """Name the cluster: `local-`, a digest of the place, `-`, one of the code.

    The place is this environment and the project folder. The code is the engine, the interpreter,
    the time of the environment's last installation and those of our own sources' last edits: a
    fork server that has imported older ones is not found again.
    """
    place = (sys.prefix, str(_PACKAGE), str(project.resolve()), str(clusters_dir()))
    code = (
        tools_digest,
        os.path.realpath(sys.executable),
        os.environ.get("PYTHONPATH", ""),
        *_edits(),
    )
    return "-".join(("local", _digest(place), _digest(code)))


@cache
def _edits() -> tuple[str, ...]:
    """Times of the last installation and edits, the same for the life of this process."""
    sources = (*_PACKAGE.glob("engine/**/*.py"), *_PACKAGE.glob("provision/*.py"))
    files = (Path(sysconfig.get_path("purelib")), *sorted(sources))
    return tuple(f"{file} {file.stat().st_mtime_ns}" for file in files)


def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def up(
    engine: Engine, project: Path, progress: Progress = silent, *, keep: bool = False
) -> Cluster:
    """Return the running cluster of this engine and project, starting it if there is none.

    The caller must `hold` it within `layout.HANDOVER_S` seconds, or it stops; with `keep` it stays
    until `down`. Sessions that start together get the same one.

    Raises:
        ClusterError: it cannot be brought up; nothing of it is left running.
    """
    directory = clusters_dir() / cluster_name(engine.tools_digest, project)
    with _in_one_line(directory):
        clusters_dir().mkdir(mode=0o700, parents=True, exist_ok=True)
        with _starting(directory, progress):
            found = _join(directory, keep=keep)
            if found is not None:
                return found
            _remove(directory)
            try:
                reap(clusters_dir(), skip=(directory.name,))
            except ClusterError as error:
                progress(f"left over from another cluster: {error}")
            # Imported only here: a session that finds its cluster running does not pay for it.
            from pytest_flyteperf.provision import launch  # noqa: PLC0415

            kept = _end_outdated(directory, progress)
            return launch.start(engine, project, directory, progress, keep=keep or kept)


def find(engine: Engine, project: Path) -> Cluster | None:
    """Return the running cluster of this engine and project, if there is one."""
    return _usable(clusters_dir() / cluster_name(engine.tools_digest, project))


def running() -> tuple[Cluster, ...]:
    """Return all usable local clusters of this user, whatever their engine and project."""
    folders = sorted(path.parent for path in clusters_dir().glob(f"*/{CLUSTER_FILE}"))
    found = (_usable(folder) for folder in folders)
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


def offer_imports(cluster: Cluster, roots: Iterable[str]) -> None:
    """Let the tasks of a cluster import modules from these folders, before earlier ones."""
    file = layout_of(Path(cluster.directory)).import_roots
    with FileLock(file.with_suffix(".lock")):
        earlier = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        folders = dict.fromkeys((*roots, *earlier))
        temporary = file.with_suffix(".new")
        temporary.write_text("".join(f"{folder}\n" for folder in folders), encoding="utf-8")
        temporary.replace(file)


def down(cluster: Cluster) -> None:
    """Stop a cluster, its Flyte included, and remove its folder.

    Raises:
        ClusterError: something of it cannot be ended or removed.
    """
    directory = Path(cluster.directory)
    with _in_one_line(directory), start_lock(directory):
        _remove(directory)


def reap_dead() -> tuple[Reaped, ...]:
    """End what killed clusters left behind; those that live or are being started are not touched.

    Raises:
        ClusterError: something cannot be ended or removed.
    """
    with _in_one_line(clusters_dir()):
        return reap(clusters_dir())


@contextmanager
def _starting(directory: Path, progress: Progress) -> Iterator[None]:
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


def _usable(directory: Path) -> Cluster | None:
    try:
        written = (directory / CLUSTER_FILE).read_bytes()
        cluster = msgspec.json.decode(written, type=Cluster)
        if cluster.control_socket is None or supervisor_pid(directory) is None:
            return None
        with Control(cluster.control_socket) as control:
            states = {process.name: process.state for process in control.status().processes}
    except (OSError, msgspec.DecodeError, ClusterError):
        return None
    ready = all(states.get(name) is ProcessState.READY for name in PROCESSES)
    return cluster if ready else None


def _join(directory: Path, *, keep: bool) -> Cluster | None:
    """Keep a running cluster alive for the caller; None if there is none or it is stopping."""
    cluster = _usable(directory)
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
                _remove(other)
            outdated = True
    return outdated


def _remove(directory: Path) -> None:
    """Stop a cluster in order if its supervisor listens, else by force; remove its folder."""
    if not directory.exists():
        return
    with suppress(ClusterError), Control(str(layout_of(directory).control)) as control:
        control.shutdown(STOP_S)
    pid = supervisor_pid(directory)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    reap_cluster(directory)


@contextmanager
def _in_one_line(directory: Path) -> Iterator[None]:
    """Turn a refusal of the file system into a line that says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        remedy = "make room" if full else "make it writable"
        raise ClusterError(
            f"{error.filename or directory}: {error.strerror}; {remedy} or set FLYTEPERF_STATE"
        ) from error
