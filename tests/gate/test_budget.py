"""A tolerance that the repeats asked for cannot decide is refused, where it would gate."""

from __future__ import annotations

import pytest
from msgspec import structs

from pytest_flyteperf import gate
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate import Policy
from pytest_flyteperf.model import Size
from tests.gate.gate_examples import MS, POLICY, accepted, noisy


def test_a_tolerance_below_the_resolution_is_refused_with_the_repeats_it_needs():
    before = accepted([{"handle_ns": noisy(n, 20, spread=0.1)} for n in range(8)])

    with pytest.raises(UsageError) as refused:
        gate.check(structs.replace(POLICY, tolerances={"handle_ns": 0.12}, budget=10), before)

    assert str(refused.value) == (
        "chain (default): tolerance 12.0 % of working cannot be decided with 10 repeats, "
        "which resolve 15.6 %; ask for 23 repeats, or a larger tolerance"
    )
    gate.check(structs.replace(POLICY, tolerances={"handle_ns": 0.20}, budget=10), before)
    gate.check(Policy(budget=10), before)


def test_a_tolerance_of_a_metric_that_is_advice_is_not_refused():
    spreads = {"handle_ns": 0.1, "waiting_ns": 0.9}
    before = accepted(
        [{name: noisy(n, 20, spread=spread) for name, spread in spreads.items()} for n in range(8)]
    )
    both = structs.replace(POLICY, tolerances=dict.fromkeys(spreads, 0.2), budget=10)

    gate.check(structs.replace(both, gate=("handle_ns",)), before)
    with pytest.raises(UsageError, match="of waiting on the path cannot be decided"):
        gate.check(structs.replace(both, gate=("handle_ns", "waiting_ns")), before)


def test_a_tolerance_below_what_sessions_differ_by_is_refused():
    before = accepted([{"handle_ns": noisy(1, 20, middle=500 * MS)}])
    policy = Policy(
        session_deviation=0.08, pace_deviation=0.0, tolerances={"handle_ns": 0.03}, budget=10
    )

    with pytest.raises(UsageError) as refused:
        gate.check(policy, before)

    assert str(refused.value).endswith(
        "; no number of repeats does, because sessions differ by 8.0 %: record more sessions, "
        "or ask for a larger tolerance"
    )


def test_a_time_that_may_be_nothing_is_not_refused():
    before = accepted([{"user_ns": [0, *noisy(1, 9)]}])

    asked = {"user_ns": 0.01, "handle_ns": 0.01, "rounds": 0.01}
    gate.check(Policy(tolerances=asked, gate=tuple(asked)), before)


def test_a_run_without_a_budget_is_as_long_as_the_latest_session():
    policy = structs.replace(POLICY, tolerances={"handle_ns": 0.12})
    sessions = [{"handle_ns": noisy(n, 20, spread=0.1)} for n in range(8)]

    gate.check(policy, accepted([*sessions, {"handle_ns": noisy(9, 40, spread=0.1)}]))
    with pytest.raises(UsageError, match="cannot be decided with 10 repeats"):
        gate.check(policy, accepted([*sessions, {"handle_ns": noisy(9, 10, spread=0.1)}]))


def test_times_of_the_short_size_are_advice_and_asked_nothing():
    wild = accepted([{"handle_ns": noisy(1, 5, spread=0.9)}], size=Size.SHORT)

    gate.check(structs.replace(POLICY, tolerances={"handle_ns": 0.01}), wild)


def test_a_count_that_nobody_gates_is_asked_nothing():
    before = accepted([{"rounds": noisy(n, 10, middle=40, spread=0.3)} for n in range(4)])
    policy = structs.replace(POLICY, tolerances={"rounds": 0.01})

    gate.check(policy, before)
    with pytest.raises(UsageError, match="of rounds cannot be decided"):
        gate.check(structs.replace(policy, gate=("rounds",)), before)


def test_a_metric_that_cannot_decide_is_told_after_one_that_nothing_is_asked_of():
    spreads = {"waiting_ns": 0.05, "handle_ns": 0.3}
    before = accepted(
        [{name: noisy(n, 10, spread=spread) for name, spread in spreads.items()} for n in range(4)]
    )
    asked = {"user_ns": 0.01, "waiting_ns": 0.9, "handle_ns": 0.1}
    policy = structs.replace(POLICY, tolerances=asked, gate=("waiting_ns", "handle_ns"))

    with pytest.raises(UsageError, match="of working cannot be decided with 10 repeats"):
        gate.check(policy, before)


def test_allocations_are_asked_of_only_where_no_pod_starts():
    policy = Policy(tolerances={"allocations": 0.001}, budget=10)
    told = {"allocations": [390_000 + 5_000 * i for i in range(10)]}

    gate.check(policy, accepted([told]))
    gate.check(policy, accepted([{**told, "pods": [1] * 10}]))
    with pytest.raises(UsageError, match="of allocations cannot be decided"):
        gate.check(policy, accepted([{**told, "pods": [0] * 10}]))
