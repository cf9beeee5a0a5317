"""The process that owns a cluster's processes.

It starts and stops what it is told to (`control`), receives traces (`otlp`), and knows nothing of
Flyte or Kubernetes. Nothing outlives it: its children get SIGKILL when it ends, however it ends,
and it adopts and ends their orphans. A cluster that is not kept ends soon after its last lease.

Run as `python -m pytest_flyteperf.engine.supervisor --config FILE`: it goes to the background, and
the command returns when the control socket listens.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_flyteperf.engine.child import Child, NotReadyError
from pytest_flyteperf.engine.control import SUPERVISOR, Reply, Request, SupervisorStatus
from pytest_flyteperf.engine.journal import Folder, Journal, Started, read
from pytest_flyteperf.engine.otlp import Receiver
from pytest_flyteperf.engine.process import PROCESS_MARKER, ProcessDeath, ProcessSpec
from pytest_flyteperf.engine.procfs import children, variable
from pytest_flyteperf.engine.spawn import adopt_orphans
from pytest_flyteperf.engine.undo import undo
from pytest_flyteperf.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable

LINE_BYTES = 4 * 2**20
"""Longest request that is read."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor is told at its start."""

    cluster: str
    """Name of the cluster."""
    cluster_id: str
    """Value of `CLUSTER_MARKER`."""
    directory: str
    """The cluster's folder: its journal is written there."""
    socket: str
    """Path of the control socket; below 108 bytes."""
    log: str
    traces: str
    """File of received traces."""
    traces_address: str = "127.0.0.1"
    """Address that traces are received on: another only where pods send them."""
    traces_token: str | None = None
    """What senders must show."""
    keep: bool = False
    """Live on without leases."""
    linger_s: float = 2.0
    """How long a cluster that is not kept lives without a lease."""
    first_lease_s: float = 10.0
    """How long it waits for its first lease."""
    remain: tuple[str, ...] = ("logs",)
    """What is left in the cluster's folder by an orderly end, for those who want to know why."""


class Supervisor:
    """Owner of the processes of one cluster; lives on one event loop, on the main thread."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._keep = config.keep
        self._journal = Journal(config.directory)
        self._children: dict[str, Child] = {}
        self._connections: list[Connection] = []
        self._ending = asyncio.Event()
        self._deadline: asyncio.TimerHandle | None = None
        self._receiver: Receiver | None = None

    async def run(self, listening: int) -> None:
        """Serve until told to end; then stop everything. Closes `listening` once it listens."""
        loop = asyncio.get_running_loop()
        adopt_orphans()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        server = await asyncio.start_unix_server(
            self._connected, self._config.socket, limit=LINE_BYTES
        )
        os.write(listening, b"ok")
        os.close(listening)
        self._expire_in(self._config.first_lease_s)
        receiving = asyncio.ensure_future(asyncio.to_thread(self._receive_traces, loop))
        await self._ending.wait()
        server.close()
        await asyncio.gather(*(connection.abandon() for connection in tuple(self._connections)))
        await self.stop(tuple(self._children))
        self._end_orphans()
        await receiving
        if self._receiver is not None:
            await asyncio.to_thread(self._receiver.close)
        try:
            await asyncio.to_thread(undo, self._config.directory)
        except ClusterError as error:
            # Its folder stays, with the journal: `flyteperf reap` tries again.
            sys.stderr.write(f"{error}\n")
            return
        self._remove()

    async def start(self, specs: tuple[ProcessSpec, ...], asker: Connection) -> None:
        """Start processes and wait until all are ready; on failure stop all of them again.

        Raises:
            NotReadyError: one died or was late.
            ValueError: a name runs already, or one that is waited for is unknown.
        """
        known = {name for name, child in self._children.items() if child.runs}
        for spec in specs:
            if spec.name in known:
                raise ValueError(f"{spec.name}: runs already; stop it first")
            known.add(spec.name)
        missing = {name for spec in specs for name in spec.after} - known
        if missing:
            raise ValueError(f"{', '.join(sorted(missing))}: waited for, but not started")
        mine = [Child(spec) for spec in specs]
        self._children |= {child.spec.name: child for child in mine}
        starting = [asyncio.ensure_future(self._bring_up(child, asker)) for child in mine]
        needed = (child for child in self._children.values() if child.runs or child in mine)
        dying = [asyncio.ensure_future(child.died()) for child in needed]
        try:
            await _first_failure(starting, dying)
        except BaseException:
            await _cancel(starting)
            await asyncio.shield(self.stop([child.spec.name for child in mine]))
            raise
        finally:
            await _cancel(dying)

    async def _bring_up(self, child: Child, asker: Connection) -> None:
        for name in child.spec.after:
            await self._children[name].ready.wait()
        if not child.waits:
            raise NotReadyError(child.death("stopped before it was started"))
        self._journal.write(Started(name=child.spec.name))
        self._journal.process(child.spec.name, child.spawn(self._config.cluster_id))
        await child.become_ready()
        ready = Reply(event="ready", name=child.spec.name)
        for connection in {asker, *self._leases()}:
            connection.send(ready)

    async def stop(self, names: Iterable[str]) -> None:
        """Stop processes from the highest order to the lowest, with what they left behind."""
        found = [self._children[name] for name in names if name in self._children]
        found.sort(key=lambda child: -child.spec.order)
        for _, group in groupby(found, key=lambda child: child.spec.order):
            together = tuple(group)
            await asyncio.gather(*(child.stop() for child in together))
            self._end_orphans({child.spec.name for child in together})

    def status(self) -> SupervisorStatus:
        """All that it owns."""
        return SupervisorStatus(
            cluster=self._config.cluster,
            pid=os.getpid(),
            keep=self._keep,
            leases=tuple(connection.who for connection in self._leases()),
            processes=tuple(child.status() for child in self._children.values()),
            traces=None if self._receiver is None else self._receiver.status(),
        )

    def keep(self) -> None:
        """Live on without leases from now on."""
        self._keep = True
        self.leases_changed()

    def end(self) -> None:
        """Begin the orderly end."""
        self._ending.set()

    @property
    def ending(self) -> bool:
        """Whether the orderly end has begun."""
        return self._ending.is_set()

    def leases_changed(self, linger_s: float | None = None) -> None:
        """Set or cancel the time of the end, as there are leases or not.

        A kept cluster without leases has no reader of its traces: they end with the last lease.
        """
        if self._leases():
            self._expire_in(None)
        elif self._keep:
            self._expire_in(None)
            if self._receiver is not None:
                self._receiver.clear()
        elif self._deadline is None:
            self._expire_in(self._config.linger_s if linger_s is None else linger_s)

    def forget(self, connection: Connection) -> None:
        """Take note that a connection has ended."""
        self._connections.remove(connection)
        if connection.who:
            self.leases_changed()

    def _leases(self) -> tuple[Connection, ...]:
        return tuple(connection for connection in self._connections if connection.who)

    def _expire_in(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None and not self._keep:
            self._deadline = asyncio.get_running_loop().call_later(seconds, self._ending.set)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self, reader, writer)
        self._connections.append(connection)
        await connection.serve()

    def _receive_traces(self, loop: asyncio.AbstractEventLoop) -> None:
        def lost(problem: str) -> None:
            death = ProcessDeath(name="trace receiver", problem=problem)
            loop.call_soon_threadsafe(self._tell_death, death)

        try:
            self._receiver = Receiver(
                self._config.traces,
                lost,
                self._config.traces_address,
                self._config.traces_token,
            )
        except (OSError, RuntimeError) as error:
            lost(f"cannot start: {error}")

    def _tell_death(self, death: ProcessDeath) -> None:
        for connection in self._leases():
            connection.send(Reply(event="died", name=death.name, death=death))

    def _reap(self) -> None:
        """Take the exit of every child that ended, and end what is left of its group."""
        by_pid = {child.pid: child for child in self._children.values() if child.runs}
        options = os.WEXITED | os.WNOHANG
        with suppress(ChildProcessError):
            while (ended := os.waitid(os.P_ALL, 0, options | os.WNOWAIT)) is not None:
                child = by_pid.get(ended.si_pid)
                if child is not None:
                    # While its zombie holds the id, the group can be no one else's.
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(ended.si_pid, signal.SIGKILL)
                _, status = os.waitpid(ended.si_pid, 0)
                if child is not None and child.reaped(os.waitstatus_to_exitcode(status)):
                    self._end_orphans({child.spec.name})
                    self._tell_death(child.death())

    def _end_orphans(self, names: set[str] | None = None) -> None:
        """Kill adopted descendants of the named processes (None: all), until there are none."""
        running = {child.pid for child in self._children.values() if child.runs}
        killed: set[int] = set()
        while orphans := {
            pid
            for pid in children(os.getpid())
            if pid not in running
            and pid not in killed
            and (names is None or variable(pid, PROCESS_MARKER) in names)
        }:
            for pid in orphans:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)
            killed |= orphans

    def _remove(self) -> None:
        import shutil  # brings three compressors, and is needed once, at the end

        folder = Path(self._config.directory)
        outside = (Path(entry.path) for entry in read(folder) if isinstance(entry, Folder))
        inside = (path for path in folder.iterdir() if path.name not in self._config.remain)
        for path in (*outside, *inside):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


async def _first_failure(
    starting: Iterable[asyncio.Future[None]], dying: Iterable[asyncio.Future[None]]
) -> None:
    """Wait until all have started, or until one fails to or another process dies meanwhile."""
    all_started = asyncio.ensure_future(_all(starting))
    await asyncio.wait((all_started, *dying), return_when=asyncio.FIRST_COMPLETED)
    for death in dying:
        if death.done():
            all_started.cancel()
            death.result()
    await all_started


async def _all(tasks: Iterable[asyncio.Future[None]]) -> None:
    await asyncio.gather(*tasks)


async def _cancel(tasks: Iterable[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Connection:
    """A client: its requests are answered in order; with a name (`who`) it is a lease."""

    def __init__(
        self, supervisor: Supervisor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.who = ""
        self._supervisor = supervisor
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Answer until the client goes away; what it was having started is stopped then."""
        try:
            while line := await self._reader.readline():
                task = asyncio.ensure_future(self._answer(line))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (ConnectionError, ValueError) as error:
            self.send(Reply(error=f"request cannot be read: {error}"))
        finally:
            self._supervisor.forget(self)
            await self.abandon()
            self.close()

    def send(self, reply: Reply) -> None:
        """Queue a line for the client."""
        if not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(reply) + b"\n")

    def close(self) -> None:
        """End the connection."""
        self._writer.close()

    async def abandon(self) -> None:
        """Cancel what it is having done."""
        tasks = tuple(self._tasks)
        await _cancel(tasks)

    async def _answer(self, line: bytes) -> None:
        async with self._turn:
            try:
                reply = await self._do(msgspec.json.decode(line, type=Request))
            except msgspec.DecodeError as error:
                reply = Reply(error=f"request cannot be read: {error}")
            except NotReadyError as error:
                reply = Reply(error=str(error), death=error.death)
            except (ValueError, OSError) as error:
                reply = Reply(error=str(error))
            if reply is not None:
                self.send(reply)

    async def _do(self, request: Request) -> Reply | None:
        supervisor = self._supervisor
        if supervisor.ending:
            return Reply(error="the cluster is stopping; wait for its end, then start it again")
        match request.do:
            case "start":
                await supervisor.start(request.processes, self)
                names = {spec.name for spec in request.processes}
                started = (p for p in supervisor.status().processes if p.name in names)
                return Reply(processes=tuple(started))
            case "stop":
                await supervisor.stop(request.names)
            case "status":
                return Reply(status=supervisor.status())
            case "attach":
                self.who = request.who or "someone"
                supervisor.leases_changed()
            case "detach":
                self.who = ""
                supervisor.leases_changed(request.linger_s)
            case "keep":
                supervisor.keep()
            case "shutdown":
                supervisor.end()
                return None
            case _:
                return Reply(error=f"{request.do}: no such request")
        return Reply()


def main(argv: list[str]) -> int:
    """Read the configuration, go to the background, supervise."""
    if len(argv) != 2 or argv[0] != "--config":  # noqa: PLR2004 # the option and its value
        sys.stderr.write("usage: python -m pytest_flyteperf.engine.supervisor --config FILE\n")
        return 2
    config = msgspec.json.decode(Path(argv[1]).read_bytes(), type=Config)
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        return _await_listening(reading)
    os.close(reading)
    _detach(config)
    Journal(config.directory).process(SUPERVISOR, os.getpid())
    with asyncio.Runner() as runner:
        runner.run(_supervise(config, writing))
    return 1


async def _supervise(config: Config, listening: int) -> None:
    await Supervisor(config).run(listening)
    # Clients take the end of their connections for that of the process: let both be one.
    os._exit(0)


def _await_listening(pipe: int) -> int:
    if os.read(pipe, 2) == b"ok":
        return 0
    sys.stderr.write("did not start\n")
    return 1


def _detach(config: Config) -> None:
    """Leave the starter's session, terminal, folder and files."""
    os.setsid()
    os.umask(0o077)
    os.chdir(config.directory)
    null = os.open("/dev/null", os.O_RDONLY)
    log = os.open(config.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
