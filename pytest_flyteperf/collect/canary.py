"""Canaries: fixed pieces of work beside each repeat, that nothing in Flyte can make slower.

How long they take says how fast the machine and its API server were just then. A machine shared
with others, a virtual one above all, changes its pace by a tenth within minutes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import msgspec

from pytest_flyteperf.kubeapi import KubeApi, KubeError

CPU_ROUNDS: Final = 240
CPU_PIECES: Final = 3
ONE_PIECE: Final = 1
"""Enough where the CPU time of Flyte's servers tells the pace, too."""
API_WRITES: Final = 11
"""Odd numbers, so that one of them is the median."""
SAME_NS: Final = 2_000_000_000
"""Within this time what sang after one repeat tells the pace before the next, too."""
NAME: Final = "flyteperf-canary"
_DOCUMENT: Final = json.dumps(
    {f"node-{i}": {"phase": i, "message": "canary " * 8, "kids": [i, -i]} for i in range(150)}
)


class Canaries(msgspec.Struct, frozen=True):
    """One look at the pace of machine and API server."""

    cpu_ns: int
    """CPU time of fixed work on one CPU, median of a few times: waiting for a CPU is no part."""
    api_write_ns: int | None
    """Median of a few updates of a small ConfigMap; None where writing one is not allowed."""


def sing(api: KubeApi, namespace: str, pieces: int = CPU_PIECES) -> Canaries:
    """Do the fixed work now; takes some 150 ms at rest.

    One piece of it takes a third of that and varies by a tenth from repeat to repeat, as much as
    what it shall explain.
    """
    took = [_cpu_ns() for _ in range(pieces)]
    return Canaries(cpu_ns=_middle(took), api_write_ns=_api_write_ns(api, namespace))


class Between:
    """Canaries around repeats: between two that follow each other they sing once, for both."""

    def __init__(
        self, api: KubeApi, namespace: str, monotonic_ns: Callable[[], int], pieces: int
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._monotonic_ns = monotonic_ns
        self._pieces = pieces
        self._last: tuple[int, Canaries] | None = None

    def before(self) -> Canaries:
        """The pace before a repeat: what was sung after the last, if that was just now."""
        if self._last is not None:
            sung_ns, canaries = self._last
            if self._monotonic_ns() - sung_ns <= SAME_NS:
                return canaries
        return sing(self._api, self._namespace, self._pieces)

    def after(self) -> Canaries:
        """The pace after a repeat."""
        canaries = sing(self._api, self._namespace, self._pieces)
        self._last = self._monotonic_ns(), canaries
        return canaries


def _middle(odd: list[int]) -> int:
    return sorted(odd)[len(odd) // 2]


def _cpu_ns() -> int:
    started = time.thread_time_ns()
    for _ in range(CPU_ROUNDS):
        json.dumps(json.loads(_DOCUMENT))
    return time.thread_time_ns() - started


def _api_write_ns(api: KubeApi, namespace: str) -> int | None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    try:
        if not _present(api, path):
            api.request("POST", path, body={"metadata": {"name": NAME}})
        return _middle([_written_ns(api, f"{path}/{NAME}") for _ in range(API_WRITES)])
    except KubeError:
        return None


def _written_ns(api: KubeApi, path: str) -> int:
    started = time.monotonic_ns()
    api.patch(path, {"data": {"sung": str(started)}})
    return time.monotonic_ns() - started


def _present(api: KubeApi, path: str) -> bool:
    try:
        api.request("GET", f"{path}/{NAME}")
    except KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return False
        raise
    return True
