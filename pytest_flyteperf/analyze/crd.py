"""What FlyteWorkflow objects say about the shape of a workflow: kinds, upstreams, limits.

The first revision of an object has the whole specification, unless FlyteAdmin was told to keep
the closure outside (`useOffloadedWorkflowClosure`). Workflows that dynamic tasks compile are never
in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from pytest_flyteperf.analyze.documents import LISTED, ObjectMeta
from pytest_flyteperf.analyze.stamps import duration_ns, seconds_ns
from pytest_flyteperf.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_flyteperf.analyze.documents import WorkflowRecord


_T = TypeVar("_T")


class WorkflowNode(msgspec.Struct, frozen=True):
    """`workflow` of a node: a launch plan or a sub-workflow."""

    launch_plan: dict[str, str] | None = msgspec.field(name="launchPlanRefId", default=None)
    sub_workflow: str | None = msgspec.field(name="subWorkflowRef", default=None)


class ArrayNode(msgspec.Struct, frozen=True):
    """`array` of a node."""

    parallelism: int | None = msgspec.field(name="Parallelism", default=None)


class Sleep(msgspec.Struct, frozen=True):
    """`gate.sleep` of a node."""

    duration: str = ""


class GateNode(msgspec.Struct, frozen=True):
    """`gate` of a node."""

    kind: str = ""
    sleep: Sleep | None = None

    @property
    def sleep_ns(self) -> int | None:
        """How long a sleep lasts, or None for another gate."""
        if self.sleep is None:
            return None
        try:
            return duration_ns(self.sleep.duration)
        except ValueError:
            return None


class SpecNode(msgspec.Struct, frozen=True):
    """One entry of `spec.nodes`."""

    id: str = ""
    kind: str = ""
    workflow: WorkflowNode | None = None
    array: ArrayNode | None = None
    gate: GateNode | None = None


class Edges(msgspec.Struct, frozen=True):
    """`spec.edges`: node ids to node ids."""

    upstream: dict[str, tuple[str, ...] | None] | None = None


class Spec(msgspec.Struct, frozen=True):
    """`spec` of a FlyteWorkflow, and each of its `subWorkflows`."""

    def upstream(self, node: str) -> tuple[str, ...]:
        """The nodes that a node waits for."""
        return ((self.edges and self.edges.upstream) or {}).get(node) or ()

    nodes: dict[str, SpecNode] | None = None
    edges: Edges | None = None
    on_failure: SpecNode | None = msgspec.field(name="onFailure", default=None)


class ExecutionConfig(msgspec.Struct, frozen=True):
    """`executionConfig` of a FlyteWorkflow."""

    max_parallelism: int | None = msgspec.field(name="MaxParallelism", default=None)


class FlyteWorkflow(msgspec.Struct, frozen=True):
    """A FlyteWorkflow object without its status."""

    metadata: ObjectMeta
    spec: Spec | None = None
    """None where FlyteAdmin keeps the closure outside."""
    sub_workflows: dict[str, Spec] | None = msgspec.field(name="subWorkflows", default=None)
    config: ExecutionConfig | None = msgspec.field(name="executionConfig", default=None)


class Seen(msgspec.Struct, frozen=True):
    """A FlyteWorkflow as the watch first showed it."""

    received_ns: int | None
    """None of an object that was only found later."""
    workflow: FlyteWorkflow


class _Named(msgspec.Struct, frozen=True):
    metadata: ObjectMeta


_NAME = msgspec.json.Decoder(_Named)
_WHOLE = msgspec.json.Decoder(FlyteWorkflow)


def name_of(record: WorkflowRecord) -> str:
    """The execution whose object this event shows.

    Raises:
        RecordingError: the event shows no Kubernetes object.
    """
    return _decoded(_NAME, record).metadata.name


def _decoded(decoder: msgspec.json.Decoder[_T], record: WorkflowRecord) -> _T:
    try:
        return decoder.decode(record.event.object)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        line = " ".join(str(error).split())
        raise RecordingError(
            f"flyteworkflows.jsonl: an event shows no FlyteWorkflow ({line}); record it again",
        ) from None


def first_seen(records: Iterable[WorkflowRecord], executions: frozenset[str]) -> dict[str, Seen]:
    """The first event of each of these executions' objects."""
    found: dict[str, Seen] = {}
    first: dict[str, int] = {}
    for record in records:
        name = name_of(record)
        received = seconds_ns(record.received)
        if name in executions and received < first.get(name, received + 1):
            first[name] = received
            known = None if record.event.type == LISTED else received
            found[name] = Seen(known, _decoded(_WHOLE, record))
    return found
