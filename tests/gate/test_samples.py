"""What is compared with what: how far a time follows the pace, and who tells it."""

from __future__ import annotations

import pytest

from pytest_flyteperf.gate import Kind
from pytest_flyteperf.gate.policy import Policy
from pytest_flyteperf.gate.samples import DEMAND, by_turn, kind_of, pace_beside, sample_of
from pytest_flyteperf.model import METRICS
from tests.gate.gate_examples import MS, accepted, repeats

DEMANDED = dict.fromkeys(DEMAND, (100, 100, 100))
SUNG = {"cpu_ns": (10 * MS, 11 * MS, 12 * MS), "servers_cpu_ns": (400 * MS, 410 * MS, 420 * MS)}


def sample(metric, *sessions, now=(), beside=None):
    return sample_of(
        METRICS[metric],
        Kind.MAGNITUDE,
        accepted(sessions).sessions,
        now,
        tolerance=(None, "default"),
        beside=beside,
    )


def pace_of(now, before=DEMANDED):
    return pace_beside(
        accepted([{**before, **SUNG}]).sessions,
        repeats(**now, canaries=SUNG),
        Policy(),
    )


@pytest.mark.parametrize(
    ("metric", "columns", "share"),
    [
        ("handle_ns", {}, 1.0),
        ("waiting_ns", {}, 0.0),
        ("held_ns", {}, 0.0),
        ("duration_ns", {"waiting_ns": (300, 400, 500)}, 0.2),
        ("duration_ns", {"waiting_ns": (600, 700, 800)}, 0.0),
        ("duration_ns", {}, 1.0),
    ],
)
def test_what_flyte_waits_for_a_timer_does_not_follow_the_pace(metric, columns, share):
    session = {metric: (450, 500, 550), **columns}

    assert sample(metric, session).elasticity == pytest.approx(share)


def test_a_duration_of_nothing_follows_the_pace():
    session = {"duration_ns": (0, 0, 0), "waiting_ns": (0, 0, 0)}

    assert sample("duration_ns", session).elasticity == 1


def test_the_pace_counts_where_every_repeat_knows_the_metric():
    beside = pace_of(DEMANDED)
    known, unknown = {"handle_ns": (1, 2, 3)}, {"handle_ns": (1, None, 3)}

    assert sample("handle_ns", known, known, beside=beside).pace is beside
    assert sample("handle_ns", known, unknown, beside=beside).pace is None
    assert sample("handle_ns", known, {"pods": (1, 1, 1)}, beside=beside).pace is None


@pytest.mark.parametrize(
    ("name", "now", "served"),
    [
        ("crd_writes", 100, True),
        ("crd_writes", 110, True),
        ("crd_writes", 112, False),
        ("crd_writes", 91, True),
        ("crd_writes", 89, False),
        ("crd_bytes", 102, True),
        ("crd_bytes", 103, False),
        ("pods", 101, False),
    ],
)
def test_servers_tell_the_pace_where_they_are_asked_for_as_much(name, now, served):
    assert pace_of({**DEMANDED, name: (now,) * 3}).served is served


def test_servers_tell_no_pace_where_nobody_tells_what_they_are_asked_for():
    told = dict(DEMANDED)
    del told["blob_reads"]

    assert not pace_of(told).served
    assert not pace_of(DEMANDED, before=told).served


def test_values_are_parted_by_the_block_they_were_measured_in():
    assert by_turn("abcd", [0, 0, 2, 2]) == (("a", "b"), ("c", "d"))
    assert by_turn("abcd", []) == (("a", "b", "c", "d"),)


def test_a_metric_without_a_baseline_is_exact_by_its_nature_alone():
    assert kind_of(METRICS["pods"], (), untimed=False) is Kind.EXACT
    assert kind_of(METRICS["rounds"], (), untimed=False) is Kind.RANGED
