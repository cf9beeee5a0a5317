"""Workflows that fail: the test fails with one line that says how, and the next case goes on."""

import pytest

pytestmark = pytest.mark.engine


def test_each_failure_has_its_line_and_others_go_on(standing_project):
    standing_project.write(
        "test_it.py",
        """
        import pytest
        from flytekit import ContainerTask, workflow
        from flows import add_once, die_once, exit_once, never_end, raise_once

        shell = ContainerTask(name="shell", image="alpine:3", command=["true"])

        @workflow
        def unserializable(a: int) -> int:
            return a + add_once(a=a)

        @workflow
        def in_alpine():
            shell()

        def test_raises(flyteperf):
            flyteperf(raise_once, a=1)

        def test_exits(flyteperf):
            flyteperf(exit_once, a=1)

        def test_dies(flyteperf):
            flyteperf(die_once, a=1)

        @pytest.mark.flyteperf(timeout=3)
        def test_never_ends(flyteperf):
            flyteperf(never_end, a=1)

        def test_wrong_output(flyteperf):
            assert flyteperf(add_once, a=1) == 3

        def test_wrong_input(flyteperf):
            flyteperf(add_once, b=1)

        def test_wrong_type(flyteperf):
            flyteperf(add_once, a="one")

        def test_does_not_serialize(flyteperf):
            flyteperf(unserializable, a=1)

        def test_needs_an_image(flyteperf):
            flyteperf(in_alpine)

        def test_no_workflow(flyteperf):
            flyteperf("add_once", a=1)

        def test_fine(flyteperf):
            assert flyteperf(add_once, a=1) == 2
        """,
    )
    code, output = standing_project.run("--flyteperf-repeats=1", "--flyteperf-warmups=0")

    assert code == 1
    assert "Traceback" not in output
    lines = output.splitlines()
    for start, said in (
        ("raises: execution ", "planted failure"),
        ("exits: execution ", "exit"),
        ("dies: execution ", "137"),
        ("never_ends: execution ", "did not end within 3 s and was aborted"),
        ("flows.add_once: ", "has no input b; its inputs: a"),
        ("flows.add_once: ", "inputs do not fit: "),
        ("test_it.unserializable: ", "does not serialize: "),
        ("test_it.in_alpine: ", "task shell runs in image alpine:3"),
        ("add_once: ", "neither a flytekit workflow nor a launch plan"),
    ):
        assert [x for x in lines if x.startswith(start) and said in x], (start, output)
    assert "10 failed, 1 passed" in output
