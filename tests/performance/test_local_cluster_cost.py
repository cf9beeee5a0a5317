"""What a local cluster costs: its start, and then its CPU and memory while nothing runs on it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pytest_flyteperf.engine.build import ensure_engine
from pytest_flyteperf.engine.process import CLUSTER_MARKER, PROCESS_MARKER
from pytest_flyteperf.engine.procfs import own_processes, variable
from pytest_flyteperf.provision import local

IDLE_S = 60


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture(scope="module")
def engine():
    return ensure_engine()


def processes(cluster) -> dict[int, str]:
    """Process ids of a cluster, with their names."""
    return {
        pid: variable(pid, PROCESS_MARKER)
        for pid in own_processes()
        if (variable(pid, CLUSTER_MARKER) or "").startswith(f"{cluster.name}.")
    }


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_mib(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in rollup if line.startswith("Pss:"))


def test_start(benchmark, engine, state):
    """From nothing to ready, programs and flytekit's files warm."""
    clusters = []

    def up() -> None:
        clusters.append(local.up(engine, state))

    def down() -> None:
        if clusters:
            local.down(clusters.pop())

    benchmark.pedantic(up, setup=down, rounds=5, warmup_rounds=1)
    used = {name: cpu_s(pid) for pid, name in processes(clusters[0]).items()}
    down()

    benchmark.extra_info["cpu_s"] = {name: round(seconds, 2) for name, seconds in used.items()}
    benchmark.extra_info["cpu_s_of_all"] = round(sum(used.values()), 2)


def test_found_again(benchmark, engine, state):
    """What a session pays whose cluster is up already: to join it and to hold it."""
    cluster = local.up(engine, state)
    with local.hold(cluster, "test"):

        def join() -> None:
            local.hold(local.up(engine, state), "joined").close()

        benchmark.pedantic(join, rounds=30, warmup_rounds=2)
    local.down(cluster)


def test_idle(benchmark, engine, state):
    """CPU and memory over a minute of rest; without a Flyte."""
    cluster = local.up(engine, state)
    with local.hold(cluster, "test"):
        names = processes(cluster)
        before = {pid: cpu_s(pid) for pid in names}
        benchmark.pedantic(time.sleep, args=(IDLE_S,), rounds=1)
        percent = {name: 100 * (cpu_s(pid) - before[pid]) / IDLE_S for pid, name in names.items()}
        memory = {name: pss_mib(pid) for pid, name in names.items()}
    local.down(cluster)

    info = benchmark.extra_info
    info["cpu_percent_of_a_core"] = {name: round(value, 2) for name, value in percent.items()}
    info["cpu_percent_of_all"] = round(sum(percent.values()), 2)
    info["pss_mib"] = {name: round(value, 1) for name, value in memory.items()}
    info["pss_mib_of_all"] = round(sum(memory.values()))
