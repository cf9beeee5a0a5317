"""Where the parts of a Flyte are on a cluster, told by the labels that Flyte's charts give them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.forward import Service
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from pytest_flyteperf.model import FEDERATE

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "app.kubernetes.io/name"
BINARIES = ("flyte-binary", "flyte-sandbox")
"""Charts, by their label, whose pods are all of Flyte."""
ADMINS = ("flyteadmin", *BINARIES)
PROPELLERS = ("flytepropeller", *BINARIES)
"""Each shard of a sharded Propeller is a pod of this label."""
GRPC = "grpc"
METRICS_PORT = 10254
PROPELLER_METRICS = "flyte:propeller:all:"


def find_admin(api: KubeApi) -> Service:
    """The service of the cluster's only FlyteAdmin.

    Raises:
        DeploymentError: there is none, or more than one, or services may not be listed.
    """
    found = [
        Service(namespace=item["metadata"]["namespace"], name=item["metadata"]["name"], port=port)
        for item in _labelled(api, "/api/v1/services", ADMINS)
        for port in _grpc_ports(item)
    ]
    if len(found) == 1:
        return found[0]
    which = f"has {len(found)}: {', '.join(map(str, found))}" if found else "has none"
    raise DeploymentError(
        f"the cluster {which} service of FlyteAdmin's gRPC; give --flyteperf-endpoint "
        "HOST:PORT, or NAMESPACE/SERVICE:PORT"
    )


def propeller_pages(api: KubeApi) -> tuple[str, ...]:
    """Paths, through the API server's proxy, to the metrics of Propeller's running pods.

    Empty where pods of other namespaces may not be listed, or reached.
    """
    try:
        pods = _labelled(api, "/api/v1/pods", PROPELLERS)
    except DeploymentError:
        return ()
    running = (pod["metadata"] for pod in pods if pod["status"].get("phase") == "Running")
    paths = sorted(
        f"/api/v1/namespaces/{about['namespace']}/pods/{about['name']}:{METRICS_PORT}/proxy/metrics"
        for about in running
    )
    try:
        for path in paths:
            api.raw(path)
    except KubeError:
        return ()  # half of the shards would look like a smaller sum
    return tuple(paths)


def federated(prometheus: str) -> str:
    """URL of a Prometheus' page with Propeller's metrics, of all shards that it scrapes."""
    chosen = {"match[]": f'{{__name__=~"{PROPELLER_METRICS}.+"}}'}
    return f"{prometheus.rstrip('/')}{FEDERATE}?{urlencode(chosen)}"


def _labelled(api: KubeApi, path: str, names: Iterable[str]) -> list[dict[str, Any]]:
    chosen = {"labelSelector": f"{NAME} in ({','.join(names)})"}
    try:
        items: list[dict[str, Any]] = api.list(path, query=chosen)["items"]
    except KubeError as error:
        if error.status in (HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED):
            raise DeploymentError(f"{error}; give --flyteperf-endpoint") from None
        raise
    return items


def _grpc_ports(service: dict[str, Any]) -> list[int]:
    return [p["port"] for p in service["spec"].get("ports") or () if p.get("name") == GRPC]
