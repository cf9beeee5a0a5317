"""A Flyte that runs already: found and described, never changed.

What cannot be seen from outside, its database and object store, is called unknown; traces reach
this machine only where Flyte was told to send them here, so `handle_ns` and what else comes from
spans is unknown as well.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from pytest_flyteperf.adminapi import configured
from pytest_flyteperf.deploy.admin_ready import STAND_IN, await_admin
from pytest_flyteperf.deploy.discovery import federated, find_admin, propeller_pages
from pytest_flyteperf.deploy.environment import gather_environment
from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.forward import Service, reached
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from pytest_flyteperf.model import AdminKind, Cluster, Deployment, Frozen, Subject
from pytest_flyteperf.progress import Beat, Progress, silent
from pytest_flyteperf.provision.existing import UNKNOWN


class Sought(Frozen, frozen=True):
    """Which Flyte is meant, and how it is to be used."""

    project: str
    domain: str
    endpoint: str | None = None
    """`HOST:PORT`, or `NAMESPACE/SERVICE:PORT` within the cluster; else the configuration's, else
    the cluster's only one."""
    flyte_config: str | None = None
    """Configuration file of flytekit's: TLS and credentials."""
    task_image: str | None = None
    """With one, tasks run in containers of it and their code is sent along; without one they run
    where their code is already."""
    jaeger: str | None = None
    """Where Flyte's traces are kept: see `Deployment.jaeger`."""
    forwards: dict[str, int] = msgspec.field(default_factory=dict)
    """As in `Deployment.forwards`."""
    prometheus: str | None = None
    """URL of a Prometheus that scrapes Propeller; else its pods are read."""


def find(cluster: Cluster, sought: Sought, progress: Progress = silent) -> Deployment:
    """Describe a Flyte that runs on a cluster.

    Raises:
        UsageError: the configuration file is none.
        DeploymentError: it does not answer, or is not on this cluster.
    """
    namespace = f"{sought.project}-{sought.domain}"
    with KubeApi.from_kubeconfig(cluster.kubeconfig) as api:
        endpoint = _endpoint(api, sought)
        _check_definition(api, namespace)
        pages = (
            propeller_pages(api) if sought.prometheus is None else (federated(sought.prometheus),)
        )
    service = None if Service.parse(endpoint) is None else endpoint
    deployment = Deployment(
        cluster=cluster,
        subject=Subject(flyte=endpoint, digest=UNKNOWN),
        environment=gather_environment(
            cluster, AdminKind.FLYTEADMIN, UNKNOWN, engine_digest=None, kubelet_slots=None
        ),
        admin_endpoint=endpoint,
        admin_service=service,
        forwards=sought.forwards,
        flyte_config=sought.flyte_config,
        project=sought.project,
        domain=sought.domain,
        namespace=namespace,
        metrics={"propeller": pages} if pages else {},
        jaeger=sought.jaeger,
    )
    beat = Beat(progress, f"looking at the Flyte at {endpoint}")
    with reached(deployment) as here:
        version, build = await_admin(here.admin_endpoint, beat, sought.flyte_config)
    admin = AdminKind.STAND_IN if build == STAND_IN else AdminKind.FLYTEADMIN
    known = msgspec.structs.replace(
        deployment,
        subject=Subject(flyte=f"{version} at {endpoint}", digest=version or UNKNOWN),
        environment=msgspec.structs.replace(deployment.environment, admin_kind=admin),
    )
    if sought.task_image is None:
        return known
    return msgspec.structs.replace(known, image=sought.task_image, ships_code=True)


def _endpoint(api: KubeApi, sought: Sought) -> str:
    if sought.endpoint is not None:
        return sought.endpoint
    if sought.flyte_config is not None:
        return str(configured(sought.flyte_config, None, insecure=None).endpoint)
    return str(find_admin(api))


def _check_definition(api: KubeApi, namespace: str) -> None:
    """Make sure that workflows of this project and domain run on this cluster."""
    path = f"/apis/flyte.lyft.com/v1alpha1/namespaces/{namespace}/flyteworkflows"
    try:
        api.names(path, query={"limit": "1"})
    except KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise DeploymentError(
                f"namespace {namespace}: this cluster has no FlyteWorkflow objects; "
                "is the Flyte at that endpoint on this cluster?"
            ) from None
        raise
