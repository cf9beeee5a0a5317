from __future__ import annotations

import itertools
import math
import random
import statistics as standard

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_flyteperf.gate import statistics
from pytest_flyteperf.gate.statistics import Shift, Tails

EVEN = Tails(0.05, 0.05)
VALUES = st.lists(st.integers(1, 10**12), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("first", "second", "tail", "rank"),
    [
        (1, 1, 0.5, 0),
        (3, 4, 0.05, 0),
        (3, 4, 0.01, None),
        (5, 5, 0.05, 4),
        (5, 5, 0.01, 1),
        (5, 5, 0.0001, None),
        (8, 6, 0.05, 10),
        (8, 6, 0.01, 6),
        (10, 10, 0.05, 27),
        (10, 10, 0.01, 19),
        (10, 10, 0.0001, 4),
        (20, 5, 0.05, 25),
        (20, 5, 0.0001, 2),
        (20, 20, 0.01, 114),
        (20, 20, 0.0001, 67),
    ],
)
def test_ranks_are_those_of_scipy(first, second, tail, rank):
    # scipy 1.17.1: the largest U with mannwhitneyu(alternative="less", method="exact") <= tail.
    assert statistics.rank_below(first, second, tail) == rank


@pytest.mark.parametrize(("first", "second"), [(41, 40), (60, 30), (200, 10)])
@pytest.mark.parametrize("tail", [0.05, 0.01, 0.0001])
def test_beyond_enumeration_the_interval_is_hardly_narrower_than_exact(first, second, tail):
    exact = statistics._exact_rank(first, second, tail)
    approximate = statistics.rank_below(first, second, tail)

    assert first * second > statistics.EXACT_UP_TO
    assert approximate <= 1.002 * exact
    assert approximate >= 0.75 * exact


@pytest.mark.parametrize(("first", "second"), [(2, 3), (4, 2), (3, 3)])
def test_arrangements_are_those_counted_one_by_one(first, second):
    counted = [0] * (first * second + 1)
    for chosen in itertools.combinations(range(first + second), first):
        others = set(range(first + second)) - set(chosen)
        counted[sum(x > y for x in chosen for y in others)] += 1

    assert statistics._arrangements(first, second) == tuple(counted)


@given(VALUES, VALUES)
def test_the_shift_is_the_median_of_all_differences(before, now):
    differences = [y - x for x in before for y in now]

    assert statistics.shift(before, now, EVEN).point == standard.median(differences)


@given(VALUES, VALUES, st.integers(-(10**9), 10**9))
def test_moving_a_sample_moves_the_interval_as_far(before, now, by):
    plain = statistics.shift(before, now, EVEN)

    assert statistics.shift(before, [v + by for v in now], EVEN) == Shift(*(e + by for e in plain))


@given(VALUES, VALUES)
def test_swapping_the_samples_mirrors_the_interval(before, now):
    tails = Tails(0.01, 0.1)
    there = statistics.shift(before, now, tails)
    back = statistics.shift(now, before, Tails(0.1, 0.01))

    assert (there.low, there.point, there.high) == (-back.high, -back.point, -back.low)


@given(VALUES, VALUES, st.floats(0.0001, 0.4), st.floats(0.0001, 0.4))
def test_a_smaller_risk_never_narrows_the_interval(before, now, one, other):
    wide = statistics.shift(before, now, Tails(min(one, other), min(one, other)))
    narrow = statistics.shift(before, now, Tails(max(one, other), max(one, other)))

    assert wide.low <= narrow.low <= narrow.point <= narrow.high <= wide.high


@given(VALUES)
def test_a_median_is_that_of_the_standard_library(values):
    assert statistics.median(values) == standard.median(values)


def test_the_interval_covers_what_it_promises():
    source = random.Random(1)
    covered = 0
    for _ in range(2000):
        before = [source.lognormvariate(0, 0.36) for _ in range(9)]
        now = [source.lognormvariate(0, 0.36) for _ in range(7)]
        found = statistics.shift([*map(math.log, before)], [*map(math.log, now)], EVEN)
        covered += found.low <= 0 <= found.high

    # 0.90 promised; the standard error of the rate is 0.007.
    assert 0.90 - 0.02 < covered / 2000 < 0.94


def test_clusters_a_second_apart_are_covered_too():
    source = random.Random(2)

    def tick():
        return source.choices((3.4, 4.4, 5.3), (1, 2, 1))[0] + source.gauss(0, 0.05)

    covered = 0
    for _ in range(2000):
        found = statistics.shift([tick() for _ in range(12)], [tick() for _ in range(12)], EVEN)
        covered += found.low <= 0 <= found.high

    assert covered / 2000 > 0.90 - 0.02


def test_scale_is_near_the_deviation_of_normal_values():
    source = random.Random(3)
    scales = [statistics.scale([source.gauss(0, 5) for _ in range(20)]) for _ in range(300)]

    assert 4.5 < standard.median(scales) < 5.5


def test_quantiles_are_evenly_spaced_and_all_values_where_as_many_are_asked_for():
    assert statistics.quantiles(range(10), 5) == [1, 3, 5, 7, 9]
    assert statistics.quantiles(range(4), 4) == [0, 1, 2, 3]


def test_one_far_value_hardly_changes_the_scale():
    source = random.Random(4)
    values = [source.gauss(0, 5) for _ in range(30)]

    assert statistics.scale([*values, 10_000]) < 1.3 * statistics.scale(values)


def test_too_few_values_have_no_scale():
    assert statistics.scale([1.0, 2.0]) == math.inf


def test_one_session_has_the_assumed_deviation():
    assert statistics.session_deviation([[1.0, 2.0, 3.0]], prior=0.015) == 0.015


def test_two_sessions_say_as_much_as_one_beside_the_four_that_are_assumed():
    # Variance between [0, 0, 0] and [1, 1, 1] is 1 / 2, within them none.
    found = statistics.session_deviation([[0.0] * 3, [1.0] * 3], prior=0.1)

    assert found == pytest.approx(math.sqrt((4 * 0.1**2 + 0.5) / 5))


def test_sessions_of_one_value_tell_no_deviation():
    assert statistics.session_deviation([[1.0], [2.0], [9.0]], prior=0.1) == 0.1


def test_many_sessions_tell_their_own_deviation():
    source = random.Random(5)
    sessions = []
    for _ in range(60):
        middle = source.gauss(0, 0.08)
        sessions.append([source.gauss(middle, 0.1) for _ in range(20)])

    assert 0.065 < statistics.session_deviation(sessions, prior=0.015) < 0.095


def test_equal_sessions_do_not_lower_the_assumed_deviation():
    sessions = [[1.0, 2.0, 3.0]] * 5

    assert statistics.session_deviation(sessions, prior=0.05) == 0.05


def test_one_far_value_is_no_difference_between_sessions():
    source = random.Random(7)
    sessions = [[source.gauss(0, 0.01) for _ in range(20)] for _ in range(4)]
    sessions[0][3] = 3.0

    assert statistics.session_deviation(sessions, prior=0.01) < 0.011


def test_between_variance_is_that_of_the_textbook():
    # Searle, Casella and McCulloch's estimator by hand: means 2, 4, 9; squares within 2 + 2 + 2;
    # between mean square (9 + 1 + 16) * 2 / 2 = 26, within 6 / 3 = 2, so (26 - 2) / 2 = 12.
    assert statistics._between([[1, 3], [3, 5], [8, 10]]) == pytest.approx(12)


@given(st.lists(st.lists(st.floats(-1e6, 1e6), max_size=6), min_size=1, max_size=6))
def test_a_deviation_is_a_number(sessions):
    assume(any(sessions))

    assert 0 <= statistics.session_deviation(sessions, prior=0.01) < math.inf


def test_errors_of_sessions_add_in_squares():
    tails = Tails(0.025, 0.025)
    wide = statistics.widened(Shift(-3.0, 0.0, 3.0), 4 / tails.quantiles[0], tails)

    assert wide.low == pytest.approx(-5)
    assert wide.high == pytest.approx(5)


def test_an_interval_without_bound_stays_so():
    wide = statistics.widened(Shift(-math.inf, 1.0, math.inf), 0.1, EVEN)

    assert wide == Shift(-math.inf, 1.0, math.inf)


def test_repeats_needed_are_the_fewest_that_bound_a_shift():
    for before in (5, 10, 20, 40):
        needed = statistics.repeats_needed(before, 0.0001)

        assert statistics.rank_below(before, needed, 0.0001) is not None
        assert statistics.rank_below(before, needed - 1, 0.0001) is None


def test_one_value_is_never_enough():
    assert statistics.repeats_needed(1, 0.0001) is None


def test_one_repeat_is_enough_where_the_risk_allows():
    assert statistics.repeats_needed(30, 0.05) == 1


@pytest.mark.parametrize(
    ("values", "middle"), [([3.0], 3.0), ([1.0, 2.0], 1.5), ([1.0, 2.0, 9.0], 3.5)]
)
def test_the_pseudomedian_is_the_median_of_means_of_two(values, middle):
    assert statistics.pseudomedian(values) == middle
