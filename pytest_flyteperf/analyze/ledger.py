"""Who owns each instant of a stretch of time, exactly.

A stretch is cut where any fact about it begins or ends. In each piece the owner is, by precedence:

1. `subnodes`: what runs beneath a node, which has ledgers of its own;
2. `user`: a container runs;
3. `flyte`, working: a handle of the execution runs, for whichever node;
4. `held`, `backoff`, `kubernetes`, `external`: by evidence, in this order;
5. `flyte`, waiting: the outcome is known and Propeller sleeps, or the evidence says Flyte;
6. `unknown`.

Every piece has one owner, so points add up exactly. Where a container's stamp leaves an interval,
the piece may belong to the container or to whoever owns it without the container: it counts in the
`high` of both and in the `low` of neither.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_flyteperf.analyze.pods import Instant
    from pytest_flyteperf.analyze.timeline import Timeline


class Owner:
    """Who may own an instant: plain strings, because ledgers of many nodes hash them often."""

    USER: Final = "user"
    FLYTE: Final = "flyte"
    KUBERNETES: Final = "kubernetes"
    EXTERNAL: Final = "external"
    HELD: Final = "held"
    BACKOFF: Final = "backoff"
    UNKNOWN: Final = "unknown"
    SUBNODES: Final = "subnodes"


WORKING = "working"
ADMISSION = "admission"
WAITING = "waiting: "
UNDIVIDED = "working or waiting"
"""What is Flyte's where no trace tells working from waiting."""


class Layer(msgspec.Struct, frozen=True, gc=False):
    """A fact that holds from start to end, in Unix nanoseconds."""

    start: int
    end: int
    owner: str
    detail: str


class Container(msgspec.Struct, frozen=True, gc=False):
    """A container that ran, and what its time was."""

    started: Instant
    finished: Instant
    detail: str


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What is known of a stretch of time."""

    containers: tuple[Container, ...] = ()
    layers: tuple[Layer, ...] = ()
    rest_owner: str = Owner.UNKNOWN
    """Who owns what no fact covers."""
    rest_detail: str = ""


_RANKS = {
    Owner.SUBNODES: 0,
    Owner.HELD: 1,
    Owner.BACKOFF: 2,
    Owner.KUBERNETES: 3,
    Owner.EXTERNAL: 4,
    Owner.FLYTE: 5,
    Owner.UNKNOWN: 6,
    Owner.USER: 7,
}
_CERTAIN, _POSSIBLE, _POINT = 10, 11, 12
"""Ranks of containers: surely running, possibly running, running by the points."""


class Share(msgspec.Struct, gc=False):
    """What an owner has of some stretches, in nanoseconds."""

    point: int = 0
    low: int = 0
    high: int = 0


_no_shares: Callable[[], defaultdict[tuple[str, str], Share]] = partial(defaultdict, Share)


class Ledger(msgspec.Struct, gc=False):
    """Owned time by owner and detail, and what Propeller worked on."""

    shares: defaultdict[tuple[str, str], Share] = msgspec.field(default_factory=_no_shares)
    working: dict[str, int] = {}
    wall: int = 0

    def only(self, owner: str, detail: str, spent: int) -> None:
        """Give time to the one owner that it can have."""
        if spent:
            share = self.shares[owner, detail]
            share.point += spent
            share.low += spent
            share.high += spent

    def likely(self, owner: str, detail: str, spent: int) -> None:
        """Give time to its likelier owner."""
        if spent:
            share = self.shares[owner, detail]
            share.point += spent
            share.high += spent

    def possible(self, owner: str, detail: str, spent: int) -> None:
        """Note that another owner may have had this time."""
        if spent:
            self.shares[owner, detail].high += spent

    def work(self, kinds: dict[str, int]) -> None:
        """Note what working time was spent on."""
        for kind, spent in kinds.items():
            self.working[kind] = self.working.get(kind, 0) + spent

    def add(self, other: Ledger) -> None:
        """Add another stretch's ledger to this one."""
        self.wall += other.wall
        for key, share in other.shares.items():
            mine = self.shares[key]
            mine.point += share.point
            mine.low += share.low
            mine.high += share.high
        if other.working:
            self.work(other.working)

    def point(self, owner: str, *details: str) -> int:
        """An owner's point, over all details or over these."""
        return sum(
            share.point
            for (who, detail), share in self.shares.items()
            if who == owner and (not details or detail in details)
        )


Key = tuple[int, str, str]


def settle(facts: Facts, start: int, end: int, timeline: Timeline | None) -> Ledger:
    """The ledger of [start, end): every nanosecond has one owner.

    Args:
        facts: what is known of the stretch.
        start: first instant, Unix nanoseconds.
        end: the instant after the last.
        timeline: when Propeller worked on the execution; None where no trace tells.
    """
    ledger = Ledger()
    if end <= start:
        return ledger
    ledger.wall = end - start
    if not facts.layers and not facts.containers:
        _piece(ledger, facts, start, end, {}, timeline)
        return ledger
    active: dict[Key, int] = {}
    at = start
    for when, change, key in _changes(facts, start, end):
        if when > at:
            _piece(ledger, facts, at, when, active, timeline)
            at = when
        count = active.get(key, 0) + change
        if count:
            active[key] = count
        else:
            del active[key]
    if end > at:
        _piece(ledger, facts, at, end, active, timeline)
    return ledger


def _changes(facts: Facts, start: int, end: int) -> list[tuple[int, int, Key]]:
    """Where within [start, end) facts begin (1) and end (-1), in order."""
    changes: list[tuple[int, int, Key]] = []
    for low, high, key in _keys(facts):
        if low < high and low < end and high > start:
            changes.append((max(start, low), 1, key))
            if high < end:
                changes.append((high, -1, key))
    changes.sort()
    return changes


def _keys(facts: Facts) -> list[tuple[int, int, Key]]:
    keys: list[tuple[int, int, Key]] = [
        (layer.start, layer.end, (_RANKS[layer.owner], layer.owner, layer.detail))
        for layer in facts.layers
    ]
    for container in facts.containers:
        started, finished, detail = container.started, container.finished, container.detail
        keys.append((started.high, finished.low, (_CERTAIN, Owner.USER, detail)))
        if started.low == started.high and finished.low == finished.high:
            continue  # nothing is left open
        keys += (
            (started.low, finished.high, (_POSSIBLE, Owner.USER, detail)),
            (started.point, finished.point, (_POINT, Owner.USER, detail)),
        )
    return keys


def _piece(  # noqa: PLR0913, PLR0917 -- a piece is what the sweep knows
    ledger: Ledger,
    facts: Facts,
    start: int,
    end: int,
    active: dict[Key, int],
    timeline: Timeline | None,
) -> None:
    """Give one piece, in which no fact changes but handles, to its owners."""
    wall = end - start
    (_, owner, detail), certain, possible, point = _sides(facts, active)
    if owner == Owner.SUBNODES:
        ledger.only(owner, detail, wall)
        return
    if certain is not None:
        ledger.only(Owner.USER, certain[2], wall)
        return
    worked = timeline.spent(start, end) if timeline else 0
    if owner == Owner.FLYTE and timeline is None and detail.startswith(WAITING):
        detail = UNDIVIDED
    if possible is None:
        ledger.only(Owner.FLYTE, WORKING, worked)
        ledger.only(owner, detail, wall - worked)
    elif point is not None:
        ledger.likely(Owner.USER, point[2], wall)
        ledger.possible(Owner.FLYTE, WORKING, worked)
        ledger.possible(owner, detail, wall - worked)
        return
    else:
        ledger.likely(Owner.FLYTE, WORKING, worked)
        ledger.likely(owner, detail, wall - worked)
        ledger.possible(Owner.USER, possible[2], wall)
    if worked and timeline:
        ledger.work(timeline.by_kind(start, end))


def _sides(facts: Facts, active: dict[Key, int]) -> tuple[Key, Key | None, Key | None, Key | None]:
    """Who owns a piece without containers; the container that surely, possibly, likely ran.

    Of several the first by rank, then by name: a container that ran for the result comes before
    one whose time was lost.
    """
    without: Key | None = None
    certain: Key | None = None
    possible: Key | None = None
    point: Key | None = None
    for key in active:
        rank = key[0]
        if rank < _CERTAIN:
            without = key if without is None or key < without else without
        elif rank == _CERTAIN:
            certain = key if certain is None or key < certain else certain
        elif rank == _POSSIBLE:
            possible = key if possible is None or key < possible else possible
        else:
            point = key if point is None or key < point else point
    if without is None:
        without = (_CERTAIN, facts.rest_owner, facts.rest_detail)
    return without, certain, possible, point
