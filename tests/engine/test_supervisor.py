from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import msgspec
import pytest

from pytest_flyteperf.engine.control import Control, Request, StartError
from pytest_flyteperf.engine.journal import Journal, Opened, Started, read
from pytest_flyteperf.engine.process import (
    CLUSTER_MARKER,
    PROCESS_MARKER,
    FileProbe,
    ProcessSpec,
    TcpProbe,
)
from pytest_flyteperf.engine.procfs import start_ticks
from pytest_flyteperf.engine.reap import reap, supervisor_pid
from pytest_flyteperf.engine.supervisor import Config
from pytest_flyteperf.errors import ClusterError

PATIENCE_S = 30.0

TELL = """
import os, signal, sys, time
def tell():
    fresh = sys.argv[1] + ".new"
    with open(fresh, "w") as file:
        file.write(str(os.getpid()))
    os.rename(fresh, sys.argv[1])
"""
SLEEPER = f"{TELL}\ntell(); time.sleep(600)"
STUBBORN = f"{TELL}\nsignal.signal(signal.SIGTERM, signal.SIG_IGN); tell(); time.sleep(600)"
LEAVER = f"""{TELL}
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        tell()
        time.sleep(600)
    os._exit(0)
os.wait()
time.sleep(600)
"""


@dataclass
class Running:
    folder: Path
    socket: str
    marker: str

    @property
    def logs(self) -> Path:
        """What an orderly end leaves."""
        return self.folder / "logs"

    @property
    def pid(self) -> int | None:
        return supervisor_pid(self.folder)

    def control(self) -> Control:
        return Control(self.socket)

    def spec(self, name: str, program: str = SLEEPER, **more: object) -> ProcessSpec:
        ready = self.logs / f"{name}.pid"
        spec = ProcessSpec(
            name=name,
            argv=(sys.executable, "-S", "-c", program, str(ready)),
            log=str(self.logs / f"{name}.log"),
            probe=FileProbe(path=str(ready)),
        )
        return msgspec.structs.replace(spec, **more)

    def pid_of(self, name: str) -> int:
        path = self.logs / f"{name}.pid"
        return int(until(lambda: path.exists() and path.read_text()))


def until(condition, patience_s: float = PATIENCE_S):
    """Wait for something that another process does, and return it."""
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
    return value


def gone(pid: int) -> bool:
    return start_ticks(pid) is None


def next_death(control: Control):
    def death():
        return control.death() or (select.select([control], [], [], 1.0) and None)

    return until(death)


def launch(folder: Path, **more: object) -> Running:
    marker = f"test.{os.urandom(4).hex()}"
    (folder / "logs").mkdir()
    config = Config(
        cluster="test",
        cluster_id=marker,
        directory=str(folder),
        socket=str(folder / "s"),
        log=str(folder / "logs" / "supervisor.log"),
        traces=str(folder / "traces"),
        **({"linger_s": 0.05, "first_lease_s": PATIENCE_S} | more),
    )
    Journal(folder).write(Opened(id=marker))
    (folder / "config.json").write_bytes(msgspec.json.encode(config))
    command = (sys.executable, "-m", "pytest_flyteperf.engine.supervisor", "--config")
    env = os.environ | {CLUSTER_MARKER: marker, PROCESS_MARKER: "supervisor"}
    done = subprocess.run(
        (*command, str(folder / "config.json")), env=env, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, Path(config.log).read_text()
    return Running(folder, config.socket, marker)


@pytest.fixture
def start(tmp_path_factory):
    started: list[Running] = []

    def start(**more: object) -> Running:
        started.append(launch(tmp_path_factory.mktemp("c"), **more))
        return started[-1]

    yield start
    for running in started:
        if (pid := running.pid) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: gone(pid))
        reap(running.folder.parent)


def test_start_returns_when_all_are_ready(start):
    running = start()
    with running.control() as control:
        control.attach("test")
        ready: list[str] = []
        statuses = control.start((running.spec("a"), running.spec("b")), ready.append)

    assert {"a", "b"} == set(ready)
    assert {running.pid_of("a"), running.pid_of("b")} == {status.pid for status in statuses}
    assert {"ready"} == {status.state for status in statuses}


def test_a_process_starts_after_those_it_waits_for(start):
    running = start()
    first = running.spec("first")
    second = running.spec("second", after=("first",))
    with running.control() as control:
        control.attach("test")
        statuses = {status.name: status for status in control.start((second, first))}

    assert statuses["first"].ready_unix_ns <= statuses["second"].started_unix_ns


def test_an_early_death_is_reported_at_once_with_its_reason(start):
    running = start()
    program = "import sys; print('listening'); sys.exit('port 1: address already in use')"
    with running.control() as control:
        control.attach("test")
        with pytest.raises(StartError) as failure:
            control.start((running.spec("good"), running.spec("bad", program, after=("good",))))

        assert str(failure.value) == "bad: exited with 1: port 1: address already in use"
        assert failure.value.death.tail == ("listening", "port 1: address already in use")
        assert [status.state for status in control.status().processes] == ["exited", "exited"]
        assert gone(running.pid_of("good"))


def test_a_death_of_a_ready_one_fails_the_start_of_the_rest(start):
    running = start()
    never = FileProbe(path=str(running.folder / "never"))
    fickle = f"{TELL}\ntell()\nwhile not os.path.exists(sys.argv[1] + '.seen'): time.sleep(0.01)"
    with running.control() as control:
        control.attach("test")

        def seen(name: str) -> None:
            (running.logs / f"{name}.pid.seen").touch()

        with pytest.raises(StartError, match=r"^fickle: exited with 0$"):
            control.start(
                (running.spec("fickle", fickle), running.spec("waits", probe=never)), seen
            )
        assert {status.state for status in control.status().processes} == {"exited"}


def test_a_death_of_an_earlier_one_fails_a_start_too(start):
    running = start()
    never = FileProbe(path=str(running.folder / "never"))
    with running.control() as control:
        control.attach("test")
        control.start((running.spec("base"),))
        base = running.pid_of("base")
        killer = f"{TELL}\ntell(); os.kill({base}, 9); time.sleep(600)"
        with pytest.raises(StartError, match=r"^base: killed by SIGKILL$"):
            control.start((running.spec("killer", killer, probe=never),))
        assert {status.state for status in control.status().processes} == {"exited"}
        assert control.death().name == "base"


def test_a_late_process_is_ended_and_named(start):
    running = start()
    never = FileProbe(path=str(running.folder / "never"))
    with running.control() as control:
        control.attach("test")
        with pytest.raises(StartError, match=r"^late: not ready within 0\.5 s$"):
            control.start((running.spec("late", probe=never, ready_timeout_s=0.5),))

        assert gone(running.pid_of("late"))


def test_a_program_that_is_not_there_is_one_clear_line(start):
    running = start()
    with running.control() as control:
        control.attach("test")
        with pytest.raises(StartError) as failure:
            control.start((running.spec("absent", argv=("/no/such/program",)),))

    said = "/no/such/program: cannot be started: No such file or directory"
    assert str(failure.value) == f"absent: exited with 127: {said}"


def test_a_name_that_runs_is_not_started_twice(start):
    running = start()
    with running.control() as control:
        control.attach("test")
        control.start((running.spec("a"),))
        with pytest.raises(StartError, match="a: runs already"):
            control.start((running.spec("a"),))

        assert not gone(running.pid_of("a"))


def test_a_death_reaches_every_lease_with_the_last_lines(start):
    running = start()
    program = "print('disk: no space left', flush=True)" + SLEEPER
    with running.control() as one, running.control() as two:
        one.attach("one")
        two.attach("two")
        one.start((running.spec("a", program),))
        assert one.death() is None
        os.kill(running.pid_of("a"), signal.SIGKILL)

        said = "a: killed by SIGKILL: disk: no space left"
        assert [said, said] == [next_death(one).describe(), next_death(two).describe()]
        assert one.death() is None


def test_a_stop_that_was_asked_for_is_no_death(start):
    running = start()
    with running.control() as control:
        control.attach("test")
        control.start((running.spec("a"),))
        control.stop(("a",))

        assert control.death() is None
        assert gone(running.pid_of("a"))


def test_processes_stop_from_the_highest_order_down(start):
    running = start()
    log = running.logs / "order"
    program = f"""{TELL}
def end(*_):
    with open({str(log)!r}, "a") as file:
        file.write(sys.argv[2] + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
tell()
time.sleep(600)
"""
    specs = []
    for name, order in (("low", 0), ("high", 2), ("middle", 1)):
        spec = running.spec(name, program, order=order)
        specs.append(msgspec.structs.replace(spec, argv=(*spec.argv, name)))
    with running.control() as control:
        control.attach("test")
        control.start(specs)
        control.shutdown()

    assert log.read_text().split() == ["high", "middle", "low"]


def test_a_process_that_ignores_its_signal_is_killed_after_its_grace(start):
    running = start()
    with running.control() as control:
        control.attach("test")
        control.start((running.spec("a", STUBBORN, grace_s=0.1),))
        control.stop(("a",))

        assert [status.exit for status in control.status().processes] == [-signal.SIGKILL]


def test_what_a_process_left_behind_is_ended_with_it(start):
    running = start()
    with running.control() as control:
        control.attach("test")
        control.start((running.spec("a", LEAVER), running.spec("b")))
        orphan = running.pid_of("a")
        control.stop(("a",))

        assert gone(orphan)
        assert not gone(running.pid_of("b"))


def test_what_a_killed_process_left_behind_is_ended_too(start):
    running = start()
    with running.control() as control:
        control.attach("test")
        control.start((running.spec("a", LEAVER),))
        orphan = running.pid_of("a")
        os.kill(control.status().processes[0].pid, signal.SIGKILL)

        assert next_death(control).name == "a"
        until(lambda: gone(orphan))


def test_no_child_outlives_a_killed_supervisor(start):
    running = start()
    with running.control() as control:
        control.attach("test")
        control.start((running.spec("a"), running.spec("b", STUBBORN)))
        os.kill(running.pid, signal.SIGKILL)

        assert next_death(control).describe() == "supervisor: gone, and the cluster with it"
        with pytest.raises(ClusterError):
            control.status()
    until(lambda: gone(running.pid_of("a")) and gone(running.pid_of("b")))


def test_the_orphans_of_a_killed_supervisor_are_reaped(start):
    running = start()
    with running.control() as control:
        control.attach("test")
        control.start((running.spec("a", LEAVER),))
        orphan = running.pid_of("a")
        os.kill(running.pid, signal.SIGKILL)
        until(lambda: running.pid is None)
    assert not gone(orphan)

    (reaped,) = (r for r in reap(running.folder.parent) if r.cluster == running.folder.name)

    assert f"a (pid {orphan})" in reaped.processes
    assert gone(orphan)
    assert not running.folder.exists()


def test_sigterm_ends_everything_in_order(start):
    running = start()
    with running.control() as control:
        control.attach("test")
        control.start((running.spec("a"),))
        pid = running.pid
        os.kill(pid, signal.SIGTERM)
        until(lambda: gone(pid))

    assert gone(running.pid_of("a"))
    assert not Path(running.socket).exists()


def test_a_cluster_ends_after_its_last_lease(start):
    running = start()
    with running.control() as control:
        control.attach("one")
        control.start((running.spec("a"),))
        with running.control() as other:
            other.attach("two")
        assert control.status().leases == ("one",)
        pid = running.pid

    until(lambda: gone(pid))
    assert gone(running.pid_of("a"))


def test_a_killed_holder_of_the_last_lease_takes_the_cluster_along(start):
    running = start()
    program = (
        "import sys, time; from pytest_flyteperf.engine.control import Control;"
        "c = Control(sys.argv[1]); c.attach('holder'); print('held', flush=True); time.sleep(600)"
    )
    with (
        running.control() as control,
        subprocess.Popen(
            (sys.executable, "-c", program, running.socket), stdout=subprocess.PIPE
        ) as holder,
    ):
        assert holder.stdout.readline() == b"held\n"
        control.start((running.spec("a"),))
        pid = running.pid
        holder.kill()

    until(lambda: gone(pid))
    assert gone(running.pid_of("a"))


def test_a_cluster_whose_starter_dies_while_it_starts_ends(start):
    running = start()
    never = FileProbe(path=str(running.folder / "never"))
    with running.control() as control:
        control.attach("starter")
        control._send(Request(do="start", processes=(running.spec("a", probe=never),)))
        pid, child = running.pid, running.pid_of("a")

    until(lambda: gone(pid))
    assert gone(child)


def test_a_cluster_that_nobody_ever_holds_ends(start):
    running = start(first_lease_s=0.0)

    until(lambda: running.pid is None)


def test_a_kept_cluster_outlives_its_leases(start):
    running = start()
    with running.control() as control:
        control.attach("test")
        control.keep()
        control.start((running.spec("a"),))

    with running.control() as control:
        assert control.status().leases == ()
        assert control.status().keep
        assert not gone(running.pid_of("a"))
        control.shutdown()
    assert gone(running.pid_of("a"))


def test_traces_of_a_kept_cluster_last_as_long_as_a_lease(start):
    running = start(keep=True)
    method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    with running.control() as one:
        one.attach("one")
        traces = until(lambda: one.status().traces)
        with grpc.insecure_channel(traces.endpoint.removeprefix("http://")) as channel:
            channel.unary_unary(method)(b"", timeout=PATIENCE_S)
        size = one.status().traces.bytes
        with running.control() as two:
            two.attach("two")
            one.detach(0.0)
            assert two.status().traces.bytes == Path(traces.file).stat().st_size == size > 0
        until(lambda: not one.status().leases)

        assert one.status().traces.bytes == Path(traces.file).stat().st_size == 0


def test_a_lease_handed_over_leaves_time_for_the_next(start):
    running = start(linger_s=0.0)
    with running.control() as control:
        control.attach("first")
        control.detach(linger_s=PATIENCE_S)
    with running.control() as control:
        control.attach("second")
        assert control.status().leases == ("second",)
        pid = running.pid
    until(lambda: gone(pid))


def test_a_process_sees_no_signal_or_file_of_the_supervisor(start):
    running = start()
    program = (
        "import os, sys; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1], os.getpgrp() =="
        " os.getpid(), [l for l in open('/proc/self/status') if l[:6] in ('SigBlk',)], flush=True)"
    ) + SLEEPER
    with running.control() as control:
        control.attach("test")
        control.start((running.spec("a", program),))

    assert (running.logs / "a.log").read_text() == (
        "[0, 1, 2] True ['SigBlk:\\t0000000000000000\\n']\n"
    )


def test_a_request_that_cannot_be_read_is_refused(start):
    running = start()
    with running.control() as control:
        control._socket.sendall(b"[] nonsense\n")
        assert control._receive().error.startswith("request cannot be read")
        control._socket.sendall(b'{"do": "dance"}\n')
        assert control._receive().error == "dance: no such request"
        assert control.status().cluster == "test"


def test_a_process_is_journaled_before_it_starts(start):
    running = start()
    with running.control() as control:
        control.attach("test")
        control.start((running.spec("a"),))
    pid = running.pid_of("a")

    announced, started = (
        entry for entry in read(running.folder) if isinstance(entry, Started) and entry.name == "a"
    )
    assert announced == Started(name="a")
    assert started.pid == pid


def test_a_tcp_probe_waits_for_the_listener(start):
    running = start()
    path = running.folder / "listener"
    program = (
        "import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]);"
        "s.listen(); time.sleep(600)"
    )
    spec = running.spec("a", probe=TcpProbe(address=f"unix:{path}"))
    spec = msgspec.structs.replace(spec, argv=(sys.executable, "-c", program, str(path)))
    with running.control() as control:
        control.attach("test")
        (status,) = control.start((spec,))

    assert status.state == "ready"


def test_nobody_on_the_socket_is_one_clear_line(tmp_path):
    with pytest.raises(ClusterError, match="no supervisor answers"):
        Control(str(tmp_path / "nothing"))
