"""What times owe to the machine's pace: an analysis of covariance with canaries.

A machine, a virtual one above all, is a quarter faster at one hour than at another, and others
use it. The recorder's canaries tell that pace beside each repeat. Nothing in Flyte moves them; what
serves it is one only where it was asked for as much (`samples`). What they explain is taken off, on
two levels:

- Repeats of one session: as far as the samples themselves show it (pooled within-session
  regression: Cochran 1957, "Analysis of covariance: its nature and uses"). A canary that explains
  nothing beyond chance is left out.
- Sessions: work takes as much longer as what serves Flyte does with the same requests, or, where
  that is not known, as the CPU canary does; time that Flyte waits for a timer takes no longer. That
  is a prior, `SESSION_CANARIES` wide, since an unchanged system needs not follow exactly; the
  baseline's sessions sharpen it. (The slope within sessions is no guide: the canary's own noise
  flattens it there.) CPU time that was withheld from Flyte stretches work beside it: `STRETCH`.

What is uncertain about either is an error of the shift.
"""

from __future__ import annotations

import math
from itertools import chain
from operator import mul
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_flyteperf.model import CANARIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STRONG: Final = 3.0
"""Standard errors that a slope must lie above zero."""
LEAST_FREEDOM: Final = 8
"""Repeats, less sessions and canaries, below which no slope is estimated."""
SERVERS_CANARY: Final = "servers_cpu_ns"
SESSION_CANARIES: Final = {SERVERS_CANARY: 0.1, "cpu_ns": 0.25}
"""
What tells the pace of a whole session, the first that is known: with the standard deviation of a
time's elasticity to it before sessions tell that, as a share of the elasticity that is expected.
It grows by the part of a time that waits for timers: longer work may end in the same tick.
"""
STRETCH: Final = {"steal_ppm": (1.0, 0.4), "other_cpu_ppm": (0.5, 0.2)}
"""
By how much work takes longer in a session where one more of a share of all CPU time was withheld,
on logarithms, beside what the servers' CPU time tells; with the standard deviation of that.
"""
LEAST_DEVIATION: Final = 0.001
"""Of sessions at equal pace; where nothing differs, nothing is divided by."""
SHARE: Final = "_ppm"
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


class Within(NamedTuple):
    """Logarithms of a time, what the pace explains within each group taken off."""

    groups: list[tuple[float, ...]]
    slope: float
    """Over the servers' CPU time, as the repeats of a group show it: so much of its variance is
    shared with the time beside it, and no noise. 0 where that is unknown: the other canaries are of
    other moments."""


class Pace:
    """The canaries beside the repeats of the baseline's sessions and of now, or of both's blocks.

    Args:
        names: of the canaries, in the order of a row.
        groups: a row for each repeat, session by session, or block by block, that of now last.
        deviation: standard deviation of sessions at equal pace, as a share.
    """

    def __init__(self, names: Sequence[str], groups: Sequence[_Rows], deviation: float) -> None:
        self._names = names
        self._column = next((names.index(n) for n in SESSION_CANARIES if n in names), None)
        self._doubt = 0.0 if self._column is None else SESSION_CANARIES[names[self._column]]
        self._deviation = deviation
        self._within = [
            [_deviations(column) for column in zip(*rows, strict=True)] for rows in groups
        ]
        self._columns = [list(chain(*parts)) for parts in zip(*self._within, strict=True)]
        self._freedom = len(self._columns[0]) - len(groups)
        self._products = [[_dot(a, b) for b in self._columns] for a in self._columns]
        means = [[math.fsum(one) / len(rows) for one in zip(*rows, strict=True)] for rows in groups]
        self._levels = self._session_levels(means, [len(rows) for rows in groups])
        self._withheld = [
            ([mean[column] for mean in means], *STRETCH[name])
            for column, name in enumerate(names)
            if name in STRETCH and self.served
        ]
        self._stretched = [
            math.fsum(slope * levels[index] for levels, slope, _ in self._withheld)
            for index in range(len(groups))
        ]

    @property
    def known(self) -> bool:
        """Whether the pace of whole sessions is known."""
        return self._column is not None

    @property
    def served(self) -> bool:
        """Whether those that serve FlytePropeller tell it."""
        return SERVERS_CANARY in self._names

    def _session_levels(
        self, means: Sequence[Sequence[float]], sizes: Sequence[int]
    ) -> list[tuple[float, float]]:
        """Mean of the session canary and its squared error, session by session; 0 without it."""
        if self._column is None:
            return [(0.0, 0.0)] * len(means)
        column = self._column
        variance = self._products[column][column] / max(1, self._freedom)
        return [(mean[column], variance / size) for mean, size in zip(means, sizes, strict=True)]

    def adjust(
        self, before: Sequence[Sequence[float]], now: Sequence[float], elasticity: float
    ) -> Adjusted:
        """Take off what the pace explains of a time's logarithms, repeat by repeat.

        Args:
            before: the logarithms, session by session of the baseline.
            now: likewise.
            elasticity: share of the time that follows the CPU's pace, as far as is known.
        """
        groups, slope = self.within([*before, now])
        sizes = [len(group) for group in before]

        def beside_before(levels: Sequence[float]) -> list[float]:
            reference = _weighted(levels, sizes)
            return [level - reference for level in levels]

        stretches, unsure = self._stretches(beside_before, elasticity)
        groups = [
            tuple(value - by for value in group)
            for group, by in zip(groups, stretches, strict=True)
        ]
        levels = [level for level, _ in self._levels]
        reference = _weighted(levels, sizes)
        follows, uncertain = self._follows(groups[:-1], elasticity)
        adjusted = [
            tuple(value - follows * (level - reference) for value in group)
            for group, level in zip(groups, levels, strict=True)
        ]
        moved = levels[-1] - reference
        noise = self._levels[-1][1] + math.fsum(e for _, e in self._levels[:-1]) / len(before) ** 2
        return Adjusted(
            before=tuple(adjusted[:-1]),
            now=adjusted[-1],
            taken=stretches[-1] + follows * moved,
            error=math.hypot(unsure, uncertain * moved, (follows - slope) * math.sqrt(noise)),
        )

    def within(self, groups: Sequence[Sequence[float]]) -> Within:
        """Take off what the pace explains of a time's logarithms within each group."""
        slopes = self._slopes([v for group in groups for v in _deviations(group)])
        left = []
        for group, columns in zip(groups, self._within, strict=True):
            values = list(group)
            for slope, column in zip(slopes, columns, strict=True):
                if slope:
                    values = [value - slope * x for value, x in zip(values, column, strict=True)]
            left.append(tuple(values))
        slope = slopes[self._names.index(SERVERS_CANARY)] if self.served else 0.0
        return Within(left, slope)

    def between_neighbours(
        self, differences: Sequence[float], elasticity: float, variance: float, slope: float
    ) -> tuple[list[float], float]:
        """What the pace explains of each difference between neighbouring blocks.

        Of a canary's difference only the share follows that is not its own noise.

        Args:
            differences: of logarithms, a pair each: the first half of the groups are the pairs'
                earlier sides, the second half their later ones, in the same order.
            elasticity: share of the time that follows the CPU's pace, as far as is known.
            variance: of a difference at equal pace.
            slope: as `within` found it; so much of the canary's variance is no noise.

        Returns:
            What is laid to the pace of each, and the standard error that leaves in their mean.
        """
        half = len(differences)

        def by_pair(levels: Sequence[float]) -> list[float]:
            moved = [now - before for before, now in zip(levels[:half], levels[half:], strict=True)]
            return [*moved, math.fsum(moved) / half]

        (*stretches, _), unsure = self._stretches(by_pair, elasticity)
        left = [value - by for value, by in zip(differences, stretches, strict=True)]
        sides = list(zip(self._levels[:half], self._levels[half:], strict=True))
        moved = [now - before for (before, _), (now, _) in sides]
        noise = (1 - min(1.0, slope)) * math.fsum(a + b for (_, a), (_, b) in sides) / half
        square = math.fsum(x * x for x in moved) / half
        if square <= noise:
            return stretches, unsure
        share = 1 - noise / square
        doubt = self._doubt + 1 - elasticity
        follows, uncertain = _posterior(moved, left, variance, share * elasticity, doubt)
        return (
            [by + follows * x for by, x in zip(stretches, moved, strict=True)],
            math.hypot(unsure, uncertain * math.fsum(moved) / half),
        )

    def _stretches(
        self, moved: Callable[[Sequence[float]], list[float]], elasticity: float
    ) -> tuple[list[float], float]:
        """How much longer work took for want of CPUs, and the standard error of the shift.

        Args:
            moved: from levels, group by group, to the differences that are asked about, linear; the
                last of them is the shift.
            elasticity: share of the time that follows the CPU's pace.
        """
        doubts = (
            elasticity * (doubt + slope * (1 - elasticity)) * moved(levels)[-1]
            for levels, slope, doubt in self._withheld
        )
        return [elasticity * by for by in moved(self._stretched)], math.hypot(*doubts)

    def _follows(self, before: Sequence[Sequence[float]], elasticity: float) -> tuple[float, float]:
        """Elasticity of the time to the session canary with its standard error."""
        if not self.known or elasticity <= 0:
            return 0.0, 0.0
        levels = [level for level, _ in self._levels[:-1]]
        means = [math.fsum(group) / len(group) for group in before]
        variance = max(self._deviation, LEAST_DEVIATION) ** 2 + _error_of_means(before)
        return _posterior(levels, means, variance, elasticity, self._doubt + 1 - elasticity)

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
    groups: Sequence[Mapping[str, Sequence[int | None]]],
    repeats: Sequence[int],
    deviation: float,
) -> Pace | None:
    """Gather the canaries that are known beside every repeat; None without any.

    Args:
        groups: canary to its figures, session by session or block by block, that of now last.
        repeats: how many each of them has.
        deviation: standard deviation of sessions at equal pace, as a share.
    """
    names = [
        name
        for name in CANARIES
        if all(
            len(values := one.get(name, ())) == count and None not in values
            for one, count in zip(groups, repeats, strict=True)
        )
    ]
    if not names or not all(repeats):
        return None

    def rows(one: Mapping[str, Sequence[int | None]]) -> _Rows:
        columns = [[_scaled(name, value) for value in one[name]] for name in names]
        return tuple(zip(*columns, strict=True))

    return Pace(names, [rows(one) for one in groups], deviation)


def _scaled(name: str, value: int | None) -> float:
    """Shares as shares, times by their logarithm."""
    if value is None:
        raise ValueError(f"{name} is not known beside every repeat")
    return value / MILLION if name.endswith(SHARE) else math.log(max(1, value))


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


def _posterior(
    x: Sequence[float], y: Sequence[float], variance: float, expected: float, doubt: float
) -> tuple[float, float]:
    """Slope of y over x with its standard error, where `expected` is known but for a share."""
    x, y = _deviations(x), _deviations(y)
    prior = 1 / (doubt * expected) ** 2
    precision = prior + _dot(x, x) / variance
    return (expected * prior + _dot(x, y) / variance) / precision, 1 / math.sqrt(precision)


def _weighted(levels: Sequence[float], sizes: Sequence[int]) -> float:
    """Mean level of the first sessions, each as often as it has repeats."""
    before = zip(sizes, levels, strict=False)
    return math.fsum(size * level for size, level in before) / sum(sizes)


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
