"""Costs of analysis: one chain, a hundred thousand nodes, traces without end."""

import math
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.analyze.naming import unique_node_id
from pytest_flyteperf.analyze.orchestration import Orchestration
from pytest_flyteperf.analyze.recording import Recording, TraceRecord
from pytest_flyteperf.analyze.slopes import slope
from pytest_flyteperf.analyze.spans import Handle, read_handles
from pytest_flyteperf.analyze.timeline import partition

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"
SECOND = 1_000_000_000
WIDTH = 10
"""Tasks in each inner dynamic."""


def stamp(ms):
    """Milliseconds after midnight as FlyteAdmin stamps them."""
    seconds, rest = divmod(ms, 1000)
    hours, of_hour = divmod(seconds, 3600)
    return f"2026-11-22T{hours:02}:{of_hour // 60:02}:{of_hour % 60:02}.{rest:03}000000Z"


class Synthesis:
    """A recording with the stamps of `nested_dynamic` and `launchplan2`, made larger."""

    def __init__(self, name):
        self.name = name
        self.nodes = []
        self.tasks = []
        self.pods = []
        self.clock = 1000

    def node(self, spec, parent, created, ended, **closure):
        name = unique_node_id(parent, "0", spec) if parent else spec
        self.nodes.append(
            {
                "id": {"node_id": name, "execution_id": {"name": self.name}},
                "closure": {
                    "phase": "SUCCEEDED",
                    "created_at": stamp(created),
                    "started_at": stamp(created + 1),
                    "duration": f"{(ended - created - 1) / 1000:.3f}s",
                    "updated_at": stamp(ended),
                    **closure,
                },
                "metadata": {"spec_node_id": spec, **({"retry_group": "0"} if parent else {})},
            },
        )
        return name

    def task(self, name, created):
        pod = f"{self.name}-{name}-0"
        self.tasks.append(
            {
                "id": {"node_execution_id": {"node_id": name}},
                "closure": {
                    "phase": "SUCCEEDED",
                    "created_at": stamp(created + 1),
                    "updated_at": stamp(created + 8),
                    "metadata": {"generated_name": pod, "plugin_identifier": "container"},
                },
            },
        )
        for received, state in (
            (created + 1, None),
            (created + 3, {"running": {"startedAt": stamp(created)[:19] + "Z"}}),
            (created + 6, {"terminated": {"startedAt": stamp(created)[:19] + "Z",
                                          "finishedAt": stamp(created)[:19] + "Z"}}),
        ):  # fmt: skip
            status = {"containerStatuses": [{"name": pod, "state": state}]} if state else {}
            self.pods.append(
                {
                    "received": 1_795_305_600 + received / 1000,
                    "event": {
                        "type": "MODIFIED",
                        "object": {
                            "metadata": {
                                "name": pod,
                                "uid": pod,
                                "ownerReferences": [{"kind": "flyteworkflow", "name": self.name}],
                            },
                            "spec": {"nodeName": "local"},
                            "status": status,
                        },
                    },
                },
            )

    def dynamic(self, index, inner):
        """An outer dynamic, inner ones within, tasks within those, one after another."""
        outer = f"d{index}"
        begun, at = self.clock, self.clock + 10
        beneath = []
        for number in range(inner):
            name = unique_node_id(outer, "0", f"dn{number}")
            first = at
            for number_within in range(WIDTH):
                child = self.node(f"dn{number_within}", name, at, at + 9)
                self.task(child, at)
                at += 10
            beneath.append((f"dn{number}", name, first - 5, at))
            at += 10
        for spec, name, low, high in beneath:
            self.node(spec, outer, low, high)
            self.task(name, low)
        self.node(outer, "", begun, at)
        self.task(outer, begun)
        self.clock = at + 5

    def write(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        closure = {"phase": "SUCCEEDED", "created_at": stamp(1000), "updated_at": stamp(self.clock)}
        execution = {"id": {"name": self.name}, "spec": {}, "closure": closure}
        for name, document in (
            ("execution.json", execution),
            ("node_executions.json", self.nodes),
            ("task_executions.json", self.tasks),
        ):
            (folder / name).write_bytes(msgspec.json.encode(document))
        return len(self.nodes)


def synthesise(folder, count):
    """About so many nodes: nested dynamics, and a launch plan for each twentieth part."""
    inner = 9
    each = 1 + inner * (1 + WIDTH)
    whole = Synthesis("whole")
    made = 0
    pods = []
    for index in range(max(1, count // each)):
        if index % 20:
            whole.dynamic(index, inner)
        else:
            child = Synthesis(f"child{index}")
            child.clock = whole.clock + 5
            child.dynamic(0, inner)
            made += child.write(folder / "children" / child.name)
            closure = {"workflow_node_metadata": {"executionId": {"name": child.name}}}
            whole.node(f"lp{index}", "", whole.clock, child.clock + 10, **closure)
            whole.clock = child.clock + 20
            pods += child.pods
    made += whole.write(folder)
    pods = sorted(pods + whole.pods, key=lambda one: one["received"])
    (folder / "pods.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, pods)))
    return made


@pytest.mark.parametrize("name", ["chain/0", "echo_wide/0", "nested_dynamic/0"])
def test_one_recording(benchmark, name):
    benchmark(analyze_recording, RECORDINGS / name)


SIZES = (1_000, 2_000, 5_000, 10_000, 20_000)


def test_cost_is_linear_in_nodes(benchmark, tmp_path):
    """
    CPU time by nodes, the least of two runs each: the slope of its logarithms is the power that it
    grows with, 1 where it is linear.
    """
    made = {synthesise(tmp_path / str(count), count): tmp_path / str(count) for count in SIZES}

    def fit():
        spent = {}
        for nodes, folder in made.items():
            for _ in range(2):
                begun = time.process_time_ns()
                assert len(analyze_recording(folder).ownership.nodes) == nodes
                ns = time.process_time_ns() - begun
                spent[nodes] = min(ns, spent.get(nodes, ns))
        line = slope(list(spent.items()))
        power = slope([(math.log(nodes), math.log(ns)) for nodes, ns in spent.items()])
        return spent, line, power

    spent, line, power = benchmark.pedantic(fit, rounds=1)

    benchmark.extra_info |= {
        "cpu_ms": {str(nodes): round(ns / 1e6) for nodes, ns in spent.items()},
        "us_per_node": [round(x / 1e3, 1) for x in (line.low, line.per_unit, line.high)],
        "fixed_ms": round(line.at_zero / 1e6, 1),
        "power": round(power.per_unit, 3),
    }
    assert power.per_unit < 1.25


def test_a_hundred_thousand_nodes_within_a_gigabyte(benchmark, tmp_path):
    """Peak memory is that of a process of its own; Linux only, as /proc tells it."""
    made = synthesise(tmp_path, 100_000)
    code = (
        "import sys, time; from pytest_flyteperf.analyze import analyze_recording; "
        "start = time.process_time(); analyze_recording(sys.argv[1]); "
        "spent = time.process_time() - start; "
        "status = dict(line.split(':') for line in open('/proc/self/status')); "
        "print(spent, int(status['VmHWM'].split()[0]) * 1024)"
    )

    def analyze():
        ran = subprocess.run(
            [sys.executable, "-c", code, tmp_path],
            capture_output=True,
            check=True,
            text=True,
        )
        return [float(word) for word in ran.stdout.split()]

    cpu_s, peak_bytes = benchmark.pedantic(analyze, rounds=1)

    benchmark.extra_info |= {"nodes": made, "cpu_s": cpu_s, "peak_bytes": peak_bytes}
    assert peak_bytes < 1 << 30


def _repeated(times):
    """The requests of a chain again and again, each time with identities of its own."""
    records = list(Recording(RECORDINGS / "chain/0").traces())
    for turn in range(times):
        mark = turn.to_bytes(2)
        for record in records:
            yield TraceRecord(record.received + 10 * turn, _marked(record.request, mark))


def _marked(request, mark):
    message = ExportTraceServiceRequest.FromString(request)
    for resource_spans in message.resource_spans:
        for scope in resource_spans.scope_spans:
            for span in scope.spans:
                span.trace_id = mark + span.trace_id[2:]
                span.span_id = mark + span.span_id[2:]
                if span.parent_span_id:
                    span.parent_span_id = mark + span.parent_span_id[2:]
    return message.SerializeToString()


def _stream(records):
    orchestration = Orchestration()
    for found in read_handles(records):
        if isinstance(found, Handle):
            orchestration.take(found)
    return orchestration.metrics()


def test_spans_per_second(benchmark):
    """692 spans a turn; a chain's recording has FlyteAdmin's spans too, which are skipped."""
    records = list(_repeated(50))
    benchmark.extra_info["spans"] = 692 * 50

    metrics = benchmark(_stream, records)

    assert metrics["handles"] == 13 * 50


def test_spans_per_second_cut_into_own_times(benchmark):
    """Propeller's own spans alone: 254 a turn, each with its operation and its own time."""
    records = list(_repeated(50))

    def cut():
        found = [one for one in read_handles(records) if isinstance(one, Handle)]
        for one in found:
            partition(one)
        return sum(1 + len(one.operations) for one in found)

    spans = benchmark(cut)

    benchmark.extra_info["spans"] = spans
    assert spans == 254 * 50


def test_memory_is_that_of_open_handles():
    """Ten times the traces, the same peak but for the latencies that are kept."""
    peaks = []
    for times in (10, 100):
        tracemalloc.start()
        _stream(_repeated(times))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 2 * peaks[0]
