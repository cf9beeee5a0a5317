from __future__ import annotations

import random

import pytest
from msgspec import structs

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate import Accepted, Policy, Verdict
from pytest_flyteperf.gate.blocks import as_baseline, judge_blocks, unsettled
from pytest_flyteperf.model import Finding, Severity, Size
from tests.gate.gate_examples import HERE, MS, RELEASE, repeats


def blocks(seed, effect=1.0, count=6, size=8, deviation=0.01):
    """Blocks of repeats that share what their process drew."""
    source = random.Random(seed)
    made = []
    for _ in range(count):
        factor = effect * source.lognormvariate(0, deviation)
        times = [round(500 * MS * factor * source.lognormvariate(0, 0.06)) for _ in range(size)]
        made.append(repeats(handle_ns=times, node_events=[18] * size))
    return made


FINE = Policy(session_deviation=0, comparisons=1, tolerances={"handle_ns": 0.2})
FINE_TURNS = Policy(comparisons=4, budget=128, tolerances={"handle_ns": 0.05})


def base(made):
    return as_baseline(
        "chain",
        Size.DEFAULT,
        made,
        subject=RELEASE,
        environment=HERE,
        recorded="2026-11-22T18:40:00Z",
        tool="0.1.0",
    )


def test_an_unchanged_head_passes():
    verdicts = [judge_blocks(base(blocks(2 * n)), blocks(2 * n + 1)) for n in range(60)]

    assert sum(v.verdict is Verdict.REGRESSED for v in verdicts) == 0
    assert sum(v.verdict is Verdict.PASS for v in verdicts) >= 54


def test_ten_per_cent_is_found_and_the_other_way_round_improved():
    slower = [judge_blocks(base(blocks(2 * n)), blocks(2 * n + 1, 1.1)) for n in range(40)]
    faster = [judge_blocks(base(blocks(2 * n, 1.1)), blocks(2 * n + 1)) for n in range(40)]

    assert sum(v.verdict is Verdict.REGRESSED for v in slower) >= 36
    assert sum(v.verdict is Verdict.IMPROVED for v in faster) >= 36


def test_one_per_cent_is_not_found():
    verdicts = [judge_blocks(base(blocks(2 * n)), blocks(2 * n + 1, 1.01)) for n in range(40)]

    assert all(v.verdict is not Verdict.REGRESSED for v in verdicts)


def test_invalid_repeats_of_the_base_do_not_count():
    lost = Finding(check="lost spans", severity=Severity.INVALID, evidence="x")
    made = blocks(1)
    made[0] = [*made[0], *repeats(findings=[lost], handle_ns=[9000 * MS], node_events=[99])]

    assert max(base(made).values("node_events")) == 18


def test_a_block_without_a_valid_repeat_is_no_session():
    made = blocks(1)
    lost = Finding(check="lost spans", severity=Severity.INVALID, evidence="x")
    made[0] = [structs.replace(m, findings=(lost,)) for m in made[0]]

    assert len(base(made).sessions) == 5


def test_one_block_is_too_few():
    with pytest.raises(UsageError) as refused:
        judge_blocks(base(blocks(1)), blocks(2, count=1))

    assert str(refused.value) == (
        "chain: 6 blocks of base and 1 of head, 1 of them neighbours; measure at least 2 of each"
    )


def test_two_blocks_are_enough_and_the_base_says_what_it_is():
    found = judge_blocks(base(blocks(1, count=2)), blocks(2, count=2))

    assert (found.case, found.size) == ("chain", Size.DEFAULT)
    assert (found.baseline.subject, found.baseline.recorded) == (RELEASE, "2026-11-22T18:40:00Z")
    assert base(blocks(1)).size is Size.DEFAULT
    assert base(blocks(1)).tool == "0.1.0"
    assert base(blocks(1)).accepted == Accepted(by="ab", reason="base of a comparison")


def test_more_blocks_are_asked_for_until_the_tolerance_asked_for_is_resolved():
    few = judge_blocks(base(blocks(1, count=4)), blocks(2, count=4), Policy(budget=64))
    many = judge_blocks(base(blocks(1, deviation=0)), blocks(2, deviation=0), FINE)

    assert few.verdict is Verdict.PASS
    assert few.of(Verdict.PASS)[0].tolerance_from == "resolution"
    assert unsettled(few)
    assert many.verdict is Verdict.PASS
    assert not unsettled(many)


def test_a_regression_settles_it():
    verdict = judge_blocks(base(blocks(1)), blocks(2, 1.5))

    assert verdict.verdict is Verdict.REGRESSED
    assert not unsettled(verdict)


def test_an_improvement_settles_it():
    verdict = judge_blocks(base(blocks(1, 1.5)), blocks(2))

    assert verdict.verdict is Verdict.IMPROVED
    assert not unsettled(verdict)


def test_a_failed_head_fails():
    verdict = judge_blocks(base(blocks(1)), blocks(2), problems=["chain-3 ended as FAILED"])

    assert verdict.verdict is Verdict.FAILED


def at_a_wandering_pace(seed, effect=1.0):
    """Blocks on a machine whose pace each of them draws anew, and whose canary tells it."""
    source = random.Random(seed)
    made = []
    for block in blocks(seed, effect):
        pace = source.lognormvariate(0, 0.1)
        made.append(
            [
                structs.replace(
                    m,
                    metrics={**m.metrics, "handle_ns": round(m.metrics["handle_ns"] * pace)},
                    canaries={"cpu_ns": round(45 * MS * pace * source.lognormvariate(0, 0.03))},
                )
                for m in block
            ]
        )
    return made


def test_canaries_keep_turns_sharp_when_the_pace_wanders():
    def judged(effect, *, told=True):
        for n in range(40):
            sides = at_a_wandering_pace(2 * n), at_a_wandering_pace(2 * n + 1, effect)
            if not told:
                sides = [
                    [[structs.replace(m, canaries={}) for m in block] for block in side]
                    for side in sides
                ]
            yield judge_blocks(base(sides[0]), sides[1]).verdict

    assert Verdict.REGRESSED not in list(judged(1.0))
    assert list(judged(1.1)).count(Verdict.REGRESSED) >= 34
    assert list(judged(1.1, told=False)).count(Verdict.REGRESSED) <= 10


def test_a_block_without_a_valid_repeat_leaves_its_neighbour_out():
    lost = Finding(check="lost spans", severity=Severity.INVALID, evidence="x")
    head = blocks(2)
    head[1] = [structs.replace(m, findings=(lost,)) for m in head[1]]
    odd = blocks(1)
    odd[1] = repeats(handle_ns=[9000 * MS] * 8, node_events=[18] * 8)

    verdict = judge_blocks(base(odd), head)

    assert (verdict.repeats, len(verdict.invalid)) == (40, 8)
    assert verdict.verdict is Verdict.PASS
    (working,) = [m for m in verdict.metrics if m.metric == "handle_ns"]
    assert working.baseline.most < 1000 * MS


def test_what_seems_to_have_shrunk_is_measured_on():
    shrunk = judge_blocks(base(blocks(1, 1.06, count=4)), blocks(2, count=4), FINE_TURNS)

    (working,) = [m for m in shrunk.metrics if m.metric == "handle_ns"]
    assert working.verdict is Verdict.PASS
    assert working.tolerance_from == "asked"
    assert working.ratio < 0.95
    assert unsettled(shrunk)


def test_a_block_of_the_base_that_lacks_a_metric_leaves_its_neighbour_out_of_that_one():
    before, head = blocks(1), blocks(2)
    before[2] = repeats(node_events=[18] * 8)
    head[2] = repeats(handle_ns=[9000 * MS] * 8, node_events=[18] * 8)

    verdict = judge_blocks(base(before), head)

    (working,) = [m for m in verdict.metrics if m.metric == "handle_ns"]
    assert working.verdict is Verdict.PASS
    assert 0.95 < working.ratio < 1.05
