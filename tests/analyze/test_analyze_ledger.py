"""Ledgers: who has a stretch of time, certainly, likely and possibly; figures in nanoseconds."""

from pytest_flyteperf.analyze.ledger import Container, Facts, Layer, Ledger, Owner, settle
from pytest_flyteperf.analyze.pods import Instant
from pytest_flyteperf.analyze.timeline import Timeline

STARTING = {"rest_owner": Owner.KUBERNETES, "rest_detail": "starting"}


def container(started, finished, detail="container"):
    return Container(Instant(*started), Instant(*finished), detail)


def exactly(start, end, detail="container"):
    return container((start,) * 3, (end,) * 3, detail)


def shares(ledger):
    return {key: (s.low, s.point, s.high) for key, s in ledger.shares.items()}


def test_of_containers_that_run_at_once_the_one_that_ran_for_the_result_owns_the_time():
    facts = Facts((exactly(0, 80), exactly(10, 100, "lost")), **STARTING)

    assert shares(settle(facts, 0, 120, None)) == {
        ("user", "container"): (80, 80, 80),
        ("user", "lost"): (20, 20, 20),
        ("kubernetes", "starting"): (20, 20, 20),
    }


def test_of_containers_that_may_run_at_once_too():
    facts = Facts(
        (container((0, 90, 100), (100,) * 3), container((10, 95, 100), (100,) * 3, "lost")),
        **STARTING,
    )

    assert shares(settle(facts, 0, 100, None)) == {
        ("kubernetes", "starting"): (0, 90, 100),
        ("user", "container"): (0, 10, 100),
    }


def test_an_open_start_or_end_leaves_an_interval():
    began = Facts((container((0, 50, 100), (200,) * 3),), **STARTING)
    ended = Facts((container((0,) * 3, (100, 150, 200)),), **STARTING)

    for facts in (began, ended):
        assert shares(settle(facts, 0, 200, None)) == {
            ("user", "container"): (100, 150, 200),
            ("kubernetes", "starting"): (0, 50, 100),
        }


def test_working_time_is_summed_by_what_it_was_spent_on():
    worked = Timeline([(0, 10, "round"), (10, 15, "crd write"), (40, 60, "round")])
    facts = Facts(layers=(Layer(5, 50, Owner.BACKOFF, "quota"),), **STARTING)

    ledger = settle(facts, 0, 100, worked)

    assert ledger.working == {"round": 30, "crd write": 5}
    assert shares(ledger) == {
        ("flyte", "working"): (35, 35, 35),
        ("backoff", "quota"): (25, 25, 25),
        ("kubernetes", "starting"): (40, 40, 40),
    }


def test_ledgers_add_up_in_every_bound():
    one, other = Ledger(wall=30), Ledger(wall=12)
    one.only("user", "container", 5)
    one.likely("flyte", "working", 3)
    one.work({"round": 2})
    other.only("user", "container", 7)
    other.possible("flyte", "working", 4)
    other.only("held", "max-parallelism", 1)
    other.work({"round": 1, "crd write": 1})

    one.add(other)

    assert one.wall == 42
    assert shares(one) == {
        ("user", "container"): (12, 12, 12),
        ("flyte", "working"): (0, 3, 7),
        ("held", "max-parallelism"): (1, 1, 1),
    }
    assert one.working == {"round": 3, "crd write": 1}


def test_a_point_is_an_owners_over_all_details_or_over_some():
    ledger = Ledger()
    ledger.only("flyte", "working", 3)
    ledger.only("flyte", "waiting: tick", 5)
    ledger.only("user", "working", 7)

    assert ledger.point("flyte") == 8
    assert ledger.point("flyte", "working") == 3
    assert ledger.point("flyte", "admission", "waiting: tick") == 5
