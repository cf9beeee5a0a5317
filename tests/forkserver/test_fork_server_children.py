from __future__ import annotations

import os
import select
import signal
import time

import pytest

from pytest_flyteperf.engine.forkserver import protocol


def shell(script):
    return "sh", "-c", script


def ended(pid, timeout_s=10):
    """Whether a process is gone, or goes soon."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], timeout_s)[0])
    finally:
        os.close(process)


@pytest.mark.parametrize(
    ("script", "code", "number"),
    [
        ("exit 0", 0, 0),
        ("exit 3", 3, 0),
        ("kill -SEGV $$", 139, signal.SIGSEGV),
        ("kill -KILL $$", 137, signal.SIGKILL),
    ],
)
def test_the_end_of_a_child_is_told_as_it_was(client, script, code, number):
    end, _ = client.run(*shell(script))

    assert (end.exit_code, end.signal, end.oom_killed) == (code, number, False)


def test_stamps_enclose_the_command(client):
    before_ns = time.time_ns()
    end, output = client.run(*shell("date +%s%N"))
    after_ns = time.time_ns()

    assert before_ns < end.started_ns < int(output) < end.finished_ns < after_ns


def test_resources_are_those_of_the_child(client):
    busy = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
    end, _ = client.run(*shell(busy))

    assert 0 < end.cpu_ns < end.finished_ns - end.started_ns + 10**8
    assert end.max_rss_bytes > 2**20


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("none-such",), 'exec: "none-such": executable file not found in $PATH'),
        (("/none/such",), 'exec: "/none/such": no such file or directory'),
        (("/",), 'exec: "/": permission denied'),
        ((), "no command specified"),
    ],
)
def test_what_cannot_run_is_refused(client, argv, message):
    end, _ = client.run(*argv)

    assert isinstance(end, protocol.Refused)
    assert end.message == message


def test_a_log_that_cannot_be_written_is_a_refusal(client):
    client.send(protocol.Start("unlogged", ("true",), {}, "/no/such/folder/log"))

    assert client.end("unlogged").message == "No such file or directory: /no/such/folder/log"


def test_a_request_that_is_not_understood_harms_nobody(client):
    client._socket.sendall(b"nonsense\n")

    assert client.run("true")[0].exit_code == 0


def test_the_child_sees_its_own_environment_alone(client):
    _, output = client.run("env", env={"X": "1"})

    names = {line.partition("=")[0] for line in output.splitlines()}
    assert "X" in names
    assert names <= {*client.hello.environment, "X", "TMPDIR", "PWD", "SHLVL", "_"}


def test_the_child_holds_standard_streams_alone(client):
    _, output = client.run(*shell("ls -l /proc/self/fd"))

    places = [line.split()[-1] for line in output.splitlines()[1:]]
    assert places[0] == "/dev/null"
    assert places[1] == places[2] == str(client.log("k0").parent / places[1].split("/")[-1])
    assert len(places) == 4  # and the folder that ls reads


def test_the_child_leads_a_session(client):
    _, output = client.run(*shell("cut -d' ' -f1,5,6 /proc/$$/stat"))

    pid, group, session = output.split()
    assert pid == group == session


def test_daemons_do_not_outlive_their_container(client, tmp_path):
    daemon = "(setsid sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000' &)"
    wait = "while ! [ -e one ] || ! [ -e two ]; do sleep 0.01; done"
    script = f"{daemon.format('one')}; {daemon.format('two')}; {wait}"
    client.run(*shell(script), cwd=str(tmp_path))

    assert all(ended(int((tmp_path / name).read_text())) for name in ("one", "two"))


def test_a_child_that_will_not_end_is_killed_after_its_grace(client, tmp_path):
    key = client.start(
        *shell("trap '' TERM; touch up; while :; do sleep 0.01; done"), cwd=str(tmp_path)
    )
    client.run(*shell("while ! [ -e up ]; do sleep 0.01; done"), cwd=str(tmp_path))
    asked_ns = time.time_ns()
    client.send(protocol.Stop(key, grace_ns=200_000_000))

    end = client.end(key)

    assert (end.signal, end.oom_killed) == (signal.SIGKILL, False)
    assert end.finished_ns - asked_ns >= 200_000_000


def test_a_child_that_ends_in_time_ends_its_own_way(client, tmp_path):
    key = client.start(
        *shell("trap 'exit 9' TERM; touch up; while :; do sleep 0.01; done"), cwd=str(tmp_path)
    )
    client.run(*shell("while ! [ -e up ]; do sleep 0.01; done"), cwd=str(tmp_path))
    client.send(protocol.Stop(key, grace_ns=60_000_000_000))

    assert client.end(key).exit_code == 9


def test_a_client_that_connects_later_is_told_all(client, server, tmp_path):
    running = client.start("sleep", "1000")
    finished = client.start(*shell("exit 5"))
    while not isinstance(client.next(), protocol.Exited):
        pass
    late = type(client)(server.socket, tmp_path)

    assert [event.key for event in late.hello.running] == [running]
    assert [(event.key, event.exit_code) for event in late.hello.ended] == [(finished, 5)]

    late.send(protocol.Forget(finished))
    late.send(protocol.Stop(running))
    assert late.end(running).signal == signal.SIGKILL
    later = type(client)(server.socket, tmp_path)
    assert (later.hello.running, later.hello.ended) == ((), ())
    late.close()
    later.close()


def test_a_request_made_twice_runs_once(client, tmp_path):
    script = shell(f"echo x >> {tmp_path}/count")
    client.start(*script, key="twice")
    client.start(*script, key="twice")
    client.end("twice")
    client.run("true")

    assert (tmp_path / "count").read_text() == "x\n"


def test_many_children_at_once_are_all_told(client):
    keys = {client.start(*shell(f"exit {place % 200}")): place % 200 for place in range(200)}

    codes = {}
    while len(codes) < len(keys):
        event = client.next()
        if isinstance(event, protocol.Exited):
            codes[event.key] = event.exit_code
            client.send(protocol.Forget(event.key))

    assert codes == keys


def test_children_end_with_a_server_that_is_killed(own_server, own_client):
    key = own_client.start("sleep", "1000")
    started = own_client.next()
    assert (type(started), started.key) == (protocol.Started, key)
    own_server.process.kill()

    assert ended(started.pid)


def test_a_server_that_is_asked_to_end_takes_everything_along(own_server, own_client, tmp_path):
    script = "setsid sleep 1000 & echo $! > left; exec sleep 1000"
    own_client.start(*shell(script), cwd=str(tmp_path))
    started = own_client.next()
    own_client.run(*shell("while ! [ -s left ]; do sleep 0.01; done"), cwd=str(tmp_path))

    assert own_server.stop() == 0

    assert ended(started.pid)
    assert ended(int((tmp_path / "left").read_text()))
    assert not own_server.socket.exists()
    assert not own_server.ready.exists()
