"""A kind cluster: Kubernetes in a container of Docker's, made for one project and deleted with it.

Its name is random and written into the journal, with the command that deletes it, before kind is
asked; kind deletes what carries the name as its label. A supervisor of ours owns it as it owns a
local cluster: leases, `keep`, and the receiver of traces, which listens on the gateway of kind's
network, where pods reach this machine, and takes only what bears the cluster's token.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import yaml

from pytest_flyteperf.engine.control import Control
from pytest_flyteperf.engine.journal import Journal, Undo
from pytest_flyteperf.engine.process import CLUSTER_MARKER
from pytest_flyteperf.engine.reap import reap_cluster
from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.kubeapi import KubeApi
from pytest_flyteperf.model import Cluster, Frozen, ObjectStore
from pytest_flyteperf.progress import Beat, silent
from pytest_flyteperf.provision.daemon import daemon, image_id
from pytest_flyteperf.provision.layout import CLUSTER_FILE, HANDOVER_S, Layout, layout_of
from pytest_flyteperf.provision.owner import (
    await_supervisor,
    create,
    launch_supervisor,
    with_traces,
    write_whole,
)
from pytest_flyteperf.provision.requirements import Programs, require
from pytest_flyteperf.provision.settled import await_settled
from pytest_flyteperf.provision.supervised import clusters_dir, ensure, usable
from pytest_flyteperf.provision.told import run_told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_flyteperf.progress import Progress

ADMIN_PORT = 30081
"""Node port of FlyteAdmin's gRPC."""
HTTP_PORT = 30080
"""Node port of FlyteAdmin's HTTP."""
STORE_PORT = 30002
"""Node port of the object store."""
BUCKET = "my-s3-bucket"
NETWORK = "kind"
CREATING = "kind: creating the cluster"
CREATE_S = 600.0
"""Longest that `kind create cluster` may take: it may pull the node's image."""
LOAD_S = 300.0
CLUSTER_SECRETS = "secrets.json"
_LOADED = "loaded.json"
"""Images that the node was given, by name, with their content's id."""


class Wish(Frozen, frozen=True):
    """What kind of kind cluster is asked for."""

    store_image: str
    """Image of the S3 store; it is deployed with Flyte, but its address is the cluster's."""
    node_image: str | None = None
    """Image of the node, which sets the version of Kubernetes; kind's own default without."""


class Secrets(Frozen, frozen=True):
    """What only this cluster's pods and sessions know."""

    traces_token: str
    database_password: str
    admin_port: int
    """Port of this machine that leads to FlyteAdmin's gRPC."""
    http_port: int


def up(wish: Wish, project: Path, progress: Progress = silent, *, keep: bool = False) -> Cluster:
    """Return the running kind cluster of this wish and project, creating it if there is none.

    As with a local cluster the caller must hold it soon, or it is deleted; with `keep` it stays.

    Raises:
        ClusterError: it cannot be created; nothing of it is left.
    """

    def start(directory: Path, *, keep: bool) -> Cluster:
        return _start(wish, directory, progress, keep=keep)

    return ensure(clusters_dir() / cluster_name(wish, project), start, progress, keep=keep)


def find(wish: Wish, project: Path) -> Cluster | None:
    """Return the running cluster of this wish and project, if there is one."""
    return usable(clusters_dir() / cluster_name(wish, project))


def cluster_name(wish: Wish, project: Path) -> str:
    """Name the cluster's folder: `kind-`, a digest of the place, `-`, one of the wish."""
    place = "\0".join((sys.prefix, str(project.resolve()), str(clusters_dir())))
    wished = msgspec.json.encode(wish)
    return "-".join(
        ("kind", *(hashlib.sha256(b).hexdigest()[:8] for b in (place.encode(), wished)))
    )


def load(cluster: Cluster, images: Iterable[str], progress: Progress = silent) -> None:
    """Load into the node what this machine's Docker has of these images; the node pulls the rest.

    What the node was given already, of that very content, is not looked at again.

    Raises:
        ClusterError: Docker does not answer, or kind cannot load one.
    """
    with daemon() as client:
        here = {image: found for image in images if (found := image_id(client, image)) is not None}
    record = Path(cluster.directory, _LOADED)
    loaded = (
        msgspec.json.decode(record.read_bytes(), type=dict[str, str]) if record.exists() else {}
    )
    fresh = [image for image, content in here.items() if loaded.get(image) != content]
    if fresh:
        loading = ("load", "docker-image", "--name", cluster.name, *fresh)
        beat = Beat(progress, f"kind: loading {len(fresh)} images")
        _run(require().kind, loading, layout_of(Path(cluster.directory)), beat, LOAD_S)
        write_whole(record, msgspec.json.encode(loaded | here))


def secrets_of(cluster: Cluster) -> Secrets:
    """Read what a cluster's deployment needs beside its address."""
    return msgspec.json.decode(Path(cluster.directory, CLUSTER_SECRETS).read_bytes(), type=Secrets)


def _start(wish: Wish, directory: Path, progress: Progress, *, keep: bool) -> Cluster:
    progress("kind: looking at docker, kind and helm")
    programs = require()
    layout = create(directory)
    try:
        return _create(wish, programs, layout, progress, keep=keep)
    except BaseException as error:
        # Nothing of a start that failed or was interrupted stays.
        try:
            reap_cluster(directory)
        except ClusterError as left:
            raise ClusterError(f"{str(error) or type(error).__name__}; {left}") from error
        raise


def _create(
    wish: Wish, programs: Programs, layout: Layout, progress: Progress, *, keep: bool
) -> Cluster:
    name = f"flyteperf-{secrets.token_hex(4)}"
    kubeconfig = layout.credentials / "kubeconfig"
    admin_port, http_port, store_port = _free_ports(3)
    config = layout.directory / "kind.yaml"
    mappings = {ADMIN_PORT: admin_port, HTTP_PORT: http_port, STORE_PORT: store_port}
    config.write_text(yaml.safe_dump(_config(wish, mappings)), encoding="utf-8")
    chosen = ("--name", name, "--kubeconfig", str(kubeconfig))
    Journal(layout.directory).write(
        Undo(
            thing=f"kind cluster {name}",
            argv=(programs.kind, "delete", "cluster", *chosen),
            env={k: v for k, v in os.environ.items() if k == "PATH" or k.startswith("DOCKER_")},
        )
    )
    create_cluster = ("create", "cluster", *chosen, "--config", str(config))
    _run(programs.kind, create_cluster, layout, Beat(progress, CREATING), CREATE_S)
    kept = Secrets(
        traces_token=secrets.token_urlsafe(24),
        database_password=secrets.token_urlsafe(24),
        admin_port=admin_port,
        http_port=http_port,
    )
    _write_secret(layout.directory / CLUSTER_SECRETS, msgspec.json.encode(kept))
    with launch_supervisor(
        layout, keep=keep, traces_address=_gateway(), traces_token=kept.traces_token
    ) as supervisor:
        await_supervisor(supervisor, layout)
    with Control(str(layout.control)) as control, KubeApi.from_kubeconfig(kubeconfig) as api:
        control.attach(f"pid {os.getpid()}")
        await_settled(api, Beat(progress, "kind: waiting for the system's pods"))
        version = api.request("GET", "/version")["gitVersion"]
        cluster = Cluster(
            kind="kind",
            name=name,
            directory=str(layout.directory),
            kubeconfig=str(kubeconfig),
            store=ObjectStore(
                endpoint=f"http://127.0.0.1:{store_port}",
                access_key=secrets.token_hex(8),
                secret_key=secrets.token_urlsafe(24),
                bucket=BUCKET,
                inside="http://flyteperf-store.flyte:9000",
            ),
            distribution=f"kind, Kubernetes {version}",
            blob_store=wish.store_image,
            control_socket=str(layout.control),
        )
        cluster = with_traces(cluster, control.status())
        path = layout.directory / CLUSTER_FILE
        write_whole(path, msgspec.json.encode(cluster))
        control.detach(HANDOVER_S)
    return cluster


def _run(kind: str, arguments: tuple[str, ...], layout: Layout, beat: Beat, most_s: float) -> None:
    """Run kind for a cluster of ours: its children carry the marker by which `reap` ends them."""
    run_told(
        (kind, *arguments),
        what=f"kind {arguments[0]}",
        log=Path(layout.log("kind")),
        beat=beat,
        most_s=most_s,
        environment={CLUSTER_MARKER: layout.cluster_id},
    )


def _config(wish: Wish, mappings: dict[int, int]) -> dict[str, object]:
    """Configuration for kind (kind.x-k8s.io/v1alpha4): one node, ports on loopback."""
    node: dict[str, object] = {
        "role": "control-plane",
        "extraPortMappings": [
            {"containerPort": inside, "hostPort": outside, "listenAddress": "127.0.0.1"}
            for inside, outside in mappings.items()
        ],
    }
    if wish.node_image is not None:
        node["image"] = wish.node_image
    return {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": [node]}


def _gateway() -> str:
    """Address of this machine on kind's network: the one its pods reach it by."""
    with daemon() as client:
        networks = client.networks.list(names=[NETWORK])
        settings = [n.attrs.get("IPAM") or {} for n in networks if n.name == NETWORK]
    configs = [config for ipam in settings for config in ipam.get("Config") or ()]
    found = (c["Gateway"] for c in configs if "." in c.get("Gateway", ""))
    gateway = next(found, None)
    if gateway is None:
        raise ClusterError(
            f"docker: network {NETWORK} has no IPv4 gateway; remove it and try again"
        )
    return str(gateway)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _write_secret(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
