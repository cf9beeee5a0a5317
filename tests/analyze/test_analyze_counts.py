"""Counts of every recording, each explained by what Flyte does for its node kinds."""

import pytest

from pytest_flyteperf.analyze import analyze_recording

WORKFLOW = 3
"""RUNNING, SUCCEEDING, SUCCEEDED; or RUNNING, FAILING, FAILED."""
START = 1
"""Only SUCCEEDED."""
END = 2
"""QUEUED, SUCCEEDED."""
NODE = 3
"""QUEUED, RUNNING, SUCCEEDED or FAILED."""
HIT = 1
"""A cache hit goes to SUCCEEDED at once."""
ECHO = 2
"""The echo plugin succeeds in its first evaluation: QUEUED, SUCCEEDED."""
DYNAMIC = 4
"""A node's three and DYNAMIC_RUNNING."""

NODE_EVENTS = {
    "single": START + NODE + END,
    "sleep2": START + NODE + END,
    "retry": START + NODE + END,  # a retry sends no node event
    "failing": START + NODE,  # the end node is never reached
    "chain": START + 5 * NODE + END,
    "echo_chain": START + 10 * ECHO + END,
    "echo_wide": START + 50 * ECHO + END,
    "fan": START + NODE + NODE + END,  # an array node is one node, whatever its size
    "dynamic3": START + DYNAMIC + (START + 3 * NODE + END) + END,
    "nested_dynamic": START
    + DYNAMIC
    + (START + 2 * (DYNAMIC + START + 2 * NODE + END) + END)
    + END,
    "branch": START + NODE + NODE + END,  # the branch and the side taken; the other sends none
    "parallel_subs": START + 3 * (NODE + START + 2 * NODE + END) + END,
    "launchplan2": (START + 2 * NODE + END) + 2 * (START + NODE + END),  # and its two children
}
PODS = {
    "single": 1,
    "sleep2": 1,
    "retry": 2,  # one pod per attempt
    "failing": 1,
    "chain": 5,
    "echo_chain": 0,
    "echo_wide": 0,
    "fan": 1 + 20,
    "dynamic3": 1 + 3,
    "nested_dynamic": 1 + 2 * (1 + 2),
    "branch": 1,
    "parallel_subs": 3 * 2,
    "launchplan2": 2,
}
EVERY = sorted(
    [(case, repeat) for case in (*NODE_EVENTS, "cached_chain") for repeat in (0, 1)],
)


@pytest.mark.parametrize(("case", "repeat"), EVERY)
def test_workflow_events(recordings, case, repeat):
    executions = 3 if case == "launchplan2" else 1

    metrics = analyze_recording(recordings / case / str(repeat)).metrics

    assert metrics["workflow_events"] == WORKFLOW * executions


@pytest.mark.parametrize(("case", "repeat"), [run for run in EVERY if run[0] in NODE_EVENTS])
def test_node_events_and_pods(recordings, case, repeat):
    metrics = analyze_recording(recordings / case / str(repeat)).metrics

    assert metrics["node_events"] == NODE_EVENTS[case]
    assert metrics["pods"] == PODS[case]


def test_a_cache_hit_has_one_event_and_no_task_and_no_pod(recordings):
    miss = analyze_recording(recordings / "cached_chain/0").metrics
    hit = analyze_recording(recordings / "cached_chain/1").metrics

    assert miss["node_events"] == START + 5 * NODE + END
    assert hit["node_events"] == START + 5 * HIT + END
    assert (miss["pods"], hit["pods"]) == (5, 0)
    assert (hit["task_events"], hit["attempts"]) == (0, 0)


@pytest.mark.parametrize(("case", "repeat"), [r for r in EVERY if r[0] != "cached_chain"])
def test_attempts_are_pods_where_every_task_is_a_pod(recordings, case, repeat):
    metrics = analyze_recording(recordings / case / str(repeat)).metrics

    echoes = {"echo_chain": 10, "echo_wide": 50}.get(case)
    assert metrics["attempts"] == (echoes or metrics["pods"])


@pytest.mark.parametrize("case", ["echo_chain", "echo_wide"])
def test_everything_is_exact_without_pods(recordings, case):
    first, second = (analyze_recording(recordings / case / repeat).metrics for repeat in "01")

    for name in ("crd_writes", "rounds", "task_events", "blob_reads", "blob_writes"):
        assert first[name] == second[name], name


def test_durations_and_container_time_are_those_of_the_recordings_readme(recordings):
    for case, duration, containers in (
        ("chain/0", 4.80, 1.33),
        ("dynamic3/0", 4.09, 1.01),
        ("branch/0", 1.15, 0.26),
        ("cached_chain/1", 0.23, 0.0),
    ):
        metrics = analyze_recording(recordings / case).metrics
        assert metrics["duration_ns"] / 1e9 == pytest.approx(duration, abs=0.015)
        assert metrics["pod_ns"] / 1e9 == pytest.approx(containers, abs=0.01)
