"""Executions made up for tests: documents as FlyteAdmin, watches and traces would give them."""

from types import SimpleNamespace

import msgspec
from hypothesis import strategies as st
from msgspec.structs import replace

from pytest_flyteperf.analyze import documents as d
from pytest_flyteperf.analyze.crd import FlyteWorkflow, Seen
from pytest_flyteperf.analyze.naming import unique_node_id
from pytest_flyteperf.analyze.nodes import Run
from pytest_flyteperf.analyze.pods import fold_pods
from pytest_flyteperf.analyze.timeline import Timeline

EPOCH = 1_795_354_445
"""Whole seconds at which made-up executions begin."""
MS = 1_000_000
SECOND = 1_000_000_000


def at(ms):
    """An instant so many milliseconds after the epoch, as admin stamps it."""
    if ms is None:
        return None
    seconds, rest = divmod(EPOCH * SECOND + round(ms * MS), SECOND)
    days, of_day = divmod(seconds, 86_400)
    assert days == EPOCH // 86_400, "made-up executions stay within their day"
    hours, of_hour = divmod(of_day, 3600)
    return f"2026-11-22T{hours:02}:{of_hour // 60:02}:{of_hour % 60:02}.{rest:09}Z"


def second(ms):
    """The same, cut to the second, as Kubernetes stamps it."""
    return None if ms is None else at(ms)[:19] + "Z"


def ns(ms):
    """The same in Unix nanoseconds."""
    return EPOCH * SECOND + round(ms * MS)


def lasting(start, end):
    """A duration, as admin stamps it."""
    if start is None or end is None:
        return None
    return f"{(round(end * MS) - round(start * MS)) / SECOND:.9f}s"


def node(
    name,
    created,
    started=None,
    ended=None,
    *,
    parent=None,
    group="0",
    phase="SUCCEEDED",
    spec=None,
    child=None,
    cache=None,
    **flags,
):
    """A node execution; times in milliseconds after the epoch."""
    spec = spec or name
    unique = unique_node_id(parent, group, spec) if parent else name
    return d.NodeExecutionDocument(
        id=d.NodeExecutionId(unique),
        closure=d.NodeExecutionClosure(
            phase=phase,
            created_at=at(created),
            started_at=at(started),
            updated_at=at(ended),
            duration=lasting(started, ended),
            workflow_node_metadata=d.WorkflowNodeMetadata(d.Identifier(child)) if child else None,
            task_node_metadata=d.TaskNodeMetadata(cache) if cache else None,
        ),
        metadata=d.NodeExecutionMetaData(
            spec_node_id=spec,
            retry_group=group if parent else "",
            **flags,
        ),
    )


def task(
    name,
    created,
    updated,
    *,
    retry=0,
    phase="SUCCEEDED",
    plugin="container",
    pods=None,
    started=None,
    ended=None,
    reasons=(),
):
    """A task execution; `pods` has its sub-tasks' pods, or of each pod, index, retry and phase."""
    subtasks = [(each,) if isinstance(each, str) else each for each in pods or ()]
    return d.TaskExecutionDocument(
        id=d.TaskExecutionId(d.NodeExecutionId(name), retry),
        closure=d.TaskExecutionClosure(
            phase=phase,
            created_at=at(created),
            updated_at=at(updated),
            started_at=second(started),
            duration=lasting(started, ended),
            metadata=d.TaskExecutionMetadata(
                generated_name=f"e-{name}-{retry}",
                plugin_identifier=plugin,
                external_resources=tuple(d.ExternalResource(*subtask) for subtask in subtasks),
            ),
            reasons=tuple(d.Reason(at(when), message) for when, message in reasons),
        ),
    )


def pod(
    name,
    added,
    bound=None,
    started=None,
    finished=None,
    *,
    running=None,
    reported=None,
    precise=True,
    exit_code=0,
    execution="e",
):
    """Watch events of a pod; `running` and `reported` are receipts, by default at once."""
    running = started if running is None else running
    reported = finished if reported is None else reported
    annotations = {}
    events = [(added, "ADDED", d.ContainerState(), {})]
    if bound is not None:
        events.append((bound, "MODIFIED", d.ContainerState(), {}))
    if started is not None:
        if precise:
            annotations["flyteperf.dev/started-ns"] = str(ns(started))
        state = d.ContainerState(running=d.ContainerRunning(second(started)))
        events.append((running, "MODIFIED", state, dict(annotations)))
    if finished is not None:
        if precise:
            annotations["flyteperf.dev/finished-ns"] = str(ns(finished))
        state = d.ContainerState(
            terminated=d.ContainerTerminated(
                exit_code=exit_code,
                started_at=second(started),
                finished_at=second(finished),
            ),
        )
        events.append((reported, "MODIFIED", state, dict(annotations)))
    return [
        d.PodRecord(
            ns(received) / SECOND,
            d.PodEvent(
                kind,
                d.PodDocument(
                    d.ObjectMeta(
                        name=name,
                        uid=name,
                        annotations=noted,
                        owners=(d.OwnerReference("flyteworkflow", execution, controller=True),),
                    ),
                    d.PodSpec("local" if bound is not None and received >= bound else None),
                    d.PodStatus(containers=(d.ContainerStatus(name, state),)),
                ),
            ),
        )
        for received, kind, state, noted in events
    ]


def listed(name, added, started, finished, **how):
    """The pod as it was found later: its last state, and the second of its creation."""
    record = pod(name, added, added, started, finished, **how)[-1]
    document = record.event.object
    metadata = replace(document.metadata, creation_timestamp=second(added))
    document = replace(document, metadata=metadata)
    return [replace(record, event=d.PodEvent(d.LISTED, document))]


def run(
    nodes,
    tasks=(),
    *,
    created=0,
    ended,
    phase="SUCCEEDED",
    seen=None,
    name="e",
    max_parallelism=0,
):
    """An execution."""
    execution = d.ExecutionDocument(
        d.Identifier(name),
        d.ExecutionClosure(phase=phase, created_at=at(created), updated_at=at(ended)),
        d.ExecutionSpec(max_parallelism),
    )
    recording = SimpleNamespace(
        execution=execution,
        nodes=lambda: list(nodes),
        tasks=lambda: list(tasks),
        folder="made-up",
    )
    return Run(recording, seen)


def workflow(accepted, nodes, upstream=None, *, sub_workflows=None):
    """A FlyteWorkflow as the watch first showed it: nodes' JSON and upstream edges by id."""
    spec = {"nodes": nodes, "edges": {"upstream": upstream or {}}}
    document = {"metadata": {"name": "e"}, "spec": spec, "subWorkflows": sub_workflows}
    return Seen(ns(accepted), msgspec.convert(document, FlyteWorkflow))


def pods(*events, executions=("e",)):
    """Pods by name, from watch events."""
    found = fold_pods([event for one in events for event in one], frozenset(executions))
    return {found_pod.name: found_pod for found_pod in found}


def working(*handles):
    """When Propeller worked: milliseconds after the epoch."""
    return Timeline((ns(low), ns(high), "handle") for low, high in handles)


# --- random executions ------------------------------------------------------------------------

instants = st.integers(-2_000, 12_000) | st.none()
"""Milliseconds; missing, before the execution's start, or after its end."""
some_instant = st.integers(-2_000, 12_000)
phases = st.sampled_from(
    [
        *("SUCCEEDED", "SUCCEEDED", "FAILED", "ABORTED"),
        *("RUNNING", "SKIPPED", "TIMED_OUT", "RECOVERED"),
    ],
)
templates = st.sampled_from(
    [
        {"kind": "task"},
        {"kind": "array", "array": {"Parallelism": 0}},
        {"kind": "array", "array": {"Parallelism": 1}},
        {"kind": "gate", "gate": {"kind": "sleep", "sleep": {"duration": "3s"}}},
        {"kind": "gate", "gate": {"kind": "signal"}},
        {"kind": "branch"},
        {"kind": "workflow", "workflow": {"subWorkflowRef": "sub"}},
        {"kind": "workflow", "workflow": {"launchPlanRefId": {"name": "lp"}}},
    ],
)
"""Of a node of any kind, as the FlyteWorkflow has it."""
reasons = st.lists(
    st.tuples(some_instant, st.sampled_from(["task submitted to K8s", "exceeded quota: compute"])),
    max_size=2,
)
plugins = st.sampled_from(
    ["container", "container", "echo", "spark", "k8s-array", "connector", ""],
)


def stamps(count):
    """So many stamps: in order within the execution's time, or of any order and some missing."""
    within = st.lists(st.integers(0, 10_000), min_size=count, max_size=count).map(sorted)
    return within | within | st.tuples(*[instants] * count)


@st.composite
def workflows(draw, specs):
    """A FlyteWorkflow with some of these nodes, of any kinds, with edges of any order; or none."""
    if draw(st.booleans()):
        return None
    known = draw(st.lists(st.sampled_from(specs), unique=True)) if specs else []
    edges = {name: draw(st.lists(st.sampled_from(known), max_size=2)) for name in known}
    nodes = {name: draw(templates) for name in known}
    return workflow(draw(st.integers(-100, 2000)), nodes, edges)


@st.composite
def launched(draw, name):
    """An execution that a launch plan node started, itself with one that starts it again."""
    nodes = [
        node(f"n{index}", *draw(stamps(3)), phase=draw(phases), child=draw(st.sampled_from(["e"])))
        for index in range(draw(st.integers(0, 2)))
    ]
    created, ended = draw(stamps(2))
    return run(nodes, created=created, ended=ended, phase=draw(phases), name=name)


@st.composite
def executions(draw):
    """Node trees of any shape with stamps of any order, pods and handles."""
    names, nodes, tasks, watched = [], [], [], []
    for index in range(draw(st.integers(0, 8))):
        above = draw(st.sampled_from([None, None, *names]))
        spec = draw(st.sampled_from(["start-node", "end-node", "efn", "fn0", *[f"n{index}"] * 4]))
        made = node(
            spec,
            *draw(stamps(3)),
            parent=above,
            group=draw(st.sampled_from(["0", "0", "1"])),
            phase=draw(phases),
            child=draw(st.sampled_from([None, None, None, "gone", "e", "c"])),
            is_dynamic=draw(st.booleans()),
        )
        name = made.id.node_id
        if name in names:
            continue
        names.append(name)
        nodes.append(made)
        subtasks = [(f"e-{name}-0", 0, 0), (f"e-{name}-1", 0, 1), ("never-seen", 1, 0)]
        for retry in range(draw(st.integers(0, 2))):
            created, started, ended, updated = draw(stamps(4))
            stamped = {"started": started, "ended": ended} if started is not None else {}
            tasks.append(
                task(
                    name,
                    created,
                    updated,
                    retry=retry,
                    phase=draw(phases),
                    plugin=draw(plugins),
                    pods=draw(st.sampled_from([None, None, subtasks])),
                    reasons=draw(reasons),
                    **stamped,
                ),
            )
            if draw(st.booleans()):
                added, bound, begun, running, finished, reported = draw(stamps(6))
                if draw(st.booleans()):
                    stamped = {"precise": draw(st.booleans())}
                    watched.append(
                        listed(f"e-{name}-{retry}", added or 0, begun, finished, **stamped)
                    )
                    continue
                watched.append(
                    pod(
                        f"e-{name}-{retry}",
                        added or 0,
                        bound,
                        begun,
                        finished,
                        running=running,
                        reported=reported,
                        precise=draw(st.booleans()),
                        exit_code=draw(st.integers(0, 1)),
                    ),
                )
    handles = draw(st.lists(st.tuples(some_instant, st.integers(0, 3_000)), max_size=6))
    created, ended = draw(st.just((0, 10_000)) | st.tuples(some_instant, some_instant))
    return SimpleNamespace(
        nodes=nodes,
        tasks=tasks,
        watched=watched,
        handles=[(low, low + length) for low, length in handles],
        traced=draw(st.booleans()),
        created=created,
        ended=ended,
        phase=draw(phases),
        seen=draw(workflows([made.metadata.spec_node_id for made in nodes])),
        children={"c": draw(launched("c"))},
        max_parallelism=draw(st.sampled_from([0, 1, 3])),
    )
