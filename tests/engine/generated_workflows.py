"""Workflows made from a description, and what Flyte must record of their executions.

The prediction follows docs of Flyte's sources in prose: flyte-reference.md, sections 1.3 to 1.5.
Nothing in it is looked up in a recording.
"""

import hashlib
from dataclasses import dataclass

import generated_tasks as t
from flytekit import conditional, map_task, workflow
from hypothesis import strategies as st

from tests.doubles.node_ids import unique_id

START_EVENTS, END_EVENTS = 1, 2
"""A start-node only succeeds; an end-node is queued, then succeeds."""
POD_EVENTS, ECHO_EVENTS, DYNAMIC_EVENTS = 3, 2, 4
"""Queued, running, succeeded; an echo never runs; a dynamic node says DYNAMIC_RUNNING besides."""


@dataclass(frozen=True)
class Step:
    """One node or a few; takes earlier values (0 is the input), yields one."""

    kind: str
    of: tuple[int, ...]
    number: int = 0
    inner: tuple["Step", ...] = ()


def steps(depth=2, most=4):
    """Lists of steps, each taking any values before it: directed graphs without cycles."""
    return st.integers(1, most).flatmap(
        lambda length: st.tuples(*(step(i, depth) for i in range(length)))
    )


def step(position, depth):
    earlier = st.tuples(st.integers(0, position))
    kinds = [
        st.builds(Step, st.sampled_from(["echo", "task", "branch"]), earlier),
        st.builds(Step, st.just("add"), st.tuples(*[st.integers(0, position)] * 2)),
        st.builds(Step, st.just("dynamic"), earlier, st.integers(1, 3)),
        st.builds(Step, st.just("map"), earlier, st.integers(1, 4)),
    ]
    if depth:
        inner = steps(depth - 1, most=2)
        kinds.append(st.builds(Step, st.just("sub"), earlier, st.just(0), inner))
    return st.one_of(kinds)


def build(plan):
    """Make a flytekit workflow of a plan."""

    def body(a: int) -> int:
        values = [a]
        for s in plan:
            values.append(_apply(s, [values[i] for i in s.of]))
        return values[-1]

    body.__name__ = f"generated_{hashlib.sha256(repr(plan).encode()).hexdigest()[:12]}"
    return workflow(body)


def _apply(s, values):  # noqa: PLR0911 - one for each kind
    match s.kind:
        case "echo":
            return t.echo(a=values[0])
        case "task":
            return t.increment(a=values[0])
        case "add":
            return t.add(a=values[0], b=values[1])
        case "branch":
            chosen = conditional("sign").if_(values[0] > 0)
            return chosen.then(t.increment(a=values[0])).else_().then(t.negate(a=values[0]))
        case "dynamic":
            return t.increments(a=values[0], times=s.number)
        case "map":
            spread = t.spread(a=values[0], width=s.number)
            return t.total(numbers=map_task(t.increment)(a=spread))
        case "sub":
            return build(s.inner)(a=values[0])
    raise ValueError(s.kind)


@dataclass
class Prediction:
    """What an execution leaves behind, by Flyte's rules."""

    nodes: set
    """(id, id in its template, parent, kinds, whether it ran and so has a duration)."""
    tasks: set
    """(node id, task, attempt)."""
    node_events: int = 0
    pods: int = 0

    def node(self, identifier, spec, parent, kinds=(), *, ran=True):
        self.nodes.add((identifier, spec, parent, tuple(sorted(kinds)), ran))

    def ends(self, parent):
        for spec in ("start-node", "end-node"):
            self.node(_id(parent, spec), spec, parent, ran=False)
        self.node_events += START_EVENTS + END_EVENTS

    def pod(self, spec, parent, task, kinds=()):
        identifier = _id(parent, spec)
        self.node(identifier, spec, parent, kinds)
        self.tasks.add((identifier, task, 0))
        self.node_events += POD_EVENTS
        self.pods += 1


def predict(plan, value):
    """Predict the rows of an execution of a plan, and its output."""
    prediction = Prediction(set(), set())
    return prediction, _predict(prediction, plan, value, None)


def _predict(p, plan, value, parent):
    p.ends(parent)
    values, number = [value], 0
    for s in plan:
        of = [values[i] for i in s.of]
        spec = f"n{number}"
        number += 3 if s.kind == "map" else 1
        values.append(_PREDICT[s.kind](p, s, of, spec, parent))
    return values[-1]


def _echo(p, _s, of, spec, parent):
    p.node(_id(parent, spec), spec, parent, ran=False)
    p.tasks.add((_id(parent, spec), "echo_whole", 0))
    p.node_events += ECHO_EVENTS
    return of[0]


def _task(p, _s, of, spec, parent):
    p.pod(spec, parent, "increment")
    return of[0] + 1


def _add(p, _s, of, spec, parent):
    p.pod(spec, parent, "add")
    return of[0] + of[1]


def _branch(p, _s, of, spec, parent):
    branch = _id(parent, spec)
    p.node(branch, spec, parent, ["is_parent_node"])
    p.node_events += POD_EVENTS
    positive = of[0] > 0
    p.pod(f"{spec}-{'n0' if positive else 'n1'}", branch, "increment" if positive else "negate")
    return of[0] + 1 if positive else -of[0]


def _dynamic(p, s, of, spec, parent):
    p.pod(spec, parent, "increments", ["is_dynamic", "is_parent_node"])
    p.node_events += DYNAMIC_EVENTS - POD_EVENTS
    inner = _id(parent, spec)
    p.ends(inner)
    for i in range(s.number):
        p.pod(f"dn{i}", inner, "increment")
    return of[0] + s.number


def _map(p, s, of, spec, parent):
    first = int(spec.removeprefix("n"))
    p.pod(spec, parent, "spread")
    array = f"n{first + 1}"
    p.node(_id(parent, array), array, parent, ["is_array"])
    p.tasks.add((_id(parent, array), "map", 0))
    p.node_events += POD_EVENTS
    p.pods += s.number
    p.pod(f"n{first + 2}", parent, "total")
    return sum(of[0] + i + 1 for i in range(s.number))


def _sub(p, s, of, spec, parent):
    p.node(_id(parent, spec), spec, parent, ["is_parent_node"])
    p.node_events += POD_EVENTS
    return _predict(p, s.inner, of[0], _id(parent, spec))


_PREDICT = {
    "echo": _echo,
    "task": _task,
    "add": _add,
    "branch": _branch,
    "dynamic": _dynamic,
    "map": _map,
    "sub": _sub,
}


def _id(parent, spec):
    return spec if parent is None else unique_id(parent, 0, spec)


def observed(found):
    """Reduce the facts of an execution to what a prediction says."""
    nodes = {
        (row["id"], row["spec"], row["parent"], tuple(row["kinds"]), row["ran"])
        for row in found["nodes"]
    }
    tasks = {(row["node"], _plain(row["task"]), row["attempt"]) for row in found["tasks"]}
    phases = {row["phase"] for row in (*found["nodes"], *found["tasks"])}
    return nodes, tasks, phases


def _plain(task):
    name = task.rpartition(".")[2]
    return "map" if name.startswith("map_") else name
