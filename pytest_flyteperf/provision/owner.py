"""The folder of a new cluster and the supervisor that owns it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.engine.control import SUPERVISOR
from pytest_flyteperf.engine.journal import Folder, Journal, Opened
from pytest_flyteperf.engine.process import CLUSTER_MARKER, PROCESS_MARKER, essence, tail
from pytest_flyteperf.engine.supervisor import Config
from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.model import Cluster
from pytest_flyteperf.provision.layout import TEMPORARY, Layout, layout_of
from pytest_flyteperf.provision.programs import PYTHON

if TYPE_CHECKING:
    from pytest_flyteperf.engine.control import SupervisorStatus


def create(directory: Path) -> Layout:
    """Make the cluster's folders, each written down before it is made."""
    directory.mkdir(mode=0o700)
    journal = Journal(directory)
    journal.write(Opened(id=f"{directory.name}.{token_hex(8)}"))
    outside = Path(tempfile.gettempdir(), f"{TEMPORARY}{token_hex(6)}")
    journal.write(Folder(path=str(outside)))
    layout = layout_of(directory)
    for folder in (layout.temporary, layout.run, layout.logs, layout.data, layout.credentials):
        folder.mkdir(mode=0o700)
    return layout


def launch_supervisor(
    layout: Layout,
    *,
    keep: bool,
    traces_address: str = "127.0.0.1",
    traces_token: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start the process that owns the cluster; `await_supervisor` waits until it listens."""
    config = Config(
        cluster=layout.directory.name,
        cluster_id=layout.cluster_id,
        directory=str(layout.directory),
        socket=str(layout.control),
        log=layout.log(SUPERVISOR),
        traces=str(layout.directory / "otlp.binpb"),
        keep=keep,
        traces_address=traces_address,
        traces_token=traces_token,
    )
    path = layout.run / "supervisor.json"
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.encode(config))
    return subprocess.Popen(
        (*PYTHON, "pytest_flyteperf.engine.supervisor", "--config", str(path)),
        env=os.environ
        | {
            CLUSTER_MARKER: layout.cluster_id,
            PROCESS_MARKER: SUPERVISOR,
            "TMPDIR": str(layout.temporary),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def await_supervisor(supervisor: subprocess.Popen[bytes], layout: Layout) -> None:
    """Wait until the supervisor listens.

    Raises:
        ClusterError: it did not start; one line with the reason.
    """
    _, said = supervisor.communicate()
    if supervisor.returncode:
        log = layout.log(SUPERVISOR)
        why = essence(tail(log)) or essence(tuple(said.decode(errors="replace").splitlines()))
        raise ClusterError(f"supervisor: exited with {supervisor.returncode}: {why}; see {log}")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is whole or absent."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)


def with_traces(cluster: Cluster, status: SupervisorStatus) -> Cluster:
    """Tell a cluster where its supervisor receives traces."""
    if status.traces is None:
        raise ClusterError(f"{cluster.directory}/logs: no trace receiver; see supervisor.log there")
    return msgspec.structs.replace(
        cluster, otlp_endpoint=status.traces.endpoint, traces=status.traces.file
    )
