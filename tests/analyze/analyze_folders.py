"""Recordings rewritten: every clock moved, or another execution mixed in."""

import gzip
import json
import re
import struct

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pytest_flyteperf.analyze.stamps import duration_ns, unix_ns

STAMP = re.compile(rb'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"')
RECEIVED = re.compile(rb'^\{"received": (\d+\.\d+)', re.MULTILINE)
DAY_S = 86_400
WITH_METRICS = [
    "cached_chain/0",
    "cached_chain/1",
    "chain/0",
    "echo_wide/1",
    "fan/0",
    "launchplan2/0",
    "retry/0",
]
"""Recordings that have Propeller's metrics."""


def read(path):
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def write(path, content):
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)


def moved_stamp(stamp, seconds):
    """An RFC 3339 stamp, moved within its month."""
    at = unix_ns(stamp.decode()) // 10**9 + seconds
    day = 22 + (at - unix_ns("2026-11-22T00:00:00Z") // 10**9) // DAY_S
    rest = at % DAY_S
    clock = f"2026-11-{day:02}T{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"
    return clock.encode() + stamp[19:]


def records(content):
    """Received time and request of each record of otlp.binpb."""
    at = 0
    while at < len(content):
        received, length = struct.unpack_from(">dI", content, at)
        at += 12
        yield received, ExportTraceServiceRequest.FromString(content[at : at + length])
        at += length


def packed(pairs):
    found = []
    for received, request in pairs:
        body = request.SerializeToString()
        found += (struct.pack(">dI", received, len(body)), body)
    return b"".join(found)


def move(folder, seconds, since_ns=0):
    """Move every stamp of a recording that is not before an instant by whole seconds."""

    def by(at_ns):
        return seconds if at_ns >= since_ns else 0

    for path in folder.rglob("*.json*"):
        content = STAMP.sub(
            lambda m: b'"' + moved_stamp(m[1], by(unix_ns(m[1].decode()))) + b'"',
            read(path),
        )
        content = RECEIVED.sub(
            lambda m: b'{"received": %r' % (float(m[1]) + by(float(m[1]) * 1e9)),
            content,
        )
        if since_ns and path.name.startswith(("execution.", "node_exec", "task_exec")):
            content = _lengthened(content, seconds, since_ns)
        write(path, content)
    for path in folder.rglob("otlp*"):
        pairs = []
        for received, request in records(read(path)):
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        span.start_time_unix_nano += by(span.start_time_unix_nano) * 10**9
                        span.end_time_unix_nano += by(span.end_time_unix_nano) * 10**9
            pairs.append((received + by(received * 1e9), request))
        write(path, packed(pairs))


def _lengthened(content, seconds, since_ns):
    """Admin documents in which what began before an instant and ended after it lasts longer."""
    document = json.loads(content)
    for one in document if isinstance(document, list) else [document]:
        closure = one["closure"]
        if "duration" in closure:
            started, lasted = unix_ns(closure["started_at"]), duration_ns(closure["duration"])
            if started < since_ns <= started + lasted:
                closure["duration"] = f"{(lasted + seconds * 10**9) / 10**9:.9f}s"
    return json.dumps(document).encode()


def mix_in(folder, other):
    """Add another recording's pods, workflow objects and traces, as if it ran at the same time."""
    for name in ("pods.jsonl.gz", "flyteworkflows.jsonl.gz"):
        lines = read(folder / name).splitlines() + read(other / name).splitlines()
        lines.sort(key=lambda line: json.loads(line)["received"])
        write(folder / name, b"\n".join(lines))
    pairs = [*records(read(folder / "otlp.binpb.gz")), *records(read(other / "otlp.binpb.gz"))]
    pairs.sort(key=lambda pair: pair[0])
    write(folder / "otlp.binpb.gz", packed(pairs))
