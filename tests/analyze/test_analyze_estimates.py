"""Recordings without traces: what stands for them, where from, and how near it comes."""

import gzip

import pytest
from analyze_folders import WITH_METRICS, read, write

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.analyze.estimates import LOG, from_counters, from_log
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.model import METRICS, Signal

WITHOUT_METRICS = ["branch/0", "dynamic3/0", "failing/0", "launchplan2/1", "nested_dynamic/1"]
RUNTIME = {"allocations", "propeller_cpu_ns"}
"""Told by lines that the stored pages of metrics leave out."""
TRACED = [
    "handle_ns",
    "workflow_events",
    "node_events",
    "task_events",
    "handles",
    "rounds",
    "crd_writes",
    "blob_reads",
    "blob_writes",
]
OF_THE_LOG = {"handles", "rounds", "crd_writes", "node_events"}
NEAR = 0.01
"""A stopwatch in Propeller stands around the handle's span: 0.1 to 0.7 % more in all recordings."""


@pytest.fixture
def untraced(copied):
    """Copies a recording without its traces, and without the files named."""

    def copy(name, *others):
        folder = copied(name)
        for pattern in ("otlp*", *others):
            for path in folder.glob(pattern):
                path.unlink()
        return folder

    return copy


def values(estimates):
    return {metric: estimate.value for metric, estimate in estimates.items()}


@pytest.mark.parametrize("name", WITH_METRICS)
def test_counters_come_near_to_traces(recordings, untraced, name):
    """Nothing else ran: counts are the same, and time differs by what lies around the span."""
    traced = analyze_recording(recordings / name).metrics
    measures = analyze_recording(untraced(name))

    assert set(measures.estimates) == set(TRACED)
    for metric, value in values(measures.estimates).items():
        assert value == pytest.approx(traced[metric], rel=NEAR if metric == "handle_ns" else 0)
    assert all(
        estimate.source.startswith("flyte:propeller:all:")
        for estimate in measures.estimates.values()
    )


@pytest.mark.parametrize("name", WITHOUT_METRICS)
def test_the_log_tells_what_it_can_where_no_counter_does(recordings, untraced, name):
    traced = analyze_recording(recordings / name).metrics
    estimates = analyze_recording(untraced(name)).estimates

    assert values(estimates) == {metric: traced[metric] for metric in TRACED if metric in estimates}
    assert set(estimates) == OF_THE_LOG
    assert {estimate.source for estimate in estimates.values()} == {LOG}


def test_counters_come_before_the_log(untraced):
    """One counter is gone from both looks: the log stands in for that one alone."""
    folder = untraced("chain/0")
    for when in ("before", "after"):
        path = folder / f"metrics.{when}.prom.gz"
        write(path, read(path).replace(b"round:round_total_ms", b"round:another_ms"))

    estimates = analyze_recording(folder).estimates

    from_the_log = [metric for metric, estimate in estimates.items() if estimate.source == LOG]
    assert from_the_log == ["handles"]


@pytest.mark.parametrize("name", WITH_METRICS)
def test_estimates_never_become_metrics(untraced, name):
    measures = analyze_recording(untraced(name))

    assert all(measures.metrics[metric] is None for metric in measures.estimates)
    assert not set(measures.sources) & set(measures.estimates)


def test_traces_leave_nothing_to_estimate(recordings):
    assert analyze_recording(recordings / "chain/0").estimates == {}


def test_what_nothing_tells_is_unknown_and_never_zero(untraced):
    measures = analyze_recording(untraced("chain/0", "metrics.*", "propeller.log*", "pods*"))

    assert measures.estimates == {}
    unknown = {metric for metric, value in measures.metrics.items() if value is None}
    assert unknown == {*TRACED, *RUNTIME, "pods", "pod_ns", "working_ns", "waiting_ns"}
    assert set(measures.sources) == set(METRICS) - unknown


def test_a_log_without_the_executions_handles_tells_nothing(recordings):
    """E.g. of a level that does not let them through: no line is not no handle."""
    with gzip.open(recordings / "chain/0/propeller.log.gz") as lines:
        assert from_log(lines, frozenset({"another"})) == {}
    warnings = [b'{"json":{"exec_id":"e"},"level":"warning","msg":"no matching queue"}']
    assert from_log(warnings, frozenset({"e"})) == {}


def test_a_log_counts_the_executions_that_launch_plans_started(recordings):
    recording = Recording(recordings / "launchplan2/0")
    family = frozenset(part.execution.id.name for part in (recording, *recording.children))
    parts = [from_log(recording.log(), frozenset({name})) for name in sorted(family)]

    whole = values(from_log(recording.log(), family))

    assert len(parts) == 3
    assert whole == {metric: sum(part[metric].value for part in parts) for metric in whole}


def test_a_counter_without_time_gives_a_count_alone():
    counted = (Signal(name="handles", count=3, sum_ns=None, source="s"),)

    assert values(from_counters(counted)) == {"handles": 3}


def test_each_figure_says_which_files_it_is_from(recordings, untraced):
    traced = analyze_recording(recordings / "single/0")
    without = analyze_recording(untraced("single/0"))

    assert set(traced.sources) == set(METRICS) - RUNTIME
    assert traced.sources["duration_ns"] == "execution.json"
    assert traced.sources["handles"] == "otlp.binpb"
    assert traced.sources["flyte_ns"].endswith("pods.jsonl, otlp.binpb")
    assert without.sources["flyte_ns"].endswith("pods.jsonl")
    assert "handles" not in without.sources
