import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.analyze.slopes import PER, per_thousand
from pytest_flyteperf.model import METRICS, Finding, Measures, Severity


def measured(metrics=None, **more):
    return Measures(
        execution="f1", phase="SUCCEEDED", metrics=dict.fromkeys(METRICS) | (metrics or {}), **more
    )


@given(
    sizes=st.lists(st.integers(1, 1_000), min_size=2, max_size=5, unique=True),
    per_unit=st.integers(0, 10**9),
    fixed=st.integers(0, 10**12),
)
def test_what_grows_evenly_grows_by_the_cost_of_a_unit(sizes, per_unit, fixed):
    points = [(n, measured({"handle_ns": fixed + n * per_unit})) for n in sizes]

    assert per_thousand(points).metrics["handle_ns"] == PER * per_unit


def test_what_is_unknown_at_one_size_is_unknown():
    points = [(1, measured({"pods": 1, "rounds": 3})), (2, measured({"rounds": 5}))]
    grown = per_thousand(points).metrics

    assert (grown["pods"], grown["rounds"]) == (None, 2 * PER)


def test_an_invalid_repeat_at_one_size_makes_the_growth_invalid():
    lost = Finding(check="lost spans", severity=Severity.INVALID, evidence="2 of 9")
    points = [(1, measured()), (2, measured(findings=(lost,))), (3, measured())]

    assert per_thousand(points).findings == (lost,)


def test_canaries_are_those_of_all_sizes():
    points = [(n, measured(canaries={"cpu_ns": cpu, "x": 1})) for n, cpu in ((1, 10), (2, 30))]
    points.append((3, measured(canaries={"cpu_ns": 50})))

    assert per_thousand(points).canaries == {"cpu_ns": 30}


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_every_metric_is_there(metric):
    points = [(1, measured({metric: 7})), (11, measured({metric: 17}))]

    assert per_thousand(points).metrics == dict.fromkeys(METRICS) | {metric: PER}
    assert msgspec.json.decode(msgspec.json.encode(per_thousand(points)), type=Measures)
