"""Sizes of the workflow object, and how measures grow with size."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.analyze import analyze_recording, binary
from pytest_flyteperf.analyze.quantiles import nearest_rank
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.analyze.slopes import knee, slope
from pytest_flyteperf.analyze.state import measure_state

names = st.text(max_size=8) | st.sampled_from(binary.FIELDS)
texts = (
    st.text(max_size=12)
    | st.integers(0, 10**20).map(str)
    | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", fullmatch=True)
)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


@given(json)
def test_the_binary_form_loses_nothing(value):
    assert binary.decode(binary.encode(value)) == value


def test_every_revision_of_a_recording_has_a_binary_form_smaller_than_its_json(recordings):
    for record in Recording(recordings / "nested_dynamic/0").workflows():
        document = msgspec.json.decode(record.event.object)
        content = binary.encode(document)
        assert binary.decode(content) == document
        assert len(content) < len(msgspec.json.encode(document))


def test_a_stamp_that_is_no_day_of_the_calendar_stays_text():
    for text in ("2026-02-30T00:00:00Z", "2026-11-22T24:00:00Z", "1969-12-31T23:59:59Z", "007"):
        assert binary.decode(binary.encode(text)) == text


def test_the_size_of_the_object_is_a_metric_with_its_source(recordings):
    measures = analyze_recording(recordings / "echo_wide/0")

    assert measures.metrics["crd_bytes"] == measures.state.peak_bytes > 10_000
    assert measures.sources["crd_bytes"] == "flyteworkflows.jsonl"


def test_state_of_a_wide_workflow(recordings):
    """
    Fifty echo nodes: a status each once the end node is reached. Eleven revisions, the first
    written by FlyteAdmin and ten by Propeller, one for each round that changed something.
    """
    measures = analyze_recording(recordings / "echo_wide/0")
    state = measures.state

    assert state.revisions == 1 + measures.metrics["crd_writes"]
    assert state.peak_nodes == 51
    assert state.peak_bytes == max(size.total_bytes for size in state.sizes)
    assert state.written_bytes == sum(size.total_bytes for size in state.sizes[1:])
    assert state.first_bytes == state.sizes[0].total_bytes
    assert state.peak_gzip_bytes < state.peak_binary_bytes < state.peak_bytes
    assert state.etcd_share == state.peak_bytes / (1.5 * 1024 * 1024)


def test_a_sub_task_of_a_map_costs_far_less_than_a_child_of_a_dynamic(recordings):
    """The array node's bit fields against a node status with its plugin state."""
    array = analyze_recording(recordings / "fan/0").state
    dynamic = analyze_recording(recordings / "dynamic3/0").state

    assert array.array_item_bytes == 22  # 20 sub-tasks share 440 bytes
    assert dynamic.array_item_bytes is None
    assert array.dynamic_child_bytes is None
    assert dynamic.dynamic_child_bytes == 53  # of ended ones: phase and `stoppedAt` are left
    assert dynamic.peak_plugin_bytes > 200


def test_limits_and_the_node_count_that_reaches_them(recordings):
    """
    Of 51 statuses and specified nodes: a further node adds 560 bytes, so that 2,750 more fill what
    is left of 1.5 MiB.
    """
    state = analyze_recording(recordings / "echo_wide/0").state
    etcd, grpc, closure = state.limits

    assert state.node_growth_bytes == 560
    assert etcd.used_bytes == state.peak_bytes
    assert etcd.nodes == 51 + (etcd.limit_bytes - state.peak_bytes) // 560
    assert grpc.limit_bytes == 2 * closure.limit_bytes == 4 * 1024 * 1024
    assert grpc.used_bytes == closure.used_bytes < state.peak_binary_bytes
    assert state.write_amplification == state.written_bytes / state.peak_bytes


def test_a_dynamics_children_are_nodes_that_no_specification_has(recordings):
    """Three nodes are specified and seven have a status: a further one is as the seven are."""
    state = analyze_recording(recordings / "dynamic3/0").state

    assert state.peak_nodes == 7
    assert state.node_growth_bytes == state.peak_spec_bytes // 7 + state.node_bytes


def test_time_of_rounds_by_bytes_needs_traces_and_objects_that_grow(recordings):
    """Made-up rounds that take 1 ms and 7 ns for each byte of the object that they began with."""
    recording = Recording(recordings / "chain/0")
    name = recording.execution.id.name
    family = frozenset({name})
    revisions = measure_state(recording.workflows(), name, family).sizes
    first = min(record.received for record in recording.workflows())
    begun = round(first * 1e9)
    rounds = [
        (name, begun + size.received_ns + 1000, 1_000_000 + 7 * size.total_bytes)
        for size in revisions
    ]

    cost = measure_state(recording.workflows(), name, family, rounds).round_cost

    assert cost.low <= cost.ns_per_byte <= cost.high
    assert cost.ns_per_byte == pytest.approx(7)
    assert measure_state(recording.workflows(), name, family).round_cost is None
    assert measure_state(recording.workflows(), name, family, rounds[:1]).round_cost is None


def test_revisions_that_are_shown_twice_count_once(recordings):
    recording = Recording(recordings / "chain/0")
    name = recording.execution.id.name
    once = list(recording.workflows())

    twice = measure_state([*once, *once], name, frozenset({name}))

    assert twice == measure_state(once, name, frozenset({name}))


def test_nothing_watched_is_unknown():
    assert measure_state([], "e", frozenset({"e"})) is None


def test_the_nearest_rank_is_always_one_of_the_values():
    """Hyndman and Fan's definition 1: of ten values the 90th percentile is the ninth."""
    ten = list(range(1, 11))

    assert [nearest_rank(ten, percent) for percent in (1, 50, 90, 91, 99, 100)] == [
        1,
        5,
        9,
        10,
        10,
        10,
    ]
    assert nearest_rank([7], 50) == 7


@given(st.lists(st.integers(), min_size=1), st.integers(1, 100))
def test_the_nearest_rank_is_the_smallest_value_that_enough_do_not_exceed(values, percent):
    ordered = sorted(values)
    found = nearest_rank(ordered, percent)

    def share(value):
        return sum(other <= value for other in values) * 100

    assert share(found) >= percent * len(values)
    assert all(share(v) < percent * len(values) for v in values if v < found)


def test_a_line_is_found_exactly():
    found = slope([(size, 3 * size + 40) for size in (1, 2, 5, 10)])

    assert found == (3, 3, 3, 40)


def test_one_odd_repeat_does_not_move_a_slope():
    points = [(size, 3 * size) for size in range(1, 12)]

    assert slope([*points, (6, 1000)]).per_unit == 3


def test_sizes_that_are_all_the_same_have_no_slope():
    assert slope([(5, 1), (5, 2)]) is None


def test_a_slopes_interval_has_its_promised_coverage():
    """Skewed noise, five sizes of four repeats: at least 93 of 100 intervals hold the truth."""
    source = random.Random(20261122)
    held = 0
    for _ in range(400):
        points = [
            (size, 7 * size + 5 * source.lognormvariate(0, 0.6))
            for size in (1, 5, 10, 20, 40)
            for _ in range(4)
        ]
        found = slope(points)
        held += found.low <= 7 <= found.high
    assert 0.93 <= held / 400 <= 0.99


def test_a_knee_is_where_the_cost_changes():
    points = [
        (size, size if size <= 50 else 50 + 10 * (size - 50)) for size in (10, 25, 50, 60, 80, 100)
    ]

    assert knee(points) == 50
    assert knee([(size, size) for size in (10, 25, 50, 60, 80, 100)]) is None
    assert knee([(1, 1), (2, 2)]) is None


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_has_no_knee(seed):
    source = random.Random(seed)
    points = [(size, size + source.gauss(0, 2)) for size in (10, 20, 40, 80, 160) for _ in range(5)]

    assert knee(points) is None
