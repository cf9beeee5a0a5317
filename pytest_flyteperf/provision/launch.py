"""Start a local cluster from nothing, everything at once."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.engine.control import Control, StartError
from pytest_flyteperf.engine.forkserver.task import IMPORT_ROOTS_VARIABLE
from pytest_flyteperf.engine.reap import reap_cluster
from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.kubeapi import KubeApi
from pytest_flyteperf.model import Cluster, ObjectStore
from pytest_flyteperf.provision import credentials as secret
from pytest_flyteperf.provision import programs
from pytest_flyteperf.provision.layout import (
    CLUSTER_FILE,
    HANDOVER_S,
    STOP_S,
    Layout,
)
from pytest_flyteperf.provision.owner import (
    await_supervisor,
    create,
    launch_supervisor,
    with_traces,
    write_whole,
)
from pytest_flyteperf.provision.programs import Ports

if TYPE_CHECKING:
    from pytest_flyteperf.engine.build import Engine
    from pytest_flyteperf.engine.process import ProcessSpec
    from pytest_flyteperf.progress import Progress

NAMESPACE = "flytesnacks-development"
"""Of Flyte's project `flytesnacks` and domain `development`."""
FREE_BYTES = 512 * 2**20
"""Free space below which a start is refused: etcd and Flyte would stop halfway."""
_TRIES = 3
_TAKEN = "address already in use"


def start(
    engine: Engine, project: Path, directory: Path, progress: Progress, *, keep: bool
) -> Cluster:
    """Start a cluster whose folder does not exist yet; if a port is taken meanwhile, again.

    Raises:
        ClusterError: it cannot be started; nothing of it runs, its logs remain.
    """
    free = shutil.disk_usage(directory.parent).free
    if free < FREE_BYTES:
        raise ClusterError(
            f"{directory.parent}: {free >> 20} MiB free, {FREE_BYTES >> 20} MiB needed; "
            "make room or set FLYTEPERF_STATE"
        )
    for left in reversed(range(_TRIES)):
        progress("starting the cluster")
        try:
            return _attempt(engine, project, directory, progress, keep=keep)
        except StartError as error:
            said = error.death.tail if error.death is not None else ()
            if not left or not any(_TAKEN in line for line in said):
                log = error.death.log if error.death is not None else directory / "logs"
                raise ClusterError(f"{error}; see {log}") from None
            reap_cluster(directory)
    raise AssertionError


def _attempt(
    engine: Engine, project: Path, directory: Path, progress: Progress, *, keep: bool
) -> Cluster:
    layout = create(directory)
    try:
        with launch_supervisor(layout, keep=keep) as supervisor:
            cluster, specs = _compose(engine, project, layout)
            await_supervisor(supervisor, layout)
        with Control(str(layout.control)) as control:
            control.attach(f"pid {os.getpid()}")

            def ready(name: str) -> None:
                progress(f"starting the cluster: {name} is ready")
                if name == programs.KUBE_APISERVER:
                    _create_namespace(cluster.kubeconfig)

            control.start(specs, ready)
            cluster = with_traces(cluster, control.status())
            write_whole(directory / CLUSTER_FILE, msgspec.json.encode(cluster))
            control.detach(HANDOVER_S)
    except BaseException:
        # Nothing of a start that failed or was interrupted goes on running; its logs remain.
        with suppress(ClusterError), Control(str(layout.control)) as control:
            control.shutdown(STOP_S)
        raise
    return cluster


def _compose(
    engine: Engine, project: Path, layout: Layout
) -> tuple[Cluster, tuple[ProcessSpec, ...]]:
    ports = Ports.free()
    credentials = secret.create(layout.credentials)
    kubeconfig = secret.write_kubeconfig(
        layout.credentials / "kubeconfig", f"https://127.0.0.1:{ports.kubernetes}", credentials
    )
    store = ObjectStore(
        endpoint=f"http://127.0.0.1:{ports.s3}",
        access_key=credentials.access_key,
        secret_key=credentials.secret_key,
        bucket=programs.BUCKET,
    )
    cluster = Cluster(
        kind="local",
        name=layout.directory.name,
        directory=str(layout.directory),
        kubeconfig=kubeconfig,
        store=store,
        distribution=f"kube-apiserver {engine.versions['kube-apiserver']}",
        blob_store=f"versitygw {engine.versions['versitygw']}",
        control_socket=str(layout.control),
    )
    return cluster, (
        programs.fork_server(layout, project),
        programs.kube_apiserver(engine, layout, ports, credentials),
        programs.etcd(engine, layout),
        programs.s3_gateway(engine, layout, ports, credentials),
        programs.kubelet(layout, kubeconfig, _task_environment(store, layout)),
    )


def _task_environment(store: ObjectStore, layout: Layout) -> dict[str, str]:
    """Name where a task finds the object store, unless its pod says otherwise, and its modules."""
    return {
        IMPORT_ROOTS_VARIABLE: str(layout.import_roots),
        "FLYTE_AWS_ENDPOINT": store.endpoint,
        "FLYTE_AWS_ACCESS_KEY_ID": store.access_key,
        "FLYTE_AWS_SECRET_ACCESS_KEY": store.secret_key,
    }


def _create_namespace(kubeconfig: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    with KubeApi.from_kubeconfig(kubeconfig) as api:
        api.request("POST", "/api/v1/namespaces", body=body)
