"""Workflows of the user's: swept over sizes, or registered already."""

import pytest

pytestmark = pytest.mark.engine


def test_growth_is_one_case_and_registered_workflows_are_run_by_name(project):
    project.write(
        "test_it.py",
        """
        from flytekit import workflow
        from flows import echo

        def chain_of(length):
            @workflow
            def chain(a: int) -> int:
                for _ in range(length):
                    a = echo(a=a)
                return a
            return chain

        def test_links(flyteperf):
            for length in flyteperf.over(short=(2, 6), default=(1, 2), full=(1, 2)):
                assert flyteperf(chain_of(length), a=7) == 7
                assert flyteperf.shape.nodes["task"] == length

        def test_registered(flyteperf):
            chain = flyteperf.registered("test_it.chain")
            assert flyteperf(chain, a=7) == 7

        def test_wrong_type(flyteperf):
            chain = flyteperf.registered("test_it.chain")
            flyteperf(chain, a="seven")

        def test_absent(flyteperf):
            flyteperf(flyteperf.registered("nobody.knows", "v1"), a=7)

        def test_one_size(flyteperf):
            for length in flyteperf.over(short=(2,), default=(2,), full=(2,)):
                flyteperf(chain_of(length), a=7)
        """,
    )
    code, output = project.run(
        "--flyteperf-short", "--flyteperf-repeats=2", "--flyteperf-warmups=0", "-v"
    )

    assert code == 1
    assert "3 failed, 2 passed" in output
    assert "nobody.knows: no launch plan or workflow of this name and version v1" in output
    assert "inputs do not fit" in output
    assert "one_size: flyteperf.over([2]): give two sizes or more, each once" in output
    (links,) = project.folder.glob(".flyteperf/runs/*/links/case.json")
    assert len(list(links.parent.glob("links-[26]/[01]/recording.json"))) == 4
    assert "\nlinks " in output
