"""How many spans a second the trace receiver stores, on one core, without loss."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pytest_flyteperf.engine.otlp import records

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
BATCH = 512
"""Spans a request, the default of OTel's batch processor."""
REQUESTS = 200
RECEIVER = """
import os, signal, sys
from pytest_flyteperf.engine.otlp import Receiver
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
receiver = Receiver(sys.argv[1], print)
print(receiver.status().endpoint.removeprefix("http://"), flush=True)
signal.sigwait({signal.SIGTERM})
status = receiver.status()
receiver.close()
print(status.requests, status.lost, flush=True)
"""


def batch() -> bytes:
    """Spans of the size of Propeller's: ids, times, a parent and three attributes."""
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add().scope_spans.add().spans
    for number in range(BATCH):
        span = spans.add(
            name="pkg/controller/nodes.RecursiveNodeHandler",
            trace_id=os.urandom(16),
            span_id=os.urandom(8),
            parent_span_id=os.urandom(8),
            start_time_unix_nano=1_790_000_000_000_000_000 + number,
            end_time_unix_nano=1_790_000_000_001_000_000 + number,
        )
        for key in ("exec_id", "node_id", "phase"):
            span.attributes.add(key=key).value.string_value = f"{key}-{number}"
    return message.SerializeToString()


@pytest.fixture
def receiver(tmp_path):
    path = tmp_path / "traces"
    command = (sys.executable, "-c", RECEIVER, str(path))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process, process.stdout.readline().strip(), path
        process.kill()


def cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123 # procfs
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_spans_stored_per_second(benchmark, receiver):
    process, target, path = receiver
    payload = batch()
    with grpc.insecure_channel(target) as channel:
        export = channel.unary_unary(EXPORT)
        export(payload)
        before = cpu_s(process.pid)

        def send() -> None:
            pending = [export.future(payload) for _ in range(REQUESTS)]
            for call in pending:
                call.result()

        rounds = 5
        benchmark.pedantic(send, rounds=rounds)
        used = cpu_s(process.pid) - before
    process.send_signal(signal.SIGTERM)
    sent = rounds * REQUESTS + 1

    assert process.stdout.readline().split() == [str(sent), "0"]
    assert sum(1 for record in records(path) if record.request == payload) == sent
    benchmark.extra_info["spans_per_s"] = round(BATCH * REQUESTS / benchmark.stats.stats.median)
    benchmark.extra_info["spans_per_receiver_cpu_s"] = round(BATCH * (sent - 1) / used)
    benchmark.extra_info["request_bytes"] = len(payload)
