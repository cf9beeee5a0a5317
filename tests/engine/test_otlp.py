from __future__ import annotations

import errno
import gzip
import os
import struct
import threading
from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from pytest_flyteperf.engine.otlp import (
    HEADER,
    MAX_REQUEST_BYTES,
    Receiver,
    Record,
    TraceFile,
    records,
    well_formed,
)

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"


def request(*names: str) -> bytes:
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add().scope_spans.add().spans
    for name in names:
        spans.add(name=name)
    return message.SerializeToString()


@pytest.fixture
def losses():
    return []


@pytest.fixture
def receiver(tmp_path, losses):
    receiver = Receiver(tmp_path / "traces", losses.append)
    yield receiver
    receiver.close()


@pytest.fixture
def channel(receiver):
    target = receiver.status().endpoint.removeprefix("http://")
    options = (("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1))
    with grpc.insecure_channel(target, options) as channel:
        yield channel


def export(channel, payload: bytes) -> bytes:
    return channel.unary_unary(EXPORT)(payload, timeout=30)


def refusal(channel, payload: bytes, method: str = EXPORT) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(method)(payload, timeout=30)
    return refused.value.code()


def test_requests_are_stored_as_they_came(receiver, channel):
    answers = [export(channel, request(name)) for name in ("one", "two")]

    status = receiver.status()
    stored = list(records(status.file))
    assert [request("one"), request("two")] == [record.request for record in stored]
    assert stored[0].received <= stored[1].received
    assert (status.requests, status.refused, status.lost) == (2, 0, 0)
    assert status.bytes == Path(status.file).stat().st_size
    assert [ExportTraceServiceResponse()] * 2 == [
        ExportTraceServiceResponse.FromString(answer) for answer in answers
    ]


def test_a_slice_holds_what_came_in_between(receiver, channel):
    export(channel, request("before"))
    start = receiver.status().bytes
    export(channel, request("within"))
    end = receiver.status().bytes
    export(channel, request("after"))

    (record,) = records(receiver.status().file, start, end)
    assert record.request == request("within")


def test_many_senders_lose_nothing(receiver):
    target = receiver.status().endpoint.removeprefix("http://")
    names = [[f"{sender}/{number}" for number in range(50)] for sender in range(8)]

    def send(mine: list[str]) -> None:
        with grpc.insecure_channel(target) as channel:
            for name in mine:
                export(channel, request(name))

    threads = [threading.Thread(target=send, args=(mine,)) for mine in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    stored = [record.request for record in records(receiver.status().file)]
    assert sorted(stored) == sorted(request(name) for mine in names for name in mine)


def test_what_is_no_request_is_refused_and_counted(receiver, channel):
    assert refusal(channel, b"\xff\xff garbage") is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal(channel, b"\x0a\xff\xff\xff\xff\x0f") is grpc.StatusCode.INVALID_ARGUMENT

    status = receiver.status()
    assert (status.refused, status.requests, status.bytes) == (2, 0, 0)


def test_a_request_beyond_the_limit_is_refused(receiver, channel):
    huge = bytes(MAX_REQUEST_BYTES + 1)

    assert refusal(channel, huge) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert receiver.status().bytes == 0
    assert export(channel, request("next")) == b""


def test_other_methods_are_not_served(channel):
    method = EXPORT.replace("trace", "logs").replace("Trace", "Logs")

    assert refusal(channel, b"", method) is grpc.StatusCode.UNIMPLEMENTED


def test_a_full_disk_loses_whole_requests_and_says_so(receiver, channel, losses, monkeypatch):
    export(channel, request("before"))
    size = receiver.status().bytes
    genuine = os.writev

    def full(file: int, buffers: tuple[bytes, ...]) -> int:
        genuine(file, (buffers[0][:5],))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", full)
        codes = [refusal(channel, request("lost")) for _ in range(2)]
    export(channel, request("after"))

    assert codes == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2
    assert losses == ["traces cannot be stored: No space left on device"]
    status = receiver.status()
    assert (status.requests, status.lost) == (2, 2)
    assert [request("before"), request("after")] == [r.request for r in records(status.file)]
    assert [request("after")] == [r.request for r in records(status.file, size)]


def test_a_write_cut_short_is_carried_on(tmp_path, losses, monkeypatch):
    genuine = os.writev
    monkeypatch.setattr(os, "writev", lambda file, two: genuine(file, (two[0], two[1][:3])))
    file = TraceFile(tmp_path / "traces", losses.append, clock=lambda: 1.5)

    assert file.append(request("a long name"))
    file.close()

    assert list(records(tmp_path / "traces")) == [Record(1.5, request("a long name"))]
    assert losses == []


def test_a_record_still_being_written_is_left_out(tmp_path):
    whole = HEADER.pack(1.0, 3) + b"abc"
    path = tmp_path / "traces"
    for rest in (b"", whole[:5], whole[:-1]):
        path.write_bytes(whole + rest)
        assert list(records(path)) == [Record(1.0, b"abc")]


def test_the_port_cannot_be_shared(receiver):
    endpoint = receiver.status().endpoint.removeprefix("http://")
    server = grpc.server(None, options=(("grpc.so_reuseport", 1),))

    with pytest.raises(RuntimeError):
        server.add_insecure_port(endpoint)


@given(st.lists(st.lists(st.text(max_size=300), max_size=4), max_size=4))
def test_every_request_is_well_formed(resources):
    message = ExportTraceServiceRequest()
    for names in resources:
        scope = message.resource_spans.add().scope_spans.add()
        for name in names:
            scope.spans.add(name=name)

    assert well_formed(message.SerializeToString())


@given(st.binary(max_size=64))
def test_what_is_well_formed_has_only_whole_resource_spans(payload):
    def walk(rest: bytes) -> bool:
        if not rest:
            return True
        if rest[0] != 0x0A:
            return False
        length = 0
        for index, byte in enumerate(rest[1:6]):
            length |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                body = rest[2 + index :]
                return len(body) >= length and walk(body[length:])
        return False

    assert walk(payload) == well_formed(payload)


def test_recorded_requests_are_well_formed():
    compressed = next(RECORDINGS.rglob("otlp.binpb.gz"))
    data = gzip.decompress(compressed.read_bytes())
    at = count = 0
    while at < len(data):
        _, length = struct.unpack_from(">dI", data, at)
        at += HEADER.size + length
        assert well_formed(data[at - length : at])
        count += 1
    assert count > 0


def test_with_a_token_only_its_bearers_are_stored(tmp_path, losses):
    receiver = Receiver(tmp_path / "guarded", losses.append, token="s3cret")  # noqa: S106
    target = receiver.status().endpoint.removeprefix("http://")
    with grpc.insecure_channel(target) as channel:
        call = channel.unary_unary(EXPORT)
        for metadata in ((), (("authorization", "Bearer other"),)):
            with pytest.raises(grpc.RpcError) as refused:
                call(request("a"), metadata=metadata, timeout=60)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        call(request("b"), metadata=(("authorization", "Bearer s3cret"),), timeout=60)
    status = receiver.status()
    receiver.close()
    assert (status.requests, status.refused) == (1, 2)
