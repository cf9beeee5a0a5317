"""How long a pod waits for its process, and what the node costs."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import pytest

from pytest_flyteperf.engine.forkserver import protocol
from tests.doubles.forks import ForkClient, ForkServerProcess
from tests.doubles.kube_node import KubeNode

ROUNDS = 50


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    started = ForkServerProcess(folder, folder)
    started.wait_ready()
    yield started
    started.stop()


@pytest.fixture
def client(server, tmp_path):
    connected = ForkClient(server.socket, tmp_path)
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with KubeNode(tmp_path_factory.mktemp("node")) as started:
        yield started


def pss_bytes(pid):
    """Proportional set size: a page that n processes share counts as an n-th of it."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if "Pss:" in line)


def percentiles(samples_ns):
    ordered = sorted(samples_ns)
    return {
        f"p{share}_ms": round(ordered[len(ordered) * share // 100] / 1e6, 2)
        for share in (50, 90, 99)
    }


@pytest.mark.parametrize("command", ["true", "pyflyte-execute"])
def test_from_request_to_command(benchmark, client, command):
    """
    Until the last thing before the command: the fork, session, log, closed descriptors.
    """
    waits_ns = []

    def run():
        asked_ns = time.time_ns()
        end, _ = client.run(command, "--help")
        waits_ns.append(end.started_ns - asked_ns)

    benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=3)
    benchmark.extra_info |= percentiles(waits_ns)


def test_waiting_children_in_memory(benchmark, server, client, tmp_path):
    """
    What a task of flytekit adds in proportional set size once its module is being imported.
    """
    (tmp_path / "waits.py").write_text("import signal; signal.pause()")
    task = ("pyflyte-execute", "--inputs", "x", "--output-prefix", str(tmp_path))
    task += ("--raw-output-data-prefix", str(tmp_path))
    before = pss_bytes(server.process.pid)

    def run():
        return [
            client.start(*task, "--resolver", "waits.x", "--", "x", cwd=str(tmp_path))
            for _ in range(20)
        ]

    keys = benchmark.pedantic(run, rounds=1)
    pids = [client.next().pid for _ in keys]
    for pid in pids:
        wait_asleep(pid)
    added = sum(map(pss_bytes, [server.process.pid, *pids])) - before
    benchmark.extra_info["pss_per_child_mib"] = round(added / len(pids) / 2**20, 1)
    for key in keys:
        client.send(protocol.Stop(key))
        client.end(key)


def wait_asleep(pid):
    """Until its main thread waits for a signal, where the module that it imports does."""
    while "pause" not in Path(f"/proc/{pid}/wchan").read_text():
        os.sched_yield()


@pytest.mark.engine
def test_from_binding_to_process(benchmark, node):
    """
    From the watch event of the binding, as any client receives it, to the container's start.
    """
    waits_ns, tells_ns = [], []
    numbers = itertools.count()

    def run():
        name = f"latency-{next(numbers)}"
        node.create(name, ["true"])
        ended = node.wait_phase(name, "Succeeded")
        (_, _), (bound_ns, _), (running_ns, _), _ = node.history(name)
        started_ns = int(ended["metadata"]["annotations"]["flyteperf.dev/started-ns"])
        waits_ns.append(started_ns - bound_ns)
        tells_ns.append(running_ns - started_ns)

    benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=3)
    benchmark.extra_info |= percentiles(waits_ns)
    benchmark.extra_info["running_told"] = percentiles(tells_ns)


@pytest.mark.engine
def test_a_thousand_pods(benchmark, node):
    names = [f"wide-{place}" for place in range(1000)]

    def run():
        for name in names:
            node.create(name, ["true"])
        node.wait_all(names, "Succeeded", 600)

    benchmark.pedantic(run, rounds=1)
    for name in ("kubelet", "forkserver"):
        process = node.processes[name]
        benchmark.extra_info[f"{name}_pss_mib"] = round(pss_bytes(process.pid) / 2**20, 1)
        ticks = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        cpu_s = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        benchmark.extra_info[f"{name}_cpu_s"] = cpu_s
