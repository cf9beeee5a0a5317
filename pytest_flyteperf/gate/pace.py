"""What times owe to the machine's pace: an analysis of covariance with canaries.

A machine, a virtual one above all, is a quarter faster at one hour than at another, and others
use it. The recorder's canaries tell that pace beside each repeat, and nothing in Flyte moves them.
What they explain is taken off, on two levels:

- Repeats of one session: as far as the samples themselves show it (pooled within-session
  regression: Cochran 1957, "Analysis of covariance: its nature and uses"). A canary that explains
  nothing beyond chance is left out.
- Sessions: work for a CPU takes as much longer as the CPU canary does, time that Flyte waits for a
  timer takes no longer. That is a prior, `ELASTICITY_ERROR` wide, since an unchanged system needs
  not follow exactly; the baseline's sessions sharpen it. (The slope within sessions is no guide:
  the canary's own noise flattens it there.)

What is uncertain about either is an error of the shift.
"""

from __future__ import annotations

import math
from itertools import chain
from operator import mul
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_flyteperf.model import CANARIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STRONG: Final = 3.0
"""Standard errors that a slope must lie above zero."""
LEAST_FREEDOM: Final = 8
"""Repeats, less sessions and canaries, below which no slope is estimated."""
ELASTICITY_ERROR: Final = 0.25
"""
Standard deviation of a time's elasticity to the CPU canary before sessions tell it, as a share of
the elasticity that is expected.
"""
SESSION_CANARY: Final = "cpu_ns"
LEAST_DEVIATION: Final = 0.001
"""Of sessions at equal pace; where nothing differs, nothing is divided by."""
MILLION: Final = 1_000_000

_Rows = tuple[tuple[float, ...], ...]


class Adjusted(NamedTuple):
    """Logarithms of a time at the baseline's pace."""

    before: tuple[tuple[float, ...], ...]
    now: tuple[float, ...]
    taken: float
    """Shift that was laid to the pace, on logarithms."""
    error: float
    """Standard error of that."""


class Pace:
    """The canaries beside the repeats of the baseline's sessions, and of now.

    Args:
        names: of the canaries, in the order of a row.
        before: a row for each repeat, session by session.
        now: likewise.
        deviation: standard deviation of sessions at equal pace, as a share.
    """

    def __init__(
        self, names: Sequence[str], before: Sequence[_Rows], now: _Rows, deviation: float
    ) -> None:
        self._names = names
        self._deviation = deviation
        groups = [*before, now]
        self._within = [
            [_deviations(column) for column in zip(*rows, strict=True)] for rows in groups
        ]
        self._columns = [list(chain(*parts)) for parts in zip(*self._within, strict=True)]
        self._freedom = len(self._columns[0]) - len(groups)
        self._products = [[_dot(a, b) for b in self._columns] for a in self._columns]
        self._levels = self._session_levels(groups)

    @property
    def known(self) -> bool:
        """Whether the pace of whole sessions is known."""
        return SESSION_CANARY in self._names

    def _session_levels(self, groups: Sequence[_Rows]) -> list[tuple[float, float]]:
        """Mean of the session canary and its squared error, session by session; 0 without it."""
        if not self.known:
            return [(0.0, 0.0)] * len(groups)
        column = self._names.index(SESSION_CANARY)
        variance = self._products[column][column] / max(1, self._freedom)
        return [
            (math.fsum(row[column] for row in rows) / len(rows), variance / len(rows))
            for rows in groups
        ]

    def adjust(
        self, before: Sequence[Sequence[float]], now: Sequence[float], elasticity: float
    ) -> Adjusted:
        """Take off what the pace explains of a time's logarithms, repeat by repeat.

        Args:
            before: the logarithms, session by session of the baseline.
            now: likewise.
            elasticity: share of the time that follows the CPU's pace, as far as is known.
        """
        groups = [*before, now]
        slopes = self._slopes([v for group in groups for v in _deviations(group)])
        reference, level_now = self._reference([len(group) for group in before])
        follows, uncertain = self._follows(before, elasticity)
        adjusted = []
        for group, columns, (level, _) in zip(groups, self._within, self._levels, strict=True):
            by = follows * (level - reference)
            left = [value - by for value in group]
            for slope, column in zip(slopes, columns, strict=True):
                if slope:
                    left = [value - slope * x for value, x in zip(left, column, strict=True)]
            adjusted.append(tuple(left))
        moved = level_now - reference
        noise = self._levels[-1][1] + math.fsum(e for _, e in self._levels[:-1]) / len(before) ** 2
        return Adjusted(
            before=tuple(adjusted[:-1]),
            now=adjusted[-1],
            taken=follows * moved,
            error=math.hypot(uncertain * moved, follows * math.sqrt(noise)),
        )

    def _reference(self, sizes: Sequence[int]) -> tuple[float, float]:
        levels = [level for level, _ in self._levels]
        weighted = math.fsum(n * level for n, level in zip(sizes, levels[:-1], strict=True))
        return weighted / sum(sizes), levels[-1]

    def _follows(self, before: Sequence[Sequence[float]], elasticity: float) -> tuple[float, float]:
        """Elasticity of the time to the session canary with its standard error."""
        if not self.known or elasticity <= 0:
            return 0.0, 0.0
        levels = [level for level, _ in self._levels[:-1]]
        means = [math.fsum(group) / len(group) for group in before]
        x, y = _deviations(levels), _deviations(means)
        variance = max(self._deviation, LEAST_DEVIATION) ** 2 + _error_of_means(before)
        prior = 1 / (ELASTICITY_ERROR * elasticity) ** 2
        precision = prior + math.fsum(a * a for a in x) / variance
        told = math.fsum(a * b for a, b in zip(x, y, strict=True)) / variance
        return (elasticity * prior + told) / precision, 1 / math.sqrt(precision)

    def _slopes(self, values: Sequence[float]) -> list[float]:
        """Slope within sessions for each canary, 0 where it explains nothing."""
        count = len(self._products)
        with_values = [_dot(column, values) for column in self._columns]
        kept = [i for i in range(count) if self._products[i][i] > 0]
        square = _dot(values, values)
        slopes = [0.0] * count
        while kept and self._freedom - len(kept) >= LEAST_FREEDOM:
            inverse = inverted([[self._products[i][j] for j in kept] for i in kept])
            if inverse is None:
                kept.pop()
                continue
            found = [
                math.fsum(a * with_values[j] for a, j in zip(row, kept, strict=True))
                for row in inverse
            ]
            explained = math.fsum(b * with_values[j] for b, j in zip(found, kept, strict=True))
            residual = max(0.0, square - explained) / (self._freedom - len(kept))
            spreads = [math.sqrt(residual * inverse[n][n]) for n in range(len(kept))]
            weakest = min(range(len(kept)), key=lambda n: found[n] - STRONG * spreads[n])
            if found[weakest] > STRONG * spreads[weakest]:
                for n, i in enumerate(kept):
                    slopes[i] = found[n]
                break
            del kept[weakest]
        return slopes


def pace(
    before: Sequence[Mapping[str, Sequence[int | None]]],
    now: Mapping[str, Sequence[int | None]],
    repeats: Sequence[int],
    deviation: float,
) -> Pace | None:
    """Gather the canaries that are known beside every repeat; None without any.

    Args:
        before: canary to its figures, session by session of the baseline.
        now: likewise.
        repeats: how many each session has, that of now last.
        deviation: standard deviation of sessions at equal pace, as a share.
    """
    names = [
        name
        for name in CANARIES
        if all(
            len(values := one.get(name, ())) == count and None not in values
            for one, count in zip((*before, now), repeats, strict=True)
        )
    ]
    if not names or not all(repeats):
        return None

    def rows(one: Mapping[str, Sequence[int | None]]) -> _Rows:
        columns = [[_scaled(name, value) for value in one[name]] for name in names]
        return tuple(zip(*columns, strict=True))

    return Pace(names, [rows(one) for one in before], rows(now), deviation)


def _scaled(name: str, value: int | None) -> float:
    """Shares as shares, times by their logarithm."""
    if value is None:
        raise ValueError(f"{name} is not known beside every repeat")
    return value / MILLION if name.endswith("_ppm") else math.log(max(1, value))


def inverted(matrix: Sequence[Sequence[float]]) -> list[list[float]] | None:
    """Invert a small symmetric matrix (Gauss and Jordan); None where it is singular."""
    size = len(matrix)
    rows = [[*row, *(float(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        if abs(rows[pivot][i]) <= 1e-12 * abs(matrix[i][i]):
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for r in range(size):
            if r != i:
                by = rows[r][i]
                rows[r] = [a - by * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[size:] for row in rows]


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(map(mul, a, b), 0.0)


def _error_of_means(groups: Sequence[Sequence[float]]) -> float:
    """Squared standard error of a group's mean that its own repeats explain, over the groups."""
    count = sum(map(len, groups))
    square = sum(_dot(spread, spread) for spread in map(_deviations, groups))
    return square / max(1, count - len(groups)) * len(groups) / count


def _deviations(group: Sequence[float]) -> list[float]:
    mean = math.fsum(group) / len(group)
    return [value - mean for value in group]
