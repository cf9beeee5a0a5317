"""How large FlyteWorkflow objects become, revision by revision.

The object is stored whole at every update, so its size is what each round writes. Sizes are those
of compact JSON, which is how the API server stores custom resources in etcd, without managedFields,
which Propeller blanks in every update.
"""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_flyteperf.analyze import binary
from pytest_flyteperf.analyze.crd import name_of
from pytest_flyteperf.analyze.quantiles import nearest_rank
from pytest_flyteperf.analyze.stamps import seconds_ns
from pytest_flyteperf.model import Revision, StateMeasures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_flyteperf.analyze.documents import WorkflowRecord

ETCD_LIMIT_BYTES = 1_572_864
"""etcd's default `--max-request-bytes`, 1.5 MiB."""
GZIP_LEVEL = 6

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
) -> StateMeasures | None:
    """Sizes over all revisions of these executions' objects; None where no event shows one.

    Args:
        records: watch events of FlyteWorkflows.
        execution: the execution whose first revision is reported.
        executions: it and the executions that its launch plan nodes started.
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
    return _measures(revisions, peak, written, first, max(items, default=None))


def _measures(
    revisions: list[Revision],
    peak: _Peak,
    written: int,
    first: int,
    item: int | None,
) -> StateMeasures:
    size, status = len(peak.compact), len(peak.status)
    nodes = sorted(_node_sizes(_STATUS.decode(peak.status)))
    since = min(revision.received_ns for revision in revisions)
    return StateMeasures(
        revisions=len(revisions),
        written_bytes=written,
        first_bytes=first,
        peak_bytes=size,
        peak_spec_bytes=size - status - len(peak.metadata),
        peak_status_bytes=status,
        peak_gzip_bytes=len(gzip.compress(peak.compact, GZIP_LEVEL, mtime=0)),
        peak_nodes=len(nodes),
        node_bytes=nearest_rank(nodes, 50) if nodes else None,
        peak_binary_bytes=len(binary.encode(msgspec.json.decode(peak.compact))),
        peak_plugin_bytes=sum(len(state) for state in _PLUGIN_STATE.findall(peak.compact)),
        array_item_bytes=item,
        etcd_share=size / ETCD_LIMIT_BYTES,
        sizes=tuple(
            msgspec.structs.replace(revision, received_ns=revision.received_ns - since)
            for revision in sorted(revisions, key=lambda one: (one.received_ns, one.execution))
        ),
    )


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
                yield name, {key: value for key, value in node.items() if key != "subNodeStatus"}
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
