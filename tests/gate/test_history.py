from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.gate.history import levels


def series(seed, *factors, deviation=0.02, spread=0.08, count=10):
    """Runs of ten repeats, one for each factor."""
    source = random.Random(seed)
    made = []
    for factor in factors:
        middle = 5e8 * factor * source.lognormvariate(0, deviation)
        made.append([round(middle * source.lognormvariate(0, spread)) for _ in range(count)])
    return made


def test_an_even_series_has_one_level():
    split = [len(levels(series(seed, *[1] * 20))) > 1 for seed in range(200)]

    assert sum(split) <= 2


@pytest.mark.parametrize("at", [5, 10, 15])
def test_a_step_is_found_where_it_is(at):
    found = [levels(series(seed, *[1] * at, *[1.25] * (20 - at))) for seed in range(50)]

    exact = [f for f in found if len(f) == 2 and abs(f[1].first - at) <= 1]
    assert len(exact) >= 47
    assert all(1.15 < f[1].ratio < 1.35 for f in exact)


def test_a_step_up_and_down_makes_three_levels():
    found = levels(series(1, *[1] * 8, *[1.4] * 8, *[1] * 8))

    assert [(level.first, level.last) for level in found] == [(0, 7), (8, 15), (16, 23)]


def test_one_far_run_is_no_level():
    assert len(levels(series(2, *[1] * 10, 1.12, *[1] * 10))) == 1


def test_no_run_has_no_level_and_one_run_has_one():
    assert levels([]) == ()
    assert [level.ratio for level in levels([[5, 6, 7]])] == [None]


@given(st.lists(st.lists(st.integers(1, 10**12), min_size=1, max_size=5), max_size=12))
def test_levels_cover_the_series_without_overlap(runs):
    found = levels(runs)

    assert [i for level in found for i in range(level.first, level.last + 1)] == list(
        range(len(runs))
    )


@given(st.integers(0, 10**6), st.integers(2, 50))
def test_scaling_changes_no_level(seed, factor):
    runs = series(seed, *[1] * 6, *[1.3] * 6)
    scaled = [[value * factor for value in values] for values in runs]

    assert [level.first for level in levels(runs)] == [level.first for level in levels(scaled)]


def steady(*factors):
    """Runs whose repeats agree."""
    return [[round(5e8 * factor)] * 10 for factor in factors]


def test_runs_that_differ_by_more_than_their_repeats_are_one_level():
    assert len(levels(steady(*[1, 1.2] * 8))) == 1


def test_a_level_may_be_a_run_long():
    assert [(level.first, level.last) for level in levels(steady(1, *[2] * 5))] == [(0, 0), (1, 5)]
    assert [(level.first, level.last) for level in levels(steady(*[1] * 5, 2))] == [(0, 4), (5, 5)]


@pytest.mark.parametrize(("errors", "count"), [(3.54, 1), (3.64, 2)])
def test_a_series_parts_where_chance_would_part_one_in_a_thousand(errors, count):
    """One in a thousand, on either side, at three places to part: 3.588 standard errors of 2 %."""
    later = math.exp(0.02 * errors * math.sqrt(1 / 2 + 1 / 2))

    assert len(levels(steady(1, 1, later, later))) == count
