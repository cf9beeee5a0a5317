from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pytest_flyteperf import gate
from pytest_flyteperf.model import (
    Cost,
    Finding,
    NodeOverhead,
    Owned,
    Ownership,
    PathStep,
    Severity,
    Size,
)
from pytest_flyteperf.report import causes
from tests.gate.gate_examples import HERE, MS, POLICY, accepted, repeats

COSTS = {"crd write": (12, 36), "blob write": (8, 24), "node event": (18, 54), "round": (40, 386)}
PATH = {("task", "user", "container"): 1300, ("task", "flyte", "waiting: batching tick"): 3000}


def measured(costs=COSTS, path=PATH, crd_writes=12, findings=()):
    """Ten equal repeats; costs as calls and milliseconds, the path in milliseconds."""
    operations = {n: Cost(calls=calls, ns=ms * MS) for n, (calls, ms) in costs.items()}
    steps = tuple(
        PathStep(
            start_ns=0,
            end_ns=ms * MS,
            execution="e",
            node="n0",
            kind=kind,
            part="node",
            owners=(Owned(owner=o, detail=d, point_ns=ms * MS, low_ns=ms * MS, high_ns=ms * MS),),
        )
        for (kind, o, d), ms in path.items()
    )
    ownership = Ownership(
        wall_ns=sum(path.values()) * MS,
        owners=(),
        working_ns={},
        path=steps,
        nodes=(),
        summed=NodeOverhead(flyte_ns=0, scheduling_ns=0, runtime_ns=0),
    )
    column = {
        "handle_ns": [sum(cost.ns for cost in operations.values())] * 10,
        "duration_ns": [ownership.wall_ns] * 10,
        "crd_writes": [crd_writes] * 10,
    }
    return [
        structs.replace(m, operations=operations, ownership=ownership)
        for m in repeats(findings, **column)
    ]


BASELINE = structs.replace(accepted([{"pods": [1]}]), sessions=(gate.session("s0", measured()),))


def found(now):
    verdict = gate.judge("chain", Size.DEFAULT, now, BASELINE, HERE, POLICY)
    return verdict, gate.explain(verdict, BASELINE, now)


@pytest.mark.parametrize(
    ("sentence", "fault", "expected"),
    [
        (
            "more calls of the same length",
            {"crd write": (31, 136)},
            (
                "crd write +100 ms, 100 % of working time's change: "
                "12 -> 31 calls, 3.00 ms -> 4.39 ms each"
            ),
        ),
        (
            "as many calls that take longer",
            {"blob write": (8, 124)},
            (
                "blob write +100 ms, 100 % of working time's change: "
                "8 calls, 3.00 ms -> 15.5 ms each"
            ),
        ),
        (
            "an operation that was not there",
            {"DataCatalog/GetArtifact": (4, 100)},
            (
                "DataCatalog/GetArtifact +100 ms, 100 % of working time's change: "
                "4 calls, none before, 25.0 ms each"
            ),
        ),
    ],
)
def test_faults_that_raise_the_same_metric_have_different_causes(sentence, fault, expected):
    verdict, why = found(measured({**COSTS, **fault}))

    assert verdict.verdict is gate.Verdict.REGRESSED, sentence
    assert [o.name for o in why.operations] == list(fault)
    assert why.operations[0].share >= 0.5
    assert causes.lines(verdict, why) == (expected,)


def test_an_improvement_has_a_cause_too():
    verdict, why = found(measured({**COSTS, "round": (40, 86)}))

    assert verdict.verdict is gate.Verdict.IMPROVED
    assert causes.lines(verdict, why) == (
        "round -300 ms, 100 % of working time's change: 40 calls, 9.65 ms -> 2.15 ms each",
    )


def test_counts_come_first_then_operations():
    verdict, why = found(measured({**COSTS, "crd write": (31, 136)}, crd_writes=31))

    assert [line.split(",")[0] for line in causes.lines(verdict, why)] == [
        "CRD writes 12 -> 31",
        "crd write +100 ms",
    ]


def test_a_longer_wait_is_found_on_the_path():
    slow = {**PATH, ("task", "flyte", "waiting: batching tick"): 4500}
    slow["map", "kubernetes", "scheduling"] = 400

    verdict, why = found(measured(path=slow))

    assert causes.lines(verdict, why) == (
        "flyte waiting: batching tick in task nodes +1.50 s, 79 % of the duration's change",
        "kubernetes scheduling in map nodes +400 ms, 21 % of the duration's change",
    )


def test_what_grew_is_named_even_if_something_else_shrank():
    fault = {"crd write": (12, 236), "round": (40, 286)}

    _, why = found(measured({**COSTS, **fault}))

    assert [(o.name, o.share) for o in why.operations] == [("crd write", 2.0)]


def test_nothing_moved_has_no_cause():
    verdict, why = found(measured())

    assert why == type(why)()
    assert causes.lines(verdict, why) == ()


def test_without_a_baseline_there_is_no_cause():
    verdict = gate.judge("chain", Size.DEFAULT, measured(), None, HERE, POLICY)

    assert gate.explain(verdict, None, measured()) == gate.explain(verdict, BASELINE, measured())


def test_invalid_repeats_do_not_take_part():
    lost = Finding(check="lost spans", severity=Severity.INVALID, evidence="x")
    broken = measured({"crd write": (999, 9999)}, findings=[lost])[:1]

    _, why = found([*measured(), *broken])

    assert why.operations == ()


def test_a_session_stores_means_that_add_up():
    session = BASELINE.sessions[0]

    assert sum(cost.ns for cost in session.operations.values()) == session.samples["handle_ns"][0]
    assert sum(session.parts.values()) == session.samples["duration_ns"][0]


@given(
    st.dictionaries(
        st.sampled_from([*COSTS, "other"]),
        st.tuples(st.integers(0, 100), st.integers(0, 1000)),
        min_size=1,
    )
)
def test_shares_never_exceed_the_shift_without_something_that_shrank(costs):
    grown = {n: (c, max(ms, COSTS.get(n, (0, 0))[1])) for n, (c, ms) in costs.items()}

    verdict, why = found(measured({**COSTS, **grown}))

    assert sum(o.share for o in why.operations) <= 1 + 1e-9
    assert all(line.isprintable() for line in causes.lines(verdict, why))


def test_counts_stand_in_the_order_of_their_growth():
    before = {"node_events": [18] * 10, "pods": [2] * 10, "attempts": [4] * 10}
    after = {"node_events": [20] * 10, "pods": [6] * 10, "attempts": [4, *[5] * 9]}
    now = repeats(**after)
    baseline = accepted([before])
    verdict = gate.judge("chain", Size.DEFAULT, now, baseline, HERE, POLICY)

    assert causes.lines(verdict, gate.explain(verdict, baseline, now)) == (
        "pods 2 -> 6",
        "attempts 4 -> 5",
        "node events 18 -> 20",
    )


@pytest.mark.parametrize(
    ("now", "line"),
    [([18, 18, 18, 19], "node events 18 -> 19"), ([18, 18, 18, 17], "node events 18 -> 17")],
)
def test_one_odd_repeat_is_named_where_the_median_hides_it(now, line):
    baseline = accepted([{"node_events": [18] * 4}])
    measures = repeats(node_events=now)
    verdict = gate.judge("chain", Size.DEFAULT, measures, baseline, HERE, POLICY)

    assert causes.lines(verdict, gate.explain(verdict, baseline, measures)) == (line,)


@pytest.mark.parametrize(
    ("times", "lines"),
    [
        (6, ("throttling in 6 of 10 repeats, one of them with 35 throttled node events",)),
        (5, ()),
    ],
)
def test_what_flyte_was_kept_from_in_most_repeats_is_told(times, lines):
    note = Finding(check="throttling", severity=Severity.NOTE, evidence="35 throttled node events")
    other = Finding(check="other CPU use", severity=Severity.NOTE, evidence="12 % of CPU time")
    slow = measured({**COSTS, "round": (40, 886)}, findings=[other])
    now = [structs.replace(m, findings=(note, other)) for m in slow[:times]] + slow[times:]

    verdict, why = found(now)

    assert verdict.verdict is gate.Verdict.REGRESSED
    assert causes.lines(verdict, why)[:-1] == lines


def test_traces_on_one_side_alone_say_nothing():
    now = measured({"crd write": (31, 136)})
    bare = structs.replace(
        BASELINE, sessions=(structs.replace(BASELINE.sessions[0], operations={}, parts={}),)
    )
    verdict = gate.judge("chain", Size.DEFAULT, now, bare, HERE, POLICY)

    assert gate.explain(verdict, bare, now).operations == ()
    assert gate.explain(verdict, bare, now).parts == ()


WHERE = {("task", "flyte", "working"): 1000}


def held_against(sessions, now):
    """The cause of repeats of now, against a baseline of such sessions."""
    stored = tuple(gate.session(f"s{i}", made) for i, made in enumerate(sessions))
    baseline = structs.replace(BASELINE, sessions=stored)
    verdict = gate.judge("chain", Size.DEFAULT, now, baseline, HERE, POLICY)
    return gate.explain(verdict, baseline, now)


def test_sessions_count_alike_and_what_one_lacks_counts_as_none():
    first = measured(
        {"round": (40, 100), "crd write": (10, 20)}, {**WHERE, ("branch", "a", "b"): 60}
    )
    second = measured({"round": (60, 300)}, WHERE)
    now = measured(
        {"round": (80, 200), "crd write": (10, 210)}, {**WHERE, ("branch", "a", "b"): 130}
    )

    why = held_against([first, second], now)

    (write,) = why.operations
    assert (write.before.calls, write.before.ns) == (5, 10 * MS)
    assert (write.now.calls, write.now.ns) == (10, 210 * MS)
    assert (write.share, write.shift_ns) == (1, 200 * MS)
    (part,) = why.parts
    assert (part.kind, part.owner, part.detail) == ("branch", "a", "b")
    assert (part.shift_ns, part.share) == (100 * MS, 1)


def test_what_is_gone_explains_an_improvement():
    before = measured(
        {"round": (40, 100), "node event": (18, 300)}, {**WHERE, ("gate", "x", "y"): 9}
    )
    now = measured({"round": (40, 100)}, WHERE)

    why = held_against([before], now)

    (event,) = why.operations
    assert (event.before.calls, event.now.calls, event.now.ns) == (18, 0, 0)
    assert event.share == 1
    (part,) = why.parts
    assert (part.kind, part.shift_ns) == ("gate", -9 * MS)


def test_what_is_new_on_the_path_is_told_though_its_detail_has_slashes():
    new = ("task", "kubernetes", "image/pull/wait")

    (part,) = held_against([measured(path=WHERE)], measured(path={**WHERE, new: 70})).parts

    assert (part.owner, part.detail, part.shift_ns) == ("kubernetes", "image/pull/wait", 70 * MS)


def test_operations_and_parts_stand_in_the_order_of_their_shares_a_tenth_is_named():
    grown = {"crd write": (12, 36 + 300), "blob write": (8, 24 + 600), "round": (40, 386 + 100)}
    path = {("a", "o", "d"): 300, ("b", "o", "d"): 600, ("c", "o", "d"): 100}
    before = measured(COSTS, dict.fromkeys(path, 10))
    now = measured({**COSTS, **grown}, {key: 10 + ms for key, ms in path.items()})

    why = held_against([before], now)

    assert [(o.name, o.share) for o in why.operations] == [
        ("blob write", 0.6),
        ("crd write", 0.3),
        ("round", 0.1),
    ]
    assert [(p.kind, p.share) for p in why.parts] == [("b", 0.6), ("a", 0.3), ("c", 0.1)]


def counted(before, after):
    """Counts of a cause, by name."""
    now = repeats(**after)
    baseline = accepted([before])
    verdict = gate.judge("chain", Size.DEFAULT, now, baseline, HERE, POLICY)
    return [(c.metric, c.before, c.now) for c in gate.explain(verdict, baseline, now).counted]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"pods": 10, "node_events": 40}, {"pods": 0, "node_events": 60}),
        ({"pods": 1, "node_events": 10}, {"pods": 2, "node_events": 18}),
        ({"pods": 0, "node_events": 10}, {"pods": 2, "node_events": 25}),
    ],
)
def test_a_count_that_moved_by_a_larger_share_stands_first_whichever_way(before, after):
    found = counted(*({name: [n] * 8 for name, n in one.items()} for one in (before, after)))

    assert found == [(name, before[name], after[name]) for name in ("pods", "node_events")]


def test_a_median_that_moved_is_told_though_one_repeat_is_farther():
    assert counted({"pods": [5] * 4}, {"pods": [7, 7, 7, 9]}) == [("pods", 5, 7)]


def test_evidence_is_that_of_the_first_repeat_that_shows_it():
    said = [
        Finding(check="throttling", severity=Severity.NOTE, evidence=f"{n} node events")
        for n in range(1, 11)
    ]
    slow = measured({**COSTS, "round": (40, 886)})
    now = [structs.replace(m, findings=(f,)) for m, f in zip(slow, said, strict=True)]

    (noted,) = held_against([measured()], now).noted

    assert (noted.evidence, noted.repeats, noted.of) == ("1 node events", 10, 10)
