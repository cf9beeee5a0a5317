"""Measures of recordings as a table: what `flyteperf analyze` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_flyteperf.model import METRICS
from pytest_flyteperf.report.text import UNKNOWN, escaped, figure, shortened, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.model import Measures

GAP: Final = "  "
LEAST_NAME: Final = 16
HEADINGS: Final = {
    "flyte_ns": "Flyte",
    "workflow_events": "wf ev",
    "node_events": "node ev",
    "task_events": "task ev",
    "attempts": "tries",
    "crd_writes": "CRD wr",
    "blob_reads": "blob rd",
    "blob_writes": "blob wr",
}
"""Shorter than a metric's title, where a column need not be as wide."""


def lines(measured: Sequence[Measures], *, columns: int = 80) -> tuple[str, ...]:
    """Return one line a recording, and the lines of the findings.

    A metric that no recording shows has no column; where the rest is wider than the terminal, it
    is printed in several tables.
    """
    names = [escaped(m.execution) for m in measured]
    room = max(LEAST_NAME, columns // 4)
    names = [shortened(name, room) for name in names]
    first = _column("execution", names, right=False)
    others = [_column("phase", [escaped(m.phase).lower() for m in measured], right=False)]
    for metric in METRICS.values():
        values = [m.metrics.get(metric.name) for m in measured]
        if any(value is not None for value in values):
            cells = [UNKNOWN if value is None else figure(value, metric) for value in values]
            others.append(_column(HEADINGS.get(metric.name, metric.title), cells, right=True))
    found = tuple(
        f"{escaped(m.execution)}: {f.severity.value}: {escaped(f'{f.check}: {f.evidence}')}"
        for m in measured
        for f in m.findings
    )
    return (*_tables(first, others, columns), *found) if measured else ()


def _tables(first: list[str], others: Sequence[list[str]], columns: int) -> tuple[str, ...]:
    tables: list[list[list[str]]] = [[first]]
    for column in others:
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
