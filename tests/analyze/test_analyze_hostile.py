"""Whatever stands in a recording's files, analysis ends with measures or with one line."""

import json
import shutil

import pytest
from analyze_folders import packed, read, records, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_flyteperf.analyze import analyze_recording, fold_recording
from pytest_flyteperf.analyze.stamps import unix_ns
from pytest_flyteperf.errors import RecordingError

FILES = [
    "execution.json",
    "recording.json",
    "node_executions.json.gz",
    "task_executions.json.gz",
    "pods.jsonl.gz",
    "flyteworkflows.jsonl.gz",
]
ODD = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=4)
    | st.sampled_from(
        [
            [],
            {},
            [[]],
            {"": None},
            "2026-11-22T13:34:05Z",
            "9999-12-31T23:59:59.999999999Z",
            "0001-01-01T00:00:00Z",
            "-1s",
            "999999999999999999999s",
            "n0",
            "start-node",
            "SUCCEEDED",
        ],
    )
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, recordings):
    made = tmp_path_factory.mktemp("hostile") / "retry"
    shutil.copytree(recordings / "retry/0", made)
    return made


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    else:
        return
    for key, below in inside:
        yield from places(below, (*path, key))


def changed(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def ends_well(folder):
    try:
        measures = analyze_recording(folder)
    except RecordingError as refusal:
        return "\n" not in str(refusal)
    ownership = measures.ownership
    return ownership is None or (
        sum(one.point_ns for one in ownership.owners) == ownership.wall_ns
        and all(0 <= one.low_ns <= one.point_ns <= one.high_ns for one in ownership.owners)
    )


@given(st.data())
@settings(
    max_examples=250,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_json_with_anything_anywhere(folder, data):
    name = data.draw(st.sampled_from(FILES))
    content = read(folder / name)
    if ".jsonl" in name:
        lines = content.splitlines()
        number = data.draw(st.integers(0, len(lines) - 1))
        document = json.loads(lines[number])
    else:
        document = json.loads(content)
    path = data.draw(st.sampled_from(sorted(places(document), key=str)))
    document = json.dumps(changed(document, path, data.draw(ODD))).encode()
    if ".jsonl" in name:
        lines[number] = document
        document = b"\n".join(lines)
    write(folder / name, document)
    try:
        assert ends_well(folder)
    finally:
        write(folder / name, content)


@given(st.data())
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_spans_with_any_times_and_identities(folder, data):
    path = folder / "otlp.binpb.gz"
    content = read(path)
    pairs = list(records(content))
    flat = [
        span
        for _, request in pairs
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    for span in data.draw(st.lists(st.sampled_from(range(len(flat))), min_size=1, max_size=4)):
        one = flat[span]
        match data.draw(st.sampled_from(["start", "end", "id", "parent", "trace", "name"])):
            case "start":
                one.start_time_unix_nano = data.draw(st.integers(0, 2**64 - 1))
            case "end":
                one.end_time_unix_nano = data.draw(st.integers(0, 2**64 - 1))
            case "id":
                one.span_id = data.draw(st.binary(max_size=9))
            case "parent":
                one.parent_span_id = data.draw(st.sampled_from(flat)).span_id
            case "trace":
                one.trace_id = data.draw(st.binary(max_size=17))
            case "name":
                one.name = data.draw(
                    st.text(max_size=5) | st.sampled_from(flat).map(lambda s: s.name)
                )
    write(path, packed(pairs))
    try:
        assert ends_well(folder)
    finally:
        write(path, content)


@given(st.text())
def test_what_is_no_stamp_is_a_value_error(text):
    try:
        unix_ns(text)
    except ValueError:
        return
    assert text[:4].isdigit()


@given(st.lists(st.binary(max_size=60), max_size=6))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_log_of_anything_folds(folder, lines):
    path = folder / "propeller.log.gz"
    content = read(path)
    write(path, b"\n".join([*lines, *content.splitlines(), *lines]))
    try:
        assert fold_recording(folder).rows
    finally:
        write(path, content)
