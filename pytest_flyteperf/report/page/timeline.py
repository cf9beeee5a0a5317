"""A timeline as the JSON that the page's script draws: short arrays, times in microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_flyteperf.report.page.owners import NAMES, colour
from pytest_flyteperf.report.text import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.analyze.lanes import Lanes, Piece


def encoded(lanes: Lanes) -> dict[str, Any]:
    """The drawing; `page.js` says what each place of an array means."""
    words = _Words()
    names = list(NAMES)

    def pieces(of: Sequence[Piece]) -> list[int]:
        flat: list[int] = []
        for piece in of:
            key = names.index(colour(piece.owner, piece.detail)), piece.owner, piece.detail
            flat += (words[key], piece.end_ns // 1000)
        return flat

    lines = [
        [
            escaped(lane.id),
            lane.kind,
            escaped(lane.phase).lower(),
            lane.attempts,
            lane.depth,
            int(lane.on_path),
            lane.start_ns // 1000,
            lane.end_ns // 1000,
            *pieces(lane.pieces),
        ]
        for lane in lanes.lanes
    ]
    return {
        "wall": lanes.wall_ns // 1000,
        "path": pieces(lanes.path),
        "handles": [edge // 1000 for stretch in lanes.handles for edge in stretch],
        "lanes": lines,
        "colours": names,
        "names": list(NAMES.values()),
        "words": words.listed,
    }


class _Words:
    """Numbers words in the order in which they are first used."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, str, str], int] = {}

    def __getitem__(self, key: tuple[int, str, str]) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    @property
    def listed(self) -> list[list[Any]]:
        """Number of the colour, and what the piece is."""
        return [
            [number, escaped(f"{owner}, {detail}" if detail else owner)]
            for number, owner, detail in self._numbers
        ]
