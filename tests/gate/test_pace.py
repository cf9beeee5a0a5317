from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf import gate
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate import Policy, Verdict
from pytest_flyteperf.gate.pace import STRETCH, Pace, inverted, pace
from pytest_flyteperf.gate.samples import DEMAND
from pytest_flyteperf.model import CANARIES, Size
from tests.gate.gate_examples import HERE, MS, accepted, repeats


def session(source, *, count=20, speed=0.1, effect=1.0, follows=1.0):
    """A session whose machine has a pace of its own that wanders; working time follows it."""
    pace_of_session = source.gauss(0, speed)
    rows = []
    for _ in range(count):
        logarithm = pace_of_session + source.gauss(0, 0.06)
        canary = round(45 * MS * math.exp(logarithm + source.gauss(0, 0.01)))
        time = 500 * MS * effect * math.exp(follows * logarithm + source.gauss(0, 0.03))
        rows.append((round(time), canary))
    times, canaries = zip(*rows, strict=True)
    return {"handle_ns": times, "cpu_ns": canaries}


def judged(source, *, canaries=True, sessions=4, **head):
    before = [session(source) for _ in range(sessions)]
    now = session(source, **head)
    if not canaries:
        before = [{"handle_ns": one["handle_ns"]} for one in before]
        now.pop("cpu_ns")
    measures = repeats(
        handle_ns=now["handle_ns"],
        canaries={name: values for name, values in now.items() if name != "handle_ns"},
    )
    verdict = gate.judge("c", Size.DEFAULT, measures, accepted(before), HERE)
    return next(m for m in verdict.metrics if m.metric == "handle_ns")


def test_a_slow_hour_of_the_machine_is_no_regression_and_is_told():
    source = random.Random(1)
    before = [session(source, speed=0) for _ in range(4)]
    now = session(source, speed=0)
    slowed = {name: [round(1.3 * v) for v in values] for name, values in now.items()}
    measures = repeats(handle_ns=slowed["handle_ns"], canaries={"cpu_ns": slowed["cpu_ns"]})

    [metric] = gate.judge("c", Size.DEFAULT, measures, accepted(before), HERE).metrics

    assert metric.verdict is not Verdict.REGRESSED
    assert metric.ratio == pytest.approx(1, abs=0.03)
    assert metric.pace == pytest.approx(1.3, abs=0.05)
    assert metric.reason.endswith("% taken off")


def test_a_slower_flyte_on_a_machine_as_fast_regresses():
    source = random.Random(2)
    found = [judged(source, effect=1.2).verdict for _ in range(40)]

    assert found.count(Verdict.REGRESSED) >= 38


def test_paces_that_differ_by_a_tenth_hide_and_feign_nothing():
    source = random.Random(3)
    told = [judged(source) for _ in range(100)]
    blind = [judged(source, canaries=False) for _ in range(100)]

    assert not [m for m in told if m.verdict is Verdict.REGRESSED]
    assert sum(m.verdict is Verdict.PASS for m in told) >= 95
    spread = np.std([math.log(m.ratio) for m in told])
    assert spread < np.std([math.log(m.ratio) for m in blind]) / 3


def test_time_that_waits_for_timers_does_not_follow_the_pace():
    source = random.Random(4)
    made = [session(source, speed=0.0, follows=0) for _ in range(3)]
    waiting = [[round(0.98 * v) for v in one["handle_ns"]] for one in made]
    columns = [
        {"duration_ns": one["handle_ns"], "waiting_ns": wait, "cpu_ns": one["cpu_ns"]}
        for one, wait in zip(made, waiting, strict=True)
    ]
    slow = [round(1.3 * v) for v in columns[2].pop("cpu_ns")]
    measures = repeats(**columns[2], canaries={"cpu_ns": slow})

    verdict = gate.judge("c", Size.DEFAULT, measures, accepted(columns[:2]), HERE)

    duration = next(m for m in verdict.metrics if m.metric == "duration_ns")
    assert duration.ratio == pytest.approx(1, abs=0.02)


def served(*, pace=1.0, work=1.0, crd_bytes=20_000, seed=0):
    """A session's columns: what serves Flyte takes as long as the machine, and the object, say."""
    source = random.Random(seed)
    wander = [source.lognormvariate(0, 0.08) for _ in range(16)]
    grown = crd_bytes / 20_000
    return {
        "handle_ns": [round(500 * MS * pace * work * one) for one in wander],
        "crd_bytes": [crd_bytes] * 16,
        **{name: [7] * 16 for name in DEMAND if name != "crd_bytes"},
        "cpu_ns": [round(45 * MS * pace**2)] * 16,
        "servers_cpu_ns": [
            round(400 * MS * pace * grown * one * source.lognormvariate(0, 0.01)) for one in wander
        ],
    }


def working(now, **more):
    before = [served(seed=seed) for seed in (1, 2, 3)]
    measures = repeats(
        **{name: values for name, values in now.items() if name not in CANARIES},
        canaries={name: values for name, values in now.items() if name in CANARIES},
    )
    verdict = gate.judge("c", Size.DEFAULT, measures, accepted(before), HERE, **more)
    return next(m for m in verdict.metrics if m.metric == "handle_ns")


def test_the_servers_tell_the_pace_better_than_the_cpu_canary():
    metric = working(served(pace=1.3))

    assert metric.verdict is Verdict.PASS
    assert metric.ratio == pytest.approx(1, abs=0.01)
    assert metric.pace == pytest.approx(1.3, abs=0.05)


def test_a_slower_flyte_is_found_at_whatever_pace_its_servers_have():
    for pace_now in (0.8, 1.0, 1.25):
        metric = working(served(pace=pace_now, work=1.2, seed=9))

        assert metric.verdict is Verdict.REGRESSED
        assert metric.ratio == pytest.approx(1.2, abs=0.02)


def test_servers_that_are_asked_for_more_tell_no_pace():
    metric = working(served(crd_bytes=26_000, work=1.3, seed=9))

    assert metric.ratio == pytest.approx(1.3, abs=0.1)
    assert metric.pace == pytest.approx(1, abs=0.01)


def test_servers_of_which_something_is_unknown_tell_no_pace():
    now = served(pace=1.3)
    del now["blob_reads"]

    assert working(now).pace == pytest.approx(1.3**2, abs=0.01)


def test_a_tolerance_is_promised_by_the_canaries_that_a_run_like_the_last_has():
    policy = Policy(tolerances={"handle_ns": 0.06}, budget=16)
    same = [served(seed=seed) for seed in (1, 2, 3)]

    gate.check(policy, accepted(same))
    with pytest.raises(UsageError, match=r"tolerance 6\.0 % of working cannot be decided"):
        gate.check(policy, accepted([*same[:2], {**same[2], "pods": [8] * 16}]))


def test_noise_that_time_and_canary_share_is_no_error():
    shared = [0.1 * (-1) ** i for i in range(20)]
    rows = tuple((value,) for value in shared)
    own = [value + 0.001 * (-1) ** (i // 2) for i, value in enumerate(shared)]

    adjusted = Pace(["servers_cpu_ns"], [rows, rows], 0.02).adjust([own], own, 1.0)

    assert adjusted.error < 0.001


def test_sessions_tell_how_far_a_time_follows_the_pace():
    paces = (-0.2, -0.1, 0.0, 0.1, 0.2)
    rows = [((pace,),) * 4 for pace in paces]
    values = [[0.5 * pace] * 4 for pace in paces]

    learnt = Pace(["cpu_ns"], [*rows, ((0.3,),) * 4], 0.01).adjust(values, [0.15] * 4, 1.0)

    assert learnt.now[0] == pytest.approx(0, abs=0.01)
    assert learnt.error < 0.02


def test_slopes_within_sessions_are_those_of_least_squares():
    source = np.random.default_rng(5)
    x = source.normal(size=(60, 2))
    y = x @ [0.8, 0.5] + source.normal(scale=0.1, size=60)
    groups = [slice(0, 20), slice(20, 40), slice(40, 60)]
    centred = [np.concatenate([v[g] - v[g].mean(axis=0) for g in groups]) for v in (x, y)]
    expected, *_ = np.linalg.lstsq(*centred)
    rows = [tuple(map(tuple, x[g])) for g in groups]

    slopes = Pace(["cpu_ns", "api_write_ns"], rows, 0.02)._slopes(list(centred[1]))

    assert slopes == pytest.approx(expected)


def test_a_canary_that_explains_nothing_within_sessions_has_no_slope():
    source = random.Random(6)
    rows = [tuple((source.gauss(0, 1),) for _ in range(20)) for _ in range(3)]
    values = [source.gauss(0, 0.1) for _ in range(60)]

    assert Pace(["other_cpu_ppm"], rows, 0.02)._slopes(values) == [0]


def test_the_farther_the_pace_moved_the_larger_the_error():
    rows = ((0.0,),) * 20

    def error(by):
        moved = ((by,),) * 20
        return Pace(["cpu_ns"], [rows, moved], 0.02).adjust([[0] * 20], [by] * 20, 1.0).error

    assert error(0.2) == pytest.approx(0.25 * 0.2)
    assert error(0.1) == pytest.approx(0.25 * 0.1)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ([{}], {"cpu_ns": (1, 2)}),
        ([{"cpu_ns": (1, 2, 3)}], {}),
        ([{"cpu_ns": (1, None, 3)}], {"cpu_ns": (1, 2)}),
        ([{"cpu_ns": (1, 2)}], {"cpu_ns": (1, 2)}),
    ],
)
def test_a_canary_that_is_unknown_somewhere_is_not_used(before, now):
    assert pace([*before, now], [3, 2], 0.02) is None


def test_two_canaries_that_sing_the_same_are_one():
    rows = tuple((float(i), 2.0 * i) for i in range(20))
    values = [0.5 * i + 0.01 * (-1) ** i for i in range(20)]

    made = Pace(["other_cpu_ppm", "api_write_ns"], [rows, rows], 0.02)

    assert np.std(made.adjust([values], values, 1.0).now) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize(("name", "slope", "doubt"), [(n, *of) for n, of in STRETCH.items()])
def test_cpu_time_that_was_withheld_stretches_work(name, slope, doubt):
    calm, short = ((0.02, 7.0),) * 3, ((0.12, 7.0),) * 3

    made = Pace([name, "servers_cpu_ns"], [calm, short], 0.02)
    adjusted = made.adjust([[1.0] * 3], [1.5] * 3, 0.8)

    assert adjusted.before == (pytest.approx((1.0,) * 3),)
    assert adjusted.now == pytest.approx((1.5 - 0.8 * slope * 0.1,) * 3)
    assert adjusted.taken == pytest.approx(0.8 * slope * 0.1)
    assert adjusted.error == pytest.approx(0.8 * (doubt + 0.2 * slope) * 0.1)


def test_neighbours_are_stretched_by_what_was_withheld_from_either():
    blocks = [((share, 7.0),) * 2 for share in (0.0, 0.1, 0.2, 0.1)]
    slope, doubt = STRETCH["steal_ppm"]

    made = Pace(["steal_ppm", "servers_cpu_ns"], blocks, 0.02)
    taken, error = made.between_neighbours([0.5, 0.5], 1.0, 0.01, 0.0)

    assert taken == pytest.approx([slope * 0.2, 0.0])
    assert error == pytest.approx(doubt * 0.1)


def test_few_repeats_have_no_slope():
    rows = ((1.0,), (2.0,), (3.0,))
    made = Pace(["other_cpu_ppm"], [rows, rows], 0.02)

    assert made.adjust([[1, 2, 3]], [1, 2, 3], 1.0).now == (1, 2, 3)


@given(st.lists(st.lists(st.floats(-10, 10), min_size=3, max_size=3), min_size=5, max_size=9))
def test_an_inverse_undoes_its_matrix(rows):
    x = np.array(rows)
    matrix = x.T @ x + np.eye(3)

    assert np.array(inverted(matrix.tolist())) @ matrix == pytest.approx(np.eye(3), abs=1e-6)


def test_a_matrix_of_small_figures_has_an_inverse():
    assert inverted([[1e-8, 0.0], [0.0, 1e-8]]) == [
        [pytest.approx(1e8), 0],
        [0, pytest.approx(1e8)],
    ]


def test_a_singular_matrix_has_no_inverse():
    assert inverted([[1.0, 2.0], [2.0, 4.0]]) is None


def test_both_samples_are_set_to_the_mean_pace_of_the_baseline():
    rows = [((1.0,),) * 2, ((1.2,),) * 2]

    made = Pace(["cpu_ns"], [*rows, ((1.3,),) * 2], 0.001)
    adjusted = made.adjust([[2.0, 2.0], [2.2, 2.2]], [2.3, 2.3], 1.0)

    assert adjusted.before == (pytest.approx((2.1, 2.1)), pytest.approx((2.1, 2.1)))
    assert adjusted.now == pytest.approx((2.1, 2.1))
    assert adjusted.taken == pytest.approx(0.2)


def test_the_canary_noise_of_either_side_is_an_error():
    before = [((-0.1,), (0.1,), (-0.1,), (0.1,)), ((0.2,), (-0.2,))]
    now = ((0.5,), (0.3,), (0.4,))
    variance = (4 * 0.01 + 2 * 0.04 + 2 * 0.01) / (9 - 3)
    noise = variance / 3 + (variance / 4 + variance / 2) / 4

    adjusted = Pace(["cpu_ns"], [*before, now], 0.02).adjust([[7.0] * 4, [7.0] * 2], [7.0] * 3, 0.8)

    assert adjusted.taken == pytest.approx(0.8 * 0.4)
    assert adjusted.error == pytest.approx(math.hypot(0.45 * 0.8 * 0.4, 0.8 * math.sqrt(noise)))


def test_what_sessions_tell_weighs_as_their_repeats_allow():
    levels = (-0.2, 0.0, 0.2)
    rows = [((level,),) * 4 for level in levels]
    values = [[0.5 * level + by for by in (-0.1, 0.1, -0.1, 0.1)] for level in levels]
    variance = 0.02**2 + (12 * 0.01 / (12 - 3)) / 4
    prior = 1 / 0.25**2
    precision = prior + 0.08 / variance
    expected = (prior + 0.5 * 0.08 / variance) / precision

    adjusted = Pace(["cpu_ns"], [*rows, ((1.0,),) * 4], 0.02).adjust(values, [0.0] * 4, 1.0)

    assert adjusted.taken == pytest.approx(expected)
    assert adjusted.error == pytest.approx(1 / math.sqrt(precision))


@pytest.mark.parametrize(("names", "elasticity"), [(["cpu_ns"], 0.0), (["api_write_ns"], 1.0)])
def test_what_does_not_follow_the_cpu_is_left_as_it_is(names, elasticity):
    made = Pace(names, [((0.0,),) * 3, ((0.7,),) * 3], 0.02)

    assert made.adjust([[1, 1, 1]], [2, 2, 2], elasticity) == (((1, 1, 1),), (2, 2, 2), 0, 0)


def test_shares_count_as_shares_and_times_by_their_logarithm():
    sung = {"cpu_ns": (1, 7), "other_cpu_ppm": (0, 500_000)}

    made = pace([sung, sung], [2, 2], 0.02)

    assert made._columns[0] == pytest.approx([-math.log(7) / 2, math.log(7) / 2] * 2)
    assert made._columns[1] == pytest.approx([-0.25, 0.25] * 2)


@pytest.mark.parametrize("elasticity", [1.0, 0.6])
@pytest.mark.parametrize("slope", [0.0, 0.5, 1.5])
def test_a_canarys_own_noise_is_no_pace_between_neighbours(slope, elasticity):
    own = (-0.1, 0.1, -0.1, 0.1)
    levels = (0.0, 0.1, 0.2, 0.0)
    made = Pace(["cpu_ns"], [tuple((level + by,) for by in own) for level in levels], 0.02)
    differences, moved, variance = [0.3, -0.2], [0.2, -0.1], 0.01
    noise = (1 - min(1, slope)) * 2 * (16 * 0.01 / (16 - 4)) / 4
    expected = (1 - noise / 0.025) * elasticity
    prior = 1 / ((0.25 + 1 - elasticity) * expected) ** 2
    precision = prior + 2 * 0.15**2 / variance
    follows = (expected * prior + 2 * 0.15 * 0.25 / variance) / precision

    taken, error = made.between_neighbours(differences, elasticity, variance, slope)

    assert taken == pytest.approx([follows * x for x in moved])
    assert error == pytest.approx(0.05 / math.sqrt(precision))


def test_a_canary_that_moved_by_no_more_than_its_noise_tells_neighbours_nothing():
    own = (-0.1, 0.1, -0.1, 0.1)
    levels = (0.0, 0.0, 0.05, -0.05)
    made = Pace(["cpu_ns"], [tuple((level + by,) for by in own) for level in levels], 0.02)

    assert made.between_neighbours([0.3, -0.2], 1.0, 0.01, 0.0) == ([0.0, 0.0], 0.0)


def test_what_was_withheld_is_taken_off_before_neighbours_tell_how_far_they_follow():
    (slope, doubt), variance = STRETCH["steal_ppm"], 0.01
    levels = [(0.0, 0.0), (0.1, 0.0), (0.2, 0.3), (0.0, 0.1)]
    made = Pace(["steal_ppm", "servers_cpu_ns"], [(row,) * 2 for row in levels], 0.02)
    stretches = [0.2 * slope, -0.1 * slope]
    prior = 1 / 0.1**2
    precision = prior + 2 * 0.1**2 / variance
    follows = (prior + 2 * 0.1 * (0.25 - 0.15 * slope) / variance) / precision

    taken, error = made.between_neighbours([0.3, -0.2], 1.0, variance, 0.0)

    assert taken == pytest.approx(
        [by + follows * x for by, x in zip(stretches, (0.3, 0.1), strict=True)]
    )
    assert error == pytest.approx(math.hypot(0.05 * doubt, 0.2 / math.sqrt(precision)))


def test_what_was_withheld_beside_two_sessions_is_taken_off_from_their_mean():
    rows = [((share, 7.0),) * 2 for share in (0.0, 0.1, 0.25)]
    slope, _ = STRETCH["steal_ppm"]

    adjusted = Pace(["steal_ppm", "servers_cpu_ns"], rows, 0.02).adjust(
        [[1.0, 1.0], [1.1, 1.1]], [1.2, 1.2], 1.0
    )

    assert adjusted.taken == pytest.approx(0.2 * slope)


OWN = [0.1 * (-1) ** i for i in range(12)]
OTHER = [1, 1, -1, -1] * 3
"""At right angles to `OWN`."""


def slopes(values, *columns):
    """Of values over canaries, within one group."""
    names = ["other_cpu_ppm", "api_write_ns"][: len(columns)]
    rows = tuple(zip(*(column[: len(values)] for column in columns), strict=True))
    return Pace(names, [rows], 0.02)._slopes(values)


@pytest.mark.parametrize(("count", "found"), [(10, 1.0), (8, 0.0)])
def test_a_slope_needs_as_many_repeats_as_are_said(count, found):
    values = OWN[:count]

    assert slopes(values, OWN) == pytest.approx([found])


@pytest.mark.parametrize(("errors", "found"), [(2.9, 0.0), (3.1, 1.0)])
def test_a_slope_lies_three_standard_errors_above_none(errors, found):
    # Squares of the canary add to 0.12, of the residuals to 12 `far`^2 with 12 - 1 - 1 degrees.
    far = math.sqrt(0.12 / (12 / 10)) / errors
    values = [x + far * sign for x, sign in zip(OWN, OTHER, strict=True)]

    assert slopes(values, OWN) == pytest.approx([found])


def test_the_canary_that_explains_least_is_left_out_and_no_other():
    faint = [1e-4 * sign for sign in OTHER]
    rest = [0.01 * (-1) ** (i // 4) for i in range(12)]
    values = [x + 10 * y + z for x, y, z in zip(OWN, faint, rest, strict=True)]

    kept, left_out = slopes(values, OWN, faint)

    assert kept == pytest.approx(1, abs=0.2)
    assert left_out == 0
