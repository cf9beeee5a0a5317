"""What a user waits for, and what the engine takes from the machine; on an idle machine.

`pytest tests/performance/test_user_performance.py --benchmark-only` writes the figures of
docs/performance.md. Nothing here is asserted but that the work was done.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from project import until

from pytest_flyteperf.engine.control import Control
from pytest_flyteperf.provision import local

ONE_TASK = """
    import pytest
    from flows import add_once

    @pytest.mark.flyteperf(repeats=1, warmups=0)
    def test_add(flyteperf):
        assert flyteperf(add_once, a=1) == 2
"""
WIDE = """
    import pytest
    from flytekit import map_task, workflow
    from flows import add

    @workflow
    def wide(numbers: list[int]) -> list[int]:
        return map_task(add, concurrency=0)(a=numbers)

    @pytest.mark.flyteperf(repeats=1, warmups=0, timeout=1200)
    def test_wide(flyteperf):
        assert flyteperf(wide, numbers=list(range(1000))) == list(range(1, 1001))
"""
IDLE_S = 60


def flyteperf(project, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "pytest_flyteperf.cli", *arguments],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def recordings(project):
    return [json.loads((p / "recording.json").read_text()) for p in project.recordings()]


def waited_s(case_json):
    """Phase wait and trace delay of a one-repeat case, in seconds."""
    (one,) = json.loads(case_json.read_text())["repeats"]
    return (one["repeat"]["phase_wait_ns"] + one["repeat"]["trace_wait_ns"]) / 1e9


@pytest.mark.parametrize("plugin", ["with", "without"])
def test_an_idle_plugin(benchmark, tmp_path, plugin):
    (tmp_path / "test_plain.py").write_text("def test_plain(): pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_plain.py"]
    command += [] if plugin == "with" else ["-p", "no:flyteperf"]
    # Else Python compiles the plugin's modules anew in each run.
    env = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}

    benchmark.pedantic(
        lambda: subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=True),
        rounds=20,
        warmup_rounds=2,
    )


def test_help_of_the_command(benchmark):
    command = [sys.executable, "-m", "pytest_flyteperf.cli", "--help"]
    benchmark.pedantic(
        lambda: subprocess.run(command, capture_output=True, check=True), rounds=20, warmup_rounds=2
    )


def test_one_case_with_a_deployment_up(benchmark, project):
    project.write("test_it.py", ONE_TASK)
    flyteperf(project, "up")
    shares = []

    def run():
        begun = time.perf_counter()
        code, output = project.run()
        took = time.perf_counter() - begun
        assert code == 0, output
        newest = max(project.folder.glob(".flyteperf/runs/*/*/case.json"))
        waited = waited_s(newest)
        shares.append((took - waited, waited))

    benchmark.pedantic(run, rounds=10, warmup_rounds=1)
    measured = shares[1:]
    benchmark.extra_info["median_without_waits_s"] = statistics.median(s for s, _ in measured)
    benchmark.extra_info["median_waits_s"] = statistics.median(w for _, w in measured)


def test_from_nothing_to_the_first_execution_accepted(benchmark, project):
    project.write("test_it.py", ONE_TASK)
    starts = []

    def run():
        # The cluster of the round before lingers for whoever comes next.
        until(lambda: not project.processes())
        begun = time.time()
        code, output = project.run()
        assert code == 0, output
        accepted = max(r["accepted_unix_ns"] for r in recordings(project)) / 1e9
        newest = max(project.folder.glob(".flyteperf/runs/*/*/case.json"))
        (one,) = json.loads(newest.read_text())["repeats"]
        starts.append(accepted - begun - one["repeat"]["phase_wait_ns"] / 1e9)

    benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    benchmark.extra_info["median_s"] = statistics.median(starts[1:])
    benchmark.extra_info["all_s"] = starts[1:]


def test_a_map_of_a_thousand(benchmark, project):
    project.write("test_it.py", WIDE)
    flyteperf(project, "up")

    def run():
        code, output = project.run()
        assert code == 0, output

    benchmark.pedantic(run, rounds=1)
    (case,) = project.folder.glob(".flyteperf/runs/*/*/case.json")
    (one,) = json.loads(case.read_text())["repeats"]
    assert one["measures"]["metrics"]["pods"] == 1000
    benchmark.extra_info["duration_s"] = one["measures"]["metrics"]["duration_ns"] / 1e9


def test_the_engine_at_rest(benchmark, project):
    """CPU of all processes over a minute of rest, as a share of one core; memory after it."""
    flyteperf(project, "up")
    (cluster,) = local.running()
    with Control(str(cluster.control_socket)) as control:
        status = control.status()
    roots = [psutil.Process(status.pid)]
    everything = roots + roots[0].children(recursive=True)
    until(lambda: time.time() - roots[0].create_time() > 30, seconds=60)

    def cpu_s():
        return sum(sum(p.cpu_times()[:2]) for p in everything)

    before = cpu_s()
    benchmark.pedantic(time.sleep, args=(IDLE_S,), rounds=1)
    benchmark.extra_info["cpu_share"] = (cpu_s() - before) / IDLE_S
    pss = {p.name(): p.memory_full_info().pss >> 20 for p in everything}
    benchmark.extra_info["pss_mib"] = sum(pss.values())
    benchmark.extra_info["pss_mib_each"] = pss
    assert Path(cluster.directory).is_dir()
