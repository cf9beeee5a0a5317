"""Two Flytes in turns, on the engine: delays and settings of known size are found, and named."""

import json
import os
import re
import tempfile
from statistics import median

import pytest
from checkout import BLOB_WRITE, CRD_WRITE, RELEASE, ROUND
from project import ran

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(2400)]

HALF = 0.5
TENTH = 0.1
SHARP = ("--blocks=16", "--repeats=8")
BENCHMARK = """
    import pytest
    from flytekit import workflow
    from flows import add_cached, echo

    @workflow
    def chain(a: int) -> int:
        for _ in range(15):
            a = echo(a=a)
        return a

    @workflow
    def cached_chain(a: int) -> int:
        for _ in range(4):
            a = add_cached(a=a)
        return a

    def test_echo_chain(flyteperf):
        assert flyteperf(chain, a=3) == 3

    @pytest.mark.flyteperf(warmups=1)
    def test_cached_chain(flyteperf):
        start = flyteperf.fresh_number
        assert flyteperf(cached_chain, a=start) == start + 4
"""


@pytest.fixture
def memory(monkeypatch):
    """State in memory, where there is room: the latency of a disk is noise to these questions."""
    if os.access("/dev/shm", os.W_OK):
        monkeypatch.setattr(tempfile, "tempdir", "/dev/shm")


@pytest.fixture
def measured(memory, project):  # noqa: ARG001 # before the project makes its state
    """A project with cases that start no pod, or few."""
    project.write("test_it.py", BENCHMARK)
    return project


@pytest.fixture
def slower(measured, flyte, tmp_path):
    """Makes a checkout whose working time is longer by a share, at one place."""

    def make(place, share):
        case = as_released(measured)
        copy = flyte.copy(tmp_path / "slower")
        copy.slow_down(place, share, case)
        return copy

    return make


def as_released(measured):
    """What the echo chain takes on the release, as its results tell it."""
    code, output = measured.run("-k=echo", "--flyteperf-repeats=8", "--flyteperf-keep")
    assert ran(code, output), output
    return measured.case()


def working(answer):
    return judged(answer, "handle_ns")


def judged(answer, name):
    """The verdict of a metric of the only case."""
    (case,) = answer["cases"].values()
    (metric,) = [m for m in case["verdict"]["metrics"] if m["metric"] == name]
    return metric


def cause(answer):
    """The operation that is named first, and its share of the shift."""
    (case,) = answer["cases"].values()
    first = next(line for line in case["cause"] if "of working time's change" in line)
    found = re.fullmatch(r"(.+?) \+.*?, (\d+) % of working time's change: .*", first)
    assert found, case["cause"]
    return found[1], int(found[2]) / 100


@pytest.mark.parametrize("place", [CRD_WRITE, ROUND, BLOB_WRITE], ids=lambda place: place.operation)
def test_a_delay_of_a_half_is_found_and_the_place_named(measured, slower, place):
    answer = measured.ab(RELEASE, slower(place, HALF), "-k=echo")

    assert answer["exit_code"] == 1
    assert working(answer)["verdict"] == "regressed"
    operation, share = cause(answer)
    assert operation == place.operation
    assert share >= 0.5


def test_a_delay_of_a_tenth_is_found_where_the_machine_lets_it(measured, slower):
    answer = measured.ab(RELEASE, slower(CRD_WRITE, TENTH), "-k=echo", *SHARP)

    metric = working(answer)
    if metric["finds"] > TENTH:
        pytest.skip(f"repeats vary: a change of {metric['finds']:.0%} is what is found here")
    assert metric["verdict"] == "regressed"
    assert cause(answer)[0] == "crd write"


@pytest.mark.parametrize("share", [TENTH, HALF])
def test_the_other_way_round_it_is_an_improvement(measured, slower, share):
    answer = measured.ab(slower(CRD_WRITE, share), RELEASE, "-k=echo", *SHARP)

    metric = working(answer)
    if metric["finds"] > share:
        pytest.skip(f"repeats vary: a change of {metric['finds']:.0%} is what is found here")
    assert answer["exit_code"] == 0
    assert metric["verdict"] == "improved"


def test_a_tenth_more_objects_are_found_however_busy_the_machine_is(measured, flyte, tmp_path):
    case = as_released(measured)
    copy = flyte.copy(tmp_path / "wasteful")
    more = TENTH * median(metric_values(measured, "allocations"))
    copy.allocate(CRD_WRITE, round(more / CRD_WRITE.calls(case)))

    answer = measured.ab(RELEASE, copy, "-k=echo")

    assert answer["exit_code"] == 1
    metric = judged(answer, "allocations")
    assert metric["verdict"] == "regressed"
    assert 1.05 < metric["ratio"] < 1.15


def metric_values(measured, name):
    """Of the repeats of the only case that the only run has."""
    (path,) = measured.folder.glob(".flyteperf/runs/*/*/case.json")
    return [one["measures"]["metrics"][name] for one in json.loads(path.read_text())["repeats"]]


def test_an_unchanged_copy_is_no_different(measured, flyte):
    answer = measured.ab(RELEASE, flyte, "-k=echo")

    assert answer["exit_code"] == 0
    (case,) = answer["cases"].values()
    assert case["verdict"]["verdict"] in {"pass", "inconclusive"}
    assert not {m["verdict"] for m in case["verdict"]["metrics"] if m["gated"]} & {
        "regressed",
        "improved",
    }


def test_a_delay_of_a_hundredth_is_not_found(measured, slower):
    answer = measured.ab(RELEASE, slower(CRD_WRITE, TENTH / 10), "-k=echo", *SHARP)

    assert answer["exit_code"] == 0
    assert working(answer)["verdict"] in {"pass", "inconclusive"}


@pytest.mark.parametrize(
    ("config", "operation"),
    [
        ("standin: {eventDelay: 5ms}", "node event"),
        ("propeller: {kube-client-config: {qps: 20, burst: 1}}", "crd write"),
    ],
    ids=["slow FlyteAdmin", "few requests a second to Kubernetes"],
)
def test_settings_that_cost_the_same_metric_have_causes_of_their_own(measured, config, operation):
    measured.write("head.yaml", config)
    answer = measured.ab(RELEASE, RELEASE, "-k=echo", "--head-config=head.yaml")

    assert answer["exit_code"] == 1
    assert working(answer)["verdict"] == "regressed"
    named, share = cause(answer)
    assert named == operation
    assert share >= 0.5


def test_a_cache_that_is_off_shows_in_pods(measured):
    measured.write("head.yaml", "catalog-cache: {type: noop}")
    answer = measured.ab(RELEASE, RELEASE, "-k=cached", "--head-config=head.yaml")

    assert answer["exit_code"] == 1
    (case,) = answer["cases"].values()
    (pods,) = [m for m in case["verdict"]["metrics"] if m["metric"] == "pods"]
    assert (pods["baseline"]["median"], pods["now"]["median"]) == (0, 4)
    assert "pods 0 -> 4" in case["cause"]
