"""No case is measured on a FlytePropeller that has run another."""

import pytest
from project import ran

pytestmark = pytest.mark.engine

CASES = """
    import pytest
    from flows import echo_once

    @pytest.mark.parametrize("a", [1, 2, 3])
    @pytest.mark.flyteperf(repeats=1, warmups=0)
    def test_echo(flyteperf, a):
        assert flyteperf(echo_once, a=a) == a
"""


def first_pages(project):
    """Sizes of the metrics that Propeller served before each case's first repeat, oldest run first.

    A repeat that is measured anew finds more of them: what the one before it left.
    """
    firsts = {recording.parent: recording for recording in reversed(project.recordings())}
    return [
        (recording / "metrics.before.prom.gz").stat().st_size
        for _, recording in sorted(firsts.items())
    ]


def run(project, *arguments):
    code, output = project.run(*arguments)
    assert ran(code, output), output
    return project.pid("propeller"), project.pid("admin")


def test_each_case_has_a_propeller_of_its_own_and_all_the_same_admin(standing_project):
    project = standing_project
    project.write("test_it.py", CASES)
    propeller, admin = run(project, "-k=1")
    assert run(project, "-k=1") == (propeller, admin)  # a first case takes the one that is up

    later, same_admin = run(project)

    assert later != propeller
    assert same_admin == admin
    *_, second, third = first_pages(project)
    assert third == pytest.approx(second, rel=0.1)


def test_cases_of_workers_share_one_that_none_takes_from_the_other(standing_project):
    project = standing_project
    project.write("test_it.py", CASES)
    before = run(project, "-k=1")

    assert run(project, "-n=2", "-k=1 or 2") == before
