"""Handles out of traces, whatever the order and the batches in which spans arrive."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pytest_flyteperf.analyze import spans
from pytest_flyteperf.analyze.recording import Recording, TraceRecord
from pytest_flyteperf.analyze.spans import Handle, Stray, read_handles
from pytest_flyteperf.analyze.timeline import partition, swept
from pytest_flyteperf.errors import RecordingError

PREFIX = "pkg.controller.Propeller/"
NODE = "pkg.controller.nodes.NodeExecutor/handleNode"
READ = "flytestdlib.storage.DefaultProtobufStore/ReadProtobuf"
EVENT = "flyteidl.service.AdminService/CreateNodeEvent"


def span(name, start, end, *, id, parent=0, trace=1, service="flytepropeller", **attributes):  # noqa: A002
    return service, {
        "name": name,
        "start": start,
        "end": end,
        "id": id.to_bytes(8),
        "parent": parent.to_bytes(8) if parent else b"",
        "trace": trace.to_bytes(16),
        "attributes": attributes,
    }


def request(*made):
    message = ExportTraceServiceRequest()
    for service, one in made:
        resource = message.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = service
        proto = resource.scope_spans.add().spans.add(
            name=one["name"],
            start_time_unix_nano=one["start"],
            end_time_unix_nano=one["end"],
            span_id=one["id"],
            parent_span_id=one["parent"],
            trace_id=one["trace"],
        )
        for key, value in one["attributes"].items():
            proto.attributes.add(key=key).value.string_value = value
    return message.SerializeToString()


def handle(trace=1, execution="e", at=0):
    """A handle of 100 ns with a round, an evaluation, a blob read and an event."""
    one, two, three, four, five = (trace * 100 + number for number in range(1, 6))
    blobs, admin = {"service": "blobstore-client"}, {"service": "admin-client"}
    return [
        span(PREFIX + "Handle", at, at + 100, id=one, trace=trace, exec_id=execution),
        span(PREFIX + "streak", at + 5, at + 95, id=two, parent=one, trace=trace),
        span(NODE, at + 10, at + 80, id=three, parent=two, trace=trace, node="n0"),
        span(READ, at + 20, at + 40, id=four, parent=three, trace=trace, **blobs),
        span(EVENT, at + 50, at + 70, id=five, parent=three, trace=trace, **admin),
    ]


def read(*batches, gap=1.0):
    return list(
        read_handles(
            TraceRecord(gap * index, request(*batch)) for index, batch in enumerate(batches)
        ),
    )


def test_a_handle_has_its_operations_in_order_and_their_place():
    (found,) = read(handle())

    assert found.execution == "e"
    assert [(o.name, o.depth, o.above, o.node) for o in found.operations] == [
        ("round", 1, -1, ""),
        ("evaluate node", 2, 0, "n0"),
        ("blob read", 3, 1, "n0"),
        ("node event", 3, 1, "n0"),
    ]


@given(st.permutations(handle(1) + handle(2, "f", 500)), st.data())
@settings(max_examples=60)
def test_neither_order_nor_batches_matter(made, data):
    cuts = data.draw(st.lists(st.integers(0, len(made)), max_size=4).map(sorted))
    batches = [made[low:high] for low, high in zip([0, *cuts], [*cuts, len(made)], strict=True)]

    found = {one.execution: one for one in read(*batches)}

    assert found == {one.execution: one for one in read(handle(1) + handle(2, "f", 500))}


def test_a_handle_is_given_out_while_later_requests_still_come():
    """Memory is bounded by open handles: what has settled has gone."""
    late = [
        [span(PREFIX + "Handle", 9, 9, id=9000 + i, trace=90 + i, exec_id="late")]
        for i in range(40)
    ]
    records = (TraceRecord(float(i), request(*batch)) for i, batch in enumerate([handle(), *late]))

    taken = 0

    def counted():
        nonlocal taken
        for record in records:
            taken += 1
            yield record

    first = next(read_handles(counted()))

    assert first.execution == "e"
    assert taken == 1 + spans.SETTLE_S + 1


def test_a_span_whose_parent_never_came_is_counted():
    made = handle()
    del made[2]

    (found,) = [
        one for one in read([*made, span("x", 1, 2, id=7, parent=99, routine="worker-1")])
        if isinstance(one, Handle)
    ]  # fmt: skip

    assert found.lost == 2  # the event, which only a worker sends, and the span of worker-1


def test_spans_of_a_trace_without_handle_are_strays():
    _, *rest = handle()

    assert read(rest) == [Stray("node event", None, 50, 70)]


def test_a_servers_spans_and_what_it_reads_are_not_propellers():
    made = [
        *handle(),
        span(EVENT, 55, 65, id=6, parent=105, service="admin-server"),
        span(READ, 56, 60, id=7, parent=6, service="blobstore-client", exec_id="e", node="n0"),
        span("gorm.Query", 56, 60, id=8, parent=6, service="admin-gorm"),
    ]

    assert read(made) == read(handle())


def test_a_span_twice_is_one_span():
    assert read(handle(), handle()) == read(handle())


def test_a_span_that_ends_before_it_begins_has_no_length():
    made = handle()
    made[3] = span(READ, 40, 20, id=104, parent=103, service="blobstore-client")

    (found,) = read(made)

    assert (found.operations[2].start_ns, found.operations[2].end_ns) == (40, 40)


def test_a_span_that_is_its_own_ancestor_is_lost_and_ends_nothing():
    loop = [
        span(NODE, 1, 2, id=50, parent=51, routine="w"),
        span(NODE, 1, 2, id=51, parent=50, routine="w"),
    ]

    (found,) = read([*handle(), *loop])

    assert (len(found.operations), found.lost) == (4, 2)


def test_a_handles_time_goes_to_the_deepest_open_span():
    (found,) = read(handle())

    assert partition(found) == [
        (0, 5, "handle"),
        (5, 10, "round"),
        (10, 20, "evaluate node"),
        (20, 40, "blob read"),
        (40, 50, "evaluate node"),
        (50, 70, "node event"),
        (70, 80, "evaluate node"),
        (80, 95, "round"),
        (95, 100, "handle"),
    ]


def test_a_child_that_seems_to_begin_before_its_parents_shares_with_those_that_are_open():
    """From 5 the round is open too and the evaluation between them is not; from 10 it is."""
    (found,) = read(
        [
            *handle()[:3],
            span(READ, 2, 12, id=11, parent=103, service="blobstore-client"),
        ],
    )

    assert partition(found)[:5] == [
        (0, 2, "handle"),
        (2, 8, "blob read"),
        (8, 10, "round"),
        (10, 12, "blob read"),
        (12, 80, "evaluate node"),
    ]


def test_spans_open_side_by_side_share_equally():
    """Three sub-tasks of an array node at once, 10 ns: 4 + 3 + 3, the odd one to the lowest id."""
    catalog = "datacatalog.DataCatalog/GetArtifact"
    (found,) = read(
        [
            *handle()[:3],
            span(READ, 20, 30, id=11, parent=103, service="blobstore-client"),
            span(EVENT, 20, 30, id=12, parent=103, service="admin-client"),
            span(catalog, 20, 30, id=13, parent=103, service="datacatalog-client"),
        ],
    )

    assert [segment for segment in partition(found) if 20 <= segment[0] < 30] == [
        (20, 24, "blob read"),
        (24, 27, "node event"),
        (27, 30, "DataCatalog/GetArtifact"),
    ]


@given(
    st.lists(
        st.tuples(st.integers(-20, 140), st.integers(-20, 140), st.integers(0, 8)), max_size=8
    ),
)
def test_segments_add_up_to_the_handle_whatever_its_spans(made):
    root = span(PREFIX + "Handle", 0, 100, id=1, exec_id="e")
    others = [
        span(f"s{i}", max(0, low), max(0, high), id=i + 2, parent=min(above, i) + 1, routine="w")
        for i, (low, high, above) in enumerate(made)
    ]

    (found,) = read([root, *others])

    segments = partition(found)
    assert segments == swept(found)
    assert sum(end - start for start, end, _ in segments) == 100
    assert [start for start, _, _ in segments[1:]] == [end for _, end, _ in segments[:-1]]


def test_counts_are_those_of_a_plain_reading(recordings):
    """Against another reading: every client span whose ancestors lead to a handle."""
    for name in ("chain/0", "launchplan2/1", "dynamic3/0"):
        plain = _plain_counts(recordings / name)
        counted = {}
        for one in read_handles(Recording(recordings / name).traces()):
            if isinstance(one, Handle):
                for operation in one.operations:
                    key = one.execution, operation.name
                    counted[key] = counted.get(key, 0) + 1
        assert counted == plain


def _plain_counts(folder):
    by_id = {}
    for record in Recording(folder).traces():
        for resource in ExportTraceServiceRequest.FromString(record.request).resource_spans:
            service = _attributes(resource.resource)["service.name"]
            for scope in resource.scope_spans:
                by_id |= {one.span_id: (service, one) for one in scope.spans}
    counts = {}
    for _, one in by_id.values():
        root = _root(one.span_id, by_id)
        if root is not None and root is not one:
            key = _attributes(root)["exec_id"], spans.operation_name(one.name)
            counts[key] = counts.get(key, 0) + 1
    return counts


def _attributes(holder):
    return {attribute.key: attribute.value.string_value for attribute in holder.attributes}


def _root(span_id, by_id):
    """The handle above a span, with nothing but clients between."""
    while span_id in by_id:
        service, one = by_id[span_id]
        if service not in spans.CLIENTS:
            return None
        if one.name.endswith("/Handle"):
            return one
        span_id = one.parent_span_id
    return None


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_bytes_of_any_kind_are_read_or_refused(content):
    with suppress(RecordingError):
        list(read_handles([TraceRecord(0.0, content)]))


def test_nesting_without_end_is_refused():
    value = b""
    for _ in range(20_000):
        value = (
            b"\x2a"
            + _varint(len(value) + 1 + len(_varint(len(value))))
            + b"\x0a"
            + _varint(len(value))
            + value
        )
        if len(value) > 1 << 20:
            break
    attribute = b"\x0a\x01k\x12" + _varint(len(value)) + value
    resource = b"\x0a" + _varint(len(attribute)) + attribute
    scope = b"\x0a" + _varint(len(resource)) + resource
    content = b"\x0a" + _varint(len(scope)) + scope

    with pytest.raises(RecordingError, match="record 1 is no ExportTraceServiceRequest"):
        list(read_handles([TraceRecord(0.0, content)]))


def _varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def test_records_of_a_file_are_read_one_by_one(tmp_path, recordings):
    """A file twice as long takes no more memory: nothing is read ahead of what is asked for."""
    content = struct.pack(">dI", 1.0, 0) * 3 + struct.pack(">dI", 2.0, 50)
    (tmp_path / "execution.json").write_bytes((recordings / "chain/0/execution.json").read_bytes())
    (tmp_path / "otlp.binpb").write_bytes(content)

    found = Recording(tmp_path).traces()

    assert [next(found).received for _ in range(3)] == [1.0] * 3
    with pytest.raises(RecordingError, match="record 4 is cut off"):
        next(found)


@pytest.mark.parametrize("name", ["chain", "fan", "launchplan2", "nested_dynamic"])
def test_the_short_way_to_cut_a_handle_gives_what_the_sweep_gives(recordings, name):
    handles = [
        found
        for found in read_handles(Recording(recordings / name / "0").traces())
        if isinstance(found, Handle)
    ]

    assert handles
    for found in handles:
        assert partition(found) == swept(found)
