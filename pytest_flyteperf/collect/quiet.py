"""How quiet a cluster is that others may use too: their workflows, and nodes in need."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec

from pytest_flyteperf.kubeapi import KubeApi, KubeError

WORKFLOWS = "/apis/flyte.lyft.com/v1alpha1/flyteworkflows"
NODES = "/api/v1/nodes"
UNFINISHED = "termination-status!=terminated"
NEEDS = ("MemoryPressure", "DiskPressure", "PIDPressure")


class Neighbours(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a cluster."""

    workflows: int | None
    """Unfinished ones of others, in all namespaces; None where they may not be listed."""
    pressed: tuple[str, ...] | None
    """Nodes in need, e.g. `node-1: MemoryPressure`; None where nodes may not be listed."""


def look(api: KubeApi, own: Collection[str] = ()) -> Neighbours:
    """Look at a cluster now; `own` are the executions that are not others'.

    Objects are left out of the answers: only their names are asked for.
    """
    workflows = _listed(lambda: api.names(WORKFLOWS, query={"labelSelector": UNFINISHED}))
    nodes = _listed(lambda: api.list(NODES))
    return Neighbours(
        workflows=None
        if workflows is None
        else sum(item["metadata"]["name"] not in own for item in workflows),
        pressed=None
        if nodes is None
        else tuple(
            f"{node['metadata']['name']}: {condition['type']}"
            for node in nodes
            for condition in node.get("status", {}).get("conditions") or ()
            if condition["type"] in NEEDS and condition["status"] == "True"
        ),
    )


def _listed(ask: Callable[[], dict[str, Any]]) -> list[dict[str, Any]] | None:
    try:
        items: list[dict[str, Any]] | None = ask()["items"]
    except KubeError:
        return None
    return items or []  # a list of metadata alone has null for none
