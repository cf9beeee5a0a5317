"""Flyte on a cluster by its helm chart, with database and object store beside it.

Another subject upgrades the release; the same one is left as it is.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml
from filelock import FileLock

from pytest_flyteperf.deploy import core, manifests
from pytest_flyteperf.deploy.admin_ready import STAND_IN, await_admin
from pytest_flyteperf.deploy.config import TRACE_DELAY_MS, check_overrides
from pytest_flyteperf.deploy.discovery import METRICS_PORT, NAME, PROPELLERS
from pytest_flyteperf.deploy.environment import gather_environment
from pytest_flyteperf.deploy.images import build, checkout_of
from pytest_flyteperf.deploy.leftovers import remove_unfinished
from pytest_flyteperf.deploy.readiness import await_pods
from pytest_flyteperf.deploy.release import (
    DOMAIN,
    PROJECT,
    READY_S,
    RELEASE,
    Access,
    install,
    run_helm,
)
from pytest_flyteperf.deploy.values import BINARY, image_of, images_given
from pytest_flyteperf.deploy.yamlfile import Document, read_yaml
from pytest_flyteperf.errors import DeploymentError, UsageError
from pytest_flyteperf.kubeapi import KubeApi
from pytest_flyteperf.model import AdminKind, Deployment, Frozen, Subject
from pytest_flyteperf.progress import Beat, Progress, silent
from pytest_flyteperf.provision.daemon import daemon, image_id
from pytest_flyteperf.provision.kind import ADMIN_PORT, HTTP_PORT, STORE_PORT, load, secrets_of
from pytest_flyteperf.provision.requirements import require, require_helm

if TYPE_CHECKING:
    from pytest_flyteperf.model import Cluster

TASK_IMAGE = f"cr.flyte.org/flyteorg/flytekit:py{sys.version_info[0]}.{sys.version_info[1]}-latest"
"""Flytekit's own, for the Python that runs pytest."""
REPOSITORY = "https://flyteorg.github.io/flyte"
CHARTS = ("flyte-binary", core.NAME)
"""Charts that may be named without saying where they are."""
_FILE = "deployment.json"


class Request(Frozen, frozen=True):
    """Which Flyte, by which chart, and how configured."""

    helm: str
    chart: tuple[str, ...]
    """Arguments of helm that name the chart."""
    chart_name: str
    """Name and version, e.g. `flyte-binary 0.1.10`."""
    flyte: str
    components: dict[str, tuple[str, str]]
    """Component to repository and tag of its image; flyte-binary's only one is `flyte`."""
    task_image: str
    store_image: str
    database_image: str
    values: Document | None = None
    overrides: Document | None = None

    @property
    def images(self) -> tuple[str, ...]:
        """All that pods of the deployment and of its tasks run."""
        flyte = map(":".join, self.components.values())
        return (*flyte, self.task_image, self.store_image, self.database_image)

    @property
    def is_core(self) -> bool:
        """Whether each part of Flyte has a pod of its own."""
        return core.COMPONENTS[0] in self.components


def prepare(  # noqa: PLR0913 # the door of the room
    flyte: str,
    *,
    chart: str,
    task_image: str | None,
    store_image: str,
    database_image: str,
    values_file: Path | None = None,
    config: Path | None = None,
    images: str | None = None,
    progress: Progress = silent,
) -> Request:
    """Check what the user asked for before any cluster is made; build a checkout's image.

    Raises:
        UsageError: a file, the chart's name or the reference to Flyte is wrong.
        ClusterError: there is no helm, or no docker that builds the image.
        DeploymentError: helm finds no such chart.
    """
    source = checkout_of(flyte) or image_of(flyte)
    given = images_given(images)
    if ":" not in database_image.rpartition("/")[2]:
        raise UsageError(f"--flyteperf-database-image {database_image}: give it with its tag")
    overrides = read_yaml(config) if config is not None else None
    if overrides is not None:
        check_overrides(overrides, full=True)
    users = read_yaml(values_file) if values_file is not None else None
    helm = require_helm()
    located = _locate(chart)
    chart_name = _chart_name(helm, located)
    if chart_name.startswith(f"{core.NAME} "):
        components = core.images_of(flyte)
        if overrides is not None:
            core.check_sections(overrides)
    elif isinstance(source, Path):
        components = {BINARY: build(require().docker, source, progress)}
    else:
        components = {BINARY: source}
    if unknown := next((name for name in given if name not in components), None):
        known = ", ".join(components)
        raise UsageError(f"--flyteperf-images: {unknown} is none of {chart_name}'s: {known}")
    return Request(
        helm=helm,
        chart=located,
        chart_name=chart_name,
        flyte=flyte,
        components=components | given,
        task_image=task_image or TASK_IMAGE,
        store_image=store_image,
        database_image=database_image,
        values=users,
        overrides=overrides,
    )


def deploy(
    cluster: Cluster, request: Request, progress: Progress = silent, *, fresh: bool = False
) -> Deployment:
    """Return a running Flyte as requested, installing or upgrading the release if need be.

    With `fresh` its pods start anew, also where the same Flyte runs; database and store stay.

    Raises:
        DeploymentError: it does not come up; one line with what Kubernetes and its log say.
    """
    directory = Path(cluster.directory)
    with FileLock(directory / "deploy.lock"), KubeApi.from_kubeconfig(cluster.kubeconfig) as api:
        beat = Beat(progress, f"deploying Flyte {request.flyte}")
        subject = _subject(request)
        found = None if fresh else _find(directory, subject)
        if found is not None:
            await_pods(api, manifests.NAMESPACE, READY_S, beat)
            return found
        (directory / _FILE).unlink(missing_ok=True)
        load(cluster, request.images, progress)
        start = f"{subject.digest}-{secrets.token_hex(4)}" if fresh else subject.digest
        kept = secrets_of(cluster)
        access = Access(
            database_password=kept.database_password,
            traces_token=kept.traces_token,
            admin_ports=(ADMIN_PORT, HTTP_PORT),
            store_port=STORE_PORT,
        )
        namespaces = (manifests.NAMESPACE, f"{PROJECT}-{DOMAIN}")
        manifests.apply(api, tuple(map(manifests.namespace, namespaces)))
        pods = install(cluster, request, access, start, api, beat)
        endpoint = f"127.0.0.1:{kept.admin_port}"
        stand_in = await_admin(endpoint, beat)[1] == STAND_IN
        removed = remove_unfinished(api)
        if removed:
            progress(f"removed {removed} unfinished workflows of an earlier Flyte")
        deployment = Deployment(
            cluster=cluster,
            subject=subject,
            environment=gather_environment(
                cluster,
                AdminKind.STAND_IN if stand_in else AdminKind.FLYTEADMIN,
                "bbolt" if stand_in else request.database_image,
                engine_digest=None,
                kubelet_slots=None,
                chart=request.chart_name,
            ),
            admin_endpoint=endpoint,
            project=PROJECT,
            domain=DOMAIN,
            namespace=f"{PROJECT}-{DOMAIN}",
            metrics={"propeller": _metrics_paths(pods)},
            trace_delay_s=TRACE_DELAY_MS / 1000,
            image=request.task_image,
            ships_code=True,
        )
        written = (directory / _FILE).with_suffix(".new")
        written.touch(mode=0o600)
        written.write_bytes(msgspec.json.encode(deployment))
        written.replace(directory / _FILE)
        return deployment


def _find(directory: Path, subject: Subject) -> Deployment | None:
    try:
        found = msgspec.json.decode((directory / _FILE).read_bytes(), type=Deployment)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return found if found.subject == subject else None


def _locate(chart: str) -> tuple[str, ...]:
    """Arguments of helm for a chart: a folder, a tgz, `oci://...`, or a name with its version."""
    path = Path(chart).expanduser()
    if path.exists():
        if path.is_dir() and not (path / "Chart.yaml").is_file():
            raise UsageError(f"--flyteperf-chart {chart}: has no Chart.yaml")
        return (str(path.absolute()),)
    if chart.startswith("oci://"):
        return (chart,)
    name, at, version = chart.partition("@")
    if name not in CHARTS:
        known = ", ".join(CHARTS)
        raise UsageError(
            f"--flyteperf-chart {chart}: neither a folder, a tgz nor one of {known}; "
            "a version follows as in flyte-binary@v1.16.8"
        )
    return (name, "--repo", REPOSITORY, *(("--version", version) if at else ()))


def _chart_name(helm: str, located: tuple[str, ...]) -> str:
    try:
        shown = yaml.safe_load(run_helm(helm, "show", "chart", *located))
        return f"{shown['name']} {shown['version']}"
    except (yaml.YAMLError, KeyError, TypeError):
        raise DeploymentError(f"helm: {located[0]}: tells no name and version of a chart") from None


def _subject(request: Request) -> Subject:
    """What is under test: the image's content where Docker here knows it, values and config."""
    config = request.overrides.text if request.overrides is not None else None
    users = request.values.text if request.values is not None else None
    named = [":".join(image) for _, image in sorted(request.components.items())]
    with daemon() as client:
        # An image that is not here is pulled by the cluster: its name is all that is known.
        images = [image_id(client, image) or image for image in named]
    told = (*images, request.chart_name, users)
    return Subject(
        flyte=request.flyte,
        digest=hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16],
        config=config,
        config_digest=hashlib.sha256(config.encode()).hexdigest() if config is not None else None,
    )


def _metrics_paths(pods: list[dict[str, Any]]) -> tuple[str, ...]:
    """Paths, through the API server's proxy, to the metrics of Propeller's pods.

    Those that its charts label so; else, with a chart of somebody's, the release's first.
    """
    ours = [
        pod["metadata"]
        for pod in pods
        if pod["metadata"]["labels"].get("app.kubernetes.io/instance") == RELEASE
    ]
    propellers = [about for about in ours if about["labels"].get(NAME) in PROPELLERS]
    if not ours:
        raise DeploymentError(f"helm: release {RELEASE} has no pod; see its chart")
    return tuple(
        f"/api/v1/namespaces/{manifests.NAMESPACE}/pods/{about['name']}:{METRICS_PORT}/proxy/metrics"
        for about in propellers or ours[:1]
    )
