from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from pytest_flyteperf.errors import BusyError, ClusterError
from pytest_flyteperf.provision.machine_lock import MachineLock

HOLDER = """
import sys
from pathlib import Path
from pytest_flyteperf.provision.machine_lock import MachineLock
with MachineLock("pytest benchmarks/", folder=Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder):
    """Another process that holds the lock."""
    command = (sys.executable, "-c", HOLDER, str(folder))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_run_is_told_who_measures(tmp_path):
    with holder(tmp_path) as other:
        said = f"pytest benchmarks/ (pid {other.pid}) is measuring on this machine"
        with (
            pytest.raises(BusyError, match=f"^{re.escape(said)}; wait for it to end"),
            MachineLock("second", folder=tmp_path),
        ):
            pytest.fail("both measured")


def test_a_killed_holder_frees_the_machine(tmp_path):
    with holder(tmp_path) as other:
        other.kill()
        other.wait()
        with MachineLock("next", folder=tmp_path):
            pass


def test_a_run_waits_for_its_turn_and_says_for_whom(tmp_path):
    told = []
    with holder(tmp_path) as other:
        heard = threading.Event()

        def progress(message: str) -> None:
            told.append(message)
            heard.set()

        def let_go() -> None:
            heard.wait(30)
            other.stdin.close()

        releasing = threading.Thread(target=let_go)
        releasing.start()
        with MachineLock("second", wait_s=60, progress=progress, folder=tmp_path):
            pass
        releasing.join()
    assert told[0].startswith("waiting for pytest benchmarks/ (pid ")


def test_a_run_that_goes_on_stands_behind_one_that_waits(tmp_path):
    took = []
    waits = threading.Event()

    def wait_for_turn() -> None:
        with MachineLock("waiting", wait_s=60, progress=lambda _: waits.set(), folder=tmp_path):
            took.append("waiting")

    with MachineLock("first", folder=tmp_path):
        waiting = threading.Thread(target=wait_for_turn)
        waiting.start()
        assert waits.wait(30)
    with MachineLock("first", wait_s=60, folder=tmp_path):
        took.append("first again")
    waiting.join()

    assert took == ["waiting", "first again"]


def test_a_wait_that_was_given_up_keeps_nobody_out(tmp_path):
    with (
        MachineLock("first", folder=tmp_path),
        pytest.raises(BusyError, match=r"^first "),
        MachineLock("impatient", wait_s=0.1, folder=tmp_path),
    ):
        pytest.fail("both measured")
    with MachineLock("next", wait_s=60, folder=tmp_path):
        pass


def test_a_lock_that_another_user_made_can_be_taken_without_writing_to_it(tmp_path, monkeypatch):
    with MachineLock("other user", folder=tmp_path):
        pass
    really_open = os.open

    def foreign(path, flags, *mode):
        if flags & (os.O_RDWR | os.O_WRONLY):
            raise PermissionError(13, "Permission denied", str(path))
        return really_open(path, flags, *mode)

    monkeypatch.setattr(os, "open", foreign)
    with (
        MachineLock("mine", folder=tmp_path),
        pytest.raises(BusyError, match=r"^another run is measuring on this machine"),
        MachineLock("second", folder=tmp_path),
    ):
        pytest.fail("both measured")


def test_a_lock_that_cannot_be_opened_is_one_line(tmp_path):
    (tmp_path / "pytest-flyteperf.entrance.lock").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(ClusterError, match=r"entrance.lock: .*; set FLYTEPERF_LOCK to a folder"),
        MachineLock("one", folder=tmp_path),
    ):
        pytest.fail("it was opened")


def test_names_that_others_wrote_show_no_control_characters(tmp_path):
    with (
        MachineLock("\x1b[31mred\n", folder=tmp_path),
        pytest.raises(BusyError, match=r"^\?\[31mred\? \(pid "),
        MachineLock("second", folder=tmp_path),
    ):
        pytest.fail("both measured")


def test_the_lock_is_taken_again_and_again(tmp_path):
    lock = MachineLock("one", folder=tmp_path / "new")
    for _ in range(2):
        with (
            lock,
            pytest.raises(BusyError, match=r"^one \(pid "),
            MachineLock("two", folder=tmp_path / "new"),
        ):
            pytest.fail("both measured")
