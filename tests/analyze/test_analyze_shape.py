"""The shape of real executions, counted by hand in their documents."""

import pytest
from msgspec.structs import replace

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.model import Shape


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("branch/0", {"nodes": {"branch": 1, "end": 1, "start": 1, "task": 1}, "pods": 1}),
        ("cached_chain/0", {"cache": {"populated": 5}, "attempts": 5, "pods": 5}),
        ("cached_chain/1", {"cache": {"hit": 5}, "attempts": 0, "pods": 0}),
        ("failing/0", {"phase": "FAILED", "ends": {"FAILED": 1, "SUCCEEDED": 1}}),
        ("fan/0", {"nodes": {"array node": 1, "end": 1, "start": 1, "task": 1}, "subtasks": 20}),
        ("launchplan2/0", {"executions": 3, "attempts": 2}),
        ("nested_dynamic/0", {"nodes": {"dynamic": 3, "end": 4, "start": 4, "task": 4}}),
        ("parallel_subs/0", {"nodes": {"end": 4, "start": 4, "sub-workflow": 3, "task": 6}}),
        ("retry/0", {"attempts": 2, "pods": 2, "subtasks": 0, "pods_at_once": 1}),
        ("chain/0", {"pods_at_once": 1}),
        ("cached_chain/1", {"pods_at_once": 0}),
    ],
)
def test_the_shape_of_a_recording(recordings, name, expected):
    shape = analyze_recording(recordings / name).shape

    assert {key: getattr(shape, key) for key in expected} == expected


@pytest.mark.parametrize("case", ["chain", "fan", "launchplan2", "nested_dynamic", "retry"])
def test_repeats_of_a_case_have_one_shape(recordings, case):
    first, second = (analyze_recording(recordings / case / repeat).shape for repeat in "01")

    assert isinstance(first, Shape)
    assert replace(first, pods_at_once=None) == replace(second, pods_at_once=None)
