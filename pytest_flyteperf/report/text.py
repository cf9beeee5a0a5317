"""Words and figures for people: durations, counts, colours, names that cannot harm a terminal."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING, Final

from pytest_flyteperf.model import Unit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_flyteperf.model import Metric

UNKNOWN: Final = "?"
_STYLES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_DURATIONS: Final = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"))
_BYTES: Final = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_MINUTE: Final = 60
ROUNDS_TO_ONE: Final = 0.9995
_LONGEST_SECONDS: Final = 99.95


class Style:
    """Paints text, or leaves it plain."""

    def __init__(self, *, colour: bool) -> None:
        self.colour = colour

    def __call__(self, text: str, *names: str) -> str:
        """`text` in the named styles (`bold`, `dim`, `red`, `green`, `yellow`)."""
        if not self.colour or not names:
            return text
        return f"\x1b[{';'.join(_STYLES[name] for name in names)}m{text}\x1b[0m"


def escaped(text: str) -> str:
    """`text` in one line, with whatever a terminal would obey or hide shown as an escape."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def width(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def shortened(text: str, columns: int) -> str:
    """`text` in at most so many columns, its middle left out where it is longer."""
    if width(text) <= columns:
        return text
    head, tail = "", ""
    for left, right in zip(text, reversed(text), strict=False):
        if width(head + left + tail) >= columns:
            break
        head += left
        if width(head + right + tail) >= columns:
            break
        tail = right + tail
    return f"{head}…{tail}"


def aligned(rows: Sequence[Sequence[str]], *, right: Collection[int]) -> list[str]:
    """Lines of a table, two blanks between its columns; those in `right` end together."""
    widths = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for i, (cell, columns) in enumerate(zip(row, widths, strict=True)):
            pad = " " * (columns - width(cell))
            cells.append(pad + cell if i in right else cell + pad)
        lines.append("  ".join(cells).rstrip())
    return lines


def duration(ns: float) -> str:
    """Three significant figures: `812 ns`, `41.2 ms`, `412 ms`, `4.80 s`, `2 min 05 s`."""
    if ns == 0:
        return "0 s"
    sign = "-" if ns < 0 else ""
    ns = abs(ns)
    if ns / 1e9 >= _LONGEST_SECONDS:
        return sign + _long(round(ns / 1e9))
    for size, unit in _DURATIONS:
        if ns / size >= ROUNDS_TO_ONE:
            return f"{sign}{ns / size:.{_places(ns / size)}f} {unit}"
    return f"{sign}{ns:.0f} ns"


def size(amount: float) -> str:
    """Bytes in three significant figures: `812 B`, `1.50 KiB`."""
    for unit_size, unit in _BYTES:
        if abs(amount) >= unit_size:
            return f"{amount / unit_size:.{_places(abs(amount) / unit_size)}f} {unit}"
    return f"{round(amount)} B"


def figure(amount: float | None, metric: Metric) -> str:
    """A value of `metric` for people."""
    if amount is None:
        return UNKNOWN
    match metric.unit:
        case Unit.NS:
            return duration(amount)
        case Unit.BYTES:
            return size(amount)
        case Unit.COUNT:
            return f"{amount:g}"


def percent(ratio: float | None, *, signed: bool = True) -> str:
    """A ratio as growth: 1.125 is `+12.5 %`."""
    if ratio is None or not math.isfinite(ratio):
        return UNKNOWN
    growth = 100 * (ratio - 1)
    places = 0 if abs(growth) >= 100 else 1  # noqa: PLR2004 (three figures are enough)
    shown = f"{growth:{'+' if signed else ''}.{places}f}"
    return f"{shown.replace('-0.0', '0.0').replace('+0.0', '0.0')} %"


def _places(value: float) -> int:
    """Decimal places that leave three significant figures after rounding."""
    if value >= 99.95:  # noqa: PLR2004 (rounds to 100.0)
        return 0
    return 1 if value >= 9.995 else 2  # noqa: PLR2004 (rounds to 10.00)


def _long(seconds: int) -> str:
    minutes, rest = divmod(seconds, _MINUTE)
    if minutes < _MINUTE:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours} h {minutes:02} min"
