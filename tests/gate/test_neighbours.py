from __future__ import annotations

import math
import random

import pytest

from pytest_flyteperf.gate import Verdict, statistics
from pytest_flyteperf.gate import neighbours as module
from pytest_flyteperf.gate.neighbours import neighbours
from pytest_flyteperf.gate.pace import Pace
from pytest_flyteperf.gate.statistics import Tails
from tests.gate.turns_noise import Machine, Plan, verdicts

TAILS = Tails(0.0025, 0.05)
WANDERING = Machine(within=0.08, wanders=0.1)
SHORT = Plan(blocks=8, count=5, rounds=60, seed=7)


def told(blocks, *, names=("cpu_ns",)):
    """The pace of blocks whose every repeat has the canary's logarithm given for the block."""
    return Pace(names, [tuple((value,) for value in block) for block in blocks], 0.02)


def test_only_differences_of_neighbours_count():
    wandering = [[0.0] * 5, [1.0] * 5, [2.0] * 5, [3.0] * 5]
    slower = [[value + 0.1 for value in block] for block in wandering]

    found = neighbours(wandering, slower, module.BLOCK_DEVIATION, None, 1.0)

    assert found.differences == pytest.approx([0.1] * 4)
    assert found.shift(TAILS).point == pytest.approx(0.1)
    assert found.shift(TAILS).low > 0.07


def test_a_difference_varies_at_least_by_what_processes_draw():
    found = neighbours([[0.0] * 5] * 6, [[0.0] * 5] * 6, module.BLOCK_DEVIATION, None, 1.0)

    assert found.deviation == pytest.approx(math.sqrt(2) * module.BLOCK_DEVIATION)


def test_a_difference_varies_at_least_by_what_its_repeats_explain():
    source = random.Random(1)
    blocks = [[source.gauss(0, 0.2) for _ in range(5)] for _ in range(200)]

    found = neighbours(blocks, blocks, module.BLOCK_DEVIATION, None, 1.0)

    assert found.differences == (0.0,) * 200
    assert found.deviation == pytest.approx(0.2 * math.sqrt(2 / 5), rel=0.1)


def test_two_repeats_of_a_block_explain_what_they_differ_by():
    source = random.Random(3)
    blocks = [[source.gauss(0, 0.2), source.gauss(0, 0.2)] for _ in range(200)]

    found = neighbours(blocks, blocks, module.BLOCK_DEVIATION, None, 1.0)

    assert found.deviation == pytest.approx(0.2, rel=0.2)


def test_a_difference_varies_by_what_pairs_show_beyond_that():
    source = random.Random(2)
    before = [[0.0] * 5] * 200
    now = [[source.gauss(0, 0.3)] * 5 for _ in range(200)]

    assert neighbours(before, now, module.BLOCK_DEVIATION, None, 1.0).deviation == pytest.approx(
        0.3, rel=0.1
    )


def test_few_pairs_are_moderated_by_what_is_expected_of_them():
    now = [[0.1] * 5, [-0.1] * 5]
    expected = 2 * module.BLOCK_DEVIATION**2

    found = neighbours([[0.0] * 5] * 2, now, module.BLOCK_DEVIATION, None, 1.0)

    weight = module.PRIOR_WEIGHT
    assert found.deviation**2 == pytest.approx((weight * expected + 0.02) / (weight + 1))


def test_the_interval_is_that_of_a_moderated_t():
    found = neighbours([[0.0] * 5] * 6, [[0.2] * 5] * 6, module.BLOCK_DEVIATION, None, 1.0)
    error = found.deviation / math.sqrt(module.EFFICIENCY * 6)

    low, point, high = found.shift(TAILS)

    assert point - low == pytest.approx(statistics.t_quantile(0.0025, 9) * error)
    assert high - point == pytest.approx(statistics.t_quantile(0.05, 9) * error)
    assert found.resolution(6, TAILS) == pytest.approx((point - low, high - low))
    assert found.resolution(24, TAILS)[0] < found.resolution(6, TAILS)[0] / 2


@pytest.mark.parametrize("pairs", [6, 600])
def test_an_error_of_all_pairs_is_not_averaged_out(pairs):
    sure = module.Neighbours((0.2,) * 6, deviation=0.0, error=0.03, taken=0.0)

    told, _ = sure.resolution(pairs, TAILS)

    freedom = module.PRIOR_WEIGHT + pairs - 1
    assert told == pytest.approx(0.03 * statistics.t_quantile(TAILS.low, freedom))


def test_counts_have_the_unit_of_their_middle():
    found = neighbours([[80.0] * 5] * 6, [[83.0] * 5] * 6, 80 * module.BLOCK_DEVIATION, None, 1.0)

    assert found.shift(TAILS).point == 3
    assert found.deviation == pytest.approx(80 * math.sqrt(2) * module.BLOCK_DEVIATION)


def test_the_pace_within_a_pair_is_taken_off():
    paces = [[0.0] * 5, [0.1] * 5, [0.0] * 5, [-0.1] * 5], [[0.1] * 5, [0.0] * 5] * 2
    before, now = paces

    found = neighbours(before, now, module.BLOCK_DEVIATION, told([*before, *now]), 1.0)

    assert max(map(abs, found.differences)) < 0.01
    assert found.taken == pytest.approx(0.05, abs=0.003)
    assert 0 < found.error < 0.01


@pytest.mark.parametrize(("names", "elasticity"), [(("other_cpu_ppm",), 1.0), (("cpu_ns",), 0.0)])
def test_what_does_not_follow_the_cpu_keeps_its_differences(names, elasticity):
    before, now = [[0.0] * 5] * 4, [[0.2] * 5] * 4
    pace = told([*before, *now], names=names)

    found = neighbours(before, now, module.BLOCK_DEVIATION, pace, elasticity)

    assert found.differences == pytest.approx([0.2] * 4)
    assert (found.taken, found.error) == (0.0, 0.0)


def test_a_canary_that_only_varies_by_itself_explains_nothing():
    source = random.Random(3)
    noise = [[source.gauss(0, 0.1) for _ in range(5)] for _ in range(400)]
    level = [[0.0] * 5] * 200

    found = neighbours(level, level, module.BLOCK_DEVIATION, told(noise), 1.0)

    assert max(map(abs, found.differences)) < 0.05


def test_a_block_of_one_repeat_explains_no_variance():
    found = neighbours([[0.0], [0.1]], [[0.0], [0.1]], module.BLOCK_DEVIATION, None, 1.0)

    assert found.deviation == pytest.approx(math.sqrt(2) * module.BLOCK_DEVIATION)


def test_an_unchanged_flyte_passes_while_the_pace_wanders():
    found = verdicts(WANDERING, SHORT, 1.0)

    assert found[Verdict.REGRESSED] <= 1
    assert found[Verdict.PASS] >= 54


def test_a_tenth_is_found_while_the_pace_wanders():
    plan = SHORT._replace(blocks=16, rounds=40)

    assert verdicts(WANDERING, plan, 1.1)[Verdict.REGRESSED] >= 38
    assert verdicts(WANDERING, plan, 1 / 1.1)[Verdict.IMPROVED] >= 38


def test_a_hundredth_is_not_found():
    assert verdicts(WANDERING, SHORT, 1.01)[Verdict.REGRESSED] <= 1
