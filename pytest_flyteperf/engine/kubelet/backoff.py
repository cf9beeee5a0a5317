"""Pauses between attempts."""

from __future__ import annotations

import random

FIRST_S = 0.05
LONGEST_S = 2.0


class Backoff:
    """Doubles from FIRST_S to LONGEST_S, each with up to a half taken off at random."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def reset(self) -> None:
        """Begin anew after a success."""
        self._next_s = FIRST_S

    def pause_s(self) -> float:
        """Seconds to wait before the next attempt."""
        pause, self._next_s = self._next_s, min(LONGEST_S, self._next_s * 2)
        return pause * random.uniform(0.5, 1)  # noqa: S311 - no secret
