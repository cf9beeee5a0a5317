"""Ownership of real executions, reviewed by hand.

Each expectation says why it is right; times are milliseconds, reckoned from the recording's own
documents, not from the code.
"""

import msgspec
import pytest
from analyze_folders import mix_in, move

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.analyze.stamps import unix_ns
from pytest_flyteperf.model import Severity

MS = 1_000_000
CASES = [
    "branch",
    "cached_chain",
    "chain",
    "dynamic3",
    "echo_chain",
    "echo_wide",
    "failing",
    "fan",
    "launchplan2",
    "nested_dynamic",
    "parallel_subs",
    "retry",
    "single",
    "sleep2",
]
EVERY = [f"{case}/{repeat}" for case in CASES for repeat in (0, 1)]


def points(owners):
    found = {}
    for one in owners:
        key = f"{one.owner} {one.detail}"
        found[key] = found.get(key, 0) + one.point_ns / MS
    return found


def on_path(ownership, *kinds):
    return [step.node for step in ownership.path if step.part == "node" and step.kind in kinds]


@pytest.mark.parametrize("name", EVERY)
def test_every_recording_is_owned_exactly(recordings, name):
    measures = analyze_recording(recordings / name)
    ownership = measures.ownership

    assert sum(one.point_ns for one in ownership.owners) == ownership.wall_ns
    assert ownership.wall_ns == measures.metrics["duration_ns"]
    assert all(0 <= one.low_ns <= one.point_ns <= one.high_ns for one in ownership.owners)
    for node in ownership.nodes:
        assert sum(one.point_ns for one in node.owners) == node.duration_ns


@pytest.mark.parametrize("name", EVERY)
def test_kinds_of_nodes_add_up_to_the_path_and_to_the_nodes(recordings, name):
    ownership = analyze_recording(recordings / name).ownership

    assert sum(kind.on_path_ns for kind in ownership.kinds) == ownership.wall_ns
    assert sum(kind.nodes for kind in ownership.kinds) == len(ownership.nodes)
    for kind in ownership.kinds:
        nodes = [node for node in ownership.nodes if node.kind == kind.kind]
        assert sum(one.point_ns for one in kind.owners) == sum(n.duration_ns for n in nodes)


@pytest.mark.parametrize("name", EVERY)
def test_nothing_of_a_recording_is_unknown(recordings, name):
    assert analyze_recording(recordings / name).metrics["unknown_ns"] == 0


@pytest.mark.parametrize("name", EVERY)
def test_no_recording_is_invalid(recordings, name):
    findings = analyze_recording(recordings / name).findings

    assert [finding for finding in findings if finding.severity is Severity.INVALID] == []


@pytest.mark.parametrize("name", EVERY)
def test_operations_add_up_to_the_handles(recordings, name):
    measures = analyze_recording(recordings / name)

    assert sum(cost.ns for cost in measures.operations.values()) == measures.metrics["handle_ns"]


@pytest.mark.parametrize(
    ("name", "containers", "handles", "neither"),
    [
        ("chain/0", 1330, 470, 3000),
        ("dynamic3/0", 1010, 550, 2530),
        ("cached_chain/1", 0, 220, 10),
        ("branch/0", 260, 180, 710),
    ],
)
def test_figures_are_those_of_the_recordings_readme(recordings, name, containers, handles, neither):
    """The README reckons unions of pod intervals and of handles; these cases run one at a time."""
    ownership = analyze_recording(recordings / name).ownership
    owners = points(ownership.owners)

    user = sum(spent for owner, spent in owners.items() if owner.startswith("user"))
    rest = ownership.wall_ns / MS - user - owners["flyte working"]
    assert user == pytest.approx(containers, abs=10)
    assert owners["flyte working"] == pytest.approx(handles, abs=10)
    assert rest == pytest.approx(neither, abs=15)


def test_a_chain_waits_for_five_ticks(recordings):
    """
    Five tasks, each waiting for a tick after its pod's end was received; the path is the chain.
    Nothing else waits: all other evaluations follow one another within a streak.
    """
    ownership = analyze_recording(recordings / "chain/0").ownership

    assert on_path(ownership, "task") == ["n0", "n1", "n2", "n3", "n4"]
    owners = points(ownership.owners)
    assert owners["flyte waiting: batching tick"] == pytest.approx(2986, abs=1)
    assert owners.get("flyte waiting: resync timer") is None


def test_a_retry_is_one_lost_container_and_one_that_counted(recordings):
    """
    Pod 0 was running at 103.7 and its end was received at 345.9: 242.2 lost. Pod 1 likewise
    621.1 to 821.6: 200.5. Waits: 345.9 to the handle at 572.2, 821.6 to the handle at 1572.6.
    """
    owners = points(analyze_recording(recordings / "retry/0").ownership.owners)

    assert owners["user lost"] == pytest.approx(242.2, abs=0.1)
    assert owners["user container"] == pytest.approx(200.5, abs=0.1)
    assert owners["flyte waiting: batching tick"] == pytest.approx(226.3 + 751.0, abs=0.2)


def test_a_failed_execution_ends_at_the_node_that_failed(recordings):
    """No end node: after the task's failure there is only the teardown, FAILING and FAILED."""
    ownership = analyze_recording(recordings / "failing/0").ownership

    assert (ownership.path[-1].node, ownership.path[-1].part) == ("n0", "teardown")
    assert "user container" not in points(ownership.owners)
    assert points(ownership.owners)["user lost"] == pytest.approx(226, abs=1)


def test_a_dynamic_node_compiles_then_its_tasks_run_one_after_another(recordings):
    """`dynamic3` builds three tasks in a row; the node's own ledger leaves them to themselves."""
    ownership = analyze_recording(recordings / "dynamic3/0").ownership

    assert on_path(ownership, "dynamic", "task") == [
        "n0",
        "n0-0-dn0",
        "n0-0-dn1",
        "n0-0-dn2",
        "n0",
    ]
    n0 = points(next(node for node in ownership.nodes if node.id == "n0").owners)
    assert n0["user compile"] == pytest.approx(291, abs=1)
    assert "user container" not in n0
    assert n0["subnodes dynamic"] == pytest.approx(3992.1 - 966.4, abs=0.2)


def test_nested_dynamics_compile_twice_on_the_path(recordings):
    """
    Outer, then the two inner ones side by side: the path takes the one that ended last, whose
    nodes' ids are hashed or not (`fmsvd4hi` is `n0-0-dn1-0-start-node`).
    """
    ownership = analyze_recording(recordings / "nested_dynamic/0").ownership

    assert on_path(ownership, "dynamic", "task", "start") == [
        "start-node",
        "n0",
        "n0-0-start-node",
        "n0-0-dn1",
        "fmsvd4hi",
        "n0-0-dn1-0-dn0",
        "n0-0-dn1-0-dn1",
        "n0-0-dn1",
        "n0",
    ]
    parents = {node.id: node.parent for node in ownership.nodes}
    assert parents["fmsvd4hi"] == "n0-0-dn1"
    assert parents["ffuqhjya"] == "n0-0-dn0"


def test_a_branch_is_entered_on_the_side_taken(recordings):
    """One node beneath the branch; the side not taken has no node execution at all."""
    ownership = analyze_recording(recordings / "branch/0").ownership

    kinds = {node.id: node.kind for node in ownership.nodes}
    assert kinds["n0"] == "branch"
    assert kinds["n0-0-n0-n0"] == "task"
    assert len(kinds) == 4


def test_of_three_sub_workflows_the_one_that_ended_last_is_on_the_path(recordings):
    """All three run side by side; `n2` is evaluated last in each round, so it ends last."""
    ownership = analyze_recording(recordings / "parallel_subs/0").ownership

    assert {node.kind for node in ownership.nodes if node.id in {"n0", "n1", "n2"}} == {
        "sub-workflow",
    }
    assert on_path(ownership, "task") == ["n2-0-n0", "n2-0-n1"]


def test_a_launch_plans_child_is_entered_and_its_end_noticed_by_the_timer(recordings):
    """
    First child: ended at 4044.6, acted upon by the parent's handle at 33982.0. Second: 44032.0 and
    63983.9. The sum, less handles in between, waits for the launch-plan timer. The children's pods
    carry their parent's label, so nothing woke the children's own workflows before the resync:
    from 399.9 to 3978.9 and from 34359.4 to 43982.3.
    """
    owners = points(analyze_recording(recordings / "launchplan2/0").ownership.owners)

    timer = (33982.0 - 4044.6) + (63983.9 - 44032.0)
    assert owners["flyte waiting: launch-plan timer"] == pytest.approx(timer, abs=5)
    resync = (3978.9 - 399.9) + (43982.3 - 34359.4)
    assert owners["flyte waiting: resync timer"] == pytest.approx(resync, abs=5)


def test_a_map_tasks_path_goes_through_its_last_sub_task(recordings):
    """Twenty sub-tasks in one node execution: its own ledger has them all, the path the last."""
    ownership = analyze_recording(recordings / "fan/0").ownership

    array = next(node for node in ownership.nodes if node.kind == "array node")
    assert array.id == "n1"
    step = next(step for step in ownership.path if step.node == "n1" and step.part == "node")
    assert points(step.owners)["user container"] < points(array.owners)["user container"]


def test_cache_hits_have_no_owner_but_flyte(recordings):
    """Five hits: no pod, no task execution, one event each."""
    measures = analyze_recording(recordings / "cached_chain/1")

    assert {one.owner for one in measures.ownership.owners} == {"flyte"}
    assert on_path(measures.ownership, "task") == ["n0", "n1", "n2", "n3", "n4"]
    assert measures.operations["catalog check"].calls == 5


@pytest.mark.parametrize("case", ["echo_chain", "echo_wide"])
def test_tasks_within_propeller_are_all_flytes_work(recordings, case):
    measures = analyze_recording(recordings / case / "0")

    assert measures.metrics["flyte_ns"] == measures.metrics["duration_ns"]
    assert measures.metrics["waiting_ns"] < 10 * MS


def test_scheduling_latency_is_from_the_last_upstreams_end(recordings):
    """chain/0: n0 started at .479563027 and lasted 0.648951438 s; n1 was created at .148714710."""
    nodes = {n.id: n for n in analyze_recording(recordings / "chain/0").ownership.nodes}

    ended = unix_ns("2026-11-22T13:34:05.479563027Z") + 648_951_438
    created = unix_ns("2026-11-22T13:34:06.148714710Z")
    assert nodes["n1"].scheduling_ns == created - ended
    assert nodes["start-node"].scheduling_ns is None


def but_for_gzip(measures):
    """Other digits in stamps compress to other sizes."""
    state = msgspec.structs.replace(measures.state, peak_gzip_bytes=0)
    return msgspec.structs.replace(measures, state=state)


@pytest.mark.parametrize("name", ["chain/0", "nested_dynamic/0", "fan/1", "retry/1"])
def test_moving_all_clocks_changes_nothing(recordings, copied, name):
    folder = copied(name)

    move(folder, 7 * 3600 + 1)

    assert but_for_gzip(analyze_recording(folder)) == but_for_gzip(
        analyze_recording(recordings / name),
    )


def test_a_container_that_ends_later_is_the_users_time_and_nobody_elses(recordings, copied):
    """Every stamp after the container's end moves by three seconds: only `user` grows by three."""
    before = analyze_recording(recordings / "single/0")
    folder = copied("single/0")
    ends = [
        record
        for record in Recording(folder).pods()
        if any(status.state.terminated for status in record.event.object.status.containers)
    ]
    since = min(
        unix_ns(status.state.terminated.finished_at)
        for record in ends
        for status in record.event.object.status.containers
    )

    move(folder, 3, since_ns=since)

    after = analyze_recording(folder)
    changed = {
        name: after.metrics[name] - before.metrics[name]
        for name in before.metrics
        if before.metrics[name] != after.metrics[name]
    }
    assert changed == dict.fromkeys(("duration_ns", "pod_ns", "user_ns"), 3_000 * MS)


@pytest.mark.parametrize(("name", "other"), [("chain/0", "fan/0"), ("dynamic3/1", "launchplan2/0")])
def test_an_execution_that_ran_at_the_same_time_changes_nothing(recordings, copied, name, other):
    folder = copied(name)

    mix_in(folder, recordings / other)

    assert analyze_recording(folder) == analyze_recording(recordings / name)
