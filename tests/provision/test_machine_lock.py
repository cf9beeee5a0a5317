from __future__ import annotations

import re
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from pytest_flyteperf.errors import BusyError
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


def test_the_lock_is_taken_again_and_again(tmp_path):
    lock = MachineLock("one", folder=tmp_path / "new")
    for _ in range(2):
        with (
            lock,
            pytest.raises(BusyError, match=r"^one \(pid "),
            MachineLock("two", folder=tmp_path / "new"),
        ):
            pytest.fail("both measured")
