"""Wait until a collection of Kubernetes objects is as it should be, by watching it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_flyteperf.kubeapi import KubeApi

SLICE_S = 2
"""How long one watch lasts at most: the wait's own deadline and its caller's beat are kept."""


def await_collection(
    api: KubeApi,
    path: str,
    good: Callable[[list[dict[str, Any]]], bool],
    most_s: float,
    query: Mapping[str, str] | None = None,
) -> bool:
    """Return True as soon as `good` says so of the listed objects, False after `most_s` seconds.

    `good` is asked at the start, after each change, and every other second; it may raise.

    Raises:
        KubeError: the API server refused.
    """
    deadline = time.monotonic() + most_s
    chosen = dict(query or {})
    while True:
        listed = api.list(path, query=chosen)
        if good(listed["items"]):
            return True
        if time.monotonic() > deadline:
            return False
        version = listed["metadata"]["resourceVersion"]
        watch = api.open_watch(path, version, query=chosen | {"timeoutSeconds": str(SLICE_S)})
        try:
            # One change is enough to look at all again.
            next((line for line in watch if b'"BOOKMARK"' not in line[:20]), None)
        finally:
            watch.close()
