"""Every instant of an execution gets its owner: along the critical path, and node by node."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from pytest_flyteperf.analyze import evidence
from pytest_flyteperf.analyze.ledger import Ledger, settle
from pytest_flyteperf.analyze.nodes import Kind, by_time
from pytest_flyteperf.analyze.path import Part, Stretch, walk, windows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_flyteperf.analyze.evidence import Watch
    from pytest_flyteperf.analyze.ledger import Facts
    from pytest_flyteperf.analyze.nodes import Node, Run
    from pytest_flyteperf.analyze.timeline import Timeline


class NodeTime(msgspec.Struct, frozen=True, gc=False):
    """One node's own ledger, and its place in time."""

    node: Node
    ledger: Ledger
    """From its first to its last event; what runs beneath it belongs to `subnodes`."""
    scheduling_ns: int | None
    """From its last upstream's end to its first event; None where no upstream is known."""
    on_path_ns: int
    """How much of the critical path lies in it, transition included."""


class Attribution(NamedTuple):
    """The ownership of one execution."""

    whole: Ledger
    path: tuple[tuple[Stretch, Ledger], ...]
    nodes: tuple[NodeTime, ...]
    """Of the execution and of those its launch plan nodes started."""


def attribute(
    run: Run,
    runs: dict[str, Run],
    watch: Watch,
    timelines: dict[str, Timeline],
) -> Attribution:
    """Own every instant of an execution that has ended.

    Args:
        run: the execution.
        runs: the executions that launch plan nodes started, by name.
        watch: the pods.
        timelines: when Propeller worked, by execution; an execution that is absent has no traces.
    """
    nodes: list[NodeTime] = []
    ledgers = _Ledgers(runs, watch, timelines)
    path = walk(run, runs)
    on_path: dict[Node, int] = {}
    for stretch in path:
        if stretch.node is not None:
            before = on_path.get(stretch.node, 0)
            on_path[stretch.node] = before + stretch.end - stretch.start
    for part in (run, *sorted(runs.values(), key=lambda other: other.name)):
        scheduling = scheduling_latencies(part)
        for node in sorted(part.nodes.values(), key=by_time):
            ledger = ledgers.of_node(node, part)
            nodes.append(NodeTime(node, ledger, scheduling.get(node.id), on_path.get(node, 0)))
    whole = Ledger()
    stretches: list[tuple[Stretch, Ledger]] = []
    for stretch in path:
        ledger = ledgers.of_stretch(stretch)
        whole.add(ledger)
        stretches.append((stretch, ledger))
    return Attribution(whole, tuple(stretches), tuple(nodes))


class _Ledgers:
    """Ledgers of nodes, and then of stretches of the path, which are often a node's own."""

    def __init__(self, runs: dict[str, Run], watch: Watch, timelines: dict[str, Timeline]) -> None:
        self._runs = runs
        self._watch = watch
        self._timelines = timelines
        self._owned: dict[Node, Ledger] = {}
        self._facts: dict[Node, Facts] = {}
        """Of nodes beneath which something ran, without it."""

    def of_node(self, node: Node, run: Run) -> Ledger:
        """A node's own ledger, empty where it has not begun or not ended."""
        if node.created is None or node.ended is None:
            return Ledger()
        timeline = self._timelines.get(run.name)
        facts = evidence.of_node(node, self._watch, self._runs, timeline)
        if node.children or node.child:
            self._facts[node] = facts
            below = windows(node, self._runs, frozenset({run.name}))
            beneath = evidence.subnodes(node, ((low, high) for low, high, _ in below))
            facts = replace(facts, layers=facts.layers + beneath)
        ledger = self._owned[node] = settle(facts, node.created, node.ended, timeline)
        return ledger

    def of_stretch(self, stretch: Stretch) -> Ledger:
        """The ledger of a stretch: the node's own, where it is all of the node's time."""
        node, facts = stretch.node, None
        if node is not None and stretch.part is Part.NODE and node.kind is not Kind.ARRAY:
            if (node.created, node.ended) == (stretch.start, stretch.end):
                return self._owned[node]
            facts = self._facts.get(node)
        timeline = self._timelines.get(stretch.run.name)
        if facts is None:
            facts = evidence.of_stretch(stretch, self._watch, self._runs, timeline)
        return settle(facts, stretch.start, stretch.end, timeline)


def scheduling_latencies(run: Run) -> dict[str, int]:
    """From each node's last upstream's end to its own first event, by node id.

    Where the workflow's edges are not recorded (what a dynamic task compiled), the sibling that
    ended last before the node stands for its upstream. Nodes without upstream have none.
    """
    found: dict[str, int] = {}
    graphs = [run.top, *_groups(run)]
    for graph in graphs:
        ends = sorted(node.ended for node in graph if node.ended is not None)
        by_spec = {node.spec_id: node.ended for node in graph if node.ended is not None}
        for node in graph:
            if node.created is None or node.kind is Kind.START:
                continue
            if node.upstream is None:
                index = bisect_right(ends, node.created)
                last = ends[index - 1] if index else None
            else:
                last = max(
                    (by_spec[name] for name in node.upstream if name in by_spec), default=None
                )
            if last is not None:
                found[node.id] = max(0, node.created - last)
    return found


def _groups(run: Run) -> Iterator[list[Node]]:
    """The children of each attempt of each node."""
    for node in run.nodes.values():
        groups: dict[str, list[Node]] = {}
        for child in node.children:
            groups.setdefault(child.group, []).append(child)
        yield from groups.values()
