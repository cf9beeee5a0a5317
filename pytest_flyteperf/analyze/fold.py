"""Propeller's JSON log folded into the hierarchy of the RFC: workflow, handles, rounds, changes.

The layout is that of `flytepropeller/script/fold-logs.py`; `Processing` is a handle, `StreakRound`
a round. Log stamps have whole seconds, so durations come from the spans of the same handles where
a recording has them: the n-th `Processing` of an execution is its n-th `Handle` span.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.analyze import spans
from pytest_flyteperf.analyze.explain import printable
from pytest_flyteperf.analyze.loglines import PICKED_UP, ROUND, LogLine, read_log
from pytest_flyteperf.analyze.recording import Recording, read_lines
from pytest_flyteperf.analyze.stamps import unix_ns
from pytest_flyteperf.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_flyteperf.analyze.spans import Handle

HEADER = ("Timestamp", "Line", "Duration", "Hierarchical Log Layout")


class FoldRow(msgspec.Struct, frozen=True):
    """One row: a workflow, a handle, a round, or what changed in it."""

    number: str
    """Place in the hierarchy, e.g. `1.2.1`."""
    timestamp: str
    """As logged: whole seconds."""
    line: int
    """Line of the log where it begins, from 1."""
    duration_ns: int | None
    """None where neither a span nor two stamps tell."""
    from_spans: bool
    """The duration is a span's; else it is the difference of whole-second stamps."""
    layout: str
    """E.g. `StreakRound(Running)`, `UpdateNodePhase(n0,Queued,Running)`."""


class Folded(msgspec.Struct, frozen=True):
    """One execution's log."""

    rows: tuple[FoldRow, ...]
    skipped: int
    """Lines that are no JSON object with a message: truncated or foreign."""


class _Block:
    """A row that is still open, and what it holds."""

    def __init__(self, line: int, timestamp: str, layout: str, node: str = "") -> None:
        self.line = line
        self.timestamp = timestamp
        self.layout = layout
        self.node = node
        self.ended: str | None = None
        self.beneath: list[_Block] = []


_ENQUEUE = re.compile(r"Enqueueing workflow \[[^/\]]*/([^\]]+)\]")
_CHANGE = re.compile(r"Change in node state detected from \[(\w+)\] -> \[(\w+)\]")
_PLUGIN = re.compile(r"Sending transition event for plugin phase \[([^\]]*)\]")
_WORKFLOW = re.compile(r"event for workflow state transition \[(\w+)\] -> \[(\w+)\]")
_CACHE = (
    ("Catalog CacheEnabled. recording execution", "CacheWrite"),
    ("Catalog CacheHit", "CacheHit"),
    ("Catalog CacheMiss", "CacheMiss"),
)


def fold_log(
    lines: Iterable[bytes],
    execution: str,
    handles: Sequence[Handle] = (),
    *,
    enqueues: bool = False,
) -> Folded:
    """Fold the lines of one execution; the lines are read once and not kept.

    Args:
        lines: Propeller's log, JSON, of any number of executions.
        execution: whose lines to take, by the whole id.
        handles: the execution's handles; empty where there are no traces.
        enqueues: also show when the workflow was enqueued.
    """
    fold = _Fold(execution, enqueues=enqueues)
    skipped = 0
    for line in read_log(lines):
        if line is None:
            skipped += 1
        else:
            fold.take(line)
    ordered = sorted((h for h in handles if h.execution == execution), key=lambda h: h.start_ns)
    return Folded(tuple(_rows(fold.workflow, ordered)), skipped)


def fold_recording(folder: str | Path, *, enqueues: bool = False) -> Folded:
    """Fold the log of a recording, with the durations of its spans.

    Raises:
        RecordingError: the recording has no propeller.log, or is damaged.
    """
    recording = Recording(folder)
    lines = recording.log()
    if lines is None:
        raise RecordingError(f"{folder}: has no propeller.log; record it with logs")
    execution = recording.execution.id.name
    handles = [
        found
        for found in spans.read_handles(recording.traces() or ())
        if isinstance(found, spans.Handle) and found.execution == execution
    ]
    return fold_log(lines, execution, handles, enqueues=enqueues)


def fold_file(path: str | Path, execution: str, *, enqueues: bool = False) -> Folded:
    """Fold one execution's lines of a log file, gzip or not; durations are whole seconds.

    Raises:
        RecordingError: the file is absent or damaged.
    """
    return fold_log(read_lines(Path(path)), execution, enqueues=enqueues)


class _Fold:
    """Which blocks are open."""

    def __init__(self, execution: str, *, enqueues: bool) -> None:
        self._execution = execution
        self._enqueues = enqueues
        self.workflow: _Block | None = None
        self._processing: _Block | None = None
        self._round: _Block | None = None

    def take(self, line: LogLine) -> None:
        if line.execution == self._execution:
            self._own(line.number, line.stamp, line.message, line.node)
        elif (found := _ENQUEUE.search(line.message)) and found[1] == self._execution:
            self._enqueued(line.number, line.stamp)

    def _enqueued(self, number: int, stamp: str) -> None:
        workflow = self._begin(number, stamp)
        if self._enqueues:
            open_block = self._round or self._processing or workflow
            open_block.beneath.append(_Block(number, stamp, "EnqueueWorkflow"))

    def _begin(self, number: int, stamp: str) -> _Block:
        if self.workflow is None:
            self.workflow = _Block(number, stamp, "Workflow")
        return self.workflow

    def _own(self, number: int, stamp: str, message: str, node: str) -> None:
        if message.startswith(PICKED_UP):
            self._processing = _Block(number, stamp, "Processing")
            self._round = None
            self._begin(number, stamp).beneath.append(self._processing)
        elif message.startswith("Completed processing workflow"):
            if self._processing is not None:
                self._processing.ended = stamp
                self._begin(number, stamp).ended = stamp
            self._processing = self._round = None
        elif self._processing is None:
            return
        elif found := ROUND.search(message):
            self._round = _Block(number, stamp, f"StreakRound({found[1]})")
            self._processing.beneath.append(self._round)
        elif message.startswith("Handling Workflow") and message.endswith("Done"):
            if self._round is not None:
                self._round.ended = stamp
        elif self._round is not None and (layout := _change(message, node)):
            self._round.beneath.append(_Block(number, stamp, layout, node))


def _change(message: str, node: str) -> str | None:
    """What a line says has changed, or None."""
    if found := _CHANGE.search(message):
        return f"UpdateNodePhase({node},{found[1]},{found[2]})"
    if message.startswith("node succeeding"):
        return f"UpdateNodePhase({node},Succeeding,Succeeded)"
    if found := _PLUGIN.search(message):
        return f"UpdatePluginPhase({node},{found[1]})"
    if found := _WORKFLOW.search(message):
        return f"UpdateWorkflowPhase({found[1]},{found[2]})"
    return next((f"{name}({node})" for anchor, name in _CACHE if anchor in message), None)


def _rows(workflow: _Block | None, handles: list[Handle]) -> Iterator[FoldRow]:
    if workflow is None:
        return
    processed = [block for block in workflow.beneath if block.layout == "Processing"]
    same = len(processed) == len(handles)
    matched = dict(zip(map(id, processed), handles, strict=True)) if same else {}
    whole = handles[-1].end_ns - handles[0].start_ns if matched else None
    yield _row("1", workflow, whole)
    for index, block in enumerate(workflow.beneath, 1):
        handle = matched.get(id(block))
        number = f"1.{index}"
        yield _row(number, block, handle.end_ns - handle.start_ns if handle else None)
        yield from _round_rows(number, block, handle)


def _round_rows(number: str, processing: _Block, handle: Handle | None) -> Iterator[FoldRow]:
    operations = handle.operations if handle else ()
    rounds = [operation for operation in operations if operation.name == spans.ROUND]
    logged = [block for block in processing.beneath if block.layout.startswith("StreakRound")]
    same = len(rounds) == len(logged)
    found = dict(zip(map(id, logged), rounds, strict=True)) if same else {}
    for index, block in enumerate(processing.beneath, 1):
        span = found.get(id(block))
        yield _row(f"{number}.{index}", block, span.end_ns - span.start_ns if span else None)
        for leaf_index, leaf in enumerate(block.beneath, 1):
            spent = None
            if span is not None and leaf.node:
                spent = _evaluated(operations, leaf.node, span.start_ns, span.end_ns)
            yield _row(f"{number}.{index}.{leaf_index}", leaf, spent)


def _evaluated(
    operations: Sequence[spans.Operation],
    node: str,
    start: int,
    end: int,
) -> int | None:
    """How long a node was evaluated within a round."""
    return next(
        (
            operation.end_ns - operation.start_ns
            for operation in operations
            if operation.name == spans.EVALUATE
            and operation.node == node
            and start <= operation.start_ns <= end
        ),
        None,
    )


def _row(number: str, block: _Block, spent: int | None) -> FoldRow:
    duration = spent
    if duration is None and block.ended is not None:
        try:
            duration = max(0, unix_ns(block.ended) - unix_ns(block.timestamp))
        except ValueError:
            duration = None
    return FoldRow(
        number=number,
        timestamp=block.timestamp,
        line=block.line,
        duration_ns=duration,
        from_spans=spent is not None,
        layout=block.layout,
    )


def render(folded: Folded) -> Iterator[str]:
    """The rows as text: time, line, duration in seconds, numbered and indented layout."""
    yield f"{HEADER[0]:<11} {HEADER[1]:<7} {HEADER[2]:<11} {HEADER[3]}"
    for row in folded.rows:
        depth = row.number.count(".")
        duration = "" if row.duration_ns is None else f"{row.duration_ns / 1e9:.6f}s"
        if row.duration_ns is not None and not row.from_spans:
            duration = f"{row.duration_ns // 10**9}s"
        time = printable(row.timestamp[11:19])
        layout = printable(row.layout)
        yield f"{time:<11} {row.line:<7} {duration:<11} {'    ' * depth}{row.number} {layout}"
