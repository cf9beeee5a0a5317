"""Whether what a run needs is alive, and which death is behind a call that failed."""

from __future__ import annotations

import time
from typing import Protocol

from pytest_flyteperf.errors import (
    ClusterError,
    ExecutionError,
    FlyteperfError,
    RegistrationError,
)

DEATH_S = 3.0
"""How much later than a failed call the supervisor may tell that a process died."""
DEATH_POLL_S = 0.02
_WORKFLOWS_OWN = (ExecutionError, RegistrationError)
"""Failures that a died process does not explain."""


class Death(Protocol):
    """A process of the cluster or the deployment that ended by itself."""

    def describe(self) -> str:
        """One line: which process, how it ended, and what its log said last."""


class Lifeline(Protocol):
    """Knows when a process ends that the measurement needs, as `engine.control.Control` does."""

    def death(self) -> Death | None:
        """The first death not yet returned, or None, without waiting."""


class Watch:
    """Asks a lifeline on behalf of one case; without one, nothing ever dies."""

    def __init__(self, case: str, lifeline: Lifeline | None) -> None:
        self._case = case
        self._lifeline = lifeline
        self._dead: ClusterError | None = None

    def guard(self) -> None:
        """Return while all is alive.

        Raises:
            ClusterError: a process ended, with the last words of its log.
        """
        dead = self._told()
        if dead is not None:
            raise dead

    def behind(self, error: BaseException) -> ClusterError | None:
        """The death that explains an error: calls fail before the supervisor has told of it.

        None for what no death explains, after a short wait where one might.
        """
        if self._lifeline is None or not isinstance(error, FlyteperfError):
            return None
        deadline = time.monotonic() + DEATH_S
        while (dead := self._told()) is None and time.monotonic() < deadline:
            time.sleep(DEATH_POLL_S)
        return dead

    def behind_run(self, error: FlyteperfError) -> ClusterError | None:
        """Likewise, for what ended a whole run: a workflow's own failure stands."""
        return None if isinstance(error, _WORKFLOWS_OWN) else self.behind(error)

    def _told(self) -> ClusterError | None:
        if self._dead is None and self._lifeline is not None:
            death = self._lifeline.death()
            if death is not None:
                self._dead = ClusterError(f"{self._case}: {death.describe()}")
        return self._dead
