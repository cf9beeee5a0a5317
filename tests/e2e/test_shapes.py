"""What executions consisted of: a case that does not do what it should is found out."""

import pytest

pytestmark = pytest.mark.engine


def test_a_case_that_does_something_else_fails(standing_project):
    standing_project.write(
        "test_it.py",
        """
        from flows import SMALL, add, add_once, raise_once
        from flytekit import dynamic, workflow
        from pathlib import Path

        MARK = Path(__file__).with_suffix(".mark")

        @dynamic(requests=SMALL)
        def one_more_each_time(a: int) -> int:
            with MARK.open("a") as file:
                file.write("x")
            for _ in MARK.read_text():
                add(a=a)
            return a

        @workflow
        def growing(a: int) -> int:
            return one_more_each_time(a=a)

        def test_fails_as_it_should(flyteperf):
            assert flyteperf.failing(raise_once, a=1) == "ValueError: planted failure"
            assert flyteperf.shape.phase == "FAILED"

        def test_does_not_fail(flyteperf):
            flyteperf.failing(add_once, a=1)

        def test_counts(flyteperf):
            flyteperf(add_once, a=1)
            assert flyteperf.shape.pods == 2

        def test_grows(flyteperf):
            flyteperf(growing, a=1)
        """,
    )
    code, output = standing_project.run("--flyteperf-repeats=2", "--flyteperf-warmups=0")

    assert code == 1
    assert "3 failed, 1 passed" in output
    assert "ended SUCCEEDED, but was to end FAILED" in output
    assert "assert 1 == 2" in output
    assert "grows: repeats differ in shape: " in output
    assert "pods 3, earlier 2" in output
