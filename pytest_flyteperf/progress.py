"""How long work tells its caller that it goes on.

The work gets a `Progress`, any callable that takes one line. A phase of work reports through a
`Beat`: at once when what is going on changes, and on a steady beat with the time elapsed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

BEAT_S = 2.0
"""Seconds between two lines about the same work."""


class Progress(Protocol):
    """Takes a line for the user; called from the thread that does the work."""

    def __call__(self, message: str, /) -> None:
        """Show `message`, one line without its newline, in place of the last or below it."""


def silent(_message: str, /) -> None:
    """Show nothing."""


def elapsed(seconds: float) -> str:
    """A duration as people say it.

    >>> elapsed(4.2), elapsed(64), elapsed(3661)
    ('4 s', '1 min 4 s', '1 h 1 min')
    """
    whole = int(seconds)
    if whole < 60:  # noqa: PLR2004 # seconds of a minute
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 # minutes of an hour
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def left(seconds: float, *, at_most: bool = False) -> str:
    """How long something still takes, no finer than such a guess can be.

    >>> left(7), left(44), left(250), left(250, at_most=True)
    ('about 10 s left', 'about 40 s left', 'about 4 min left', 'at most 5 min left')
    """
    how, least = ("at most", 0.999) if at_most else ("about", 0.5)
    if seconds < 60:  # noqa: PLR2004 # seconds of a minute
        return f"{how} {max(1, int(seconds / 10 + least)) * 10} s left"
    minutes = int(seconds / 60 + least)
    shown = f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004 # minutes of an hour
    return f"{how} {shown} left"


class Beat:
    """One phase of work: a line when it starts, then at most one per `BEAT_S` with its age."""

    def __init__(
        self,
        progress: Progress,
        what: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        every_s: float = BEAT_S,
    ) -> None:
        self._progress = progress
        self._what = what
        self._clock = clock
        self._every_s = every_s
        self._started = self._told = clock()
        progress(what)

    @property
    def age_s(self) -> float:
        """Seconds since the phase began."""
        return self._clock() - self._started

    def tick(self, detail: str = "") -> None:
        """Report if the beat is due; cheap enough to call for every line of a child's output."""
        now = self._clock()
        if now - self._told < self._every_s:
            return
        self._told = now
        told = f"{self._what}: {detail}" if detail else self._what
        self._progress(f"{told} ({elapsed(now - self._started)})")
