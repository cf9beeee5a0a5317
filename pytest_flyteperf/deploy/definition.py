"""The FlyteWorkflow resource, which Propeller makes when it starts."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.kubeapi import KubeApi, KubeError

if TYPE_CHECKING:
    from pytest_flyteperf.model import Cluster
    from pytest_flyteperf.progress import Beat

CRD = "flyteworkflows.flyte.lyft.com"
READY_S = 60.0
_POLL_S = 0.05


def await_definition(cluster: Cluster, beat: Beat) -> None:
    """Wait until Propeller has made the FlyteWorkflow resource and the API server serves it.

    Raises:
        DeploymentError: it does not.
    """
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}"
    deadline = time.monotonic() + READY_S
    with KubeApi.from_kubeconfig(cluster.kubeconfig) as api:
        while time.monotonic() < deadline:
            try:
                status = api.request("GET", path).get("status", {})
            except KubeError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                status = {}
            conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
            if conditions.get("Established") == "True":
                return
            beat.tick("waiting for the FlyteWorkflow resource")
            time.sleep(_POLL_S)
    raise DeploymentError(
        f"{cluster.name}: FlytePropeller made no {CRD} within {READY_S:.0f} s; see its log"
    )
