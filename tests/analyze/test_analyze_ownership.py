"""The rules of ownership, one example each; figures in milliseconds of made-up executions.

A task here is always: a handle creates the pod, the container runs, its end is reported, a worker
acts on it at the batching queue's tick.
"""

import pytest
from analyze_examples import MS, listed, node, pod, pods, run, task, workflow, working

from pytest_flyteperf.analyze.evidence import Watch
from pytest_flyteperf.analyze.ownership import attribute
from pytest_flyteperf.analyze.views import ownership_of


def owned(whole, watched=(), handles=(), children=(), timelines=None):
    timelines = {"e": working(*handles)} if timelines is None else timelines
    names = ("e", *(child.name for child in children))
    found = attribute(
        whole,
        {child.name: child for child in children},
        Watch(pods(*watched, executions=names)),
        timelines,
    )
    return ownership_of(whole, found)


def points(owners):
    return {f"{o.owner} {o.detail}": o.point_ns / MS for o in owners if o.point_ns}


def ranges(owners):
    return {
        f"{o.owner} {o.detail}": (o.low_ns / MS, o.point_ns / MS, o.high_ns / MS) for o in owners
    }


def steps(ownership):
    return [(step.node, step.part, step.start_ns / MS, step.end_ns / MS) for step in ownership.path]


def ledger(ownership, name):
    return points(next(n for n in ownership.nodes if n.id == name).owners)


def test_a_task_is_the_users_while_its_container_runs_and_flytes_while_it_waits_for_the_tick():
    whole = run(
        [node("start-node", 10, ended=10), node("n0", 20, 50, 1050)],
        [task("n0", 40, 1040)],
        ended=1100,
    )
    container = pod("e-n0-0", 40, 45, 120, 500, reported=520)

    ownership = owned(whole, [container], [(0, 100), (1000, 1100)])

    assert points(ownership.owners) == {
        "flyte working": 100 + 100,  # both handles: no container ran during either
        "kubernetes starting": 20,  # 100..120: after the handle, until the container started
        "user container": 380,  # 120..500
        "kubernetes reporting": 20,  # 500..520: until the watch showed the end
        "flyte waiting: batching tick": 480,  # 520..1000: known, but nobody looked
    }
    assert ownership.wall_ns == 1100 * MS


def test_a_running_container_owns_the_instant_whatever_handle_runs():
    whole = run([node("n0", 0, 0, 1000)], [task("n0", 0, 1000)], ended=1000)

    ownership = owned(whole, [pod("e-n0-0", 0, 0, 0, 900)], [(0, 1000)])

    assert points(ownership.owners) == {"user container": 900, "flyte working": 100}


def test_a_whole_second_stamp_is_placed_as_late_as_its_second_and_the_order_allow():
    """
    Start and end are stamped 0 s and 2 s. The pod was seen at 300, running at 700: the container
    started within 300..700. Its end was received at 2400: it ended within 2000..2400.
    """
    whole = run([node("n0", 0, 0, 3000)], [task("n0", 0, 3000)], ended=3000)
    container = pod("e-n0-0", 300, 310, 700, 2400, precise=False)

    ownership = owned(whole, [container], [(0, 300), (2800, 3000)])

    assert ranges(ownership.owners) == {
        "user container": (1300, 1700, 2100),  # 700..2000, 700..2400, 300..2400
        "kubernetes scheduling": (0, pytest.approx(10, abs=0.001), pytest.approx(10, abs=0.001)),
        "kubernetes starting": (0, pytest.approx(390, abs=0.001), pytest.approx(390, abs=0.001)),
        "kubernetes reporting": (0, 0, 400),
        "flyte waiting: batching tick": (400, 400, 400),
        "flyte working": (500, 500, 500),
    }


def test_news_that_no_tick_explains_waited_for_the_resync():
    """As in `launchplan2`: the pod's label names the parent, so its own workflow is not woken."""
    whole = run([node("n0", 0, 0, 9000)], [task("n0", 0, 9000)], ended=9000)

    ownership = owned(whole, [pod("e-n0-0", 0, 0, 0, 1000)], [(8000, 9000)])

    assert points(ownership.owners) == {
        "user container": 1000,
        "flyte waiting: resync timer": 7000,
        "flyte working": 1000,
    }


def test_handles_that_change_nothing_do_not_turn_a_resync_into_a_tick():
    whole = run([node("n0", 0, 0, 9000)], [task("n0", 0, 9000)], ended=9000)

    ownership = owned(whole, [pod("e-n0-0", 0, 0, 0, 1000)], [(1500, 1510), (8000, 9000)])

    assert points(ownership.owners)["flyte waiting: resync timer"] == 6990


def test_a_failed_attempts_container_is_lost_time():
    whole = run(
        [node("n0", 0, 10, 4000)],
        [task("n0", 10, 1000, phase="FAILED"), task("n0", 1010, 3900, retry=1)],
        ended=4000,
    )
    first = pod("e-n0-0", 10, 10, 10, 600, exit_code=1)
    second = pod("e-n0-1", 1010, 1010, 1100, 3000)

    ownership = owned(whole, [first, second], [(0, 10), (1000, 1010), (3900, 4000)])

    assert points(ownership.owners) == {
        "flyte working": 10 + 10 + 100,
        "user lost": 590,
        "flyte waiting: batching tick": 400 + 900,
        "kubernetes starting": 90,
        "user container": 1900,
    }


def dynamic():
    """A dynamic task that compiles until 500 and runs one task from 1100 to 2900."""
    return run(
        [
            node("n0", 0, 10, 3000),
            node("start-node", 1000, ended=1000, parent="n0"),
            node("dn0", 1100, 1110, 2800, parent="n0"),
            node("end-node", 2850, ended=2900, parent="n0"),
            node("end-node", 3000, ended=3050),
        ],
        [task("n0", 10, 900), task("n0-0-dn0", 1110, 2800)],
        ended=3100,
    )


def test_a_dynamic_node_compiles_and_then_the_path_goes_on_inside():
    ownership = owned(
        dynamic(),
        [pod("e-n0-0", 10, 10, 10, 500), pod("e-n0-0-dn0-0", 1110, 1110, 1110, 2000)],
        [(0, 10), (900, 1110), (2700, 3100)],
    )

    assert points(ownership.owners) == {
        "flyte working": 10 + 210 + 400,
        "user compile": 490,
        "flyte waiting: batching tick": 400 + 700,
        "user container": 890,
    }
    assert steps(ownership) == [
        ("n0", "node", 0, 1000),
        ("n0-0-dn0", "transition", 1000, 1100),
        ("n0-0-dn0", "node", 1100, 2800),
        ("n0-0-end-node", "transition", 2800, 2850),
        ("n0-0-end-node", "node", 2850, 2900),
        ("n0", "node", 2900, 3000),
        ("end-node", "node", 3000, 3050),
        ("end-node", "teardown", 3050, 3100),
    ]


def test_a_dynamic_node_that_failed_before_it_had_children_has_compiled_in_vain():
    whole = run(
        [node("n0", 0, 10, 900, phase="FAILED", is_dynamic=True)],
        [task("n0", 10, 800)],
        ended=900,
        phase="FAILED",
    )

    ownership = owned(whole, [pod("e-n0-0", 10, 10, 10, 500)], [(0, 10), (800, 900)])

    assert ownership.nodes[0].kind == "dynamic"
    assert points(ownership.owners)["user compile"] == 490


def test_what_runs_beneath_a_node_counts_once():
    ownership = owned(
        dynamic(),
        [pod("e-n0-0", 10, 10, 10, 500), pod("e-n0-0-dn0-0", 1110, 1110, 1110, 2000)],
        [(0, 10), (900, 1110), (2700, 3100)],
    )

    assert ledger(ownership, "n0") == {
        "flyte working": 10 + 100 + 100,  # 0..10, 900..1000, 2900..3000
        "user compile": 490,
        "flyte waiting: batching tick": 400,
        "subnodes dynamic": 1900,  # 1000..2900
    }
    assert ledger(ownership, "n0-0-dn0")["user container"] == 890


def test_a_launch_plan_nodes_time_is_its_executions_and_then_the_launch_plan_timers():
    parent = run([node("n0", 0, 30, 30_000, child="c")], ended=30_000)
    child = run(
        [node("n0", 20, 30, 4000)],
        [task("n0", 30, 4000)],
        created=10,
        ended=4100,
        name="c",
    )
    container = pod("e-n0-0", 30, 30, 30, 3000, execution="c")

    ownership = owned(
        parent,
        [container],
        children=[child],
        timelines={"e": working((0, 30), (29_900, 30_000)), "c": working((10, 30), (3800, 4100))},
    )

    assert points(ownership.owners) == {
        "flyte working": 10 + 20 + 300 + 100,
        "user container": 2970,
        "flyte waiting: batching tick": 800,
        "flyte waiting: launch-plan timer": 25_800,
    }
    assert {step.execution for step in ownership.path} == {"e", "c"}
    assert ledger(ownership, "n0")["subnodes launch plan"] == 4090


def test_a_launched_execution_that_was_not_recorded_is_unknown():
    parent = run([node("n0", 0, 100, 900, child="gone")], ended=1000)

    ownership = owned(parent, handles=[(0, 100), (950, 1000)])

    assert points(ownership.owners) == {
        "flyte working": 100 + 50,
        "unknown launched execution was not recorded": 800,
        "flyte waiting: re-evaluation": 50,
    }


def test_the_path_goes_through_the_upstream_that_finished_last():
    kinds = {name: {"kind": "task"} for name in ("n0", "n1", "n2")}
    kinds |= {"start-node": {"kind": "start"}, "end-node": {"kind": "end"}}
    edges = {"n0": ["start-node"], "n1": ["start-node"], "n2": ["n0"], "end-node": ["n1", "n2"]}
    whole = run(
        [
            node("start-node", 0, ended=0),
            node("n0", 0, 0, 300),
            node("n1", 0, 0, 800),
            node("n2", 310, 310, 700),
            node("end-node", 800, ended=900),
        ],
        ended=900,
        seen=workflow(0, kinds, edges),
    )

    assert [step[0] for step in steps(owned(whole))] == ["n1", "end-node"]


def test_a_branch_and_a_sub_workflow_are_entered():
    for kind, children in (
        ("branch", ["n0-n0"]),
        ("sub-workflow", ["start-node", "m0", "end-node"]),
    ):
        nodes = [node("n0", 0, 10, 1000)]
        for index, spec in enumerate(children):
            nodes.append(node(spec, 100 + 200 * index, ended=300 + 200 * index, parent="n0"))
        whole = run(nodes, ended=1000)

        ownership = owned(whole)

        assert {n.id: n.kind for n in ownership.nodes}["n0"] == kind
        assert [step[0] for step in steps(ownership)][1:-1] == [f"n0-0-{spec}" for spec in children]


def array(parallelism, *containers):
    seen = workflow(0, {"n0": {"kind": "array", "array": {"Parallelism": parallelism}}})
    names = [f"e-n0-0-n{index}-0" for index in range(len(containers))]
    whole = run(
        [node("n0", 0, 10, 5000)],
        [task("n0", 10, 5000, plugin="k8s-array", pods=names)],
        ended=5000,
        seen=seen,
    )
    watched = [pod(name, low, low, low, high) for name, (low, high) in zip(names, containers)]  # noqa: B905
    return owned(whole, watched, [(0, 1000), (4600, 5000)])


def test_an_array_nodes_path_goes_through_the_sub_task_that_finished_last():
    """The others' containers do not hide what Flyte did until it created the last one's pod."""
    ownership = array(0, (100, 900), (1000, 4000))

    assert points(ownership.owners) == {
        "flyte working": 1000 + 400,
        "user container": 3000,
        "flyte waiting: batching tick": 600,
    }
    assert ledger(ownership, "n0")["user container"] == 800 + 3000


def test_where_few_sub_tasks_may_run_the_path_goes_through_the_one_that_freed_the_slot():
    ownership = array(1, (100, 900), (1000, 4000))

    assert points(ownership.owners) == {
        "flyte working": 100 + 100 + 400,
        "user container": 800 + 3000,
        "flyte waiting: batching tick": 600,
    }


def test_of_several_that_ended_before_the_one_that_ended_last_freed_the_slot():
    """900 and 1500 ended before the last began at 1600: the path takes 1500, then what fits."""
    ownership = array(2, (100, 900), (100, 1500), (1600, 4000))

    assert points(ownership.owners) == {
        "flyte working": 100 + 400,
        "user container": 1400 + 2400,
        "flyte waiting: batching tick": 100 + 600,
    }


def test_before_a_sub_tasks_second_attempt_stands_the_one_that_failed():
    """
    Sub-task 1 failed once, 100 to 600, and began again at 1000; sub-task 0 is not in the way.
    Flytekit's container ended with 0 all the same: its error is a file.
    """
    subtasks = [("p0", 0, 0), ("p1", 1, 0, "FAILED"), ("p1-again", 1, 1)]
    attempt = task("n0", 100, 3000, plugin="k8s-array", pods=subtasks)
    whole = run([node("n0", 0, 100, 3000, is_array=True)], [attempt], ended=3000)
    watched = [
        pod("p0", 100, 100, 100, 2000),
        pod("p1", 100, 100, 100, 600),
        pod("p1-again", 1000, 1000, 1000, 2500),
    ]

    ownership = owned(whole, watched, [(0, 100), (900, 1000), (2900, 3000)])

    assert points(ownership.owners) == {
        "flyte working": 100 + 100 + 100,
        "user lost": 500,  # the attempt that failed
        "user container": 1500,
        "flyte waiting: batching tick": 300 + 400,  # 600..900: until it was tried again
    }


def test_a_dynamic_node_that_is_tried_again_waits_for_its_own_children():
    """
    The first attempt compiled until 500 and its children began at 1000: a tick. That they timed
    out and the node was tried again after 20 s does not turn it into a resync.
    """
    nodes = [
        node("n0", 0, 100, 22_000, is_dynamic=True),
        node("dn0", 1000, 1100, 19_000, parent="n0", phase="TIMED_OUT"),
        node("dn0", 21_000, 21_100, 22_000, parent="n0", group="1"),
    ]
    tasks = [task("n0", 100, 900), task("n0", 20_000, 20_900, retry=1)]
    watched = [
        pod("e-n0-0", 100, 100, 100, 500),
        pod("e-n0-1", 20_000, 20_000, 20_000, 20_500),
    ]
    whole = run(nodes, tasks, ended=22_000)
    handles = [(0, 100), (900, 1000), (19_900, 20_000), (20_900, 21_000), (21_900, 22_000)]

    found = ledger(owned(whole, watched, handles), "n0")

    assert found["user compile"] == 400 + 500
    assert found["subnodes dynamic"] == 18_000 + 1000
    assert found["flyte waiting: batching tick"] == (900 - 500) + (20_900 - 20_500)
    assert "flyte waiting: resync timer" not in found


def test_a_sleep_is_the_users_wish_and_what_follows_it_is_the_resyncs():
    """A full Flyte 1.16.8 took 10.1 s over a sleep of 3 s: nothing wakes it but the resync."""
    seen = workflow(0, {"n0": {"kind": "gate", "gate": {"sleep": {"duration": "2s"}}}})
    whole = run([node("n0", 0, 100, 9000)], ended=9000, seen=seen)

    ownership = owned(whole, handles=[(0, 100), (9000, 9100)])

    assert points(ownership.owners) == {
        "flyte working": 100,
        "user sleep": 2000,
        "flyte waiting: resync timer": 6900,
    }


def test_a_signal_comes_from_outside():
    seen = workflow(0, {"n0": {"kind": "gate", "gate": {"kind": "signal"}}})
    whole = run([node("n0", 0, 100, 900)], ended=1000, seen=seen)

    ownership = owned(whole, handles=[(0, 100), (880, 1000)])

    assert points(ownership.owners) == {"flyte working": 220, "external signal": 780}


def test_a_connectors_service_is_external():
    whole = run(
        [node("n0", 0, 100, 5000)],
        [task("n0", 100, 4900, plugin="connector")],
        ended=5000,
    )

    ownership = owned(whole, handles=[(0, 100), (4800, 5000)])

    assert points(ownership.owners) == {"flyte working": 300, "external connector": 4700}


def test_a_task_of_which_no_plugin_is_known_is_unknown():
    """Nothing says that another service ran it."""
    whole = run([node("n0", 0, 100, 900)], [task("n0", 100, 900, plugin="")], ended=900)

    ownership = owned(whole, handles=[(0, 100)])

    assert points(ownership.owners) == {"flyte working": 100, "unknown plugin": 800}


def test_a_task_within_propeller_has_no_other_owner_than_flyte():
    whole = run([node("n0", 0, ended=30)], [task("n0", 10, 20, plugin="echo")], ended=40)

    assert points(owned(whole, handles=[(0, 35)]).owners) == {
        "flyte working": 35,
        "flyte waiting: re-evaluation": 5,
    }


def test_a_cache_hit_is_flytes():
    whole = run([node("n0", 0, ended=20, cache="CACHE_HIT")], ended=20)

    ownership = owned(whole, handles=[(0, 20)])

    assert points(ownership.owners) == {"flyte working": 20}
    assert ownership.nodes[0].kind == "task"


def test_a_failed_execution_ends_with_the_node_that_failed():
    whole = run(
        [
            node("n0", 0, 10, 500, phase="FAILED"),
            node("n1", 0, 10, 800, phase="ABORTED"),
        ],
        ended=900,
        phase="FAILED",
    )

    assert [step[0] for step in steps(owned(whole))] == ["n0", "n0"]


@pytest.mark.parametrize("handler", ["efn", "fn0"])
def test_an_on_failure_node_comes_after_the_node_that_failed(handler):
    whole = run(
        [node("n0", 0, 10, 500, phase="FAILED"), node(handler, 550, 560, 900)],
        ended=1000,
        phase="FAILED",
    )

    assert steps(owned(whole)) == [
        ("n0", "node", 0, 500),
        (handler, "transition", 500, 550),
        (handler, "node", 550, 900),
        (handler, "teardown", 900, 1000),
    ]


def test_an_aborted_executions_unfinished_container_ran_until_its_pod_was_deleted():
    whole = run(
        [node("n0", 0, 10, 900, phase="ABORTED")],
        [task("n0", 10, 900, phase="ABORTED")],
        ended=950,
        phase="ABORTED",
    )

    ownership = owned(whole, [pod("e-n0-0", 10, 10, 100)], [(0, 10), (850, 950)])

    assert points(ownership.owners) == {
        "flyte working": 10 + 50,  # the handle that aborts runs while the container still does
        "kubernetes starting": 90,
        "user lost": 800,
    }


def test_max_parallelism_holds_a_node_and_the_path_goes_through_what_freed_its_slot():
    kinds = {name: {"kind": "task"} for name in ("n0", "n1", "n2")}
    edges = {"n2": ["n0"]}
    whole = run(
        [
            node("n0", 0, 0, 100),
            node("n1", 0, 0, 700),
            node("n3", 0, 0, 2000),
            node("n2", 750, 760, 3000),
        ],
        [task(name, 0, 0, plugin="echo") for name in ("n0", "n1", "n2", "n3")],
        ended=3000,
        seen=workflow(0, kinds, edges),
        max_parallelism=2,
    )

    ownership = owned(whole, handles=[(740, 750)])

    assert steps(ownership)[:2] == [("n1", "node", 0, 700), ("n2", "transition", 700, 750)]
    assert points(ownership.owners)["held max-parallelism"] == 40


def four_of_two():
    """
    Four tasks are ready at once and two may run, as in the portfolio's `held_tasks`: 0 and 1 take
    the slots, 0 frees its own at 1000, 1 at 1040, and one round begins both others at 1100.
    """
    names = ("n0", "n1", "n2", "n3")
    return run(
        [
            node("start-node", 50, ended=50),
            node("n0", 60, 100, 1000),
            node("n1", 70, 110, 1040),
            node("n2", 1090, 1110, 2000),
            node("n3", 1100, 1120, 2500),
            node("end-node", 2500, ended=2600),
        ],
        [
            task("n0", 100, 990),
            task("n1", 110, 1030),
            task("n2", 1110, 1990),
            task("n3", 1120, 2490),
        ],
        ended=2600,
        seen=workflow(
            0,
            {name: {"kind": "task"} for name in names},
            {name: ["start-node"] for name in names} | {"end-node": names},
        ),
        max_parallelism=2,
    )


def test_of_nodes_that_are_ready_at_once_those_beyond_the_limit_wait_for_a_slot():
    """The last that was full ended at 1000: node 0 freed the slot, and the path goes through it."""
    watched = [
        pod("e-n0-0", 100, 100, 100, 900),
        pod("e-n1-0", 110, 110, 110, 1000),
        pod("e-n2-0", 1110, 1110, 1110, 1900),
        pod("e-n3-0", 1120, 1120, 1120, 2400),
    ]

    ownership = owned(four_of_two(), watched, [(0, 120), (950, 1150), (2450, 2600)])

    assert [step[0] for step in steps(ownership) if step[1] == "node"] == [
        "n0",
        "n3",
        "end-node",
    ]
    found = points(ownership.owners)
    assert found["user container"] == 800 + 1280
    assert found["flyte waiting: batching tick"] == 50 + 50
    assert "flyte waiting: re-evaluation" not in found
    assert "held max-parallelism" not in found


def test_a_node_that_is_queued_already_is_held_until_a_slot_becomes_free():
    """Propeller does not even look at it: no task execution before node 0 ends at 1000."""
    kinds = {name: {"kind": "task"} for name in ("n0", "n1")}
    whole = run(
        [node("n0", 0, 10, 1000), node("n1", 20, 1110, 3000)],
        [task("n0", 10, 990), task("n1", 1100, 2990)],
        ended=3000,
        seen=workflow(0, kinds),
        max_parallelism=1,
    )
    watched = [pod("e-n0-0", 10, 10, 10, 900), pod("e-n1-0", 1100, 1100, 1100, 2900)]

    found = ledger(owned(whole, watched, [(0, 30), (950, 1100), (2950, 3000)]), "n1")

    assert found == {
        "flyte working": 10 + 150 + 50,  # 20..30, 950..1100, 2950..3000
        "held max-parallelism": 920,  # 30..950: a handle's work comes first
        "user container": 1800,
        "flyte waiting: batching tick": 50,
    }


def test_a_full_quota_backs_off():
    whole = run(
        [node("n0", 0, 10, 3000)],
        [task("n0", 10, 3000, reasons=[(10, "Exceeded ResourceQuota in namespace")])],
        ended=3000,
    )

    ownership = owned(whole, [pod("e-n0-0", 2000, 2000, 2000, 2900)], [(0, 10), (2900, 3000)])

    assert points(ownership.owners) == {
        "flyte working": 110,
        "backoff resource quota": 1990,
        "user container": 900,
    }


def test_a_quota_that_never_let_a_pod_in_backs_off_to_the_end():
    reason = (200, 'pods "e-n0-0" is forbidden: exceeded quota: compute')
    whole = run(
        [node("n0", 0, 100, 5000, phase="ABORTED")],
        [task("n0", 100, 5000, phase="ABORTED", reasons=[reason])],
        ended=5000,
        phase="ABORTED",
    )

    ownership = owned(whole, handles=[(0, 200)])

    assert points(ownership.owners) == {"flyte working": 200, "backoff resource quota": 4800}


def test_a_pod_that_was_found_later_was_created_when_its_task_execution_began():
    """Its creation is stamped 1 s; the task execution began at 1300, when Propeller had made it."""
    whole = run([node("n0", 1000, 1350, 4000)], [task("n0", 1300, 3900)], ended=4000)

    ownership = owned(whole, [listed("e-n0-0", 1300, 1800, 3000)], [(1000, 1400), (3800, 4000)])

    assert points(ownership.owners) == {
        "flyte waiting: re-evaluation": 1000,  # before the first event of the node
        "flyte working": 300 + 100 + 200,
        "kubernetes starting": 400,  # 1400..1800
        "user container": 1200,
        "unknown pod's report": 800,  # 3000..3800: Kubernetes' or Flyte's, nobody saw which
    }


def test_a_pod_that_was_found_later_and_no_task_execution_tells_of_has_an_unknown_creation():
    whole = run([node("n0", 1000, 1350, 4000)], [task("n0", None, 3900)], ended=4000)

    found = ledger(owned(whole, [listed("e-n0-0", 1300, 1800, 3000)], [(3800, 4000)]), "n0")

    assert found["unknown pod's creation"] == 800
    assert "kubernetes starting" not in found


def test_without_a_pod_watch_the_kubelets_stamps_leave_a_rest_unknown():
    """
    The container started within 0 s, but not before its pod was created at 100; it ended within
    2 s, but not after FlyteAdmin knew, at 2500. How long its report took is not known.
    """
    whole = run(
        [node("n0", 0, 100, 2600)],
        [task("n0", 100, 2500, started=0, ended=2000)],
        ended=2600,
    )

    ownership = owned(whole, handles=[(0, 100), (2400, 2600)])

    assert ranges(ownership.owners) == {
        "flyte working": (100 + 100, 100 + 100, 100 + 200),
        "kubernetes starting": (0, pytest.approx(900, abs=0.001), pytest.approx(900, abs=0.001)),
        "user container": (pytest.approx(1000, abs=0.001), pytest.approx(1500, abs=0.001), 2400),
        "unknown pod's report": (0, 0, 400),
    }


def test_without_a_pod_watch_and_stamps_a_pods_time_is_unknown():
    whole = run([node("n0", 0, 100, 2600)], [task("n0", 100, 2500)], ended=2600)

    ownership = owned(whole, handles=[(0, 100), (2500, 2600)])

    assert points(ownership.owners) == {"flyte working": 200, "unknown pod not watched": 2400}


def test_without_traces_working_and_waiting_cannot_be_told_apart():
    whole = run([node("n0", 0, 0, 1000)], [task("n0", 0, 1000)], ended=1000)

    ownership = owned(whole, [pod("e-n0-0", 0, 0, 0, 600)], timelines={})

    assert points(ownership.owners) == {"user container": 600, "flyte working or waiting": 400}


def test_a_node_of_unknown_kind_is_unknown():
    whole = run([node("n0", 0, 0, 1000)], ended=1000)

    assert points(owned(whole, handles=[(0, 100)]).owners) == {
        "flyte working": 100,
        "unknown kind of node": 900,
    }


def test_until_the_workflow_exists_flyteadmin_admits_it():
    whole = run([node("start-node", 50, ended=50)], ended=60, seen=workflow(20, {}))

    assert points(owned(whole, handles=[(30, 60)]).owners) == {
        "flyte admission": 20,
        "flyte waiting: free worker": 10,
        "flyte working": 30,
    }


def test_a_node_that_has_not_ended_has_an_empty_ledger():
    whole = run(
        [node("n0", 0, 0, 100), node("n1", 100, 150, phase="RUNNING")],
        ended=300,
        phase="ABORTED",
    )

    assert ledger(owned(whole), "n1") == {}


def test_a_node_without_edges_is_scheduled_after_what_ended_last_before_it():
    whole = run([node("n0", 0, 0, 70), node("n1", 0, 0, 100), node("n2", 150, 150, 300)], ended=300)

    found = attribute(whole, {}, Watch({}), {})

    assert {n.node.id: n.scheduling_ns for n in found.nodes} == {
        "n0": None,
        "n1": None,
        "n2": 50 * MS,
    }


@pytest.mark.parametrize(
    ("acted", "waited"),
    [(1500, "flyte waiting: batching tick"), (8000, "flyte waiting: resync timer")],
)
def test_news_of_an_array_nodes_sub_task_waits_for_the_timer_that_its_handle_fits(acted, waited):
    """However long that handle takes."""
    names = ["e-n0-0-n0-0"]
    whole = run(
        [node("n0", 0, 10, 9000)],
        [task("n0", 10, 9000, plugin="k8s-array", pods=names)],
        ended=9000,
        seen=workflow(0, {"n0": {"kind": "array", "array": {"Parallelism": 0}}}),
    )

    ownership = owned(whole, [pod(names[0], 0, 0, 0, 1000)], [(acted, 9000)])

    assert points(ownership.owners) == {
        "user container": 1000,
        waited: acted - 1000,
        "flyte working": 9000 - acted,
    }


def test_a_start_node_is_not_scheduled_and_attempts_are_graphs_of_their_own():
    whole = run(
        [
            node("early", 0, 0, 5),
            node("start-node", 10, 10, 10),
            node("n0", 10, 10, 300, is_dynamic=True),
            node("a", 20, 20, 100, parent="n0", group="0"),
            node("b", 150, 150, 200, parent="n0", group="1"),
        ],
        ended=300,
    )

    found = attribute(whole, {}, Watch({}), {})

    assert {n.node.id: n.scheduling_ns for n in found.nodes} == {
        "early": None,
        "start-node": None,
        "n0": 0,
        "n0-0-a": None,
        "n0-1-b": None,
    }


def test_a_launch_plan_node_that_was_aborted_before_its_execution_began_is_owned():
    whole = run(
        [node("n0", 0, 10, phase="RUNNING")],
        ended=100,
        phase="ABORTED",
        seen=workflow(
            0, {"n0": {"kind": "workflow", "workflow": {"launchPlanRefId": {"name": "lp"}}}}
        ),
    )

    assert sum(points(owned(whole, handles=[(0, 10)]).owners).values()) == 100
