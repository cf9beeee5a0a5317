"""No case is measured on a FlytePropeller that has run another."""

from pathlib import Path

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


def started(project):
    """How many Flytes a cluster has had."""
    return len(list(Path(project.cluster().directory, "flytes").iterdir()))


def pages(project):
    """Sizes of the metrics that Propeller served before each repeat, oldest run first."""
    return [(r / "metrics.before.prom.gz").stat().st_size for r in project.recordings()]


def test_each_case_has_a_flyte_of_its_own(standing_project):
    project = standing_project
    project.write("test_it.py", CASES)
    code, output = project.run()
    assert ran(code, output), output
    before = started(project)

    code, output = project.run()
    assert ran(code, output), output

    assert started(project) == before + 2  # the first case takes the one that is up
    *_, second, third = pages(project)
    assert third == pytest.approx(second, rel=0.1)


def test_cases_of_workers_share_one_flyte_that_none_takes_from_the_other(standing_project):
    project = standing_project
    project.write("test_it.py", CASES)
    code, output = project.run("-k", "1")
    assert ran(code, output), output
    before = started(project)

    code, output = project.run("-n", "2", "-k", "1 or 2")

    assert ran(code, output), output
    assert started(project) == before
