"""Our statistics beside those of scipy."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from pytest_flyteperf.gate import statistics
from pytest_flyteperf.gate.pace import Pace
from tests.gate import error_rates

stats = pytest.importorskip("scipy.stats", reason="scipy is not installed here")
SIZES = [(3, 4), (5, 5), (8, 6), (12, 9), (20, 5)]


@pytest.mark.parametrize(("first", "second"), SIZES)
def test_the_null_distribution_is_that_of_the_exact_test(first, second):
    counts = statistics._arrangements(first, second)
    shares = [n / math.comb(first + second, first) for n in itertools.accumulate(counts)]
    source = random.Random(first)
    for _ in range(20):
        ranks = source.sample(range(first + second), first + second)
        before, now = ranks[:first], ranks[first:]
        found = stats.mannwhitneyu(before, now, alternative="less", method="exact")

        assert shares[int(found.statistic)] == pytest.approx(found.pvalue)


@pytest.mark.parametrize(("first", "second"), SIZES)
@pytest.mark.parametrize("tail", [0.05, 0.01])
def test_an_interval_excludes_no_change_exactly_where_the_test_rejects_it(first, second, tail):
    source = random.Random(second)
    for shift in (0, 0.5, 1, 2):
        before = [source.gauss(0, 1) for _ in range(first)]
        now = [source.gauss(shift, 1) for _ in range(second)]
        test = stats.mannwhitneyu(now, before, alternative="greater", method="exact")

        low = statistics.shift(before, now, statistics.Tails(tail, tail)).low

        assert (low > 0) == (test.pvalue <= tail)


def test_normal_deviates_are_those_of_scipy():
    for chance in (0.3, 0.05, 1e-4, 1e-8):
        found = statistics.Tails(chance, chance).quantiles[0]

        assert found == pytest.approx(stats.norm.isf(chance))


def test_the_variance_between_groups_is_that_of_its_f_statistic():
    source = random.Random(5)
    groups = [[source.gauss(middle, 1) for _ in range(8)] for middle in (0, 1, 3, 2)]
    within = sum(stats.tvar(group) for group in groups) / len(groups)
    f = stats.f_oneway(*groups).statistic

    assert statistics._between(groups) == pytest.approx((f - 1) * within / 8)


def test_a_slope_is_that_of_linear_regression():
    source = random.Random(6)
    x = [source.gauss(0, 1) for _ in range(30)]
    y = [0.7 * v + source.gauss(0, 0.2) for v in x]
    rows = tuple((v,) for v in x)
    twice = [v - sum(y) / len(y) for v in (*y, *y)]

    [slope] = Pace(["other_cpu_ppm"], [rows, rows], 0.02)._slopes(twice)

    assert slope == pytest.approx(stats.linregress(x, y).slope)


@pytest.mark.parametrize(("hits", "rounds"), [(0, 300), (3, 300), (7, 40), (40, 40)])
def test_the_upper_bound_of_a_rate_is_that_of_clopper_and_pearson(hits, rounds):
    expected = stats.binomtest(hits, rounds).proportion_ci(0.90, "exact").high

    assert error_rates.upper_bound(hits, rounds) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 8, 13, 40])
@pytest.mark.parametrize("tail", [0.5, 0.05, 0.0025, 1e-4, 7e-8])
def test_the_quantile_is_that_of_students_t(freedom, tail):
    found = statistics.t_quantile(tail, freedom)

    assert found == pytest.approx(stats.t.isf(tail, freedom), rel=1e-6, abs=1e-9)
