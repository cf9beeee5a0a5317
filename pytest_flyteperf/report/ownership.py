"""Who owned a case's wall clock, in lines: what `-v` and `flyteperf analyze` show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_flyteperf.report.text import aligned, duration, escaped, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.model import Measures

LEAST_SHARE: Final = 0.001
"""Share of the wall clock below which an owner is summed up with others; `unknown` never is."""
MOST_OPERATIONS: Final = 3
BAR: Final = 24
"""Columns of a bar that is the whole wall clock."""


class _Line(NamedTuple):
    owner: str
    detail: str
    mean_ns: float


def lines(title: str, samples: Sequence[Measures]) -> tuple[str, ...]:
    """Return the owners of a case's wall clock, largest first, as means over its repeats.

    Means, because they add up to the mean duration. Empty where no repeat has an ownership.
    """
    owned = [m.ownership for m in samples if m.ownership is not None]
    if not owned:
        return ()
    wall = sum(o.wall_ns for o in owned) / len(owned)
    sums: dict[tuple[str, str], float] = {}
    for ownership in owned:
        for part in ownership.owners:
            key = (part.owner, part.detail)
            sums[key] = sums.get(key, 0) + part.point_ns / len(owned)
    ordered = sorted(
        (_Line(owner, detail, ns) for (owner, detail), ns in sums.items() if ns),
        key=lambda line: -line.mean_ns,
    )
    named = [one for one in ordered if one.mean_ns >= LEAST_SHARE * wall or one.owner == "unknown"]
    rest = wall - sum(one.mean_ns for one in named)
    if rest >= 1:
        named.append(_Line("others", "", rest))
    noun = "repeat" if len(owned) == 1 else "repeats"
    head = f"{escaped(title)}: {duration(wall)} of wall clock, mean of {len(owned)} {noun}"
    return (head, *_table(named, wall), *_operations(samples))


def _table(named: Sequence[_Line], wall: float) -> list[str]:
    cells = [
        (
            escaped(one.owner),
            escaped(one.detail),
            duration(one.mean_ns),
            f"{100 * one.mean_ns / wall:.1f} %",
            "#" * round(BAR * one.mean_ns / wall),
        )
        for one in named
    ]
    widths = [max(width(row[i]) for row in cells) for i in range(4)]
    printed = []
    for owner, detail, time, share, bar in cells:
        left = f"  {_left(owner, widths[0])}  {_left(detail, widths[1])}"
        right = f"  {_right(time, widths[2])}  {_right(share, widths[3])}  {bar}"
        printed.append((left + right).rstrip())
    return printed


def _operations(samples: Sequence[Measures]) -> list[str]:
    """The operations that working time consists of, longest first."""
    traced = [m.operations for m in samples if m.operations]
    if not traced:
        return []
    means: dict[str, tuple[float, float]] = {}
    for operations in traced:
        for name, cost in operations.items():
            calls, ns = means.get(name, (0.0, 0.0))
            means[name] = calls + cost.calls / len(traced), ns + cost.ns / len(traced)
    longest = sorted(means.items(), key=lambda item: -item[1][1])[:MOST_OPERATIONS]
    whole = sum(ns for _, ns in means.values())
    rows = [(escaped(name), duration(ns), f"in {calls:.0f} calls") for name, (calls, ns) in longest]
    return [
        f"  handles {duration(whole)}, most of it in",
        *(f"    {line}" for line in aligned(rows, right={1})),
    ]


def _left(cell: str, columns: int) -> str:
    return cell + " " * (columns - width(cell))


def _right(cell: str, columns: int) -> str:
    return " " * (columns - width(cell)) + cell
