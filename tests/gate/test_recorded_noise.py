from __future__ import annotations

import json
import math
import random

import pytest

from pytest_flyteperf.gate import Verdict
from tests.gate import recorded_noise
from tests.gate.gate_examples import MS
from tests.gate.recorded_noise import CaseNoise, Noise, Plan, Requests, SessionNoise

PLAN = Plan("chain", "handle_ns", 2, 1.2)
CHAIN = {"chain": 20}
ECHO_TWO, ECHO_FIVE, TEN_TASKS = recorded_noise.PLANS[:3]
SERVED = recorded_noise.NOISE / "firecracker-2cpu-servers.json"


def noise(count, *, pace, seed, within=0.06, told=True):
    """Sessions that differ by the machine's pace, and by two per cent beside it."""
    source = random.Random(seed)
    sessions = []
    for number in range(count):
        logarithm = source.gauss(0, pace)
        own = source.gauss(0, 0.02)
        case = CaseNoise(
            invalid=0,
            repeat_s=6.0,
            samples={
                "handle_ns": tuple(
                    round(500 * MS * math.exp(logarithm + own + source.gauss(0, within)))
                    for _ in range(20)
                )
            },
            canaries={
                "cpu_ns": tuple(
                    round(45 * MS * math.exp(logarithm + source.gauss(0, 0.03))) for _ in range(20)
                )
            }
            if told
            else {},
        )
        sessions.append(SessionNoise(id=str(number), cases={"chain": case}))
    return Noise(machine="m", flyte="f", engine="e", sessions=tuple(sessions))


def test_spread_within_and_between_sessions_are_told_apart():
    made = noise(40, pace=0.04, seed=1, within=0.08)
    values = [one.cases["chain"].samples["handle_ns"] for one in made.sessions]

    within, between = recorded_noise.spread(values)

    assert 0.07 < within < 0.09
    assert 0.03 < between < 0.06


def test_a_machine_whose_pace_wanders_raises_no_alarm_told_or_not():
    made = noise(10, pace=0.2, seed=2)

    told = recorded_noise.rates(PLAN, Requests(made, CHAIN), 100, seed=1)
    blind = recorded_noise.rates(PLAN, Requests(made, CHAIN, told=False), 100, seed=1)

    assert told.regressed <= 0.01
    assert blind.regressed <= 0.01
    assert told.passed > 0.9
    assert told.error < blind.error / 3


def test_canaries_find_what_is_hidden_without_them():
    made = noise(10, pace=0.1, seed=3)
    slow = Requests(made, CHAIN, effect=1.3)

    assert recorded_noise.rates(PLAN, slow, 100, seed=1).regressed > 0.8
    assert recorded_noise.rates(PLAN, slow._replace(told=False), 100, seed=1).regressed < 0.2


def test_runs_are_distilled_without_their_invalid_repeats(tmp_path):
    folder = tmp_path / "20261122-000000-1" / "chain"
    repeats = []
    for index in range(4):
        ticks = {"user": 100 * index, "idle": 900 * index}
        recording = {
            "submitted": 10.0 + 2 * index,
            "machine_before": {"cpu_ticks": {"user": 0, "idle": 0}, "processes": {"p": {}}},
            "machine_after": {"cpu_ticks": ticks, "processes": {"p": {}}},
        }
        (folder / str(index)).mkdir(parents=True)
        (folder / str(index) / "recording.json").write_text(json.dumps(recording))
        findings = [{"severity": "invalid"}] if index == 0 else []
        repeats.append(
            {
                "repeat": {"index": index},
                "measures": {"metrics": {"handle_ns": 5 + index}, "findings": findings},
            }
        )
    (folder / "case.json").write_text(
        json.dumps(
            {
                "case": "chain",
                "repeats": repeats,
                "subject": {"flyte": "v1", "digest": "d"},
                "environment": {
                    "machine": {
                        "engine_digest": "e",
                        "cpu_model": "C",
                        "cpu_count": 2,
                        "kernel": "k",
                    }
                },
            }
        )
    )

    [session] = recorded_noise.distil([folder.parent]).sessions

    case = session.cases["chain"]
    assert (case.invalid, case.repeat_s) == (1, 2.0)
    assert case.samples["handle_ns"] == (6, 7, 8)
    assert case.canaries == {"other_cpu_ppm": (100_000,) * 3}


@pytest.mark.parametrize("path", sorted(recorded_noise.NOISE.glob("*.json")), ids=lambda p: p.stem)
def test_recorded_sessions_raise_no_alarm(path):
    recorded = recorded_noise.load(path)
    counts = dict.fromkeys(recorded.sessions[0].cases, 15)

    for told in (True, False):
        alarms, passed = recorded_noise.portfolio(Requests(recorded, counts, told=told), 60, 1)

        assert alarms <= 1
        assert passed >= 0.9


def test_the_pace_of_containers_halves_the_error_of_recorded_working_time():
    recorded = recorded_noise.load(recorded_noise.NOISE / "firecracker-2cpu.json")
    plan = Plan("chain", "handle_ns", 5, 1.2)
    requests = Requests(recorded_noise.beside_containers(recorded), {"chain": 28})

    told = recorded_noise.rates(plan, requests, 100, seed=1)
    blind = recorded_noise.rates(plan, requests._replace(told=False), 100, seed=1)

    assert told.error < blind.error / 2
    assert told.regressed <= 0.01


def test_recorded_canaries_cut_the_error_of_the_echo_chain_to_a_third():
    recorded = recorded_noise.load(recorded_noise.NOISE / "firecracker-2cpu-canaries.json")
    requests = Requests(recorded, {"echo_chain": 28})

    told = recorded_noise.rates(recorded_noise.PLANS[0], requests, 100, seed=1)
    blind = recorded_noise.rates(
        recorded_noise.PLANS[0], requests._replace(told=False), 100, seed=1
    )

    assert told.error < blind.error / 3
    assert told.regressed <= 0.01


@pytest.mark.parametrize(
    ("plan", "rest"),
    [(ECHO_TWO, True), (ECHO_FIVE, True), (TEN_TASKS, False)],
    ids=["15 % in two minutes", "10 % in five minutes", "20 % of ten tasks in five minutes"],
)
def test_changes_are_found_where_the_servers_tell_the_pace(plan, rest):
    recorded = recorded_noise.load(SERVED)
    if rest:
        recorded = recorded_noise.at_rest(recorded)
    assert len(recorded.sessions) > 8
    requests = Requests(recorded, {plan.case: plan.repeats(recorded)}, baseline=8)

    found = recorded_noise.rates(plan, requests._replace(effect=plan.effect), 100, seed=1)
    same = recorded_noise.rates(plan, requests, 100, seed=1)

    assert found.regressed >= recorded_noise.FOUND
    assert same.regressed == 0
    assert same.passed >= 0.95


def test_servers_cut_the_error_of_the_echo_chain_to_a_fifth():
    recorded = recorded_noise.load(SERVED)
    requests = Requests(recorded, {"echo_chain": ECHO_TWO.repeats(recorded)})

    told = recorded_noise.rates(ECHO_TWO, requests, 100, seed=1)
    blind = recorded_noise.rates(ECHO_TWO, requests._replace(told=False), 100, seed=1)

    assert told.error < blind.error / 5


def test_the_verdict_of_a_doubled_time_is_regressed():
    made = noise(6, pace=0.05, seed=4)
    source = random.Random(1)

    found = [Requests(made, CHAIN, effect=2.0).draw(source)["chain"].verdict for _ in range(20)]

    assert set(found) == {Verdict.REGRESSED}
