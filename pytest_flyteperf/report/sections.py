"""The types of the results documents: `results` fills them, `delta` subtracts them.

JSON Schema is generated from them. Times are integer nanoseconds; what was not measured is absent
or null, never 0.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pytest_flyteperf.gate import CaseVerdict
from pytest_flyteperf.model import Environment, Frozen, Size, Subject

SCHEMA: Final = 1


class Section(Frozen, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """A part of the document."""


class Times(Section, frozen=True, rename="camel"):
    """A time over the repeats, in nanoseconds."""

    median: int | None
    least: int | None
    most: int | None


class Mean(Section, frozen=True, rename="camel"):
    """A time over the repeats, in nanoseconds, that adds up with its neighbours."""

    mean: int


class Counts(Section, frozen=True, rename="camel"):
    """A count over the repeats."""

    median: float | None
    least: int | None
    most: int | None


class Latency(Section, frozen=True, rename="camel"):
    """Nearest-rank quantiles within a repeat, the median of them over the repeats."""

    p50: int | None
    p90: int | None
    p99: int | None


class Operations(Section, frozen=True, rename="camel"):
    """Operations of one kind: how many a repeat makes, and how long each takes."""

    count: Counts | None = None
    latency: Latency | None = None


class Owner(Section, frozen=True, rename="camel"):
    """What one owner has of the wall clock along the critical path: means, which add up."""

    owner: str
    detail: str
    time: Mean

    @property
    def identity(self) -> tuple[str | None, ...]:
        """What two documents know it by."""
        return self.owner, self.detail


class Node(Section, frozen=True, rename="camel"):
    """One node execution, over the repeats in which it ran."""

    id: str
    parent: str | None
    execution: int
    """0 for the case's own execution, else the number of the child that a launch plan started."""
    kind: str
    repeats: int
    duration: Times | None = None
    flyte_overhead: Times | None = None
    """Own: what runs beneath the node has its own ledger."""
    kubernetes: Times | None = None
    user: Times | None = None
    scheduling: Times | None = None
    """From its last upstream's end to its own first event."""
    critical_path: Times | None = None
    """How much of the execution's critical path lies in it."""

    @property
    def identity(self) -> tuple[str | None, ...]:
        """What two documents know it by."""
        return str(self.execution), self.parent, self.id


class Place(Section, frozen=True, rename="camel"):
    """Operations of one kind beneath one other."""

    operation: str
    beneath: str
    calls: Counts | None
    latency: Latency | None

    @property
    def identity(self) -> tuple[str | None, ...]:
        """What two documents know it by."""
        return self.operation, self.beneath


class Limit(Section, frozen=True, rename="camel"):
    """A limit on sizes, and how near the case comes to it."""

    limit: str
    limit_bytes: int
    used_bytes: Counts | None
    nodes: Counts | None
    """An estimate of the node count that reaches it."""

    @property
    def identity(self) -> tuple[str | None, ...]:
        """What two documents know it by."""
        return (self.limit,)


class State(Section, frozen=True, rename="camel"):
    """How large the FlyteWorkflow object became, in bytes of JSON unless said otherwise."""

    revisions: Counts
    written_bytes: Counts
    peak_bytes: Counts
    """Of the largest revision; what begins with `peak` is of the same one."""
    peak_spec_bytes: Counts
    peak_status_bytes: Counts
    peak_gzip_bytes: Counts
    peak_binary_bytes: Counts | None = None
    """In the binary form of `analyze.binary`."""
    peak_plugin_bytes: Counts | None = None
    node_bytes: Counts | None = None
    """Of a node's status, the median over the nodes."""
    array_item_bytes: Counts | None = None
    """Of an array node's status, for each sub-task."""
    dynamic_child_bytes: Counts | None = None
    """Of the status of a dynamic node's child."""
    node_growth_bytes: Counts | None = None
    """What a further node adds, specification and status."""
    write_amplification: float | None = None
    """Bytes written in all updates for each byte of the largest revision: the median."""
    round_ns_per_byte: float | None = None
    """How a round's time grows with the bytes that it began with: the median."""
    limits: tuple[Limit, ...] = ()


class Kind(Section, frozen=True, rename="camel"):
    """All nodes of one kind."""

    kind: str
    nodes: Counts | None
    critical_path: Times | None
    """How much of it lies in them."""
    owners: tuple[Owner, ...]
    """Their own ledgers added up: nodes side by side count each."""

    @property
    def identity(self) -> tuple[str | None, ...]:
        """What two documents know it by."""
        return (self.kind,)


class Component(Section, frozen=True, rename="camel"):
    """What one of the cluster's or Flyte's processes or pods used while a repeat ran."""

    component: str
    cpu: Times | None
    resident_bytes: Counts | None
    """After the repeat."""
    mean_bytes: Counts | None = None
    peak_bytes: Counts | None = None
    read_bytes: Counts | None = None
    """From disks."""
    written_bytes: Counts | None = None
    received_bytes: Counts | None = None
    """Over the network."""
    sent_bytes: Counts | None = None
    descriptors: Counts | None = None

    @property
    def identity(self) -> tuple[str | None, ...]:
        """What two documents know it by."""
        return (self.component,)


class PodsUse(Section, frozen=True, rename="camel"):
    """What the execution's pods used, all together."""

    pods: Counts | None
    """How many told it."""
    cpu: Times | None
    max_resident_bytes: Counts | None
    """Of the largest."""
    read_bytes: Counts | None
    written_bytes: Counts | None


class Flytekit(Section, frozen=True, rename="camel"):
    """Where the time of containers that ran flytekit went, added up over them."""

    containers: Counts | None
    start: Times | None
    load: Times | None
    inputs: Times | None
    user_code: Times | None
    outputs: Times | None
    exit: Times | None


class Signal(Section, frozen=True, rename="camel"):
    """What a component's own metrics or log counted over a repeat: approximate, never gated."""

    name: str
    source: str
    """Prometheus metric, or file of the recording."""
    count: Counts | None
    time: Times | None = None
    """All of them together; absent for what is only counted."""

    @property
    def identity(self) -> tuple[str | None, ...]:
        """What two documents know it by."""
        return self.name, self.source


class Noticed(Section, frozen=True, rename="camel"):
    """A check of the audit that fired, also in repeats that it made invalid."""

    check: str
    severity: str
    repeats: int
    evidence: str
    """Of the first of them."""

    @property
    def identity(self) -> tuple[str | None, ...]:
        """What two documents know it by."""
        return self.check, self.severity


class SummedNodeOverhead(Section, frozen=True, rename="camel"):
    """The overhead that the RFC defines, summed over nodes: it may exceed the wall clock."""

    flyte: Times
    scheduling: Times
    share: float | None
    """Of the nodes' summed run time, scheduling included: the RFC's percentage, as a share."""


class Events(Section, frozen=True, rename="camel"):
    """Events that Propeller sent to FlyteAdmin."""

    workflow: Operations
    node: Operations
    task: Operations


class BlobStore(Section, frozen=True, rename="camel"):
    """Operations on the object store that traces show."""

    writes: Operations
    reads: Operations


class Propeller(Section, frozen=True, rename="camel"):
    """Propeller's evaluation loop, in the RFC's words."""

    rounds: Operations
    """Handles: one worker pickup of the workflow each."""
    streaks: Operations
    """Evaluations of the workflow; a handle holds one or more."""
    crd_writes: Operations


class Case(Section, frozen=True, rename="camel"):
    """One case in one size: what its repeats measured, and the gate's answer."""

    size: Size
    repeats: int
    """Valid ones."""
    invalid_repeats: int
    duration: Times | None = None
    flyte_overhead: Times | None = None
    working: Times | None = None
    """Sum of the execution's handles."""
    user: Times | None = None
    """Containers on the critical path."""
    overhead: Times | None = None
    """Flyte, Kubernetes and external services on the critical path: the RFC's lower bound."""
    unknown: Times | None = None
    """What no source shows; with it, the overhead has its upper bound."""
    owners: tuple[Owner, ...] = ()
    nodes: tuple[Node, ...] = ()
    summed_node_overhead: SummedNodeOverhead | None = None
    events: Events | None = None
    blobstore: BlobStore | None = None
    propeller: Propeller | None = None
    operations: tuple[Place, ...] = ()
    kinds: tuple[Kind, ...] = ()
    state: State | None = None
    components: tuple[Component, ...] = ()
    pods_use: PodsUse | None = None
    flytekit: Flytekit | None = None
    signals: tuple[Signal, ...] = ()
    audit: tuple[Noticed, ...] = ()
    pods: Counts | None = None
    attempts: Counts | None = None
    verdict: CaseVerdict | None = None
    cause: tuple[str, ...] = ()
    """What moved, strongest first, in words."""
    again: str | None = None
    """Command that measures the case again."""
    samples: dict[str, tuple[int | None, ...]] = msgspec.field(default_factory=dict)
    """Metric to its value in each valid repeat, in the unit that ends the name, else a count."""
    estimates: dict[str, tuple[int | None, ...]] = msgspec.field(default_factory=dict)
    """The same of metrics that no trace showed in any repeat: what Propeller's counters, which
    hold all executions of the process, or its log have. Nothing gates them."""
    sources: dict[str, str] = msgspec.field(default_factory=dict)
    """Metric to the files of a recording, or the Prometheus metric, that it comes from."""


class Results(Section, frozen=True, rename="camel"):
    """What a run measured."""

    schema_version: int
    tool: str
    """Version of pytest-flyteperf."""
    recorded: str
    """UTC, e.g. `2026-11-22T18:40:00Z`."""
    subject: Subject
    environment: Environment
    cases: dict[str, Case]
    """By `flyte.benchmark.<case>`, with `.short` or `.full` where it ran in that size."""


class Delta(Section, frozen=True, rename="camel"):
    """What changed between two runs: the later figures less the earlier ones, signed."""

    schema_version: int
    before: Subject
    now: Subject
    cases: dict[str, Case]
    """Cases that both runs have; samples and verdicts are left out."""
    only_before: tuple[str, ...]
    only_now: tuple[str, ...]
