"""Whatever is killed in mid-run: one clear line, finished repeats kept, nothing left running."""

import signal

import pytest
from project import kill, ran, until

from pytest_flyteperf.provision import local

pytestmark = pytest.mark.engine

BENCHMARK = """
    import pytest
    from flows import echo_once

    @pytest.mark.flyteperf(repeats=500, warmups=0)
    def test_echo(flyteperf):
        assert flyteperf(echo_once, a=3) == 3
"""
VICTIMS = (
    "etcd",
    "kube-apiserver",
    "s3-gateway",
    "admin",
    "propeller",
    "kubelet",
    "forkserver",
    "supervisor",
)


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_killed_process_ends_the_run_with_its_name(project, victim):
    project.write("test_it.py", BENCHMARK)
    run = project.start_and_record()
    kill(project.pid(victim))
    output, _ = run.communicate(timeout=600)

    assert run.returncode == 1, output
    said = "gone, and the cluster with it" if victim == "supervisor" else "killed by SIGKILL"
    assert [x for x in output.splitlines() if x.startswith(f"echo: {victim}: {said}")], output
    assert "Traceback" not in output
    assert "1 error" in output
    assert project.recordings()
    until(lambda: not project.processes())


def test_a_case_whose_worker_was_killed_is_in_the_table(project):
    project.write(
        "test_it.py",
        """
        import os, signal
        import pytest
        from flows import echo_once

        @pytest.mark.flyteperf(repeats=1, warmups=0)
        def test_lost(flyteperf):
            flyteperf(echo_once, a=3)
            os.kill(os.getpid(), signal.SIGKILL)

        @pytest.mark.flyteperf(repeats=1, warmups=0)
        def test_kept(flyteperf):
            assert flyteperf(echo_once, a=3) == 3
        """,
    )
    code, output = project.run("-n1")

    assert code == 1, output
    rows = [line.split() for line in output.splitlines()]
    assert ["lost", "failed"] in [row[:2] for row in rows], output
    assert "kept" in [row[0] for row in rows if row], output


def test_a_killed_pytest_leaves_nothing_running_and_keeps_its_repeats(project):
    project.write("test_it.py", BENCHMARK)
    run = project.start_and_record()
    run.kill()
    run.communicate()

    until(lambda: not project.processes())
    assert project.recordings()


def test_a_killed_supervisor_and_pytest_leave_nothing_after_the_next_start(project):
    project.write("test_it.py", BENCHMARK)
    run = project.start_and_record()
    supervisor = project.pid("supervisor")
    run.kill()
    kill(supervisor)
    run.communicate()
    code, output = project.run("--flyteperf-repeats=1")

    assert ran(code, output), output
    until(lambda: not project.processes())
    left = [p for folder in (project.state / "clusters").glob("*/") for p in folder.iterdir()]
    assert {p.name for p in left} <= {"logs"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_unwinds(project, number):
    project.write("test_it.py", BENCHMARK)
    run = project.start_and_record()
    run.send_signal(number)
    output, _ = run.communicate(timeout=600)

    assert run.returncode != 0
    assert "Traceback" not in output
    assert project.recordings()
    until(lambda: not project.processes())
    assert local.running() == ()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_the_cluster_starts_unwinds(project, number):
    project.write("test_it.py", BENCHMARK)
    run = project.start()
    while "starting the cluster" not in (line := run.stdout.readline()):
        assert line, "the run ended before it started anything"
    run.send_signal(number)
    output, _ = run.communicate(timeout=600)

    assert run.returncode != 0
    assert "Traceback" not in output
    assert project.recordings() == []
    until(lambda: not project.processes())
    assert local.running() == ()
