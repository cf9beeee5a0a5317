"""The Node object."""

from __future__ import annotations

import os
import platform
import time
from typing import TYPE_CHECKING, Any

from pytest_flyteperf.engine.kubelet.api import CONFLICT, MERGE_PATCH, Api, ApiError
from pytest_flyteperf.engine.kubelet.status import timestamp

if TYPE_CHECKING:
    from pytest_flyteperf.engine.kubelet.admission import Capacity


def register_node(api: Api, name: str, capacity: Capacity) -> None:
    """Make the node known as Ready; no heartbeat follows, since nothing here watches for one.

    Raises:
        ApiError: the API server refused.
        OSError, http.client.HTTPException: it did not answer.
    """
    path = "/api/v1/nodes"
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        },
        "status": _status(capacity),
    }
    try:
        api.request("POST", path, node)
    except ApiError as error:
        if error.code != CONFLICT:
            raise
        api.request("PATCH", f"{path}/{name}/status", {"status": node["status"]}, MERGE_PATCH)
    # The API server marks every new node not ready until its controllers say otherwise.
    api.request("PATCH", f"{path}/{name}", {"spec": {"taints": None}}, MERGE_PATCH)


def _status(capacity: Capacity) -> dict[str, Any]:
    resources = {
        "cpu": str(capacity.cpus),
        "memory": str(capacity.memory_bytes),
        "pods": str(capacity.slots),
    }
    now = timestamp(time.time_ns())
    return {
        "capacity": resources,
        "allocatable": resources,
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "KubeletReady",
                "message": "process kubelet",
                "lastHeartbeatTime": now,
                "lastTransitionTime": now,
            }
        ],
        "nodeInfo": {
            "architecture": platform.machine(),
            "operatingSystem": "linux",
            "kernelVersion": os.uname().release,
            "osImage": "host",
            "kubeletVersion": "process",
            "kubeProxyVersion": "",
            "containerRuntimeVersion": "fork://1",
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
        },
    }
