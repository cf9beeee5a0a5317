"""Measures of recordings as a table: what `flyteperf analyze` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_flyteperf.model import METRICS
from pytest_flyteperf.report.text import escaped, figure, shortened, width

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_flyteperf.model import Estimate, Measures, Metric

GAP: Final = "  "
LEAST_NAME: Final = 16
OWNERS: Final = {
    "duration_ns": "duration",
    "flyte_ns": "Flyte",
    "working_ns": "working",
    "waiting_ns": "waiting",
    "kubernetes_ns": "K8s",
    "user_ns": "user",
    "external_ns": "external",
    "held_ns": "held",
    "backoff_ns": "backoff",
    "unknown_ns": "unknown",
    "overhead_ns": "overhead",
    "handle_ns": "in handles",
    "pod_ns": "in pods",
}
"""Times in the order of the table: working and waiting are Flyte's, Flyte to unknown the duration;
then sums that do not follow the critical path. Others come as `METRICS` has them."""
COUNTS: Final = {
    "workflow_events": "wf ev",
    "node_events": "node ev",
    "task_events": "task ev",
    "attempts": "tries",
    "crd_writes": "CRD wr",
    "blob_reads": "blob rd",
    "blob_writes": "blob wr",
}
"""Shorter than a metric's title, where a column need not be as wide."""
ABOUT: Final = "~"
"""Begins a figure that is an estimate."""
RARE: Final = frozenset({"external_ns", "held_ns", "backoff_ns"})
"""Owners that have no column where none of the recordings has any of their time."""


def lines(
    measured: Sequence[Measures], *, names: Sequence[str] | None = None, columns: int = 80
) -> tuple[str, ...]:
    """Return one line a recording, the lines of the findings, and what the figures are from.

    A metric that no recording shows has no column, an estimate begins with `~`; where the rest
    is wider than the terminal, it is printed in several tables, times before counts.

    Args:
        measured: of each recording.
        names: what to call the recordings; else their executions' names.
        columns: how wide the terminal is.
    """
    if not measured:
        return ()
    called = [escaped(name) for name in names or [m.execution for m in measured]]
    room = max(LEAST_NAME, columns // 4)
    first = _column("execution", [shortened(name, room) for name in called], right=False)
    headings = {name: COUNTS.get(name, metric.title) for name, metric in METRICS.items()} | OWNERS
    others = [name for name in METRICS if name not in OWNERS]
    times = [_metric(measured, name, headings[name]) for name in OWNERS]
    counts = [_metric(measured, name, headings[name]) for name in others]
    phases = _column("phase", [escaped(m.phase).lower() for m in measured], right=False)
    groups = [[c for c in times if c], [phases, *(c for c in counts if c)]]
    whole = [column for group in groups for column in group]
    if sum(width(c[0]) + len(GAP) for c in (first, *whole)) - len(GAP) <= columns:
        groups = [whole]
    found = tuple(
        f"{name}: {f.severity.value}: {escaped(f'{f.check}: {f.evidence}')}"
        for name, m in zip(called, measured, strict=True)
        for f in m.findings
    )
    return (*_tables(first, groups, columns), *found, *_sources(called, measured, headings))


def _metric(measured: Sequence[Measures], name: str, heading: str) -> list[str]:
    """A metric's column; empty where no recording shows it, or none has any of a rare owner's."""
    values = [m.metrics.get(name) for m in measured]
    about = [m.estimates.get(name) for m in measured]
    shown = any(value is not None for value in (*values, *about))
    if not shown or (name in RARE and not any(values)):
        return []
    cells = [_cell(value, near, METRICS[name]) for value, near in zip(values, about, strict=True)]
    return _column(heading, cells, right=True)


def _cell(value: int | None, near: Estimate | None, metric: Metric) -> str:
    if value is None and near is not None:
        return ABOUT + figure(near.value, metric)
    return figure(value, metric)


def _sources(
    called: Sequence[str], measured: Sequence[Measures], headings: Mapping[str, str]
) -> tuple[str, ...]:
    """Return which source each figure has, one line for each set of recordings and source."""
    names: dict[tuple[str, str], list[str]] = {}
    for name, m in zip(called, measured, strict=True):
        figures: dict[str, list[str]] = {}
        for metric, source in m.sources.items():
            figures.setdefault(source, []).append(headings[metric])
        for metric, near in m.estimates.items():
            source = "Propeller's counters" if ":" in near.source else near.source
            figures.setdefault(source, []).append(ABOUT + headings[metric])
        for source, columns in figures.items():
            names.setdefault((source, ", ".join(columns)), []).append(name)
    told = []
    for (source, shown), of in names.items():
        where = "" if len(of) == len(called) else f" ({', '.join(of)})"
        told.append(escaped(f"from {source}{where}: {shown}"))
    return tuple(told)


def _tables(
    first: list[str], groups: Sequence[Sequence[list[str]]], columns: int
) -> tuple[str, ...]:
    tables: list[list[list[str]]] = []
    for group in groups:
        if group:
            tables.append([first])
        for column in group:
            taken = sum(width(c[0]) + len(GAP) for c in tables[-1])
            if len(tables[-1]) > 1 and taken + width(column[0]) > columns:
                tables.append([first])
            tables[-1].append(column)
    printed = [[GAP.join(cells).rstrip() for cells in zip(*table, strict=True)] for table in tables]
    return tuple(line for i, table in enumerate(printed) for line in ([""] if i else []) + table)


def _column(heading: str, cells: Sequence[str], *, right: bool) -> list[str]:
    rows = [heading, *cells]
    widest = max(width(row) for row in rows)
    pads = [" " * (widest - width(row)) for row in rows]
    return [pad + row if right else row + pad for pad, row in zip(pads, rows, strict=True)]
