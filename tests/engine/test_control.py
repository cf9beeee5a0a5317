from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager

import msgspec
import pytest

from pytest_flyteperf.engine.control import Control, Reply, StartError
from pytest_flyteperf.engine.process import ProcessDeath
from pytest_flyteperf.errors import ClusterError

DEATH = ProcessDeath(name="etcd", exit=1, tail=("no space left",))
DIED = Reply(event="died", name="etcd", death=DEATH)


@pytest.fixture
def connect(tmp_path):
    """A client whose supervisor answers its requests, one after another, with these lines."""

    @contextmanager
    def connect(*answers: tuple[Reply, ...], silent: bool = False, timeout_s: float = 30.0):
        def serve(listener: socket.socket, done: threading.Event) -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as requests:
                for answer in answers:
                    requests.readline()
                    lines = [msgspec.json.encode(reply) + b"\n" for reply in answer]
                    connection.sendall(b"".join(lines))
                if silent:
                    done.wait()

        path = str(tmp_path / "socket")
        done = threading.Event()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            serving = threading.Thread(target=serve, args=(listener, done))
            serving.start()
            with Control(path, timeout_s) as control:
                yield control
            done.set()
            serving.join()
        os.unlink(path)  # noqa: PTH108 # one line

    return connect


def test_news_that_comes_with_an_answer_is_kept(connect):
    with connect((Reply(event="ready", name="a"), DIED, Reply(), DIED), silent=True) as control:
        control.attach("test")

        assert [control.death(), control.death(), control.death()] == [DEATH, DEATH, None]


def test_a_failed_start_carries_the_death(connect):
    with connect((DIED, Reply(error="etcd: exited with 1", death=DEATH))) as control:
        with pytest.raises(StartError, match=r"^etcd: exited with 1$") as failure:
            control.start(())

        assert failure.value.death == DEATH


def test_the_supervisors_end_is_a_death(connect):
    with connect((Reply(),)) as control:
        control.attach("test")
        control._socket.recv(1, socket.MSG_PEEK)

        assert control.death().describe() == "supervisor: gone, and the cluster with it"


def test_the_supervisors_end_ends_a_call_at_once(connect):
    with connect(()) as control, pytest.raises(ClusterError, match="ended during stop"):
        control.stop(("a",))


def test_a_shutdown_that_does_not_end_is_given_up(connect):
    with (
        connect((), silent=True) as control,
        pytest.raises(ClusterError, match=r"has not stopped within 0\.1 s"),
    ):
        control.shutdown(0.1)


def test_a_supervisor_that_does_not_answer_is_given_up(connect):
    with (
        connect((), silent=True, timeout_s=0.1) as control,
        pytest.raises(ClusterError, match=r"has not answered within 0\.1 s"),
    ):
        control.status()
