"""The values that pass between the stages.

All are frozen msgspec Structs: they compare by value, and each can be written to a file as JSON
and read back. Times are integer nanoseconds (`_ns`), of the Unix epoch where they are instants
(`_unix_ns`). A value that is not known is `None`, never 0.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A value that passes between stages."""


class Size(StrEnum):
    """How large a case is run."""

    SHORT = "short"
    DEFAULT = "default"
    FULL = "full"
    NIGHTLY = "nightly"
    """The widest that must complete; a case has it where it says so, else it is as in full."""


class AdminKind(StrEnum):
    """Who answers as FlyteAdmin."""

    FLYTEADMIN = "flyteadmin"
    STAND_IN = "stand-in"


# --- cluster and deployment -------------------------------------------------------------------


class ObjectStore(Frozen, frozen=True):
    """An S3 endpoint and the bucket that Flyte writes to."""

    endpoint: str
    """URL, e.g. `http://127.0.0.1:9000`."""
    access_key: str
    secret_key: str
    bucket: str
    region: str = "us-east-1"
    inside: str | None = None
    """URL by which pods reach it, where that is another than for this machine."""


class Cluster(Frozen, frozen=True):
    """A Kubernetes API and an object store: what `provision` hands to `deploy`."""

    kind: str
    """`local`, `kind` or `existing`."""
    name: str
    """Unique on this machine; the name of its state folder."""
    directory: str
    """State folder of this cluster (mode 0700): journal, logs, data."""
    kubeconfig: str
    """Path of a kubeconfig for this cluster alone."""
    store: ObjectStore
    distribution: str
    """Kubernetes distribution and version, e.g. `kube-apiserver v1.34.1`."""
    blob_store: str
    """Object store kind and version, e.g. `versitygw v1.8.0`."""
    control_socket: str | None = None
    """Unix socket of the supervisor (local only)."""
    otlp_endpoint: str | None = None
    """Where Flyte sends its traces (OTLP gRPC), e.g. `http://127.0.0.1:4317`."""
    traces: str | None = None
    """File of received traces: records as in `otlp.binpb` of a recording."""


class Subject(Frozen, frozen=True):
    """What is under test. Stored and shown on both sides of a verdict; never a key."""

    flyte: str
    """Reference as the user gave it, e.g. `v1.16.8`, a folder, a binary."""
    digest: str
    """Digest of what the reference resolved to."""
    config_digest: str | None = None
    """SHA-256 of `--flyteperf-config`, if any."""
    config: str | None = None
    """The text of `--flyteperf-config`, if any."""


class Machine(Frozen, frozen=True):
    """Where it was measured: half of a baseline's key. Absolute figures hold only here."""

    engine_digest: str | None
    """Of the embedded engine, Flyte left out; None elsewhere."""
    cpu_model: str
    cpu_count: int
    memory_class: str
    """Memory rounded to a power of two, e.g. `16GiB`, so that two like machines agree."""
    kernel: str


class Environment(Frozen, frozen=True):
    """Where and how it was measured: with case and size, the key of a baseline."""

    cluster_kind: str
    admin_kind: AdminKind
    distribution: str
    blob_store: str
    database: str
    chart: str | None
    machine: Machine
    kubelet_slots: int | None = None
    """How many pods the process kubelet runs at once (local only)."""
    python: str | None = None
    """What tasks run on, e.g. `CPython 3.11` (local only; elsewhere their image says)."""
    flytekit: str | None = None
    """Its version, likewise."""


FEDERATE = "/federate"
"""Path of a Prometheus' page that holds what it scraped last from others."""


class Deployment(Frozen, frozen=True):
    """A Flyte on a cluster: what `deploy` hands to `execute` and `collect`."""

    cluster: Cluster
    subject: Subject
    environment: Environment
    admin_endpoint: str
    """host:port of FlyteAdmin's gRPC."""
    admin_service: str | None = None
    """`NAMESPACE/SERVICE:PORT` of it, where this machine reaches it through the API server alone:
    `admin_endpoint` is then a port of whatever process forwards it."""
    forwards: dict[str, int] = {}
    """Further services, likewise, and the ports of this machine that have to lead to them: signed
    addresses of an object store name one."""
    flyte_config: str | None = None
    """Configuration file of flytekit's that says how to reach it: TLS, credentials. Without one
    it is plain gRPC."""
    project: str = "flytesnacks"
    domain: str = "development"
    namespace: str = "flytesnacks-development"
    metrics: dict[str, tuple[str, ...]] = {}
    """Component to URLs of its Prometheus metrics, e.g. `propeller`, `admin`: one for each shard.
    A path is one of the Kubernetes API, whose proxy reaches into the cluster."""
    jaeger: str | None = None
    """Where traces are kept that this machine does not receive: URL of a Jaeger's query service,
    or `NAMESPACE/SERVICE:PORT` of one within the cluster."""
    logs: dict[str, str] = {}
    """Component to path of its log."""
    pids: dict[str, int] = {}
    """Component to process id (local only)."""
    trace_delay_s: float = 0.2
    """Longest time a finished span stays in the exporter's queue."""
    image: str = "local/python:1"
    """Image that tasks are registered with; the process kubelet ignores it."""
    ships_code: bool = False
    """Tasks run in containers of `image`, so their code is sent along at registration."""


# --- execution --------------------------------------------------------------------------------


class RunPlan(Frozen, frozen=True):
    """How a case is repeated."""

    warmups: int
    repeats: int
    timeout_s: float
    seed: int
    random_phase: bool = True
    """Submit each repeat at a seeded, uniformly random phase of the second."""

    @property
    def spare(self) -> int:
        """How many invalid repeats are replaced; with more, the case is invalid anyway."""
        return max(1, self.repeats // 4)


class Repeat(Frozen, frozen=True):
    """One finished execution of a case and where its recording lies."""

    case: str
    size: Size
    index: int
    """Number of the repeat, from 0; warm-ups count apart."""
    warmup: bool
    execution: str
    """Flyte's name of the execution."""
    recording: str
    """Folder, in the layout of the recordings' README."""
    phase_wait_ns: int
    """How long the submission was held back to reach its random phase."""
    trace_wait_ns: int
    """How long collection waited for the exporter to hand over the last spans."""
    client_ns: int
    """Submission to the observed end, as the client saw it."""
    problem: str | None = None
    """Why the repeat counts as failed (phase, timeout, outputs, shape), else None."""


# --- measures ---------------------------------------------------------------------------------


class Severity(StrEnum):
    """What an audit finding does to its repeat."""

    NOTE = "note"
    INVALID = "invalid"


class Finding(Frozen, frozen=True):
    """One audit check that fired."""

    check: str
    severity: Severity
    evidence: str


STEAL = "steal"
"""Check of the CPU time that a hypervisor gave to others."""
STEAL_LIMIT = 10
"""Percent beyond which a repeat is none. Below, it is one more reason why a virtual machine's pace
wanders, which the canaries tell; at 1 %, one such machine at rest lost two repeats of three."""
THROTTLING = "throttling"
REFUSED_EVENTS = "refused events"
CRD_WRITE_FAILED = "CRD write failed"
FLYTES_OWN = frozenset({THROTTLING, REFUSED_EVENTS, CRD_WRITE_FAILED})
"""Checks whose notes are Flyte's doing, and so evidence of a cause."""


class Cost(Frozen, frozen=True):
    """What one kind of operation cost within a repeat."""

    calls: int
    ns: int
    """Own time: the operations of a repeat sum up to `handle_ns`, and no instant counts twice."""


class Owned(Frozen, frozen=True, gc=False):
    """What one owner has of a stretch of time; low <= point <= high, points add up exactly."""

    owner: str
    """`user`, `flyte`, `kubernetes`, `external`, `held`, `backoff`, `unknown`; `subnodes` in a
    node's own ledger."""
    detail: str
    """Why: e.g. `container`, `lost`, `working`, `waiting: batching tick`, `scheduling`."""
    point_ns: int
    low_ns: int
    high_ns: int


class PathStep(Frozen, frozen=True, gc=False):
    """One stretch of the critical path; the stretches of an execution cover its wall clock."""

    start_ns: int
    """From the creation of the execution."""
    end_ns: int
    execution: str
    node: str | None
    kind: str
    part: str
    """`transition` (before the node's first event), `node`, or `teardown` (after the last)."""
    owners: tuple[Owned, ...]


class NodeMeasures(Frozen, frozen=True, gc=False):
    """One node execution's own ledger, from its first to its last event."""

    execution: str
    id: str
    spec_id: str
    parent: str | None
    kind: str
    phase: str
    attempts: int
    duration_ns: int | None
    scheduling_ns: int | None
    """From its last upstream's end to its first event, all of it Flyte's; None without upstream."""
    on_path_ns: int
    """How much of the critical path lies in it, its transition included."""
    owners: tuple[Owned, ...] = ()


class KindMeasures(Frozen, frozen=True):
    """All nodes of one kind."""

    kind: str
    nodes: int
    on_path_ns: int
    """How much of the critical path lies in them; over all kinds it adds up to the path."""
    owners: tuple[Owned, ...]
    """Their own ledgers added up: nodes side by side count each."""


class NodeOverhead(Frozen, frozen=True):
    """The overhead that the RFC defines: summed over nodes, so it may exceed the wall clock."""

    flyte_ns: int
    """Own Flyte time of all nodes."""
    scheduling_ns: int
    runtime_ns: int
    """Own time of all nodes, without what runs beneath them."""

    @property
    def share(self) -> float | None:
        """(flyte + scheduling) / (runtime + scheduling); None without either."""
        whole = self.runtime_ns + self.scheduling_ns
        return (self.flyte_ns + self.scheduling_ns) / whole if whole else None


class Ownership(Frozen, frozen=True):
    """Who owns the wall clock of an execution."""

    wall_ns: int
    owners: tuple[Owned, ...]
    """Along the critical path; the points add up to `wall_ns`."""
    working_ns: dict[str, int]
    """Flyte's working time on the critical path by kind of operation, e.g. `crd write`."""
    path: tuple[PathStep, ...]
    nodes: tuple[NodeMeasures, ...]
    summed: NodeOverhead
    kinds: tuple[KindMeasures, ...] = ()
    """The nodes by kind, kinds in alphabetical order."""


class Latency(Frozen, frozen=True):
    """How long the spans of one operation beneath the execution's handles took, children included.

    Quantiles are nearest-rank: the smallest value that at least so many values do not exceed.
    """

    operation: str
    beneath: str
    """The operation around them: where in a round they happen."""
    count: int
    failed: int
    """How many ended with an error."""
    sum_ns: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    max_ns: int


class Signal(Frozen, frozen=True):
    """What a component's own metrics counted over a repeat: approximate, never gated."""

    name: str
    count: int
    sum_ns: int | None
    """Of all of them; None for what is only counted."""
    source: str
    """Name of the Prometheus metric, or of the recording's file."""


class Estimate(Frozen, frozen=True):
    """A metric that no trace shows, as Propeller's counters or its log have it: never gated."""

    value: int
    """In the metric's unit."""
    source: str
    """Name of the Prometheus metric, which counts all executions of the process, or of the file."""


class ComponentUse(Frozen, frozen=True):
    """What one of the cluster's or Flyte's processes or pods used while a repeat ran.

    None is what no source told.
    """

    component: str
    cpu_ns: int
    """In steps of 10 ms on a local cluster: a clock tick of /proc."""
    resident_bytes: int
    """Resident memory after the repeat."""
    mean_bytes: int | None = None
    """Resident memory while it ran."""
    peak_bytes: int | None = None
    read_bytes: int | None = None
    """From disks."""
    written_bytes: int | None = None
    """To disks."""
    received_bytes: int | None = None
    """Over the network; None on a local cluster, where components share one interface."""
    sent_bytes: int | None = None
    descriptors: int | None = None
    """Open files and connections after the repeat."""


class PodsUse(Frozen, frozen=True):
    """What the execution's pods used, all together."""

    pods: int
    """How many told it."""
    cpu_ns: int
    max_resident_bytes: int
    """Of the largest; what it shares with the fork server included."""
    read_bytes: int
    written_bytes: int


class FlytekitShare(Frozen, frozen=True):
    """Where the time of containers that ran flytekit went, added up over them.

    The stages follow one another and add up to the containers' lives, which ownership calls `user`.
    """

    containers: int
    start_ns: int
    """Fork or interpreter, and flytekit up to the loading of the task."""
    load_ns: int
    """Import of the user's modules."""
    inputs_ns: int
    """Download and conversion of inputs."""
    user_code_ns: int
    outputs_ns: int
    """Conversion and upload of outputs, or of the error."""
    exit_ns: int


class Revision(Frozen, frozen=True, gc=False):
    """One revision of a FlyteWorkflow object, JSON without managedFields."""

    execution: str
    received_ns: int
    """Receipt of its watch event, from that of the first of all."""
    total_bytes: int
    status_bytes: int


class LimitUse(Frozen, frozen=True):
    """How much of a limit on sizes an execution used."""

    limit: str
    """`etcd request`, `gRPC message` or `closure`."""
    limit_bytes: int
    used_bytes: int
    nodes: int | None
    """An estimate of the node count that reaches it, if every further node adds what the nodes of
    this execution have on average; None where they add nothing."""


class SizeCost(Frozen, frozen=True):
    """How time grows with the bytes of the FlyteWorkflow within one execution (Theil-Sen)."""

    ns_per_byte: float
    low: float
    """Lower end of the 95 % interval."""
    high: float


class StateMeasures(Frozen, frozen=True):
    """How large the FlyteWorkflow objects of an execution and its children became."""

    revisions: int
    written_bytes: int
    """JSON bytes of all revisions after the first: what the updates carried."""
    first_bytes: int
    """JSON bytes of the first revision of the execution's own object."""
    peak_bytes: int
    """JSON bytes of the largest revision; the sizes below are of the same one."""
    peak_spec_bytes: int
    """Everything but status and metadata."""
    peak_status_bytes: int
    peak_gzip_bytes: int
    """The same revision compressed with gzip, level 6."""
    peak_nodes: int
    """Node statuses in it, at any depth."""
    node_bytes: int | None
    """Bytes of a node status: the median over node statuses of the largest revision."""
    peak_binary_bytes: int | None = None
    """The same revision in the binary form of `analyze.binary`."""
    peak_plugin_bytes: int = 0
    """JSON bytes of plugin states (base64 of gob) within the largest revision."""
    array_item_bytes: int | None = None
    """Bytes of an array node's status per sub-task, at its largest; None without array nodes."""
    etcd_share: float | None = None
    """The largest revision as a share of etcd's default request limit of 1.5 MiB."""
    dynamic_child_bytes: int | None = None
    """Bytes of the status of a dynamic node's child: the median over the largest revision; None
    without dynamic nodes in it."""
    node_growth_bytes: int | None = None
    """What a node adds: bytes of specification for each node that is specified or has a status,
    whichever are more, and `node_bytes`."""
    write_amplification: float | None = None
    """`written_bytes` for each byte of the largest revision."""
    limits: tuple[LimitUse, ...] = ()
    round_cost: SizeCost | None = None
    """Of rounds, by the bytes of the object that each began with; None without traces, or where
    the object kept its size."""
    sizes: tuple[Revision, ...] = ()
    """Every revision in order."""


class Shape(Frozen, frozen=True):
    """What an execution consisted of, with the executions that its launch plan nodes started.

    Equal in every repeat of a case, but for how many pods met: one of another shape measured
    something else.
    """

    phase: str
    """Final phase of the execution itself, e.g. `SUCCEEDED`."""
    executions: int
    """1, and one for each execution that a launch plan node started, at any depth."""
    nodes: dict[str, int]
    """Kind of node, e.g. `task` or `launch plan`, to how many there were."""
    ends: dict[str, int]
    """Final phase of a node, e.g. `SUCCEEDED`, to how many nodes ended in it."""
    attempts: int
    """Attempts of tasks, and of the sub-tasks of array nodes."""
    subtasks: int
    """Sub-tasks of array nodes, each once."""
    cache: dict[str, int]
    """Cache status of a node, e.g. `hit` or `populated`, to how many had it; the nodes and array
    nodes of tasks without a cache are in none."""
    pods: int | None
    """None where pods were not watched."""
    pods_at_once: int | None = None
    """Most pods that had been created and whose end had not been seen yet at one instant; of
    several repeats the largest. None where pods were not watched."""


class ScalingSlope(Frozen, frozen=True):
    """A measure's cost per unit of size."""

    metric: str
    per: str
    """`node`, or `byte` of the largest FlyteWorkflow."""
    per_unit: float
    """In the metric's unit."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    at_zero: float
    """The fixed part."""
    knee: float | None
    """The size beyond which the cost is another; None where one line will do."""


class Cliff(Frozen, frozen=True):
    """A limit, and how far a case is from it."""

    limit: str
    limit_bytes: int
    share: float
    """Of the limit, used at the largest size."""
    nodes: int | None
    """Where the line through the sizes meets it; None where it never does."""


class Scaling(Frozen, frozen=True):
    """How a case's measures grow with its size."""

    sizes: tuple[int, ...]
    """Nodes, ascending."""
    slopes: tuple[ScalingSlope, ...]
    cliffs: tuple[Cliff, ...]


class Measures(Frozen, frozen=True):
    """What analysis computes from one recording."""

    execution: str
    phase: str
    """Final phase as FlyteAdmin names it, e.g. `SUCCEEDED`."""
    metrics: dict[str, int | None]
    """Metric name (see `METRICS`) to value; None where no source shows it."""
    findings: tuple[Finding, ...] = ()
    operations: dict[str, Cost] = {}
    """Kind of operation, e.g. `crd write`, to its cost; empty where no trace shows any. The gate
    finds the cause of a change in `handle_ns` here."""
    latencies: tuple[Latency, ...] = ()
    """The same operations by what is around them; empty likewise."""
    ownership: Ownership | None = None
    """None while the execution has not ended."""
    state: StateMeasures | None = None
    """None where FlyteWorkflow objects were not watched."""
    signals: tuple[Signal, ...] = ()
    """Propeller's, then those of the API server, etcd, FlyteAdmin and the S3 gateway; empty where
    the recording has no metrics."""
    trace_source: str | None = None
    """File of the recording that traces were read from, e.g. `otlp.binpb`; None without traces."""
    sources: dict[str, str] = {}
    """Metric to the recording's files that it was computed from; empty in measures of releases
    that did not tell."""
    estimates: dict[str, Estimate] = {}
    """Metric to what stands for it where `metrics` has none for want of traces."""
    components: tuple[ComponentUse, ...] = ()
    """Empty where the recorder could not look at the processes."""
    pods_use: PodsUse | None = None
    """None where no pod told what it used."""
    flytekit: FlytekitShare | None = None
    """None where no container told flytekit's timers."""
    loopback_bytes: int | None = None
    """Bytes over the machine's loopback, on which all components of a local cluster talk; another
    program's too."""
    canaries: dict[str, int] = {}
    """Name of a canary (see `CANARIES`) to its figure beside this repeat; empty without any."""
    shape: Shape | None = None
    """None in measures of releases that did not compute it."""

    @property
    def valid(self) -> bool:
        """Whether no audit check has thrown the repeat out."""
        return all(finding.severity is not Severity.INVALID for finding in self.findings)


CANARIES: dict[str, str] = {
    "cpu_ns": "CPU time of a fixed computation, before and after the repeat",
    "api_write_ns": "time of an update of a small ConfigMap, before and after the repeat",
    "other_cpu_ppm": "share of all CPU time that others than the cluster and Flyte used meanwhile",
    "steal_ppm": "share of all CPU time that the hypervisor withheld meanwhile",
    "servers_cpu_ns": "CPU time of what serves FlytePropeller meanwhile: API server, etcd, blob "
    "store, stand-in for FlyteAdmin; it tells the pace only where they were asked for as much",
}
"""What tells the machine's pace; a `ppm` is a millionth of the whole."""


class Unit(StrEnum):
    """What a metric counts."""

    NS = "ns"
    COUNT = "count"
    BYTES = "bytes"


class Metric(Frozen, frozen=True):
    """A figure that analysis computes per repeat and that the gate can compare."""

    name: str
    unit: Unit
    title: str
    """How tables name it."""
    exact: bool = False
    """A count that must be equal in every repeat of an unchanged system."""
    exact_without_pods: bool = False
    """Exact where the execution starts neither a pod nor another execution, ranged otherwise."""


METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric(name="duration_ns", unit=Unit.NS, title="duration"),
        Metric(name="handle_ns", unit=Unit.NS, title="working"),
        Metric(name="pod_ns", unit=Unit.NS, title="user"),
        Metric(name="flyte_ns", unit=Unit.NS, title="Flyte overhead"),
        Metric(name="overhead_ns", unit=Unit.NS, title="overhead"),
        Metric(name="working_ns", unit=Unit.NS, title="working on the path"),
        Metric(name="waiting_ns", unit=Unit.NS, title="waiting on the path"),
        Metric(name="kubernetes_ns", unit=Unit.NS, title="Kubernetes"),
        Metric(name="user_ns", unit=Unit.NS, title="user on the path"),
        Metric(name="external_ns", unit=Unit.NS, title="external"),
        Metric(name="held_ns", unit=Unit.NS, title="held"),
        Metric(name="backoff_ns", unit=Unit.NS, title="backoff"),
        Metric(name="unknown_ns", unit=Unit.NS, title="unknown"),
        Metric(name="workflow_events", unit=Unit.COUNT, title="workflow events", exact=True),
        Metric(name="node_events", unit=Unit.COUNT, title="node events", exact=True),
        Metric(name="task_events", unit=Unit.COUNT, title="task events", exact_without_pods=True),
        Metric(name="pods", unit=Unit.COUNT, title="pods", exact=True),
        Metric(name="attempts", unit=Unit.COUNT, title="attempts", exact=True),
        Metric(name="handles", unit=Unit.COUNT, title="handles"),
        Metric(name="rounds", unit=Unit.COUNT, title="rounds"),
        Metric(name="crd_writes", unit=Unit.COUNT, title="CRD writes", exact_without_pods=True),
        Metric(name="crd_bytes", unit=Unit.BYTES, title="CRD size"),
        Metric(name="blob_reads", unit=Unit.COUNT, title="blob reads", exact_without_pods=True),
        Metric(name="blob_writes", unit=Unit.COUNT, title="blob writes", exact_without_pods=True),
        Metric(name="allocations", unit=Unit.COUNT, title="allocations"),
        Metric(name="propeller_cpu_ns", unit=Unit.NS, title="FlytePropeller's CPU"),
    )
}
