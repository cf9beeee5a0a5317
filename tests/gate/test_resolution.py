"""How sharply a metric is told: what repeats, sessions and the machine's pace leave open."""

from __future__ import annotations

import math

import pytest

from pytest_flyteperf import gate
from pytest_flyteperf.gate import Policy, neighbours, statistics
from pytest_flyteperf.gate.compare import sharpness
from pytest_flyteperf.gate.samples import sample_of
from pytest_flyteperf.gate.verdict import Kind
from pytest_flyteperf.model import METRICS, Size
from tests.gate.gate_examples import HERE, MS, POLICY, accepted, noisy, repeats

WHOLE = POLICY.whole
ALARM, MISS = WHOLE.quantiles


def told(now, before, policy=POLICY, *, canaries=None, **more):
    """The verdict of the first metric."""
    measures = repeats(canaries=canaries, **now)
    return gate.judge("c", Size.DEFAULT, measures, before, HERE, policy, **more).metrics[0]


def test_more_repeats_resolve_more():
    before = accepted([{"handle_ns": noisy(1, 20)}, {"handle_ns": noisy(2, 20)}])

    def resolution(count):
        now = repeats(handle_ns=noisy(3, count))
        return gate.judge("c", Size.DEFAULT, now, before, HERE, POLICY).metrics[0].resolution

    assert resolution(40) < resolution(10) < resolution(5)


def test_blocks_on_fresh_deployments_resolve_more_than_one():
    before = accepted([{"handle_ns": noisy(n, 10)} for n in range(4)])
    now = repeats(handle_ns=noisy(9, 40))

    def resolution(sessions):
        verdict = gate.judge("c", Size.DEFAULT, now, before, HERE, POLICY, sessions=sessions)
        return verdict.metrics[0].resolution

    assert resolution(4) < 0.8 * resolution(1)


def test_what_is_found_exceeds_the_resolution_by_the_accepted_misses():
    before = accepted([{"handle_ns": noisy(n, 20)} for n in range(4)])

    now = repeats(handle_ns=noisy(9, 20))
    metric = gate.judge("c", Size.DEFAULT, now, before, HERE, POLICY).metrics[0]

    # Normal deviates of one in 10,000 and of one in twenty: 3.719 and 1.645.
    ratio = math.log1p(metric.finds) / math.log1p(metric.resolution)
    assert ratio == pytest.approx((3.719 + 1.645) / 3.719, abs=1e-3)


def test_a_time_whose_pace_nobody_tells_is_hardly_resolved():
    steady = {"handle_ns": [500 * MS] * 20}

    blind = told(steady, accepted([steady]), Policy())
    seen = told(
        steady, accepted([steady | {"cpu_ns": [MS] * 20}]), Policy(), canaries={"cpu_ns": [MS] * 20}
    )

    assert math.log1p(blind.resolution) == pytest.approx(
        ALARM * math.hypot(0.02, 0.2) * math.sqrt(2)
    )
    assert math.log1p(seen.resolution) == pytest.approx(ALARM * 0.02 * math.sqrt(2))


def test_bytes_do_not_follow_the_pace():
    steady = {"crd_bytes": [20_000] * 20}

    metric = told(steady, accepted([steady]), Policy())

    assert math.log1p(metric.resolution) == pytest.approx(ALARM * 0.02 * math.sqrt(2))


def test_the_error_of_a_pace_that_moved_widens_interval_and_resolution():
    steady = {"handle_ns": [500 * MS] * 20}
    before = accepted([steady | {"cpu_ns": [10 * MS] * 20}])

    def at(pace):
        now = {"handle_ns": [round(500 * MS * pace)] * 20}
        return told(now, before, Policy(), canaries={"cpu_ns": [round(10 * MS * pace)] * 20})

    expected = ALARM * math.hypot(0.02 * math.sqrt(2), 0.25 * math.log(1.3))
    assert math.log1p(at(1.3).resolution) == pytest.approx(expected, rel=1e-3)
    assert at(1.3).low < at(1.0).low
    assert at(1.3).ratio == pytest.approx(1, abs=1e-3)


COUNTS = [40, 41, 44, 39, 52, 40, 43, 47, 38, 45]


def count_told(values, count, asked):
    before = accepted([{"rounds": values}] * 2)
    rounds = METRICS["rounds"]
    sample = sample_of(
        rounds, Kind.RANGED, before.sessions, (), tolerance=(asked, "asked"), beside=None
    )
    return sharpness(sample, count, POLICY)


def test_a_count_is_resolved_in_its_own_unit_and_told_as_a_share():
    middle = statistics.median(COUNTS)
    within = statistics.scale(COUNTS * 2) * math.sqrt(1 / 20 + 1 / 30)
    between = POLICY.session_deviation * middle * math.sqrt(1 + 1 / 2)

    found = count_told(COUNTS, 30, 0.2)

    assert found.resolution == pytest.approx(ALARM * math.hypot(within, between) / middle)
    assert found.deviation == pytest.approx(POLICY.session_deviation)


def test_as_many_repeats_are_needed_as_resolve_the_tolerance():
    found = count_told(COUNTS, 30, 0.2)

    assert count_told(COUNTS, found.needed, 0.2).resolution <= 0.2
    assert count_told(COUNTS, found.needed - 1, 0.2).resolution > 0.2
    assert count_told(COUNTS, 30, 10.0).needed == 1


def test_a_count_that_never_varies_has_no_resolution():
    assert count_told([40] * 10, 30, 0.01) is None


def test_objects_on_the_heap_are_told_in_turns_by_what_processes_draw():
    blocks = {"allocations": [400_000] * 20, "pods": [0] * 20}
    base = {"allocations": [390_000] * 5, "pods": [0] * 5}
    before = accepted([base | {"cpu_ns": [pace * MS] * 5} for pace in (1, 2, 1, 2)])
    beside = {"cpu_ns": [2 * MS] * 20}

    verdict = gate.judge(
        "c",
        Size.DEFAULT,
        repeats(canaries=beside, **blocks),
        before,
        HERE,
        POLICY,
        turns=[i // 5 for i in range(20)],
    )
    metric = next(m for m in verdict.metrics if m.metric == "allocations")

    drawn = 390_000 * math.hypot(0.01, 4_000 / 390_000)
    expected = neighbours.Neighbours((0.0,) * 4, math.sqrt(2) * drawn, 0.0, 0.0)
    assert metric.ratio == pytest.approx(400 / 390)
    assert metric.pace == 1
    assert metric.resolution * 390_000 == pytest.approx(expected.resolution(4, WHOLE)[0])


def test_bytes_in_turns_do_not_follow_the_pace():
    levels = (1, 2, 1, 3)
    before = accepted([{"crd_bytes": [20_000] * 5, "cpu_ns": [x * MS] * 5} for x in levels])
    now = {"crd_bytes": [22_000] * 20}
    sung = {"cpu_ns": [2 * x * MS for x in levels for _ in range(5)]}

    metric = told(now, before, canaries=sung, turns=[i // 5 for i in range(20)])

    assert metric.ratio == pytest.approx(1.1)
    assert metric.pace == 1


def test_times_in_turns_are_told_on_logarithms_with_the_pace_taken_off():
    levels = (1.0, 1.2, 0.9, 1.1)
    before = accepted(
        [
            {"handle_ns": [round(500 * MS * x)] * 5, "cpu_ns": [round(10 * MS * x)] * 5}
            for x in levels
        ]
    )
    slower = [1.3 * x for x in levels for _ in range(5)]

    metric = told(
        {"handle_ns": [round(500 * MS * x) for x in slower]},
        before,
        canaries={"cpu_ns": [round(10 * MS * x) for x in slower]},
        turns=[i // 5 for i in range(20)],
    )

    assert metric.ratio == pytest.approx(1, abs=0.01)
    assert metric.pace == pytest.approx(1.3, abs=0.01)
