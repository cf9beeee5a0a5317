"""What a stopped Flyte leaves unfinished on a cluster: the next one must not take it up.

A new Flyte starts with an admin that knows no execution. Workflows in mid-run would be evaluated
and refused again and again beside what is measured. Finished ones do no harm: Propeller's watch
leaves them out by their label.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from pytest_flyteperf.kubeapi import KubeError

if TYPE_CHECKING:
    from pytest_flyteperf.kubeapi import KubeApi

WORKFLOWS = "/apis/flyte.lyft.com/v1alpha1"
_UNFINISHED = "termination-status!=terminated"
_PAGE = 200


def remove_unfinished(api: KubeApi) -> int:
    """Delete unfinished FlyteWorkflow objects, and their pods; return how many workflows.

    Nothing else deletes the pods: no controller-manager collects what has lost its owner.
    """
    removed = 0
    while names := _unfinished(api):
        for namespace, name in names:
            workflow = f"{WORKFLOWS}/namespaces/{namespace}/flyteworkflows/{name}"
            selector = {"labelSelector": f"execution-id={name}"}
            api.delete(f"/api/v1/namespaces/{namespace}/pods", query=selector)
            try:
                # Of those already being deleted, this is the end: only Flyte's finalizer held them.
                api.patch(workflow, {"metadata": {"finalizers": None}})
                api.delete(workflow)
            except KubeError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
            removed += 1
    return removed


def _unfinished(api: KubeApi) -> list[tuple[str, str]]:
    """Namespace and name of some that are left; none before any Flyte made the resource."""
    query = {"labelSelector": _UNFINISHED, "limit": str(_PAGE)}
    try:
        page = api.list(f"{WORKFLOWS}/flyteworkflows", query=query)
    except KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return []
        raise
    found = (item["metadata"] for item in page["items"])
    return [(metadata["namespace"], metadata["name"]) for metadata in found]
