"""How large FlyteWorkflow objects become, revision by revision.

The object is stored whole at every update, so its size is what each round writes. Sizes are those
of compact JSON, which is how the API server stores custom resources in etcd, without managedFields,
which Propeller blanks in every update.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.analyze.crd import name_of
from pytest_flyteperf.analyze.quantiles import nearest_rank
from pytest_flyteperf.model import StateMeasures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_flyteperf.analyze.documents import WorkflowRecord

ETCD_LIMIT_BYTES = 1_572_864
"""etcd's default `--max-request-bytes`, 1.5 MiB."""
GZIP_LEVEL = 6

_JSON = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STATUS = msgspec.json.Decoder(dict[str, object])


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
    first = 0
    written = revisions = 0
    peak: tuple[int, bytes] = (-1, b"")
    begun: set[str] = set()
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
        revisions += 1
        if name in begun:
            written += len(compact)
        elif name == execution:
            first = len(compact)
        begun.add(name)
        peak = max(peak, (len(compact), compact))
    if not revisions:
        return None
    size, compact = peak
    parts = _JSON.decode(compact)
    status = bytes(parts.get("status", b"{}"))
    sizes = sorted(_node_sizes(_STATUS.decode(status)))
    return StateMeasures(
        revisions=revisions,
        written_bytes=written,
        first_bytes=first,
        peak_bytes=size,
        peak_spec_bytes=size - len(status) - len(bytes(parts.get("metadata", b""))),
        peak_status_bytes=len(status),
        peak_gzip_bytes=len(gzip.compress(compact, GZIP_LEVEL, mtime=0)),
        peak_nodes=len(sizes),
        node_bytes=nearest_rank(sizes, 50) if sizes else None,
    )


def _node_sizes(status: dict[str, object]) -> list[int]:
    """JSON bytes of each node status, at any depth, each without those beneath it."""
    sizes: list[int] = []
    waiting = [status.get("nodeStatus")]
    while waiting:
        nodes = waiting.pop()
        if not isinstance(nodes, dict):
            continue
        for name, node in nodes.items():
            if isinstance(node, dict):
                waiting.append(node.pop("subNodeStatus", None))
            sizes.append(len(msgspec.json.encode({name: node})) - 1)
    return sizes
