"""How large FlyteWorkflow objects become, revision by revision.

The object is stored whole at every update, so its size is what each round writes. Sizes are those
of compact JSON, which is how the API server stores custom resources in etcd, without managedFields,
which Propeller blanks in every update.
"""

from __future__ import annotations

import gzip
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_flyteperf.analyze import binary
from pytest_flyteperf.analyze.crd import name_of
from pytest_flyteperf.analyze.quantiles import nearest_rank
from pytest_flyteperf.analyze.slopes import slope
from pytest_flyteperf.analyze.stamps import seconds_ns
from pytest_flyteperf.model import LimitUse, Revision, SizeCost, StateMeasures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_flyteperf.analyze.documents import WorkflowRecord

ETCD_LIMIT_BYTES = 1_572_864
"""etcd's default `--max-request-bytes`, 1.5 MiB."""
GRPC_LIMIT_BYTES = 4 << 20
"""gRPC's default limit for a message: FlyteAdmin is sent, and sends, compiled workflows."""
CLOSURE_LIMIT_BYTES = 2 << 20
"""`storage.limits.maxDownloadMBs`, 2 by default: a closure that is kept outside the object."""
GZIP_LEVEL = 6
MOST_ROUNDS = 300
"""Rounds that a slope is made of, evenly chosen: its cost is the square of their number."""

_PLUGIN_STATE = re.compile(rb'"pState":"[^"]*"')

_STATUS = msgspec.json.Decoder(dict[str, object])


class _Peak:
    """The largest revision so far."""

    def __init__(self) -> None:
        self.compact = b""
        self.status = b"{}"
        self.metadata = b""

    def take(self, compact: bytes, status: bytes, metadata: bytes) -> None:
        if (len(compact), compact) > (len(self.compact), self.compact):
            self.compact, self.status, self.metadata = compact, status, metadata


def measure_state(
    records: Iterable[WorkflowRecord],
    execution: str,
    executions: frozenset[str],
    rounds: Sequence[tuple[str, int, int]] = (),
) -> StateMeasures | None:
    """Sizes over all revisions of these executions' objects; None where no event shows one.

    Args:
        records: watch events of FlyteWorkflows.
        execution: the execution whose first revision is reported.
        executions: it and the executions that its launch plan nodes started.
        rounds: execution, start and length of each round.
    """
    seen: set[tuple[str, str]] = set()
    first = written = 0
    revisions: list[Revision] = []
    begun: dict[str, None] = {}
    peak = _Peak()
    items: list[int] = []
    for record in records:
        name = name_of(record)
        if name not in executions or record.event.type not in {"ADDED", "MODIFIED"}:
            continue
        document = msgspec.json.decode(record.event.object)
        document["metadata"].pop("managedFields", None)
        version = document["metadata"].get("resourceVersion", "")
        if (name, version) in seen:
            continue
        seen.add((name, version))
        compact = msgspec.json.encode(document)
        stated = document.get("status")
        stated = stated if isinstance(stated, dict) else {}
        status = msgspec.json.encode(stated)
        if name in begun:
            written += len(compact)
        elif name == execution:
            first = len(compact)
        begun[name] = None
        revisions.append(
            Revision(
                execution=name,
                received_ns=seconds_ns(record.received),
                total_bytes=len(compact),
                status_bytes=len(status),
            ),
        )
        peak.take(compact, status, msgspec.json.encode(document["metadata"]))
        items += _array_items(stated)
    if not revisions:
        return None
    cost = _round_cost(revisions, rounds)
    return _measures(revisions, peak, written, first, max(items, default=None), cost)


def _measures(  # noqa: PLR0913, PLR0917 -- what one pass over the revisions gave
    revisions: list[Revision],
    peak: _Peak,
    written: int,
    first: int,
    item: int | None,
    cost: SizeCost | None,
) -> StateMeasures:
    size, status = len(peak.compact), len(peak.status)
    stated = _STATUS.decode(peak.status)
    nodes = sorted(_node_sizes(stated))
    document = msgspec.json.decode(peak.compact)
    spec = size - status - len(peak.metadata)
    node = nearest_rank(nodes, 50) if nodes else None
    growth = _growth(spec, max(_specified(document), len(nodes)), node)
    closure = len(binary.encode({key: document.get(key) for key in _CLOSURE}))
    since = min(revision.received_ns for revision in revisions)
    return StateMeasures(
        revisions=len(revisions),
        written_bytes=written,
        first_bytes=first,
        peak_bytes=size,
        peak_spec_bytes=spec,
        peak_status_bytes=status,
        peak_gzip_bytes=len(gzip.compress(peak.compact, GZIP_LEVEL, mtime=0)),
        peak_nodes=len(nodes),
        node_bytes=node,
        peak_binary_bytes=len(binary.encode(document)),
        peak_plugin_bytes=sum(len(state) for state in _PLUGIN_STATE.findall(peak.compact)),
        array_item_bytes=item,
        etcd_share=size / ETCD_LIMIT_BYTES,
        dynamic_child_bytes=_dynamic_child(stated),
        node_growth_bytes=growth,
        write_amplification=written / size,
        limits=(
            _limit("etcd request", ETCD_LIMIT_BYTES, size, len(nodes), growth),
            _limit("gRPC message", GRPC_LIMIT_BYTES, closure, *_per_node(document, closure)),
            _limit("closure", CLOSURE_LIMIT_BYTES, closure, *_per_node(document, closure)),
        ),
        round_cost=cost,
        sizes=tuple(
            msgspec.structs.replace(revision, received_ns=revision.received_ns - since)
            for revision in sorted(revisions, key=lambda one: (one.received_ns, one.execution))
        ),
    )


_CLOSURE = ("spec", "subWorkflows", "tasks")
"""What of a FlyteWorkflow is the compiled workflow. Its binary form stands for the protobuf."""


def _specified(document: dict[str, Any]) -> int:
    """Nodes of the specification, those of sub-workflows included."""
    inner = document.get("subWorkflows")
    specs = [document.get("spec"), *(inner.values() if isinstance(inner, dict) else ())]
    return sum(len(spec.get("nodes") or ()) for spec in specs if isinstance(spec, dict))


def _per_node(document: dict[str, Any], used: int) -> tuple[int, int | None]:
    count = _specified(document)
    return count, used // count if count else None


def _growth(spec: int, count: int, node: int | None) -> int | None:
    """What a further node adds: its share of the specification, and its status.

    Of a dynamic node's children the specification says nothing, but they are nodes all the same.
    """
    return None if node is None or not count else spec // count + node


def _limit(limit: str, most: int, used: int, nodes: int, each: int | None) -> LimitUse:
    reached = nodes + (most - used) // each if each else None
    return LimitUse(limit=limit, limit_bytes=most, used_bytes=used, nodes=reached)


def _round_cost(
    revisions: Sequence[Revision],
    rounds: Sequence[tuple[str, int, int]],
) -> SizeCost | None:
    """Length of rounds against the bytes of the newest revision that had been received by then."""
    by_name: dict[str, list[Revision]] = {}
    for revision in sorted(revisions, key=lambda one: one.received_ns):
        by_name.setdefault(revision.execution, []).append(revision)
    stamps = {name: [one.received_ns for one in known] for name, known in by_name.items()}
    points: list[tuple[float, float]] = []
    for name, start, spent in rounds[:: 1 + len(rounds) // MOST_ROUNDS]:
        index = bisect_right(stamps.get(name, []), start)
        if index:
            points.append((by_name[name][index - 1].total_bytes, spent))
    fitted = slope(points)
    if fitted is None:
        return None
    return SizeCost(ns_per_byte=fitted.per_unit, low=fitted.low, high=fitted.high)


def _nodes(status: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Every node status, at any depth, each without those beneath it."""
    waiting = [status.get("nodeStatus")]
    while waiting:
        nodes = waiting.pop()
        if not isinstance(nodes, dict):
            continue
        for name, node in nodes.items():
            if isinstance(node, dict):
                waiting.append(node.get("subNodeStatus"))
                yield name, _alone(node)
            else:
                yield name, node


def _node_sizes(status: dict[str, object]) -> list[int]:
    """JSON bytes of each node status with its name and comma."""
    return [len(msgspec.json.encode({name: node})) - 1 for name, node in _nodes(status)]


def _array_items(status: dict[str, Any]) -> list[int]:
    """Bytes per sub-task of each array node's status, rounded up."""
    found: list[int] = []
    for _, node in _nodes(status):
        array = node.get("arrayNodeStatus") if isinstance(node, dict) else None
        phases = array.get("subphase") if isinstance(array, dict) else None
        count = phases.get("count") if isinstance(phases, dict) else None
        if isinstance(count, int) and count > 0:
            found.append(-(-len(msgspec.json.encode(array)) // count))
    return found


def _dynamic_child(status: dict[str, Any]) -> int | None:
    """Median bytes of the statuses of dynamic nodes' children, each without what is beneath it.

    Beneath a dynamic node stands a node `dynamic-node`, and the children beneath that.
    """
    found: list[int] = []
    waiting: list[Any] = [status.get("nodeStatus")]
    while waiting:
        nodes = waiting.pop()
        if not isinstance(nodes, dict):
            continue
        for name, node in nodes.items():
            if not isinstance(node, dict):
                continue
            below = node.get("subNodeStatus")
            waiting.append(below)
            if name == "dynamic-node" and isinstance(below, dict):
                found += _node_sizes({"nodeStatus": {k: _alone(v) for k, v in below.items()}})
    return nearest_rank(sorted(found), 50) if found else None


def _alone(node: object) -> object:
    """A node status without those beneath it."""
    if not isinstance(node, dict):
        return node
    return {key: value for key, value in node.items() if key != "subNodeStatus"}
