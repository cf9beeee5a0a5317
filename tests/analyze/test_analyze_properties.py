"""Ownership holds for executions of any shape, with stamps of any order."""

import random

from analyze_examples import executions, pods, run, working
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_flyteperf.analyze.evidence import Watch
from pytest_flyteperf.analyze.ledger import WORKING, Owner
from pytest_flyteperf.analyze.ownership import attribute
from pytest_flyteperf.analyze.views import ownership_of


def attributed(example):
    whole = run(
        example.nodes,
        example.tasks,
        created=example.created,
        ended=example.ended,
        phase=example.phase,
        seen=example.seen,
        max_parallelism=example.max_parallelism,
    )
    timelines = {"e": working(*example.handles)} if example.traced else {}
    attribution = attribute(whole, example.children, Watch(pods(*example.watched)), timelines)
    return whole, attribution


@given(executions())
def test_every_instant_has_one_owner(example):
    whole, attribution = attributed(example)

    owned = sum(share.point for share in attribution.whole.shares.values())

    assert owned == attribution.whole.wall == max(0, whole.ended - whole.created)


@given(executions())
def test_points_lie_between_lows_and_highs_and_nothing_is_negative(example):
    _, attribution = attributed(example)

    for ledger in [attribution.whole, *(time.ledger for time in attribution.nodes)]:
        shares = list(ledger.shares.values())
        assert all(0 <= share.low <= share.point <= share.high for share in shares)
        assert sum(share.low for share in shares) <= ledger.wall
        assert sum(share.high for share in shares) >= ledger.wall


@given(executions())
def test_the_path_covers_the_wall_clock_without_gap_or_overlap(example):
    whole, attribution = attributed(example)

    reached = whole.created
    for stretch, ledger in attribution.path:
        assert stretch.start == reached < stretch.end
        assert ledger.wall == stretch.end - stretch.start
        reached = stretch.end
    if attribution.path:
        assert reached == whole.ended


@given(executions())
def test_a_nodes_ledger_adds_up_to_its_own_time(example):
    _, attribution = attributed(example)

    for time in attribution.nodes:
        node = time.node
        if node.created is not None and node.ended is not None:
            owned = sum(share.point for share in time.ledger.shares.values())
            assert owned == max(0, node.ended - node.created)


@given(executions())
def test_work_by_operation_adds_up_to_working_time(example):
    _, attribution = attributed(example)

    working_ns = sum(attribution.whole.working.values())

    assert working_ns == attribution.whole.point(Owner.FLYTE, WORKING)


@given(executions(), st.randoms(use_true_random=False))
def test_the_order_of_input_does_not_matter(example, shuffler: random.Random):
    whole, first = attributed(example)
    for part in (example.nodes, example.tasks, example.watched, example.handles):
        shuffler.shuffle(part)
    again, second = attributed(example)

    assert ownership_of(whole, first) == ownership_of(again, second)


@given(executions())
@settings(max_examples=50)
def test_without_any_trace_nothing_of_flytes_is_divided(example):
    example.traced = False

    _, attribution = attributed(example)

    details = {detail for owner, detail in attribution.whole.shares if owner == Owner.FLYTE}
    assert details <= {"working or waiting", "admission"}
