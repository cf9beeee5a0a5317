"""The helm release of Flyte: values, files, and pods that become ready.

One release a cluster, in one namespace, with database and object store beside it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pytest_flyteperf.deploy import core, manifests
from pytest_flyteperf.deploy.definition import await_definition
from pytest_flyteperf.deploy.readiness import await_pods
from pytest_flyteperf.deploy.values import BINARY, inline_values, values
from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.model import Frozen

if TYPE_CHECKING:
    from pytest_flyteperf.deploy.config import Config
    from pytest_flyteperf.deploy.helm import Request
    from pytest_flyteperf.kubeapi import KubeApi
    from pytest_flyteperf.model import Cluster
    from pytest_flyteperf.progress import Beat

RELEASE = "flyte"
PROJECT, DOMAIN = "flytesnacks", "development"
HELM_S = 120.0
READY_S = 300.0
"""Images may have to be pulled."""


class Access(Frozen, frozen=True):
    """How what is installed can be reached, and by what secrets."""

    database_password: str
    traces_token: str | None = None
    """What the receiver of traces asks for."""
    admin_ports: tuple[int, int] | None = None
    """Node ports of FlyteAdmin's gRPC and HTTP; None where it has none."""
    store_port: int | None = None
    """Node port of the object store, likewise."""


def install(  # noqa: PLR0913, PLR0917 # a cluster, what goes onto it, and who tells of it
    cluster: Cluster, request: Request, access: Access, start: str, api: KubeApi, beat: Beat
) -> list[dict[str, Any]]:
    """Install the release, or upgrade it, with database and store; return its pods, all ready.

    The namespaces must be there.

    Raises:
        DeploymentError: helm refuses, or a pod does not become ready.
        KubeError: the API server refuses a manifest.
    """
    manifests.apply(
        api,
        (
            *manifests.store(request.store_image, cluster.store, access.store_port),
            *manifests.database(request.database_image, access.database_password),
        ),
    )
    folder = Path(cluster.directory, "values")
    folder.mkdir(mode=0o700, exist_ok=True)
    ours = _values(cluster, request, access, start)
    layers: list[tuple[str, Any]] = [("ours", ours)]
    if request.values is not None:
        layers.append(("users", request.values.content))
    if request.overrides is not None:
        spread = core.core_config if request.is_core else inline_values
        layers.append(("config", spread(cluster, request.overrides)))
    files = []
    for name, content in layers:
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        files += ["--values", str(path)]
    beat.tick("helm")
    run_helm(
        request.helm,
        *("upgrade", RELEASE, *request.chart, "--install", "--namespace", manifests.NAMESPACE),
        *("--kubeconfig", cluster.kubeconfig, *files),
    )
    pods = await_pods(api, manifests.NAMESPACE, READY_S, beat)
    await_definition(cluster, beat)
    return pods


def _values(cluster: Cluster, request: Request, access: Access, start: str) -> Config:
    """Our values for the chart."""
    if request.is_core:
        return core.core_values(
            cluster,
            images=request.components,
            start=start,
            database_password=access.database_password,
            traces_token=access.traces_token,
            ports=access.admin_ports,
        )
    return values(
        cluster,
        image=request.components[BINARY],
        start=start,
        database_image=request.database_image,
        database_password=access.database_password,
        traces_token=access.traces_token,
        ports=access.admin_ports,
    )


def run_helm(helm: str, *arguments: str) -> bytes:
    """What helm says on its standard output.

    Raises:
        DeploymentError: it does not start, takes too long or fails, with its own words.
    """
    try:
        done = subprocess.run(
            (helm, *arguments),
            capture_output=True,
            check=False,
            timeout=HELM_S,
            stdin=subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if k != "KUBECONFIG"},
        )
    except OSError as error:
        raise DeploymentError(f"{helm}: {error.strerror}; reinstall helm") from None
    except subprocess.TimeoutExpired:
        raise DeploymentError(f"helm {arguments[0]}: took longer than {HELM_S:.0f} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").split("Error:")[-1]
        reason = " ".join(said.split())[:400] or f"exit code {done.returncode}"
        raise DeploymentError(f"helm {arguments[0]}: {reason}")
    return done.stdout
