"""The tree of node executions, and what kind each node is.

FlyteAdmin's lists name no parents. A child's unique id is derived from its parent's (see
`naming`), so parents are found by deriving it again; the order of the list does not matter.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_flyteperf.analyze.crd import Seen, Spec, SpecNode
from pytest_flyteperf.analyze.naming import unique_node_id
from pytest_flyteperf.analyze.pods import Instant
from pytest_flyteperf.analyze.slots import Slots
from pytest_flyteperf.analyze.stamps import SECOND_NS, duration_ns, is_whole_second, unix_ns
from pytest_flyteperf.analyze.subtasks import subtasks_of
from pytest_flyteperf.errors import RecordingError

if TYPE_CHECKING:
    from pytest_flyteperf.analyze.documents import (
        NodeExecutionDocument,
        TaskExecutionDocument,
    )
    from pytest_flyteperf.analyze.recording import Recording


class Kind(StrEnum):
    """What a node is."""

    START = "start"
    END = "end"
    TASK = "task"
    DYNAMIC = "dynamic"
    SUB_WORKFLOW = "sub-workflow"
    LAUNCH_PLAN = "launch plan"
    BRANCH = "branch"
    ARRAY = "array node"
    GATE = "gate"
    UNKNOWN = "unknown"


COUNTED = frozenset({Kind.TASK, Kind.DYNAMIC, Kind.ARRAY, Kind.LAUNCH_PLAN})
"""Kinds that max-parallelism counts and keeps back."""
TERMINAL = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "SKIPPED", "RECOVERED"})
"""Phases of a node that has ended (`A/common/executions.go:20-40`)."""
FAILED = frozenset({"FAILED", "TIMED_OUT"})
PODS = frozenset({"container", "pod", "sidecar", "k8s-array"})
"""Plugins that run a task as pods of the FlyteWorkflow itself."""
IN_PROCESS = frozenset({"echo"})
"""Plugins that run a task within Propeller."""
FAILURE_NODES = frozenset({"efn", "fn0"})
"""Ids that flytekit gives an on-failure node, in imperative workflows (`FK/core/constants.py:14`)
and in others (`FK/core/workflow.py:859`)."""


class Attempt:
    """One task execution: an attempt of a task, or all of an array node."""

    __slots__ = (
        "created",
        "ended",
        "phase",
        "plugin",
        "pods",
        "reasons",
        "retry",
        "started",
        "subtasks",
        "updated",
    )

    def __init__(self, document: TaskExecutionDocument) -> None:
        closure = document.closure
        metadata = closure.metadata
        self.retry = document.id.retry_attempt
        self.phase = closure.phase
        self.plugin = metadata.plugin_identifier
        self.created = optional_ns(closure.created_at)
        self.updated = optional_ns(closure.updated_at)
        self.started, self.ended = _container_stamps(document)
        self.subtasks = subtasks_of(metadata.external_resources)
        self.pods = self.subtasks.pods or (
            (metadata.generated_name,) if metadata.generated_name else ()
        )
        self.reasons = tuple(
            (at, reason.message)
            for reason in closure.reasons
            if (at := optional_ns(reason.occurred_at)) is not None
        )


def _container_stamps(document: TaskExecutionDocument) -> tuple[Instant | None, Instant | None]:
    """A container's start and end as FlyteAdmin has them: a kubelet's whole seconds."""
    closure = document.closure
    if closure.started_at is None:
        return None, None
    start = unix_ns(closure.started_at)
    slack = SECOND_NS - 1 if is_whole_second(closure.started_at) else 0
    begun = Instant(start, start + slack, start + slack)
    if closure.duration is None or closure.phase not in TERMINAL:
        return begun, None
    end = start + max(0, duration_ns(closure.duration))
    return begun, Instant(end, end + slack, end + slack)


class Node:
    """One node execution with its attempts and what runs beneath it."""

    __slots__ = (
        "attempts",
        "cache",
        "child",
        "children",
        "created",
        "ended",
        "execution",
        "group",
        "held_until",
        "id",
        "is_array",
        "is_dynamic",
        "kind",
        "parallelism",
        "parent",
        "phase",
        "sleep_ns",
        "spec_id",
        "started",
        "upstream",
    )

    def __init__(self, document: NodeExecutionDocument, execution: str) -> None:
        closure = document.closure
        self.execution = execution
        self.id = document.id.node_id
        self.spec_id = document.metadata.spec_node_id or self.id
        self.group = document.metadata.retry_group
        self.phase = closure.phase
        self.created = optional_ns(closure.created_at)
        self.started = optional_ns(closure.started_at)
        self.ended = _ended(document, self.started)
        self.cache = closure.task_node_metadata.cache_status if closure.task_node_metadata else None
        launched = closure.workflow_node_metadata
        self.child = launched.execution_id.name if launched else ""
        self.parent: str | None = None
        """Id of the node that it runs beneath: a reference would make cycles, which only the
        garbage collector takes down."""
        self.children: list[Node] = []
        self.attempts: list[Attempt] = []
        self.kind = Kind.UNKNOWN
        self.is_array = document.metadata.is_array
        self.is_dynamic = document.metadata.is_dynamic
        self.upstream: tuple[str, ...] | None = None
        self.parallelism = 0
        self.sleep_ns: int | None = None
        self.held_until: int | None = None
        """When a slot became free for it, where it was queued and max-parallelism kept it back."""

    @property
    def busy_since(self) -> int | None:
        """When it began to run: its first task execution, else its start, else its creation."""
        begun = [attempt.created for attempt in self.attempts if attempt.created is not None]
        return min(begun, default=self.created if self.started is None else self.started)

    @property
    def is_failure_handler(self) -> bool:
        """Whether this is the node that `on_failure` names."""
        return self.spec_id in FAILURE_NODES


def _ended(document: NodeExecutionDocument, started: int | None) -> int | None:
    """When the last event occurred: by start and duration, else when it was reported."""
    closure = document.closure
    if closure.phase not in TERMINAL:
        return None
    if started is not None and closure.duration is not None:
        return started + max(0, duration_ns(closure.duration))
    return optional_ns(closure.updated_at)


def optional_ns(stamp: str | None) -> int | None:
    """A stamp in Unix nanoseconds; None where there is none."""
    return None if stamp is None else unix_ns(stamp)


class Run:
    """One execution: its nodes as trees, its limits, its place beneath another execution."""

    def __init__(self, recording: Recording, seen: Seen | None) -> None:
        document = recording.execution
        closure = document.closure
        self.name = document.id.name
        self.phase = closure.phase
        try:
            self.created = optional_ns(closure.created_at)
            self.ended = optional_ns(closure.updated_at)
            nodes = [Node(node, self.name) for node in recording.nodes()]
            attempts = [
                (task.id.node_execution_id.node_id, Attempt(task)) for task in recording.tasks()
            ]
        except ValueError as error:
            raise RecordingError(
                f"{recording.folder}: {error} is no stamp of FlyteAdmin; record it again",
            ) from None
        self.accepted = seen.received_ns if seen else None
        """Receipt of the FlyteWorkflow's first event."""
        self.max_parallelism = document.spec.max_parallelism or (
            (seen.workflow.config.max_parallelism or 0) if seen and seen.workflow.config else 0
        )
        self.nodes = {node.id: node for node in nodes}
        for name, attempt in attempts:
            if node := self.nodes.get(name):
                node.attempts.append(attempt)
        for node in self.nodes.values():
            node.attempts.sort(key=lambda attempt: attempt.retry)
        _link(nodes)
        self.top = sorted((n for n in self.nodes.values() if n.parent is None), key=by_time)
        specs = seen.workflow.sub_workflows if seen else None
        _describe(self.top, seen.workflow.spec if seen else None, specs or {})
        self.slots = self._slots()

    def _slots(self) -> Slots:
        """The slots that max-parallelism leaves; nodes learn until when it kept them queued."""
        if not self.max_parallelism:
            return Slots(0, ())
        busy = [
            (node, since)
            for node in self.nodes.values()
            if node.kind in COUNTED and (since := node.busy_since) is not None
        ]
        slots = Slots(self.max_parallelism, ((since, node.ended) for node, since in busy))
        for node, since in busy:
            if node.created is not None and since > node.created:
                node.held_until = slots.freed(node.created, since)
        return slots


def by_time(node: Node) -> tuple[int, str]:
    """Sort key: creation, then id, so that the order of a list does not matter."""
    return node.created or 0, node.id


def _link(nodes: list[Node]) -> None:
    """Give every child its parent."""
    by_id = {node.id: node for node in nodes}
    above: list[Node] = []
    """The ancestors of the node before, nearest last: lists are depth first as a rule."""
    for node in nodes:
        if not node.group:
            above = [node]
            continue
        parent = by_id.get(node.id.removesuffix(f"-{node.group}-{node.spec_id}"))
        if parent is None or parent is node:
            parent = _derives(above, node) or _derives(nodes, node)
        if parent is not None:
            node.parent = parent.id
            parent.children.append(node)
            while above and above[-1] is not parent:
                above.pop()
        above.append(node)
    for node in nodes:
        node.children.sort(key=by_time)


def _derives(candidates: list[Node], child: Node) -> Node | None:
    for candidate in reversed(candidates):
        if candidate is not child and (
            unique_node_id(candidate.id, child.group, child.spec_id) == child.id
        ):
            return candidate
    return None


def _describe(siblings: list[Node], spec: Spec | None, specs: dict[str, Spec]) -> None:
    """Give these nodes, and all beneath them, kind and upstreams."""
    waiting: list[tuple[list[Node], Spec | None]] = [(siblings, spec)]
    while waiting:
        nodes, known = waiting.pop()
        for node in nodes:
            template = _template(node, known)
            node.kind = _kind(node, template)
            if known is not None and known.nodes:
                node.upstream = known.upstream(node.spec_id)
            if template and template.array:
                node.parallelism = template.array.parallelism or 0
            if template and template.gate:
                node.sleep_ns = template.gate.sleep_ns
            if not node.children:
                continue
            below: Spec | None = None
            if node.kind is Kind.SUB_WORKFLOW and template and template.workflow:
                below = specs.get(template.workflow.sub_workflow or "")
            elif node.kind is Kind.BRANCH and known is not None:
                below = known
            waiting.append((node.children, below))


def _template(node: Node, spec: Spec | None) -> SpecNode | None:
    if spec is None:
        return None
    found = (spec.nodes or {}).get(node.spec_id)
    return spec.on_failure if found is None and node.is_failure_handler else found


_KINDS = {
    "start": Kind.START,
    "end": Kind.END,
    "branch": Kind.BRANCH,
    "array": Kind.ARRAY,
    "gate": Kind.GATE,
}


def _kind(node: Node, template: SpecNode | None) -> Kind:
    kind = _kind_of_closure(node)
    if kind is not Kind.UNKNOWN or template is None:
        return kind
    if template.workflow is not None:
        return Kind.LAUNCH_PLAN if template.workflow.launch_plan else Kind.SUB_WORKFLOW
    if template.kind == "task":
        return Kind.TASK
    return _KINDS.get(template.kind, Kind.UNKNOWN)


def _kind_of_closure(node: Node) -> Kind:  # noqa: PLR0911 -- a table evaluated whole costs twice
    """The kind as far as FlyteAdmin's data tell it."""
    if node.spec_id == "start-node":
        return Kind.START
    if node.spec_id == "end-node":
        return Kind.END
    if node.child:
        return Kind.LAUNCH_PLAN
    if node.is_array or any(attempt.plugin == "k8s-array" for attempt in node.attempts):
        return Kind.ARRAY
    if node.is_dynamic or (node.children and node.attempts):
        return Kind.DYNAMIC
    if node.children:
        inner = any(child.spec_id == "start-node" for child in node.children)
        return Kind.SUB_WORKFLOW if inner else Kind.BRANCH
    return Kind.TASK if node.attempts or node.cache is not None else Kind.UNKNOWN
