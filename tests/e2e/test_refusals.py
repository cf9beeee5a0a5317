"""What cannot run: one clear line that says what and what to do, quickly."""

import os

import pytest
from project import ran

from pytest_flyteperf.provision import local
from pytest_flyteperf.provision.machine_lock import MachineLock

pytestmark = pytest.mark.engine

BENCHMARK = """
    import pytest
    from flows import echo_once

    @pytest.mark.flyteperf(repeats=2, warmups=0)
    def test_echo(flyteperf):
        assert flyteperf(echo_once, a=3) == 3
"""


def test_a_second_run_is_refused_with_the_holders_name(standing_project):
    standing_project.write("test_it.py", BENCHMARK)
    with MachineLock("benchmarks/test_chain.py::test_chain"):
        code, output = standing_project.run("--flyteperf-wait=0")

    assert code == 1
    assert "1 error" in output
    holder = f"benchmarks/test_chain.py::test_chain (pid {os.getpid()}) is measuring"
    assert [line for line in output.splitlines() if line.startswith(holder)], output


def test_a_second_run_waits_for_the_first(standing_project):
    standing_project.write("test_it.py", BENCHMARK)
    with MachineLock("another"):
        run = standing_project.start()
        while "waiting for another" not in (line := run.stdout.readline()):
            assert line, "the run ended instead of waiting"
    output, _ = run.communicate(timeout=600)

    assert ran(run.returncode, output), output


def test_results_that_cannot_be_written_are_one_line(standing_project):
    standing_project.write("test_it.py", BENCHMARK)
    standing_project.write("results", "a file")
    code, output = standing_project.run("--flyteperf-out=results")

    assert code == 1
    assert "INTERNALERROR" not in output
    assert "Traceback" not in output
    said = "Not a directory; make room, or give --flyteperf-out another folder"
    assert [line for line in output.splitlines() if line.endswith(said)], output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("propeller: {workers: 1", "config.yaml"),
        ("propeller:\n  wrokers: 1\n", "wrokers"),
        ("flyteadmin:\n  roleNameKey: x\n", "roleNameKey"),
        ("a: &a [1]\nb: *a\n", "config.yaml"),
        ("- 1\n", "config.yaml"),
    ],
    ids=["broken", "unknown propeller key", "unknown admin key", "alias", "no mapping"],
)
def test_a_wrong_config_is_one_line_before_anything_starts(project, text, message):
    project.write("test_it.py", BENCHMARK)
    project.write("config.yaml", text)
    code, output = project.run("--flyteperf-config=config.yaml")

    assert code != 0
    assert "Traceback" not in output
    assert [line for line in output.splitlines() if message in line], output
    assert not (project.state / "clusters").exists() or local.running() == ()


def test_the_second_test_of_a_case_is_refused_and_the_first_goes_on(project):
    project.write("test_it.py", BENCHMARK)
    project.write("test_that.py", BENCHMARK)
    code, output = project.run("--flyteperf-repeats=1")

    assert code == 1
    assert "1 error" in output
    assert "1 passed" in output or "measurement invalid" in output
    said = "test_that.py::test_echo and test_it.py::test_echo are both case 'echo'; rename one"
    assert said in output.splitlines()
