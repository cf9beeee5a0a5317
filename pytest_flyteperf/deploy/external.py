"""A Flyte that runs already: found and described, never changed.

What cannot be seen from outside, its database and object store, is called unknown; traces reach
this machine only where Flyte was told to send them here, so `handle_ns` and what else comes from
spans is unknown as well.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.deploy.environment import gather_environment
from pytest_flyteperf.deploy.helm import STAND_IN, await_admin
from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from pytest_flyteperf.model import AdminKind, Cluster, Deployment, Subject
from pytest_flyteperf.progress import Beat, Progress, silent
from pytest_flyteperf.provision.existing import UNKNOWN

if TYPE_CHECKING:
    from typing import Any

_UNFINISHED = "termination-status!=terminated"


def find(  # noqa: PLR0913 # what the user says of a Flyte
    cluster: Cluster,
    endpoint: str,
    *,
    project: str,
    domain: str,
    task_image: str | None,
    progress: Progress = silent,
) -> Deployment:
    """Describe the Flyte that answers at an endpoint (host:port, gRPC without TLS).

    With a `task_image` tasks run in containers of it and their code is sent along; without one
    they run where their code is already.

    Raises:
        DeploymentError: it does not answer, or is not on this cluster.
    """
    namespace = f"{project}-{domain}"
    beat = Beat(progress, f"looking at the Flyte at {endpoint}")
    version, build = await_admin(endpoint, beat)
    with KubeApi.from_kubeconfig(cluster.kubeconfig) as api:
        others = _unfinished(api, namespace)
    if others:
        progress(f"{cluster.name}: {others} other workflows run there: measurements suffer")
    deployment = Deployment(
        cluster=cluster,
        subject=Subject(flyte=f"{version} at {endpoint}", digest=version or UNKNOWN),
        environment=gather_environment(
            cluster,
            AdminKind.STAND_IN if build == STAND_IN else AdminKind.FLYTEADMIN,
            UNKNOWN,
            engine_digest=None,
            kubelet_slots=None,
        ),
        admin_endpoint=endpoint,
        project=project,
        domain=domain,
        namespace=namespace,
    )
    if task_image is None:
        return deployment
    return msgspec.structs.replace(deployment, image=task_image, ships_code=True)


def _unfinished(api: KubeApi, namespace: str) -> int:
    """How many workflows of others are in mid-run."""
    path = f"/apis/flyte.lyft.com/v1alpha1/namespaces/{namespace}/flyteworkflows"
    try:
        items: list[Any] = api.list(path, query={"labelSelector": _UNFINISHED})["items"]
    except KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise DeploymentError(
                f"namespace {namespace}: this cluster has no FlyteWorkflow objects; "
                "is the Flyte at that endpoint on this cluster?"
            ) from None
        raise
    return len(items)
