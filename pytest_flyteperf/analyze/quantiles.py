"""Exact quantiles of whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def nearest_rank(ordered: Sequence[int], percent: int) -> int:
    """The smallest value that at least `percent` of a hundred values do not exceed.

    Definition 1 of Hyndman and Fan (1996), doi:10.1080/00031305.1996.10473566: always one of the
    values, so that it needs no rounding.

    Args:
        ordered: at least one value, ascending.
        percent: 1 to 100.
    """
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
