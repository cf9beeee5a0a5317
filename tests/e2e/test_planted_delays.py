"""Delays of known size within FlytePropeller, against a stored baseline: how often each is told."""

import re
from statistics import median

import pytest
from checkout import BLOB_WRITE, CRD_WRITE, EVALUATE
from project import measured

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(1800)]

TOLERANCE = 0.2
RUNS = 10
BENCHMARK = f"""
    import pytest
    from flytekit import workflow
    from flows import echo

    @workflow
    def chain(a: int) -> int:
        for _ in range(12):
            a = echo(a=a)
        return a

    @pytest.mark.flyteperf(repeats=10, tolerance={TOLERANCE}, gate=["handle_ns"])
    def test_echo_chain(flyteperf):
        assert flyteperf(chain, a=3) == 3
"""


@pytest.fixture(scope="module")
def recorded(shared_project):
    """A project whose case has a baseline of four sessions, and what its last session measured."""
    shared_project.write("test_it.py", BENCHMARK)
    for update in ("all", "join", "join", "join"):
        code, output = measured(shared_project, f"--flyteperf-update={update}")
        assert code == 0, output
    return shared_project, shared_project.case()


@pytest.fixture
def verdicts(recorded, flyte, tmp_path):
    """Makes verdicts of ten runs of a Flyte whose working time is longer by a share."""
    project, case = recorded

    def make(place, share):
        planted = flyte.copy(tmp_path / "planted")
        planted.slow_down(place, share, case)
        found = []
        for _ in range(RUNS):
            _, output = measured(project, "--flyteperf-baseline", f"--flyteperf-flyte={planted}")
            if "cannot be decided with" in output:
                pytest.skip("repeats differ too much on this machine for a tolerance of 20 %")
            found.append(project.case())
        return found

    return make


def regressed(found):
    return [case for case in found if case["verdict"]["verdict"] == "regressed"]


def named_first(case):
    """The operation that the cause names first."""
    return next(line for line in case["cause"] if "of working time's change" in line)


@pytest.mark.parametrize(
    "place", [CRD_WRITE, EVALUATE, BLOB_WRITE], ids=lambda place: place.operation
)
def test_twice_the_tolerance_is_told_nine_times_of_ten(verdicts, place):
    found = verdicts(place, 2 * TOLERANCE)

    told = regressed(found)
    assert len(told) >= 0.9 * RUNS, [case["verdict"] for case in found]
    named = [case for case in told if re.match(rf"\s*{place.operation}\b", named_first(case))]
    assert len(named) == len(told), [case["cause"] for case in told]


def test_half_of_the_tolerance_is_told_once_in_ten_at_most(verdicts):
    found = verdicts(CRD_WRITE, TOLERANCE / 2)

    assert len(regressed(found)) <= 0.1 * RUNS, [case["verdict"] for case in found]
    told = {case["verdict"]["verdict"] for case in found}
    assert told <= {"pass", "inconclusive", "regressed"}
    shifts = [
        metric["ratio"]
        for case in found
        for metric in case["verdict"]["metrics"]
        if metric["metric"] == "handle_ns"
    ]
    assert median(shifts) > 1, shifts
