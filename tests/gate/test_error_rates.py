from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from pytest_flyteperf import gate
from pytest_flyteperf.gate import Policy, Verdict
from pytest_flyteperf.model import Size
from tests.gate import error_rates
from tests.gate.error_rates import CASES, Plan
from tests.gate.gate_examples import HERE, POLICY, accepted, noisy, repeats

BY_NAME = {noise.name: noise for noise in CASES}
ROUNDS = 300


@pytest.mark.parametrize("noise", CASES, ids=lambda noise: noise.name)
def test_an_unchanged_case_passes_and_raises_no_alarm(noise):
    rates = error_rates.rates(noise, Plan(1, 20, 20), ROUNDS, seed=1)

    assert rates[Verdict.REGRESSED] == 0
    assert rates[Verdict.PASS] >= 0.9


def test_an_unchanged_portfolio_raises_no_alarm():
    source = random.Random(2)
    alarms = sum(
        any(
            error_rates.verdict(noise, Plan(2, 10, 10), source) is Verdict.REGRESSED
            for noise in CASES
            for _ in range(5)
        )
        for _ in range(100)
    )

    assert alarms == 0


@pytest.mark.parametrize(
    ("sentence", "broken"),
    [
        ("a rate for each comparison alone", {"comparisons": 1, "false_alarms": 0.3}),
        ("sessions taken for repeats", {"session_deviation": 0.0, "false_alarms": 0.3}),
    ],
)
def test_the_simulation_sees_a_gate_that_spends_too_much(sentence, broken):
    source = random.Random(2)
    policy = structs.replace(error_rates.AT_PACE, floors={"handle_ns": 0}, **broken)
    alarms = sum(
        any(
            error_rates.verdict(noise, Plan(1, 10, 10, 0.04), source, policy=policy)
            is Verdict.REGRESSED
            for noise in CASES
            for _ in range(5)
        )
        for _ in range(60)
    )

    assert alarms > 3, sentence


def test_the_simulation_sees_looks_that_each_spend_the_whole_chance(monkeypatch):
    source = random.Random(6)
    monkeypatch.setattr(gate.policy, "_spent", lambda _chance, _share: 0.2)

    runs = [
        error_rates.sequential(BY_NAME["echo_chain"], Plan(1, 40, 40, 0.06), source)
        for _ in range(60)
    ]

    assert any(verdict is Verdict.REGRESSED for verdict, _ in runs)


@pytest.mark.parametrize(
    ("case", "plan", "effect"),
    [
        # Two minutes, and five, of measuring; the five sessions of a baseline as long.
        ("echo_chain_of_fifty", Plan(5, 24, 24), 1.18),
        ("echo_chain_of_fifty", Plan(5, 60, 60), 1.16),
        ("chain_of_ten", Plan(4, 20, 30), 1.20),
        ("chain", Plan(4, 20, 20), 1.20),
    ],
)
def test_a_change_beyond_resolution_is_found(case, plan, effect):
    rates = error_rates.rates(BY_NAME[case], plan, ROUNDS, seed=3, effect=effect)

    assert rates[Verdict.REGRESSED] >= 0.95


def test_sessions_that_differ_more_than_assumed_raise_few_alarms():
    plan = Plan(6, 20, 20, deviation=0.04)

    rates = error_rates.rates(BY_NAME["chain"], plan, ROUNDS, seed=4)

    assert rates[Verdict.REGRESSED] <= 0.01


def test_half_the_resolution_is_not_called_a_regression():
    rates = error_rates.rates(BY_NAME["echo_chain"], Plan(4, 40, 40), ROUNDS, 5, effect=1.05)

    assert rates[Verdict.REGRESSED] <= 0.1


def test_looking_early_costs_no_alarms_and_saves_repeats():
    source = random.Random(6)
    runs = [
        error_rates.sequential(BY_NAME["echo_chain"], Plan(4, 40, 40), source)
        for _ in range(ROUNDS)
    ]

    assert all(verdict is not Verdict.REGRESSED for verdict, _ in runs)
    assert sum(verdict is Verdict.PASS for verdict, _ in runs) >= 0.9 * ROUNDS
    assert sum(taken for _, taken in runs) < 0.85 * 40 * ROUNDS


def test_a_large_regression_is_found_before_the_budget_is_spent():
    source = random.Random(7)
    runs = [
        error_rates.sequential(BY_NAME["echo_chain"], Plan(4, 40, 40), source, effect=1.6)
        for _ in range(100)
    ]

    assert {verdict for verdict, _ in runs} == {Verdict.REGRESSED}
    assert max(taken for _, taken in runs) < 40


def test_looks_stop_at_the_budget():
    policy = Policy(budget=10)

    assert [policy.more(n) for n in (0, 5, 7, 8, 10, 12)] == [5, 3, 1, 2, 0, 0]
    assert Policy().more(0) == 0


def test_early_looks_spend_little_of_the_chance():
    policy = Policy(budget=40)
    spent = [policy.tails(n).low for n in (20, 30, 40)]

    assert spent[2] == pytest.approx(0.0001)
    assert sum(spent) < 1.2 * 0.0001


@given(st.integers(0, 10**6), st.integers(4, 30))
def test_identical_samples_never_regress(seed, count):
    values = noisy(seed, count, spread=0.3)

    verdict = gate.judge(
        "c", Size.DEFAULT, repeats(handle_ns=values), accepted([{"handle_ns": values}]), HERE
    )

    assert verdict.metrics[0].verdict is not Verdict.REGRESSED


@given(st.integers(0, 10**6), st.integers(2, 1000), st.sampled_from([1.0, 1.05, 1.3]))
def test_scaling_both_sides_changes_no_answer(seed, factor, effect):
    before, now = noisy(seed, 12), [round(v * effect) for v in noisy(seed + 1, 10)]
    policy = Policy(floors={"handle_ns": 0}, pace_deviation=0.0)

    def answer(by):
        verdict = gate.judge(
            "c",
            Size.DEFAULT,
            repeats(handle_ns=[v * by for v in now]),
            accepted([{"handle_ns": [v * by for v in before]}]),
            HERE,
            policy,
        )
        return verdict.metrics[0]

    plain, scaled = answer(1), answer(factor)
    assert plain.verdict is scaled.verdict
    assert plain.ratio == pytest.approx(scaled.ratio)
    assert plain.tolerance == pytest.approx(scaled.tolerance)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(1.5, 10))
def test_a_shift_beyond_what_is_found_regresses(seed, effect):
    before, now = noisy(seed, 30, spread=0.1), noisy(seed + 1, 30, spread=0.1)

    verdict = gate.judge(
        "c",
        Size.DEFAULT,
        repeats(handle_ns=[round(v * effect) for v in now]),
        accepted([{"handle_ns": before}]),
        HERE,
        POLICY,
    )

    assert verdict.metrics[0].finds < 0.5
    assert verdict.verdict is Verdict.REGRESSED


@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=20),
    st.lists(st.integers(0, 10**12), min_size=1, max_size=20),
)
def test_any_samples_get_an_answer(before, now):
    columns = {"handle_ns", "crd_writes"}
    verdict = gate.judge(
        "c",
        Size.DEFAULT,
        repeats(**dict.fromkeys(columns, now)),
        accepted([dict.fromkeys(columns, before)]),
        HERE,
    )

    for metric in verdict.metrics:
        ends = [metric.low, metric.ratio, metric.high]
        known = [end for end in ends if end is not None]
        assert known == sorted(known)
        assert metric.reason.isprintable()


def test_the_upper_bound_is_that_of_clopper_and_pearson():
    # scipy 1.17.1: binomtest(k, n).proportion_ci(0.90, "exact").high
    assert error_rates.upper_bound(0, 300) == pytest.approx(0.009936, abs=1e-5)
    assert error_rates.upper_bound(3, 300) == pytest.approx(0.025641, abs=1e-5)


@pytest.mark.parametrize(("case", "plan"), [("chain", 0), ("echo_chain_of_fifty", 1)])
def test_the_stored_table_is_what_is_simulated(case, plan):
    stored = Path(__file__).parents[2] / "docs" / "decisions" / "statistics-of-the-gate.md"

    line = error_rates.row(
        BY_NAME[case], error_rates.PLANS[plan], error_rates.ROUNDS, error_rates.SEED
    )

    assert line in stored.read_text(encoding="utf-8").splitlines()


def allocations(source, effect=1.0):
    """A session as recorded beside other work: medians half a per cent apart, repeats a whole."""
    level = 390_000 * effect * source.lognormvariate(0, 0.005)
    return [round(level * source.lognormvariate(0, 0.01)) for _ in range(10)]


@pytest.mark.parametrize(("effect", "least", "most"), [(1.0, 0, 0), (1.02, 0, 0), (1.1, 95, 100)])
def test_what_allocations_tell(effect, least, most):
    source = random.Random(5)
    found = 0
    for _ in range(100):
        none = [0] * 10
        before = accepted([{"allocations": allocations(source), "pods": none} for _ in range(2)])
        now = repeats(allocations=allocations(source, effect), pods=none)
        found += gate.judge("c", Size.DEFAULT, now, before, HERE).verdict is Verdict.REGRESSED

    assert least <= found <= most
