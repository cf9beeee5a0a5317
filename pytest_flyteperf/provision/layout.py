"""Where the files of a local cluster lie."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from pytest_flyteperf.engine.journal import Folder, Opened, read

CLUSTER_FILE = "cluster.json"
"""In the cluster's folder, once it is up: the `Cluster`."""
PROCESSES = {"local": ("etcd", "kube-apiserver", "s3-gateway", "forkserver", "kubelet")}
"""Kind of cluster to the names of the processes without which it is none."""
HANDOVER_S = 20.0
"""How long a cluster waits for the lease of the caller that it was started or found for."""
STOP_S = 60.0
"""How long an orderly stop may take: more than all graces together."""
TEMPORARY = "flyteperf-"
"""How a cluster's folder in the system's temporary folder is named, before a random number."""
_SOCKET_PATH_BYTES = 108


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Folders of one local cluster."""

    directory: Path
    """Of the cluster (0700)."""
    cluster_id: str
    """As in its journal."""
    temporary: Path
    """What its processes have for the system's temporary folder. It lies there, because tasks make
    sockets in theirs, and a socket's path must be short; the journal names it."""

    @property
    def run(self) -> Path:
        """Of sockets and of files that say a process is ready."""
        own = self.directory / "run"
        return own if fits_sockets(own) else self.temporary / "run"

    @property
    def pod_scratch(self) -> Path:
        """A temporary folder per pod, made by the kubelet."""
        return self.temporary / "pods"

    @property
    def logs(self) -> Path:
        """One log per process; all that an orderly end leaves."""
        return self.directory / "logs"

    @property
    def pod_logs(self) -> Path:
        """One log per container, written by the kubelet."""
        return self.logs / "pods"

    @property
    def import_roots(self) -> Path:
        """File of the folders that tasks may import their modules from, one a line."""
        return self.directory / "import-roots"

    @property
    def data(self) -> Path:
        """Of etcd and the object store."""
        return self.directory / "data"

    @property
    def credentials(self) -> Path:
        """Keys, certificates and tokens."""
        return self.directory / "credentials"

    @property
    def control(self) -> Path:
        """The supervisor's socket."""
        return self.run / "control"

    def log(self, name: str) -> str:
        """Path of a process's log."""
        return str(self.logs / f"{name}.log")


def layout_of(directory: Path) -> Layout:
    """Find the folders of a cluster by its journal."""
    entries = tuple(read(directory))
    outside = (Path(entry.path) for entry in entries if isinstance(entry, Folder))
    temporary = (path for path in outside if path.name.startswith(TEMPORARY))
    ids = (entry.id for entry in entries if isinstance(entry, Opened))
    return Layout(
        directory=directory,
        cluster_id=next(ids, ""),
        temporary=next(temporary, directory / "tmp"),
    )


def fits_sockets(run: Path) -> bool:
    """Tell whether unix sockets in a folder have paths that Linux takes (unix(7): 108 bytes)."""
    return len(os.fsencode(run)) + len("/control") < _SOCKET_PATH_BYTES
