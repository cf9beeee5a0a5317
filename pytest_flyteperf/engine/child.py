"""One supervised process: started, ready or dead or late, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress

from pytest_flyteperf.engine.probes import until_ready
from pytest_flyteperf.engine.process import (
    ProcessDeath,
    ProcessSpec,
    ProcessState,
    ProcessStatus,
    tail,
)
from pytest_flyteperf.engine.spawn import spawn


class NotReadyError(Exception):
    """A process died before it was ready, or was not ready in time."""

    def __init__(self, death: ProcessDeath) -> None:
        super().__init__(death.describe())
        self.death = death


class Child:
    """A process from its specification to its end.

    Its id is also that of its group. `ended` is called, from the event loop, when it exits.
    """

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.state = ProcessState.WAITING
        self.pid: int | None = None
        self.ready = asyncio.Event()
        self._gone = asyncio.Event()
        self._died = asyncio.Event()
        self._exit: int | None = None
        self._started_unix_ns: int | None = None
        self._ready_unix_ns: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it may still be started."""
        return self.state is ProcessState.WAITING

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self.pid is not None and not self._gone.is_set()

    def status(self) -> ProcessStatus:
        """Where it stands."""
        return ProcessStatus(
            name=self.spec.name,
            state=self.state,
            pid=self.pid,
            started_unix_ns=self._started_unix_ns,
            ready_unix_ns=self._ready_unix_ns,
            exit=self._exit,
            log=self.spec.log,
        )

    def death(self, problem: str = "") -> ProcessDeath:
        """Its end, or its `problem` if it still runs, with the last lines of its log."""
        return ProcessDeath(
            name=self.spec.name,
            exit=self._exit,
            problem=problem,
            tail=tail(self.spec.log),
            log=self.spec.log,
        )

    def spawn(self, cluster_id: str) -> int:
        """Start it.

        Raises:
            NotReadyError: the system refused.
        """
        try:
            self.pid = spawn(self.spec, cluster_id)
        except OSError as error:
            self.state = ProcessState.EXITED
            problem = f"cannot be started: {error.filename or self.spec.log}: {error.strerror}"
            raise NotReadyError(ProcessDeath(name=self.spec.name, problem=problem)) from error
        self.state = ProcessState.STARTING
        self._started_unix_ns = time.time_ns()
        return self.pid

    async def become_ready(self) -> None:
        """Wait until its probe succeeds.

        Raises:
            NotReadyError: it died first, or its time was up.
        """
        if self.spec.probe is not None:
            probing = asyncio.ensure_future(until_ready(self.spec.probe))
            dying = asyncio.ensure_future(self._gone.wait())
            try:
                await asyncio.wait(
                    (probing, dying),
                    timeout=self.spec.ready_timeout_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                probing.cancel()
                dying.cancel()
            if not self._gone.is_set() and not probing.done():
                late = f"not ready within {self.spec.ready_timeout_s:g} s"
                raise NotReadyError(self.death(late))
            if not self._gone.is_set():
                probing.result()
        if self._gone.is_set():
            raise NotReadyError(self.death())
        self.state = ProcessState.READY
        self._ready_unix_ns = time.time_ns()
        self.ready.set()

    async def died(self) -> None:
        """Wait for the end of one that was ready and that nobody asked to end.

        Raises:
            NotReadyError: it ended so.
        """
        await self._died.wait()
        raise NotReadyError(self.death())

    def reaped(self, exit_code: int) -> bool:
        """Take note that it exited; tell whether nobody had asked it to, once it was ready."""
        unasked = self.state is ProcessState.READY
        self._exit = exit_code
        self.state = ProcessState.EXITED
        self._gone.set()
        if unasked:
            self._died.set()
        return unasked

    async def stop(self) -> None:
        """Ask it to end, and after its grace make it; return when it is gone."""
        if not self.runs:
            self.state = ProcessState.EXITED
            return
        self.state = ProcessState.STOPPING
        self._signal(self.spec.stop_signal)
        try:
            await asyncio.wait_for(self._gone.wait(), self.spec.grace_s)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._gone.wait()

    def _signal(self, number: int) -> None:
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)
