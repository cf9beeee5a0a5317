"""When a new cluster has come to rest: its system pods are ready and pods can be created."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_flyteperf.errors import ClusterError
from pytest_flyteperf.waiting import await_collection

if TYPE_CHECKING:
    from pytest_flyteperf.kubeapi import KubeApi
    from pytest_flyteperf.progress import Beat

SETTLE_S = 180.0
SYSTEM_PODS = "/api/v1/namespaces/kube-system/pods"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"


def await_settled(api: KubeApi, beat: Beat) -> None:
    """Wait for the default service account and for all pods of kube-system.

    Raises:
        ClusterError: they are not there in time; the line names the first that is not.
    """
    waiting = ""

    def accounts(items: list[dict[str, Any]]) -> bool:
        return any(item["metadata"]["name"] == "default" for item in items)

    def pods(items: list[dict[str, Any]]) -> bool:
        nonlocal waiting
        unready = [item["metadata"]["name"] for item in items if not is_ready(item)]
        waiting = ", ".join(unready[:1])
        beat.tick(waiting)
        return bool(items) and not unready

    if not await_collection(api, ACCOUNTS, accounts, SETTLE_S):
        raise ClusterError(f"kind: no default service account within {SETTLE_S:.0f} s")
    if not await_collection(api, SYSTEM_PODS, pods, SETTLE_S):
        raise ClusterError(f"kind: {waiting} is not ready within {SETTLE_S:.0f} s")


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod's condition Ready is True, or it has succeeded."""
    status = pod.get("status") or {}
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    return conditions.get("Ready") == "True" or status.get("phase") == "Succeeded"
