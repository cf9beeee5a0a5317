"""The local cluster: real etcd, kube-apiserver, S3 gateway and a process kubelet, on loopback.

One cluster per engine, interpreter, environment and project folder, so that none is ever used with
another's code. Its folder lies under `state_dir()/clusters`; a supervisor process owns it.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from pytest_flyteperf.model import Cluster
from pytest_flyteperf.progress import silent
from pytest_flyteperf.provision.layout import layout_of
from pytest_flyteperf.provision.supervised import (
    clusters_dir,
    down,
    ensure,
    hold,
    reap_dead,
    running,
    usable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_flyteperf.engine.build import Engine
    from pytest_flyteperf.progress import Progress

__all__ = ("cluster_name", "down", "find", "hold", "offer_imports", "reap_dead", "running", "up")

_PACKAGE = Path(__file__).parents[1]


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
    """Times of installations and of the last edits, the same for the life of this process.

    Installations are told by the folders of their metadata: the time of the folder they lie in
    also changes when the first byte code is written there, in the middle of a session.
    """
    sources = (*_PACKAGE.glob("engine/**/*.py"), *_PACKAGE.glob("provision/*.py"))
    installed = Path(sysconfig.get_path("purelib")).glob("*.dist-info")
    files = (*sorted(installed), *sorted(sources))
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

    def start(directory: Path, *, keep: bool) -> Cluster:
        # Imported only here: a session that finds its cluster running does not pay for it.
        from pytest_flyteperf.provision import launch

        return launch.start(engine, project, directory, progress, keep=keep)

    directory = clusters_dir() / cluster_name(engine.tools_digest, project)
    return ensure(directory, start, progress, keep=keep)


def find(engine: Engine, project: Path) -> Cluster | None:
    """Return the running cluster of this engine and project, if there is one."""
    return usable(clusters_dir() / cluster_name(engine.tools_digest, project))


def offer_imports(cluster: Cluster, roots: Iterable[str]) -> None:
    """Let the tasks of a cluster import modules from these folders, before earlier ones."""
    file = layout_of(Path(cluster.directory)).import_roots
    with FileLock(file.with_suffix(".lock")):
        earlier = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        folders = dict.fromkeys((*roots, *earlier))
        temporary = file.with_suffix(".new")
        temporary.write_text("".join(f"{folder}\n" for folder in folders), encoding="utf-8")
        temporary.replace(file)
