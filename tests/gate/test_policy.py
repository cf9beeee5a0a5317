"""What the gate holds by default, what chances of error it spends when, and what it refuses."""

from __future__ import annotations

import math

import pytest

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate import Policy
from pytest_flyteperf.gate.policy import default_tolerance
from pytest_flyteperf.gate.statistics import NORMAL
from pytest_flyteperf.model import METRICS


@pytest.mark.parametrize(
    ("metric", "tolerance", "floor"),
    [
        ("handle_ns", 0.03, 5_000_000),
        ("duration_ns", 0.05, 10_000_000),
        ("flyte_ns", 0.05, 10_000_000),
        ("crd_writes", 0.10, 2),
        ("crd_bytes", 0.05, 0),
        ("allocations", 0.05, 5_000),
    ],
)
def test_growth_that_is_accepted_where_nobody_asked(metric, tolerance, floor):
    assert default_tolerance(METRICS[metric]) == tolerance
    assert Policy().floor(METRICS[metric]) == floor
    assert Policy(floors={metric: 7}).floor(METRICS[metric]) == 7


def test_a_portfolios_false_alarms_are_shared_by_its_comparisons_and_misses_are_not():
    whole = Policy(false_alarms=0.02, comparisons=40, misses=0.1).whole

    assert whole == (0.02 / 40, 0.1)


@pytest.mark.parametrize("repeats", [10, 15])
def test_an_early_look_spends_as_obrien_and_fleming_do(repeats):
    policy = Policy(budget=20)

    for chance, spent in zip(policy.whole, policy.tails(repeats), strict=True):
        deviate = NORMAL.inv_cdf(1 - chance) / math.sqrt(repeats / 20)
        assert spent == pytest.approx(1 - NORMAL.cdf(deviate))


@pytest.mark.parametrize(("budget", "repeats"), [(20, 20), (20, 30), (None, 5)])
def test_the_last_look_spends_all(budget, repeats):
    policy = Policy(budget=budget)

    assert policy.tails(repeats) == pytest.approx(policy.whole)


@pytest.mark.parametrize(
    ("budget", "looks"), [(20, [10, 15, 20]), (7, [4, 6, 7]), (1, [1]), (None, [])]
)
def test_looks_are_at_a_half_three_quarters_and_the_whole_of_the_budget(budget, looks):
    policy, repeats, found = Policy(budget=budget), 0, []
    while more := policy.more(repeats):
        repeats += more
        found.append(repeats)

    assert found == looks
    assert policy.more(repeats) == 0


@pytest.mark.parametrize(
    "given",
    [
        {"tolerances": {"handle_ns": 0}},
        {"floors": {"handle_ns": 0}},
        {"false_alarms": 0.499, "misses": 0.001},
        {"session_deviation": 0, "pace_deviation": 0.499},
        {"comparisons": 1, "budget": 1},
        {"gate": ("pods",)},
    ],
)
def test_the_least_that_can_be_meant_is_taken(given):
    assert Policy(**given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tolerances": {"handle_ns": math.inf}}, "gate: tolerance inf of handle_ns; give a share"),
        ({"tolerances": {"handle_ns": -0.1}}, "gate: tolerance -0.1 of handle_ns; give a share"),
        ({"floors": {"pods": -1}}, "gate: floor -1 of pods is negative"),
        ({"false_alarms": 0}, "gate: false_alarms 0; give a chance below 0.5"),
        ({"false_alarms": 0.5}, "gate: false_alarms 0.5; give a chance below 0.5"),
        ({"misses": 0.5}, "gate: misses 0.5; give a chance below 0.5"),
        ({"session_deviation": 0.5}, "gate: session_deviation 0.5; give a share such as 0.02"),
        ({"pace_deviation": -0.1}, "gate: pace_deviation -0.1; give a share such as 0.02"),
        ({"comparisons": 0}, "gate: comparisons 0, budget None; give at least 1"),
        ({"gate": ("speed",)}, "gate: no metric 'speed'; there are "),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(given, said):
    with pytest.raises(UsageError) as refused:
        Policy(**given)

    assert str(refused.value).startswith(said)
