"""One execution over time: each node's stretch cut into pieces of one owner each.

A picture of what `ownership` adds up: every piece is a ledger of its own, so the precedence of
owners is that of `ledger` and nothing is decided here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from pytest_flyteperf.analyze import evidence, spans
from pytest_flyteperf.analyze.crd import first_seen
from pytest_flyteperf.analyze.intervals import union
from pytest_flyteperf.analyze.ledger import settle
from pytest_flyteperf.analyze.nodes import Run, by_time
from pytest_flyteperf.analyze.path import walk, windows
from pytest_flyteperf.analyze.pods import fold_pods
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.analyze.timeline import Segment, Timeline, partition
from pytest_flyteperf.model import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_flyteperf.analyze.ledger import Facts
    from pytest_flyteperf.analyze.nodes import Node

MOST_PIECES: Final = 60_000
"""Of all lanes together: beyond, handles are not drawn apart, then pieces become even columns."""
LEAST_PIECES: Final = 6
"""That a lane may have however many lanes there are."""


class Piece(NamedTuple):
    """Nanoseconds from the creation of the execution, and who owns most of what lies between."""

    start_ns: int
    end_ns: int
    owner: str
    detail: str


class Lane(Frozen, frozen=True):
    """One node execution, from its first to its last event."""

    execution: str
    id: str
    kind: str
    phase: str
    attempts: int
    depth: int
    """How many nodes it lies beneath, those of parent executions included."""
    start_ns: int
    end_ns: int
    on_path: bool
    """Whether the critical path goes through it."""
    pieces: tuple[Piece, ...]


class Lanes(Frozen, frozen=True):
    """An execution that has ended, drawn over time."""

    execution: str
    begun_unix_ns: int
    wall_ns: int
    path: tuple[Piece, ...]
    """The critical path: its pieces follow one another over the whole wall clock."""
    handles: tuple[tuple[int, int], ...]
    """When Propeller worked on the execution or on one it started; empty without traces."""
    lanes: tuple[Lane, ...]
    """Parents before their children, else by time."""


def read_lanes(folder: str | Path) -> Lanes | None:
    """Draw a recording; None while the execution has not ended.

    Raises:
        RecordingError: the recording is absent, incomplete or damaged.
    """
    scene = _Scene(Recording(folder))
    run = scene.run
    if run.created is None or run.ended is None:
        return None
    begun = run.created
    on_path: set[tuple[str, str]] = set()
    path: list[Piece] = []
    most = max(LEAST_PIECES, MOST_PIECES // 10)
    for stretch in walk(run, scene.children):
        if stretch.node is not None:
            on_path.add((stretch.run.name, stretch.node.id))
        timeline = scene.timelines.get(stretch.run.name)
        facts = evidence.of_stretch(stretch, scene.watch, scene.children, timeline)
        _extend(path, _pieces(facts, stretch.start, stretch.end, timeline, most))
    nodes = list(scene.nodes())
    room = max(LEAST_PIECES, MOST_PIECES // max(1, len(nodes)))
    handles = union(
        (low, high) for line in scene.timelines.values() for low, high, _ in line.segments
    )
    return Lanes(
        execution=run.name,
        begun_unix_ns=begun,
        wall_ns=run.ended - begun,
        path=tuple(_moved(path, begun)),
        handles=tuple((low - begun, high - begun) for low, high in handles),
        lanes=tuple(
            Lane(
                execution=node.execution,
                id=node.id,
                kind=node.kind.value,
                phase=node.phase,
                attempts=len(node.attempts),
                depth=depth,
                start_ns=node.created - begun,
                end_ns=end - begun,
                on_path=(node.execution, node.id) in on_path,
                pieces=tuple(_moved(scene.pieces(node, end, room), begun)),
            )
            for node, depth in nodes
            if node.created is not None
            for end in (run.ended if node.ended is None else max(node.created, node.ended),)
        ),
    )


class _Scene:
    """A recording with everything that the rules ask for."""

    def __init__(self, recording: Recording) -> None:
        parts = (recording, *recording.children)
        family = frozenset(part.execution.id.name for part in parts)
        seen = first_seen(recording.workflows() or (), family)
        runs = [Run(part, seen.get(part.execution.id.name)) for part in parts]
        self.run = runs[0]
        self.children = {run.name: run for run in runs[1:]}
        pods = fold_pods(recording.pods() or (), family)
        self.watch = evidence.Watch({pod.name: pod for pod in pods})
        segments: dict[str, list[Segment]] = {}
        for found in spans.read_handles(recording.traces() or ()):
            if isinstance(found, spans.Handle) and found.execution in family:
                segments.setdefault(found.execution, []).extend(partition(found))
        self.timelines = {name: Timeline(cut) for name, cut in segments.items()}

    def nodes(self) -> Iterator[tuple[Node, int]]:
        """Nodes with their depth, parents first; a launched execution lies beneath its node."""
        seen: set[str] = set()
        left: list[tuple[Node, int]] = [(node, 0) for node in _latest_first(self.run.top)]
        while left:
            node, depth = left.pop()
            yield node, depth
            below = list(node.children)
            child = self.children.get(node.child)
            if child is not None and child.name not in seen:
                seen.add(child.name)
                below += child.top
            left += [(one, depth + 1) for one in _latest_first(below)]

    def pieces(self, node: Node, end: int, room: int) -> list[Piece]:
        """A node's pieces, Unix nanoseconds."""
        timeline = self.timelines.get(node.execution)
        facts = evidence.of_node(node, self.watch, self.children, timeline)
        below = windows(node, self.children, frozenset({node.execution}))
        beneath = evidence.subnodes(node, ((low, high) for low, high, _ in below))
        facts = replace(facts, layers=facts.layers + beneath)
        return _pieces(facts, node.created or end, end, timeline, room)


def _latest_first(nodes: Sequence[Node]) -> list[Node]:
    return sorted(nodes, key=by_time, reverse=True)


def _pieces(
    facts: Facts, start: int, end: int, timeline: Timeline | None, room: int
) -> list[Piece]:
    """Cut [start, end) where its owner may change, and ask whose each piece is."""
    found: list[Piece] = []
    for low, high in pairwise(_cuts(facts, start, end, timeline, room)):
        shares = settle(facts, low, high, timeline).shares
        owner, detail = max(shares, key=lambda key: (shares[key].point, key))
        _extend(found, [Piece(low, high, owner, detail)])
    return found


def _cuts(facts: Facts, start: int, end: int, timeline: Timeline | None, room: int) -> list[int]:
    edges = {edge for layer in facts.layers for edge in (layer.start, layer.end)}
    for container in facts.containers:
        edges |= {container.started.point, container.finished.point}
    handles = timeline.stretches(start, end) if timeline else []
    worked = {edge for stretch in handles for edge in stretch}
    for some in (edges | worked, edges):
        inside = sorted({start, end, *(edge for edge in some if start < edge < end)})
        if len(inside) <= room + 1:
            return inside
    return sorted({start + (end - start) * column // room for column in range(room + 1)})


def _extend(pieces: list[Piece], more: Sequence[Piece]) -> None:
    """Append pieces, joined with the last one where the owner goes on."""
    for piece in more:
        last = pieces[-1] if pieces else None
        if last is not None and last[1:] == (piece.start_ns, piece.owner, piece.detail):
            pieces[-1] = piece._replace(start_ns=last.start_ns)
        else:
            pieces.append(piece)


def _moved(pieces: Sequence[Piece], begun: int) -> Iterator[Piece]:
    for low, high, owner, detail in pieces:
        yield Piece(low - begun, high - begun, owner, detail)
