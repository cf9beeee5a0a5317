"""The parts of a recording's JSON documents that analysis reads.

Proto JSON with proto field names (FlyteAdmin) and Kubernetes' JSON (pods). Fields that are not
named here are skipped while decoding, so newer servers' answers are read too.
"""

from __future__ import annotations

from typing import Annotated

import msgspec


class _Document(msgspec.Struct, frozen=True, gc=False):
    """Part of a document: unknown fields are skipped."""


class Identifier(_Document, frozen=True, gc=False):
    """An execution's name; its project and domain are skipped, there are very many."""

    name: str = ""


class FullIdentifier(Identifier, frozen=True, gc=False):
    """The same with all its parts, where they are asked for."""

    project: str = ""
    domain: str = ""


class ExecutionClosure(_Document, frozen=True, gc=False):
    """`flyteidl.admin.ExecutionClosure`."""

    phase: str = "UNDEFINED"
    created_at: str | None = None
    started_at: str | None = None
    updated_at: str | None = None
    duration: str | None = None


class ExecutionSpec(_Document, frozen=True, gc=False):
    """`flyteidl.admin.ExecutionSpec`."""

    max_parallelism: int = 0


class ExecutionDocument(_Document, frozen=True, gc=False):
    """`flyteidl.admin.Execution`."""

    id: FullIdentifier
    closure: ExecutionClosure
    spec: ExecutionSpec = ExecutionSpec()


class NodeExecutionId(_Document, frozen=True, gc=False):
    """`flyteidl.core.NodeExecutionIdentifier`."""

    node_id: str
    execution_id: Identifier = Identifier()


class WorkflowNodeMetadata(_Document, frozen=True, gc=False):
    """Which execution a launch plan node started."""

    execution_id: Identifier = msgspec.field(name="executionId", default=Identifier())


class TaskNodeMetadata(_Document, frozen=True, gc=False):
    """Cache status of a task node."""

    cache_status: str = "CACHE_DISABLED"


class NodeExecutionClosure(_Document, frozen=True, gc=False):
    """`flyteidl.admin.NodeExecutionClosure`."""

    phase: str = "UNDEFINED"
    created_at: str | None = None
    started_at: str | None = None
    updated_at: str | None = None
    duration: str | None = None
    workflow_node_metadata: WorkflowNodeMetadata | None = None
    task_node_metadata: TaskNodeMetadata | None = None


class NodeExecutionMetaData(_Document, frozen=True, gc=False):
    """`flyteidl.admin.NodeExecutionMetaData`."""

    spec_node_id: str = ""
    retry_group: str = ""
    is_parent_node: bool = False
    is_dynamic: bool = False
    is_array: bool = False


class NodeExecutionDocument(_Document, frozen=True, gc=False):
    """`flyteidl.admin.NodeExecution`."""

    id: NodeExecutionId
    closure: NodeExecutionClosure = NodeExecutionClosure()
    metadata: NodeExecutionMetaData = NodeExecutionMetaData()


class ExternalResource(_Document, frozen=True, gc=False):
    """One attempt of one sub-task of an array node."""

    external_id: str = ""
    index: int = 0
    retry_attempt: int = 0
    phase: str = "UNDEFINED"


class TaskExecutionMetadata(_Document, frozen=True, gc=False):
    """`flyteidl.event.TaskExecutionMetadata`."""

    generated_name: str = ""
    plugin_identifier: str = ""
    external_resources: tuple[ExternalResource, ...] = ()


class Reason(_Document, frozen=True, gc=False):
    """One entry of a task execution's history."""

    occurred_at: str | None = None
    message: str = ""


class TaskExecutionClosure(_Document, frozen=True, gc=False):
    """`flyteidl.admin.TaskExecutionClosure`."""

    phase: str = "UNDEFINED"
    created_at: str | None = None
    started_at: str | None = None
    updated_at: str | None = None
    duration: str | None = None
    metadata: TaskExecutionMetadata = TaskExecutionMetadata()
    reasons: tuple[Reason, ...] = ()


class TaskExecutionId(_Document, frozen=True, gc=False):
    """`flyteidl.core.TaskExecutionIdentifier`."""

    node_execution_id: NodeExecutionId
    retry_attempt: int = 0


class TaskExecutionDocument(_Document, frozen=True, gc=False):
    """`flyteidl.admin.TaskExecution`."""

    id: TaskExecutionId
    closure: TaskExecutionClosure = TaskExecutionClosure()


class OwnerReference(_Document, frozen=True, gc=False):
    """Who owns a Kubernetes object."""

    kind: str = ""
    name: str = ""
    controller: bool = False


class ObjectMeta(_Document, frozen=True, gc=False):
    """Kubernetes' `metadata`."""

    name: str = ""
    uid: str = ""
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    creation_timestamp: str | None = msgspec.field(name="creationTimestamp", default=None)
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owners: tuple[OwnerReference, ...] = msgspec.field(name="ownerReferences", default=())


class ContainerRunning(_Document, frozen=True, gc=False):
    """A container's `state.running`."""

    started_at: str | None = msgspec.field(name="startedAt", default=None)


class ContainerTerminated(_Document, frozen=True, gc=False):
    """A container's `state.terminated`."""

    exit_code: int = msgspec.field(name="exitCode", default=0)
    reason: str = ""
    started_at: str | None = msgspec.field(name="startedAt", default=None)
    finished_at: str | None = msgspec.field(name="finishedAt", default=None)


class ContainerState(_Document, frozen=True, gc=False):
    """A container's `state`."""

    running: ContainerRunning | None = None
    terminated: ContainerTerminated | None = None


class ContainerStatus(_Document, frozen=True, gc=False):
    """One entry of a pod's `containerStatuses`."""

    name: str = ""
    state: ContainerState = ContainerState()


class PodStatus(_Document, frozen=True, gc=False):
    """A pod's `status`."""

    phase: str = ""
    containers: tuple[ContainerStatus, ...] = msgspec.field(name="containerStatuses", default=())


class PodSpec(_Document, frozen=True, gc=False):
    """A pod's `spec`."""

    node: str | None = msgspec.field(name="nodeName", default=None)


class PodDocument(_Document, frozen=True, gc=False):
    """A Kubernetes pod."""

    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


LISTED = "LISTED"
"""Type of an event that is none: the object as it was found later. Its receipt says nothing."""


class PodEvent(_Document, frozen=True, gc=False):
    """One watch event of a pod."""

    type: str
    object: PodDocument


Received = Annotated[float, msgspec.Meta(ge=0, le=1e11)]
"""Unix seconds at the client; up to the year 5138."""


class PodRecord(_Document, frozen=True, gc=False):
    """One line of pods.jsonl."""

    received: Received
    event: PodEvent


class WorkflowEvent(_Document, frozen=True, gc=False):
    """One watch event of a FlyteWorkflow, its object undecoded."""

    type: str
    object: msgspec.Raw


class WorkflowRecord(_Document, frozen=True, gc=False):
    """One line of flyteworkflows.jsonl."""

    received: Received
    event: WorkflowEvent


class ProcessUse(_Document, frozen=True, gc=False):
    """What one process has used since it began; CPU in clock ticks."""

    user_ticks: int = 0
    system_ticks: int = 0
    resident_bytes: int = 0
    read_bytes: int | None = None
    """From disks; None where the kernel does not say, as for the rest."""
    written_bytes: int | None = None
    """To disks."""
    descriptors: int | None = None


class NetworkUse(_Document, frozen=True, gc=False):
    """Bytes over one network interface since the machine began."""

    received_bytes: int = 0
    sent_bytes: int = 0


class MachineUse(_Document, frozen=True, gc=False):
    """One look at the machine, as the recorder took it."""

    cpu_ticks: dict[str, int] = {}
    pressure_us: dict[str, int] = {}
    """How long some task waited for `cpu`, `io` or `memory`, since the machine began (PSI)."""
    processes: dict[str, ProcessUse] = {}
    network: dict[str, NetworkUse] = {}
    """By interface, `lo` among them."""


class MemoryUse(_Document, frozen=True, gc=False):
    """Resident memory of one process while a repeat ran."""

    samples: int = 0
    mean_bytes: int = 0
    """Over the samples."""
    peak_bytes: int = 0
    """Exact where the kernel lets the peak be set back (`clear_refs`), else over the samples."""


class PodUse(_Document, frozen=True, gc=False):
    """Annotation `flyteperf.dev/use`: what a pod's processes used, counted when they were reaped.

    The largest resident set counts pages shared with the fork server too.
    """

    cpu_ns: int = 0
    max_resident_bytes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0


class TaskStep(_Document, frozen=True, gc=False):
    """One of flytekit's own timers (`flytekit.core.utils.timeit`), Unix nanoseconds.

    They nest and come in the order in which they ended. Of interest are `Load task` (or `Load map
    task`), `Execute user level code`, and everything between these and the process's ends.
    """

    name: str
    start_ns: int
    end_ns: int


class TaskSteps(_Document, frozen=True, gc=False):
    """One line of task_steps.jsonl: flytekit within one container, by the container's clock.

    In a container's life lie, one after another: interpreter and flytekit's start; `Load task`,
    which imports the user's modules; download and conversion of inputs; the user's code;
    conversion and upload of outputs, up to `returned_ns`; exit.
    """

    pod: str
    container: str
    started_ns: int
    """As the annotation `flyteperf.dev/started-ns` of a pod with one container."""
    returned_ns: int
    """When flytekit's entry point returned."""
    steps: tuple[TaskStep, ...] = ()


class MetricSpan(_Document, frozen=True, gc=False):
    """`flyteidl.core.Span` of GetExecutionMetrics: a reference, with an id, or a category."""

    start_time: str | None = None
    end_time: str | None = None
    workflow_id: Identifier | None = None
    node_id: NodeExecutionId | None = None
    task_id: TaskExecutionId | None = None
    operation_id: str | None = None
    """E.g. `NODE_SETUP`."""
    spans: tuple[MetricSpan, ...] = ()


class ExecutionMetricsDocument(_Document, frozen=True, gc=False):
    """execution_metrics.json: the answer of AdminService.GetExecutionMetrics, at any depth."""

    span: MetricSpan = MetricSpan()


class Canaries(_Document, frozen=True, gc=False):
    """One look at the pace of machine and API server, as the recorder took it."""

    cpu_ns: int
    api_write_ns: int | None = None


class Neighbours(_Document, frozen=True, gc=False):
    """One look at who else used the cluster; what could not be seen is None."""

    workflows: int | None = None
    """Unfinished ones of others."""
    pressed: tuple[str, ...] | None = None
    """Nodes in need, e.g. `node-1: MemoryPressure`."""


class RecordingDocument(_Document, frozen=True, gc=False):
    """recording.json: what the recorder knew. Recordings of others have fewer fields."""

    case: str = ""
    submitted: float | None = None
    client_seconds: float | None = None
    traces_complete: bool | None = None
    """Whether the last handle's span arrived in time."""
    watch_gaps: int = 0
    """How often watch events may have been lost."""
    clock_step_ns: int = 0
    """How much more the wall clock advanced than the monotonic one."""
    machine_before: MachineUse | None = None
    machine_after: MachineUse | None = None
    neighbours_before: Neighbours | None = None
    neighbours_after: Neighbours | None = None
    canaries_before: Canaries | None = None
    canaries_after: Canaries | None = None
    memory: dict[str, MemoryUse] = {}
    """Memory by component while the repeat ran."""
    absent: dict[str, str] = {}
    """Files that are not there and why, e.g. `execution_metrics.json`."""
