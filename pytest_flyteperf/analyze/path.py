"""The critical path of an execution: which node each instant waited for.

The path runs backwards from what ended the execution, through the upstream that finished last,
and goes on inside dynamic, sub-workflow, branch and launch plan nodes. It covers the wall clock:
stretches follow one another without gap or overlap.
"""

from __future__ import annotations

from bisect import bisect_right
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.analyze.nodes import COUNTED, FAILED, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.analyze.nodes import Node, Run


class Part(StrEnum):
    """Where in a node's life a stretch lies."""

    TRANSITION = "transition"
    """Before the node's first event: its last upstream has ended."""
    NODE = "node"
    """Between the node's first and last event, outside what runs beneath it."""
    TEARDOWN = "teardown"
    """After the last event of what ended the execution."""


class Stretch(msgspec.Struct, frozen=True, gc=False):
    """A stretch of the critical path."""

    start: int
    end: int
    run: Run
    node: Node | None
    """None where the execution has no node."""
    part: Part
    held: bool = False
    """The node's turn was kept back by max-parallelism."""


def walk(run: Run, runs: dict[str, Run]) -> list[Stretch]:
    """The critical path from the execution's creation to its last event.

    Args:
        run: an execution that has ended.
        runs: the executions that launch plan nodes started, by name.
    """
    if run.created is None or run.ended is None:
        return []
    found: list[Stretch] = []
    _Walk(run, runs, frozenset({run.name}), found).graph(run.top, run.created, run.ended)
    return found


class _Walk:
    """The walk through one execution; it goes on in executions that it launched."""

    def __init__(
        self,
        run: Run,
        runs: dict[str, Run],
        visited: frozenset[str],
        found: list[Stretch],
    ) -> None:
        self._run = run
        self._runs = runs
        self._visited = visited
        self._found = found

    def graph(self, nodes: Sequence[Node], start: int, end: int) -> None:
        """The path through nodes of one graph, over [start, end)."""
        if end <= start:
            return
        steps: list[tuple[int, int, Node, bool]] = []
        order = _Order(nodes)
        node = _last(nodes)
        high = end
        while node is not None and high > start:
            before, held = order.before(node, self._run)
            low = start if before is None else min(max(_ended(before, end), start), high)
            steps.append((low, high, node, held))
            node, high = before, low
        if not steps:
            self._found.append(Stretch(start, end, self._run, None, Part.TRANSITION))
            return
        _, first_end, first, first_held = steps[-1]
        steps[-1] = (start, first_end, first, first_held)
        for low, high, node, held in reversed(steps):
            self._node(node, low, high, held=held)

    def _node(self, node: Node, start: int, end: int, *, held: bool) -> None:
        """The path's step at one node, over [start, end)."""
        created = end if node.created is None else min(max(node.created, start), end)
        ended = min(max(_ended(node, end), created), end)
        if created > start:
            self._found.append(Stretch(start, created, self._run, node, Part.TRANSITION, held))
        at = created
        beneath = windows(node, self._runs, self._visited) if node.children or node.child else ()
        for low, high, below in beneath:
            low, high = min(max(low, at), ended), min(max(high, at), ended)  # noqa: PLW2901
            if high <= low:
                continue
            if low > at:
                self._found.append(Stretch(at, low, self._run, node, Part.NODE))
            self._beneath(below, low, high)
            at = high
        if ended > at:
            self._found.append(Stretch(at, ended, self._run, node, Part.NODE))
        if end > ended:
            self._found.append(Stretch(ended, end, self._run, node, Part.TEARDOWN))

    def _beneath(self, below: list[Node] | Run, start: int, end: int) -> None:
        if isinstance(below, list):
            self.graph(below, start, end)
        else:
            visited = self._visited | {below.name}
            _Walk(below, self._runs, visited, self._found).graph(below.top, start, end)


def windows(
    node: Node,
    runs: dict[str, Run],
    visited: frozenset[str],
) -> list[tuple[int, int, list[Node] | Run]]:
    """When something ran beneath a node: children of each attempt, or a launched execution."""
    child = runs.get(node.child)
    if child is not None and child.name not in visited:
        if child.created is None or child.ended is None:
            return []
        return [(child.created, child.ended, child)]
    groups: dict[str, list[Node]] = {}
    for below in node.children:
        if below.created is not None:
            groups.setdefault(below.group, []).append(below)
    found: list[tuple[int, int, list[Node] | Run]] = []
    for group in groups.values():
        low = min(below.created for below in group if below.created is not None)
        ends = [below.ended for below in group if below.ended is not None]
        high = max(ends) if len(ends) == len(group) else node.ended
        if high is not None and high > low:
            found.append((low, high, group))
    return sorted(found, key=lambda window: window[:2])


def _ended(node: Node, default: int) -> int:
    return default if node.ended is None else node.ended


def _last(nodes: Sequence[Node]) -> Node | None:
    """The node that ended its graph.

    The end node; else the node that `on_failure` names, which runs last; else the failed node
    that ended last; else, for an abort, the node that ended last of all.
    """
    begun = [node for node in nodes if node.created is not None]
    for wanted in (
        lambda node: node.kind is Kind.END and node.phase == "SUCCEEDED",
        lambda node: node.is_failure_handler,
        lambda node: node.phase in FAILED,
        lambda _: True,
    ):
        found = [node for node in begun if wanted(node)]
        if found:
            return max(
                found,
                key=lambda node: (_ended(node, 1 << 63), node.created or 0, node.id),
            )
    return None


class _Order:
    """What came before a node among nodes of one graph."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._by_spec: dict[str, Node] = {}
        for node in nodes:
            other = self._by_spec.get(node.spec_id)
            if other is None or _end_key(other) < _end_key(node):
                self._by_spec[node.spec_id] = node
        self._ended = sorted((n for n in nodes if n.ended is not None), key=_end_key)
        self._ends = [_end_key(node)[0] for node in self._ended]
        self._visited: set[str] = set()

    def before(self, node: Node, run: Run) -> tuple[Node | None, bool]:
        """The node that this one waited for, and whether max-parallelism made it wait."""
        self._visited.add(node.id)
        if node.created is None or node.kind is Kind.START:
            return None, False
        before = self._upstream(node)
        if before is None or before.ended is None or node.kind not in COUNTED:
            return before, False
        freed = run.slots.freed(before.ended, node.created)
        if freed is None:
            return before, False
        return self._ended_at(freed) or before, True

    def _ended_at(self, instant: int) -> Node | None:
        """The counted node whose end freed a slot at an instant."""
        index = bisect_right(self._ends, instant)
        while index and self._ends[index - 1] == instant:
            index -= 1
            found = self._ended[index]
            if found.kind in COUNTED and found.id not in self._visited:
                return found
        return None

    def _upstream(self, node: Node) -> Node | None:
        if node.upstream is None or node.is_failure_handler:
            return self._latest(node)
        found = [
            self._by_spec[name]
            for name in node.upstream
            if name in self._by_spec
            and self._by_spec[name].ended is not None
            and self._by_spec[name].id not in self._visited
        ]
        return max(found, key=_end_key, default=None)

    def _latest(self, node: Node) -> Node | None:
        """The node that ended last before this one was created."""
        index = bisect_right(self._ends, node.created or 0) - 1
        while index >= 0:
            found = self._ended[index]
            if found.id not in self._visited:
                return found
            index -= 1
        return None


def _end_key(node: Node) -> tuple[int, int, str]:
    return node.ended or 0, node.created or 0, node.id
