"""Requests as the servers counted them: what Flyte's traces cannot see, and how long it took.

Flyte has no span for the creation of a pod, for HEAD requests and copies of blobs, nor for calls of
the launch plan executor. Whoever answers them counts them:
the API server (and what it asks etcd), FlyteAdmin's gRPC server, the S3 gateway's access log. They
hold every client's requests, the tasks' and the kubelet's too, so they are never gated.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from pytest_flyteperf.model import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
TASKS_CLIENT = b" aiobotocore/"
"""Begins the user agent of s3fs, flytekit's client: the requests of tasks."""
GATEWAY = "s3-access.log"
IDLE_VERBS = frozenset({"WATCH", "CONNECT"})
"""Requests that are open as long as their clients are."""

Labels = dict[str, str]
_LINE = re.compile(rb"([\w:]+)_(count|sum)(?:\{(.*)\})? ([\d.e+-]+)\s*$")
_LABEL = re.compile(rb'(\w+)="((?:[^"\\]|\\.)*)"')
_ACTION = re.compile(rb" s3_(\w+) ")


class Timed(NamedTuple):
    """Families of `_sum` and `_count`, and how their samples are called."""

    prefix: bytes
    """Begins the lines; whatever the rest of a family's name is belongs to it."""
    unit_ns: int
    name: Callable[[str, Labels], str | None]
    """From a metric's name and labels; None for samples that are left out."""


def _api(_: str, labels: Labels) -> str | None:
    verb, kind, part = (labels.get(key, "") for key in ("verb", "resource", "subresource"))
    if verb in IDLE_VERBS or not kind:
        return None
    return f"API server: {verb} {kind}{'/' * bool(part)}{part}"


def _etcd(_: str, labels: Labels) -> str | None:
    return f"etcd: {labels.get('operation', '')} {labels.get('resource', labels.get('type', ''))}"


def _grpc(_: str, labels: Labels) -> str | None:
    return f"admin: {labels.get('grpc_method', '')}"


def _endpoint(family: str, _labels: Labels) -> str | None:
    endpoint, _colon, stopwatch = family.rpartition(":")
    return f"admin: {endpoint.rpartition(':')[2]}" if stopwatch == "duration_ms" else None


API_SERVER = (
    Timed(b"apiserver_request_duration_seconds_", SECOND, _api),
    Timed(b"etcd_request_duration_seconds_", SECOND, _etcd),
)
ADMIN = (
    Timed(b"grpc_server_handling_seconds_", SECOND, _grpc),
    Timed(b"flyte:admin:admin:", MILLISECOND, _endpoint),
)
"""The stand-in's, which FlyteAdmin has too if `server.grpc.enableGrpcLatencyMetrics` is set; and
FlyteAdmin's own stopwatch of each endpoint (`A/rpc/adminservice/metrics.go`)."""


def timed(
    sources: Iterable[Timed], before: Iterable[bytes], after: Iterable[bytes]
) -> tuple[Signal, ...]:
    """Requests between two looks at a page, by name; those that did not occur are left out.

    A server that was replaced in between has none: its counts went down.
    """
    known = tuple(sources)
    first, last = _sums(known, before), _sums(known, after)
    found = []
    for key, (count, spent) in last.items():
        earlier = first.get(key, (0.0, 0.0))
        calls, ns = count - earlier[0], spent - earlier[1]
        if calls > 0 and ns >= 0:
            found.append(Signal(name=key[0], count=round(calls), sum_ns=round(ns), source=key[1]))
    return tuple(sorted(found, key=lambda signal: signal.name))


def gateway(lines: Iterable[bytes]) -> tuple[Signal, ...]:
    """Requests to the object store by operation, Flyte's and the tasks' apart."""
    counted: Counter[str] = Counter()
    for line in lines:
        action = _ACTION.search(line)
        if action is not None:
            who = "tasks" if TASKS_CLIENT in line else "Flyte"
            counted[f"S3 gateway: {action[1].decode()} by {who}"] += 1
    return tuple(
        Signal(name=name, count=count, sum_ns=None, source=GATEWAY)
        for name, count in sorted(counted.items())
    )


def _sums(
    sources: tuple[Timed, ...], lines: Iterable[bytes]
) -> dict[tuple[str, str], tuple[float, float]]:
    """Count and sum in nanoseconds by name and family, added up over other labels."""
    sums: dict[tuple[str, str], tuple[float, float]] = {}
    prefixes = tuple(source.prefix for source in sources)
    for line in lines:
        if not line.startswith(prefixes) or b"_bucket{" in line:
            continue
        parsed = _LINE.match(line)
        if parsed is None:
            continue
        family, kind = parsed[1].decode(), parsed[2]
        source = next(one for one in sources if line.startswith(one.prefix))
        name = source.name(family, _labels(parsed[3]))
        if name is None:
            continue
        count, spent = sums.get((name, family), (0.0, 0.0))
        value = float(parsed[4])
        if kind == b"count":
            sums[name, family] = (count + value, spent)
        else:
            sums[name, family] = (count, spent + value * source.unit_ns)
    return sums


def _labels(text: bytes | None) -> Labels:
    found = _LABEL.findall(text or b"")
    return {key.decode(): value.decode(errors="replace") for key, value in found}
