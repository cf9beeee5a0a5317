"""A user's project in a folder of its own, and pytest running in it as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_flyteperf.engine.control import Control
from pytest_flyteperf.model import Cluster
from pytest_flyteperf.provision import local

WORKFLOWS = """
import os, signal, sys, time
from flytekit import Resources, task, workflow
from flytekit.core.task import Echo

echo = Echo(name="echo", inputs={"a": int})
SMALL = Resources(cpu="10m", mem="10Mi")

@task(requests=SMALL)
def add(a: int) -> int:
    return a + 1

@task(requests=SMALL, cache=True, cache_version="1")
def add_cached(a: int) -> int:
    return a + 1

@task(requests=SMALL)
def raises(a: int) -> int:
    if a:
        raise ValueError("planted failure")
    return a

@task(requests=SMALL)
def exits(a: int) -> int:
    os._exit(3)
    return a

@task(requests=SMALL)
def dies(a: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return a

@task(requests=SMALL)
def endless(a: int) -> int:
    time.sleep(600)
    return a

@workflow
def echo_once(a: int) -> int:
    return echo(a=a)

@workflow
def add_once(a: int) -> int:
    return add(a=a)

@workflow
def raise_once(a: int) -> int:
    return raises(a=a)

@workflow
def exit_once(a: int) -> int:
    return exits(a=a)

@workflow
def die_once(a: int) -> int:
    return dies(a=a)

@workflow
def never_end(a: int) -> int:
    return endless(a=a)
"""


@dataclass
class Project:
    """A folder with workflows and benchmarks, and the environment to run them in."""

    folder: Path
    state: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(textwrap.dedent(text))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start pytest on the project's benchmarks."""
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def start_and_record(self, *arguments: str) -> subprocess.Popen[str]:
        """Start pytest and wait until its first repeat is finished."""
        process = self.start(*arguments)
        until(lambda: self.recordings() or process.poll() is not None)
        assert process.poll() is None, process.communicate()[0]
        return process

    def stop(self) -> None:
        """End what was started and still runs."""
        for process in self.started:
            process.kill()
            process.wait()
            process.stdout.close()

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run pytest to its end: its exit code and all it printed."""
        with self.start(*arguments) as process:
            output, _ = process.communicate(timeout=600)
        return process.returncode, output

    def ab(self, base: object, head: object, *arguments: str) -> dict[str, object]:
        """Measure this project on two Flytes in turns; what `flyteperf ab --json` says."""
        sides = (f"--base={base}", f"--head={head}")
        own = [argument for argument in arguments if argument.startswith("--")]
        pytest = [argument for argument in arguments if argument not in own]
        command = [sys.executable, "-m", "pytest_flyteperf.cli", "ab", "--json", *sides, *own]
        done = subprocess.run(
            [*command, "--", ".", "-p", "no:cacheprovider", *pytest],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=2400,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.stdout.startswith("{"), done.stderr
        return {**json.loads(done.stdout), "said": done.stderr}

    def case(self) -> dict[str, Any]:
        """What the latest run's results tell of its only case."""
        path = max(self.folder.glob(".flyteperf/runs/*/results.json"))
        (case,) = json.loads(path.read_text())["cases"].values()
        return case

    def recordings(self) -> list[Path]:
        """Folders of finished repeats, warm-ups left out."""
        return sorted(
            p.parent for p in self.folder.glob(".flyteperf/runs/*/*/[0-9]*/recording.json")
        )

    def cluster(self) -> Cluster:
        """The cluster that a run of this project brought up."""
        (cluster,) = local.running()
        return cluster

    def pid(self, name: str) -> int:
        """Process id of one of the cluster's processes, or of its supervisor."""
        with Control(str(self.cluster().control_socket)) as control:
            status = control.status()
        if name == "supervisor":
            return status.pid
        return next(p.pid for p in status.processes if p.name == name and p.pid is not None)

    def processes(self) -> list[str]:
        """Command lines of all that still runs of this project's clusters."""
        found = []
        for process in psutil.process_iter():
            try:
                mine = process.environ().get("FLYTEPERF_STATE") == str(self.state)
                if mine and process.pid != os.getpid() and "FLYTEPERF_PROCESS" in process.environ():
                    found.append(" ".join(process.cmdline()))
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found


def ran(code, output):
    """Whether a run did all its work, on a machine that may be too busy to measure on."""
    return code == 0 or "measurement invalid" in output


def measured(project, *arguments, tries=3):
    """Code and output of a run whose repeats stand, however busy the machine is for a while."""
    for _ in range(tries):
        code, output = project.run(*arguments)
        if "measurement invalid" not in output:
            return code, output
    return pytest.skip(f"too busy to measure on: {tries} runs of invalid repeats")


def until(what, *, seconds=400.0, every=0.05):
    """Wait until `what` returns something true, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
