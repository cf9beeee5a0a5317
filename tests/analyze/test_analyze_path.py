"""The critical path: which node each instant waited for, and when something ran beneath a node."""

import pytest
from analyze_examples import MS, node, ns, run, task, workflow

from pytest_flyteperf.analyze.path import walk, windows

NO_RUNS = {}
NOBODY = frozenset()
TASK = {"kind": "task"}
BRANCH = {"kind": "branch"}


def steps(whole, *others):
    """Execution, node, part, start and end in milliseconds of the path's stretches."""
    path = walk(whole, {other.name: other for other in others})
    assert [stretch.end for stretch in path[:-1]] == [stretch.start for stretch in path[1:]]
    return [
        (
            stretch.run.name,
            stretch.node.id if stretch.node else None,
            str(stretch.part),
            (stretch.start - ns(0)) / MS,
            (stretch.end - ns(0)) / MS,
        )
        for stretch in path
    ]


def beneath(*nodes, ended=100):
    """Windows of node n0, beneath which these nodes ran, in milliseconds."""
    whole = run([node("n0", 0, 0, ended), *nodes], ended=200)
    found = windows(whole.nodes["n0"], NO_RUNS, NOBODY)
    return [(low / MS - ns(0) / MS, high / MS - ns(0) / MS) for low, high, _ in found]


def test_the_path_goes_on_in_launched_executions_of_launched_executions():
    whole = run([node("n0", 0, 0, 100, child="a")], ended=100)
    first = run([node("n1", 10, 10, 90, child="b")], created=10, ended=90, name="a")
    second = run([node("n2", 20, 20, 80)], created=20, ended=80, name="b")

    assert steps(whole, first, second) == [
        ("e", "n0", "node", 0, 10),
        ("a", "n1", "node", 10, 20),
        ("b", "n2", "node", 20, 80),
        ("a", "n1", "node", 80, 90),
        ("e", "n0", "node", 90, 100),
    ]


def test_executions_that_name_each_other_are_entered_once():
    whole = run([node("n0", 0, 0, 100, child="a")], ended=100)
    first = run([node("n1", 10, 10, 90, child="b")], created=10, ended=90, name="a")
    second = run([node("n2", 20, 20, 80, child="a")], created=20, ended=80, name="b")

    assert [step[:2] for step in steps(whole, first, second)] == [
        ("e", "n0"),
        ("a", "n1"),
        ("b", "n2"),
        ("a", "n1"),
        ("e", "n0"),
    ]


@pytest.mark.parametrize(("created", "ended"), [(10, None), (None, 90)])
def test_a_launched_execution_without_both_ends_has_no_window(created, ended):
    whole = run([node("n0", 0, 0, 100, child="a")], ended=100)
    child = run([], created=created, ended=ended, name="a")

    assert windows(whole.nodes["n0"], {"a": child}, NOBODY) == []


def test_a_window_lasts_until_the_last_child_ended():
    assert beneath(node("a", 10, 10, 50, parent="n0"), node("b", 20, 20, 60, parent="n0")) == [
        (10, 60)
    ]


def test_a_window_lasts_until_the_node_ended_where_a_child_did_not():
    assert beneath(
        node("a", 10, 10, 50, parent="n0"), node("b", 20, 20, phase="RUNNING", parent="n0")
    ) == [(10, 100)]


def test_a_window_that_nothing_ends_is_none():
    running = node("a", 10, 10, phase="RUNNING", parent="n0")

    whole = run([node("n0", 0, 0, phase="RUNNING"), running], ended=200)

    assert windows(whole.nodes["n0"], NO_RUNS, NOBODY) == []


def test_an_empty_window_is_none():
    assert beneath(node("a", 50, 50, 50, parent="n0")) == []


def test_windows_of_attempts_are_in_the_order_of_time():
    assert beneath(
        node("a", 60, 60, 90, parent="n0", group="1"),
        node("a", 10, 10, 50, parent="n0", group="0"),
    ) == [(10, 50), (60, 90)]


def test_attempts_at_the_same_time_have_windows_each():
    assert beneath(
        node("a", 10, 10, 50, parent="n0", group="0"),
        node("a", 10, 10, 50, parent="n0", group="1"),
    ) == [(10, 50), (10, 50)]


def test_an_execution_without_nodes_is_one_transition():
    assert steps(run([], created=10, ended=90)) == [("e", None, "transition", 10, 90)]


@pytest.mark.parametrize(("created", "ended"), [(0, None), (None, 100)])
def test_an_execution_without_both_ends_has_no_path(created, ended):
    assert walk(run([node("n0", 0, 0, 100)], created=created, ended=ended), NO_RUNS) == []


def test_an_execution_that_took_no_time_has_no_path():
    assert walk(run([node("n0", 0, 0, 0)], created=0, ended=0), NO_RUNS) == []


def test_a_node_that_was_running_when_the_execution_ended_is_on_the_path_until_then():
    whole = run(
        [node("n0", 0, 0, 40), node("n1", 50, 60, phase="RUNNING")], ended=100, phase="ABORTED"
    )

    assert steps(whole) == [
        ("e", "n0", "node", 0, 40),
        ("e", "n1", "transition", 40, 50),
        ("e", "n1", "node", 50, 100),
    ]


def test_what_failed_ends_the_path_and_what_follows_is_teardown():
    whole = run(
        [node("n0", 0, 0, 40, phase="FAILED"), node("n1", 0, 0, 60)], ended=100, phase="FAILED"
    )

    assert steps(whole) == [("e", "n0", "node", 0, 40), ("e", "n0", "teardown", 40, 100)]


def test_a_node_that_ended_after_the_execution_is_on_the_path_until_then():
    whole = run([node("n0", 0, 0, 150)], ended=100)

    assert steps(whole) == [("e", "n0", "node", 0, 100)]


def test_children_that_began_before_their_node_are_cut_to_it():
    whole = run(
        [
            node("n0", 20, 20, 80),
            node("a", 10, 10, 40, parent="n0", group="0"),
            node("a", 60, 60, 90, parent="n0", group="1"),
        ],
        ended=80,
    )

    assert steps(whole) == [
        ("e", "n0", "transition", 0, 20),
        ("e", "n0-0-a", "node", 20, 40),
        ("e", "n0", "node", 40, 60),
        ("e", "n0-1-a", "node", 60, 80),
    ]


def test_an_attempt_that_ended_before_its_node_began_is_not_on_the_path():
    whole = run(
        [
            node("n0", 20, 20, 80),
            node("a", 5, 5, 15, parent="n0", group="0"),
            node("a", 40, 40, 60, parent="n0", group="1"),
        ],
        ended=80,
    )

    assert [step[1] for step in steps(whole)] == ["n0", "n0", "n0-1-a", "n0"]


def test_the_end_node_ends_an_execution_that_succeeded_whatever_else_runs_on():
    whole = run(
        [node("n0", 0, 0, 40), node("n1", 0, 0, 90), node("end-node", 50, 50, 60)],
        ended=100,
        seen=workflow(0, {"n0": TASK, "n1": TASK}, {"end-node": ["n0"]}),
    )

    assert steps(whole) == [
        ("e", "n0", "node", 0, 40),
        ("e", "end-node", "transition", 40, 50),
        ("e", "end-node", "node", 50, 60),
        ("e", "end-node", "teardown", 60, 100),
    ]


def test_what_runs_still_ended_an_execution_that_was_aborted():
    whole = run(
        [node("n0", 0, 0, 90), node("n1", 50, 60, phase="RUNNING")], ended=100, phase="ABORTED"
    )

    assert steps(whole) == [("e", "n1", "transition", 0, 50), ("e", "n1", "node", 50, 100)]


def test_of_what_ended_at_once_the_one_created_last_ended_the_execution():
    whole = run([node("n1", 20, 20, 100), node("n2", 10, 10, 100)], ended=100)

    assert steps(whole) == [("e", "n1", "transition", 0, 20), ("e", "n1", "node", 20, 100)]


@pytest.mark.parametrize(("a", "b", "last"), [(40, 80, "b"), (80, 40, "a")])
def test_of_executions_of_one_node_the_one_that_ended_last_was_waited_for(a, b, last):
    whole = run(
        [node("a", 0, 0, a, spec="x"), node("b", 0, 0, b, spec="x"), node("n2", 80, 80, 100)],
        ended=100,
        seen=workflow(0, {"x": TASK, "n2": TASK}, {"n2": ["x"]}),
    )

    assert [step[1] for step in steps(whole)] == [last, "n2"]


def test_nothing_comes_before_the_start_node():
    whole = run(
        [node("n0", 0, 0, 40), node("start-node", 50, 50, 50), node("n1", 60, 60, 100)], ended=100
    )

    assert [step[1] for step in steps(whole)] == ["start-node", "n1", "n1"]


def test_without_edges_a_node_waited_for_the_one_that_ended_last_before_it_and_never_for_itself():
    """Node n3 ends as it begins, so that of those that have ended by then it is the last."""
    spans = {"n0": (0, 50), "n1": (50, 100), "n2": (100, 150), "n3": (200, 200), "n4": (250, 300)}
    whole = run([node(name, low, low, high) for name, (low, high) in spans.items()], ended=300)

    assert steps(whole) == [
        ("e", "n0", "node", 0, 50),
        ("e", "n1", "node", 50, 100),
        ("e", "n2", "node", 100, 150),
        ("e", "n3", "transition", 150, 200),
        ("e", "n4", "transition", 200, 250),
        ("e", "n4", "node", 250, 300),
    ]


def held_by(*others, waiting=TASK):
    """
    Node n9 waits for n0, which ends at 100, and then for the only slot, which becomes free at 700.
    """
    whole = run(
        [node("n0", 0, 0, 100), *others, node("n9", 750, 750, 1000)],
        [task("n0", 0, 100), *([task("n9", 750, 1000)] if waiting is TASK else [])],
        ended=1000,
        seen=workflow(
            0,
            dict.fromkeys(("n0", "n1", "n2", "n3"), TASK) | {"b1": BRANCH, "n9": waiting},
            {"n9": ["n0"]},
        ),
        max_parallelism=1,
    )
    return [step[1] for step in steps(whole) if step[2] == "node"]


def test_the_path_goes_through_the_counted_node_that_freed_the_slot():
    assert held_by(node("n1", 0, 0, 300), node("n2", 0, 0, 700), node("b1", 600, 600, 700)) == [
        "n2",
        "n9",
    ]


def test_a_node_that_takes_no_slot_waits_for_none():
    assert held_by(node("n1", 0, 0, 300), node("n2", 0, 0, 700), waiting=BRANCH) == ["n0", "n9"]


def test_of_nodes_that_ended_at_once_the_one_created_last_is_meant():
    assert held_by(node("n1", 10, 10, 700), node("n2", 20, 20, 700), node("n3", 0, 0, 700)) == [
        "n2",
        "n9",
    ]


def test_a_slot_that_a_node_of_another_graph_freed_does_not_bend_the_path():
    """The slot was that of n1's child: in the graph of n9, what it waited for is its upstream."""
    child = node("n2", 0, 0, 700, parent="n1")

    assert held_by(node("n3", 0, 0, 300), node("n1", 0, 0, 720), child) == ["n0", "n9"]
