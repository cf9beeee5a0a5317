"""The end of executions that are over, or that nobody waits for: aborted, and nothing left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

from pytest_flyteperf.collect import AdminError
from pytest_flyteperf.errors import FlyteperfError

if TYPE_CHECKING:
    from pytest_flyteperf.collect import Collector, Harvest, Mark
    from pytest_flyteperf.execute.journal import ExecutionJournal
    from pytest_flyteperf.progress import Progress

INTERRUPT_S = 3.0
"""How long an aborted execution may take to end when the user waits for the prompt."""


class Disposal:
    """Discards one case's executions; what it cannot discard stays in the journal."""

    def __init__(
        self, case: str, collector: Collector, journal: ExecutionJournal, progress: Progress
    ) -> None:
        self._case = case
        self._collector = collector
        self._journal = journal
        self._progress = progress

    def finished(self, name: str, harvest: Harvest) -> None:
        """Discard a recorded execution and those that it started; the next run does what fails."""
        try:
            self._discard(_names(name, harvest))
        except FlyteperfError as error:
            self._progress(f"{self._case}: {name} is left for the next run: {error}")

    def abort(self, name: str, mark: Mark) -> None:
        """End an execution that nobody waits for any more; the next run does what fails here."""
        self._progress(f"{self._case}: aborting {name}")
        try:
            if self._collector.admin.terminate(name, "the run that started it was cut off"):
                self._collector.wait(name, mark, INTERRUPT_S, _unguarded)
            self._discard(self._family(name))
        except FlyteperfError as error:
            self._progress(f"{self._case}: {name} is left for the next run to abort: {error}")

    def leftovers(self) -> None:
        """Abort what an earlier run left behind; under the lock, nobody else's is open.

        Raises:
            FlyteperfError: FlyteAdmin or the API server does not answer.
        """
        names = self._journal.open()
        if names:
            self._progress(f"aborting {len(names)} executions that an earlier run left behind")
            for name in names:
                self._collector.admin.terminate(name, "left behind by a run that was cut off")
            self._discard([each for name in names for each in self._family(name)])
        if not self._journal.open():
            self._journal.clear()

    def _discard(self, names: list[str]) -> None:
        if self._collector.discard(names):
            self._journal.discarded(names)
        else:
            self._progress(f"{self._case}: objects of {names[0]} are slow to disappear")

    def _family(self, name: str) -> list[str]:
        """An execution and those that it started; only its own name if it was never created."""
        admin = self._collector.admin
        try:
            return _names(name, admin.harvest(admin.identifier(name)))
        except AdminError as error:
            if error.code is grpc.StatusCode.NOT_FOUND:
                return [name]
            raise


def _names(name: str, harvest: Harvest) -> list[str]:
    return [name, *(n for child, below in harvest.children.items() for n in _names(child, below))]


def _unguarded() -> None:
    """Wait whatever dies: the run is over already."""
