"""When the pods of a namespace are ready, and what Kubernetes says of those that are not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_flyteperf.engine.process import essence
from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.kubeapi import KubeError
from pytest_flyteperf.provision.settled import is_ready
from pytest_flyteperf.waiting import await_collection

if TYPE_CHECKING:
    from pytest_flyteperf.kubeapi import KubeApi
    from pytest_flyteperf.progress import Beat

HOPELESS = frozenset(
    {
        *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
        *("CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
    }
)
"""Reasons of waiting containers that no patience mends."""
RESTARTS = 4
"""A container that ended so often does not start: the first ends may be for want of a database."""
LOG_LINES = 40


def await_pods(api: KubeApi, namespace: str, most_s: float, beat: Beat) -> list[dict[str, Any]]:
    """Wait until all Deployments of a namespace are rolled out and all its pods ready; return them.

    Raises:
        DeploymentError: one will not be ready, or is not in time: with its event and log line.
    """
    ready: list[dict[str, Any]] = []
    last: dict[str, Any] | None = None

    def good(items: list[dict[str, Any]]) -> bool:
        nonlocal last
        pods = [item for item in items if "deletionTimestamp" not in item["metadata"]]
        unready = [pod for pod in pods if not is_ready(pod)]
        last = unready[0] if unready else None
        if last is not None:
            beat.tick(f"waiting for {last['metadata']['name']}")
            if _hopeless(last):
                raise DeploymentError(_explain(api, last))
        ready[:] = pods
        settled = bool(pods) and not unready and len(pods) == len(items)
        return settled and _rolled_out(api, namespace)

    if not await_collection(api, f"/api/v1/namespaces/{namespace}/pods", good, most_s):
        if last is None:
            raise DeploymentError(f"{namespace}: its pods are not there after {most_s:.0f} s")
        raise DeploymentError(f"{_explain(api, last)} (after {most_s:.0f} s)")
    return ready


def _rolled_out(api: KubeApi, namespace: str) -> bool:
    """Whether pods are those that the Deployments ask for now, not those before an upgrade."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    return all(map(_is_rolled_out, api.list(path)["items"]))


def _is_rolled_out(deployment: dict[str, Any]) -> bool:
    wanted = deployment["spec"].get("replicas", 1)
    status = deployment.get("status") or {}
    counts = (status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas"))
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return seen and all(count == wanted for count in counts)


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    status = pod.get("status") or {}
    return [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]


def _hopeless(pod: dict[str, Any]) -> bool:
    return any(
        (c.get("state") or {}).get("waiting", {}).get("reason") in HOPELESS
        or c.get("restartCount", 0) >= RESTARTS
        for c in _containers(pod)
    )


def _explain(api: KubeApi, pod: dict[str, Any]) -> str:
    """One line: the pod, the state of its first container that is not ready, event and log."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    said = [f"pod {namespace}/{name} is not ready"]
    broken = next((c for c in _containers(pod) if not c.get("ready")), None)
    reason = None
    if broken is not None:
        reason = ((broken.get("state") or {}).get("waiting") or {}).get("reason")
        said.append(f"container {broken['name']} {reason or 'is starting'}")
    event = _last_warning(api, namespace, name)
    if event:
        said.append(event)
    if broken is not None and reason not in HOPELESS:
        line = _last_words(api, namespace, name, broken)
        if line:
            said.append(f"its log: {line}")
    return ": ".join(said)


def _last_warning(api: KubeApi, namespace: str, pod: str) -> str:
    query = {"fieldSelector": f"involvedObject.name={pod},type=Warning"}
    try:
        events = api.list(f"/api/v1/namespaces/{namespace}/events", query=query)["items"]
    except KubeError:
        return ""  # the reason is an addition; the failure is told anyway
    telling = [e for e in events if e.get("reason") != "BackOff"] or events
    return " ".join(str(telling[-1].get("message", "")).split())[:300] if telling else ""


def _last_words(api: KubeApi, namespace: str, pod: str, container: dict[str, Any]) -> str:
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
    query = {"container": container["name"], "tailLines": str(LOG_LINES)}
    for previous in ("true", "false") if container.get("restartCount") else ("false",):
        try:
            text = api.raw(path, query=query | {"previous": previous}).decode(errors="replace")
        except KubeError:
            continue
        lines = tuple(_message(line) for line in text.splitlines())
        if any(lines):
            return essence(lines)
    return ""


def _message(line: str) -> str:
    """The message of a JSON log line, other lines as they are."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    return str(entry.get("msg", line)) if isinstance(entry, dict) else line
