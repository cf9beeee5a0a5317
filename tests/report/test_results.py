from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from pytest_benchmark.stats import Stats

from pytest_flyteperf import gate
from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.model import (
    ComponentUse,
    Estimate,
    Finding,
    FlytekitShare,
    Latency,
    NodeMeasures,
    NodeOverhead,
    Owned,
    Ownership,
    PodsUse,
    Severity,
    Signal,
    Size,
    StateMeasures,
)
from pytest_flyteperf.report import delta, exact, pytest_benchmark, results
from pytest_flyteperf.report.sections import Delta, Results, Times
from tests.gate.gate_examples import HERE, MS, RELEASE, accepted, noisy, repeats

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"
COLUMN = {
    "duration_ns": noisy(1, 5, 4_800 * MS),
    "handle_ns": [500 * MS, None, 501 * MS, 502 * MS, 499 * MS],
    "crd_writes": [12, 13, 12, 13, 14],
    "workflow_events": [3] * 5,
    "handles": [9] * 5,
    "rounds": [40, 41, 40, 42, 40],
}
VERDICT = gate.judge("chain", Size.DEFAULT, repeats(**COLUMN), accepted([COLUMN]), HERE)


def run(scale=1, names=("chain",)):
    column = {k: [v and v * scale for v in values] for k, values in COLUMN.items()}
    section = results.case(Size.DEFAULT, repeats(**column), VERDICT)
    return results.results(
        "0.1.0",
        "2026-11-22T18:40:00Z",
        RELEASE,
        HERE,
        {(name, Size.DEFAULT): section for name in names},
    )


def test_yaml_and_json_hold_the_same_values():
    document = run()

    assert results.from_json(results.to_json(document), Results, "f") == document
    assert results.from_yaml(results.to_yaml(document), Results, "f") == document


def untraced():
    """Three repeats without traces; the counters of the second were not read."""
    near = Estimate(value=40, source="flyte:propeller:all:wf_updated")
    column = {"crd_writes": [None] * 3, "duration_ns": [MS] * 3}
    told = {"sources": {"duration_ns": "execution.json"}}
    return [
        structs.replace(one, **told, estimates={} if number == 1 else {"crd_writes": near})
        for number, one in enumerate(repeats(**column))
    ]


def test_estimates_stand_apart_from_samples_and_say_their_source():
    section = results.case(Size.DEFAULT, untraced())

    assert section.estimates == {"crd_writes": (40, None, 40)}
    assert section.propeller.crd_writes.count.median == 40
    assert list(section.samples) == ["duration_ns"]
    assert section.sources == {
        "duration_ns": "execution.json",
        "crd_writes": "flyte:propeller:all:wf_updated",
    }
    document = results.results("t", "d", RELEASE, HERE, {("chain", Size.DEFAULT): section})
    assert results.from_yaml(results.to_yaml(document), Results, "f") == document


def test_an_estimate_is_left_out_where_some_repeat_has_traces():
    traced = repeats(crd_writes=[38], duration_ns=[MS])

    section = results.case(Size.DEFAULT, [*untraced(), *traced])

    assert section.estimates == {}
    assert section.samples["crd_writes"] == (None, None, None, 38)


def used():
    """Two repeats of a recorded dynamic task with what a recorder on the machine adds."""
    folders = [RECORDINGS / "dynamic3" / repeat for repeat in "01"]
    lost = Finding(check="lost spans", severity=Severity.INVALID, evidence="17 of 18")
    slow = Finding(check="pace", severity=Severity.NOTE, evidence="+60 %")
    more = {
        "components": (
            ComponentUse(component="etcd", cpu_ns=30 * MS, resident_bytes=9, written_bytes=7),
        ),
        "pods_use": PodsUse(
            pods=4, cpu_ns=2_000 * MS, max_resident_bytes=5, read_bytes=0, written_bytes=3
        ),
        "flytekit": FlytekitShare(
            containers=4,
            start_ns=1,
            load_ns=2,
            inputs_ns=3,
            user_code_ns=4,
            outputs_ns=5,
            exit_ns=6,
        ),
        "signals": (Signal(name="rounds", count=40, sum_ns=700 * MS, source="round_time_ms"),),
        "findings": (slow,),
    }
    measured = [structs.replace(analyze_recording(folder), **more) for folder in folders]
    return [*measured, structs.replace(measured[0], findings=(slow, lost))]


def test_all_that_analysis_computes_is_in_the_document():
    section = results.case(Size.DEFAULT, used())

    assert {kind.kind: kind.nodes.median for kind in section.kinds} == {
        "dynamic": 1,
        "end": 2,
        "start": 2,
        "task": 3,
    }
    state = section.state
    assert state.peak_binary_bytes.median < state.peak_bytes.median
    assert state.dynamic_child_bytes.median > 0
    assert state.array_item_bytes is None
    assert state.write_amplification > 10
    assert [limit.limit for limit in state.limits] == ["etcd request", "gRPC message", "closure"]
    assert section.components[0].cpu.median == 30 * MS
    assert section.components[0].peak_bytes is None
    assert section.pods_use.cpu.median == 2_000 * MS
    assert section.flytekit.user_code.median == 4
    assert (section.signals[0].count.median, section.signals[0].time.median) == (40, 700 * MS)
    assert [(one.check, one.severity, one.repeats) for one in section.audit] == [
        ("lost spans", "invalid", 1),
        ("pace", "note", 3),
    ]


def test_a_document_with_all_of_it_is_read_back_and_subtracted():
    section = results.case(Size.DEFAULT, used())
    document = results.results("t", "d", RELEASE, HERE, {("dynamic3", Size.DEFAULT): section})

    assert results.from_json(results.to_json(document), Results, "f") == document
    assert results.from_yaml(results.to_yaml(document), Results, "f") == document
    nothing = delta.delta(document, document)
    assert results.from_yaml(results.to_yaml(nothing), Delta, "f") == nothing
    (case,) = nothing.cases.values()
    assert case.components[0].cpu.median == 0
    assert case.state.peak_binary_bytes.median == 0
    assert case.state.write_amplification == 0


@given(
    st.dictionaries(
        st.sampled_from(sorted(COLUMN)),
        st.lists(st.none() | st.integers(0, 10**15), min_size=4, max_size=4),
    )
)
def test_yaml_and_json_hold_the_same_values_whatever_was_measured(column):
    measured = repeats(**column) if column else []
    section = results.case(Size.FULL, measured)
    document = results.results("t", "d", RELEASE, HERE, {("a: b", Size.FULL): section})

    assert results.from_json(results.to_json(document), Results, "f") == document
    assert results.from_yaml(results.to_yaml(document), Results, "f") == document


def test_the_documents_keep_the_hierarchy_of_the_rfc():
    section = json.loads(results.to_json(run()))["cases"]["flyte.benchmark.chain"]

    assert section["duration"]["median"] == sorted(COLUMN["duration_ns"])[2]
    assert section["events"]["workflow"]["count"]["median"] == 3
    assert section["propeller"]["rounds"]["count"]["median"] == 9
    assert section["propeller"]["streaks"]["count"]["most"] == 42
    assert section["propeller"]["crdWrites"]["count"]["median"] == 13
    assert section["verdict"]["verdict"] == "invalid"


def test_what_was_not_measured_is_absent():
    section = json.loads(results.to_json(run()))["cases"]["flyte.benchmark.chain"]

    assert "flyteOverhead" not in section
    assert "latency" not in section["events"]["workflow"]
    assert section["events"]["node"] == {}


def test_yaml_times_have_units():
    assert "    working: {median: 500.5 ms, least: 499 ms, most: 502 ms}\n" in results.to_yaml(
        run()
    )


def test_sizes_have_keys_of_their_own():
    assert results.key("chain", Size.DEFAULT) == "flyte.benchmark.chain"
    assert results.key("chain", Size.SHORT) == "flyte.benchmark.chain.short"


def test_invalid_repeats_are_counted_and_left_out():
    lost = Finding(check="lost spans", severity=Severity.INVALID, evidence="17 of 18")
    measured = [*repeats(pods=[5, 5]), *repeats(findings=[lost], pods=[9])]

    section = results.case(Size.DEFAULT, measured)

    assert (section.repeats, section.invalid_repeats) == (2, 1)
    assert section.pods.most == 5


def test_a_delta_has_the_same_keys_and_signed_differences():
    before, now = run(scale=2, names=("chain", "gone")), run(names=("chain", "new"))

    document = delta.delta(before, now)

    section = document.cases["flyte.benchmark.chain"]
    assert section.working.median == -500_500_000
    assert section.events.workflow.count.median == -3
    assert section.flyte_overhead is None
    assert document.only_before == ("flyte.benchmark.gone",)
    assert document.only_now == ("flyte.benchmark.new",)
    assert "median: -500.5 ms" in results.to_yaml(document)
    assert results.from_yaml(results.to_yaml(document), Delta, "f") == document
    assert results.from_json(results.to_json(document), Delta, "f") == document


def test_a_run_does_not_differ_from_itself():
    section = delta.delta(run(), run()).cases["flyte.benchmark.chain"]

    assert section.duration == Times(median=0, least=0, most=0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"schemaVersion": 4}',
            "f: schema 4 is newer than 1, the latest known here; upgrade pytest-flyteperf",
        ),
        ("{}", "f: Object missing required field `schemaVersion`; write it anew"),
        ("[", "f: Input data was truncated; write it anew"),
    ],
)
def test_a_document_that_cannot_be_read_is_refused_by_name(text, message):
    with pytest.raises(UsageError) as refused:
        results.from_json(text, Results, "f")

    assert str(refused.value) == message


def test_yaml_that_is_no_time_is_refused():
    text = results.to_yaml(run()).replace("500.5 ms", "about 500 ms")

    with pytest.raises(UsageError) as refused:
        results.from_yaml(text, Results, "f")

    assert str(refused.value) == (
        "f: 'about 500 ms' is no time such as 4.803124512 s; write it anew"
    )


def test_both_files_are_written(tmp_path):
    written = results.write(tmp_path / "run", "results", run())

    assert [path.name for path in written] == ["results.json", "results.yaml"]
    assert results.from_yaml(written[1].read_text(encoding="utf-8"), Results, "f") == run()


def full(scale):
    """A case with everything that analysis can know."""
    node = NodeMeasures(
        execution="e1",
        id="n0",
        spec_id="n0",
        parent=None,
        kind="task",
        phase="SUCCEEDED",
        attempts=1,
        duration_ns=900 * MS * scale,
        scheduling_ns=None,
        on_path_ns=800 * MS * scale,
        owners=(
            Owned(owner="flyte", detail="working", point_ns=5 * scale, low_ns=0, high_ns=9),
            Owned(owner="flyte", detail="waiting", point_ns=6 * scale, low_ns=0, high_ns=9),
        ),
    )
    child = structs.replace(node, execution="e2", duration_ns=None, owners=())
    ownership = Ownership(
        wall_ns=11 * scale,
        owners=node.owners,
        working_ns={},
        path=(),
        nodes=(node, child),
        summed=NodeOverhead(flyte_ns=60 * scale, scheduling_ns=20 * scale, runtime_ns=80 * scale),
    )
    latency = {
        "count": 12 * scale,
        "failed": 0,
        "sum_ns": 99,
        "p50_ns": 3 * MS * scale,
        "p90_ns": 5 * MS,
        "p99_ns": 7 * MS,
        "max_ns": 8 * MS,
    }
    state = StateMeasures(
        revisions=33,
        written_bytes=141_840 * scale,
        first_bytes=3418,
        peak_bytes=5041,
        peak_spec_bytes=3030,
        peak_status_bytes=1633,
        peak_gzip_bytes=1960,
        peak_nodes=7,
        node_bytes=60,
    )
    places = [("crd write", "round"), ("blob read", "round"), ("blob read", "task plugin")]
    measured = [
        structs.replace(
            m,
            ownership=ownership,
            latencies=tuple(Latency(operation=o, beneath=b, **latency) for o, b in places),
            state=state,
        )
        for m in repeats(duration_ns=[11 * scale] * 3, crd_writes=[12] * 3, blob_reads=[24] * 3)
    ]
    section = results.case(Size.DEFAULT, measured)
    return results.results("t", "d", RELEASE, HERE, {("chain", Size.DEFAULT): section})


def test_nodes_owners_operations_and_state_are_in_the_documents():
    document = full(1)
    section = document.cases["flyte.benchmark.chain"]

    assert [(n.execution, n.id, n.repeats) for n in section.nodes] == [(0, "n0", 3), (1, "n0", 3)]
    assert section.nodes[0].flyte_overhead.median == 11
    assert section.nodes[1].duration is None
    assert sum(o.time.mean for o in section.owners) == section.duration.median
    assert section.summed_node_overhead.share == 0.8
    assert section.propeller.crd_writes.latency.p50 == 3 * MS
    assert section.blobstore.reads.latency is None
    assert [p.beneath for p in section.operations] == ["round", "task plugin", "round"]
    assert section.state.written_bytes.median == 141_840
    assert results.from_json(results.to_json(document), Results, "f") == document
    assert results.from_yaml(results.to_yaml(document), Results, "f") == document


def test_a_delta_subtracts_what_both_lists_know():
    section = delta.delta(full(1), full(2)).cases["flyte.benchmark.chain"]

    assert section.nodes[0].id == "n0"
    assert section.nodes[0].kind == "task"
    assert section.nodes[0].duration.median == 900 * MS
    assert [n.execution for n in section.nodes] == [0, 1]
    assert [o.time.mean for o in section.owners] == [6, 5]
    assert section.operations[0].latency.p50 == 3 * MS
    assert section.operations[0].calls.median == 12
    assert section.state.peak_bytes.median == 0
    assert results.from_yaml(results.to_yaml(delta.delta(full(1), full(2))), Delta, "f").cases == {
        "flyte.benchmark.chain": section
    }


@pytest.mark.parametrize("kind", [Results, Delta])
def test_the_schema_names_every_field(kind):
    schema = results.json_schema(kind)

    named = schema["$defs"][kind.__name__]["properties"]
    assert set(named) == {f.encode_name for f in msgspec.structs.fields(kind)}


@given(st.integers(-(10**20), 10**20))
def test_a_written_time_loses_nothing(ns):
    assert exact.parsed(exact.written(ns)) == ns


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 s"),
        (4_803_124_512, "4.803124512 s"),
        (-1_500_000, "-1.5 ms"),
        (2_000, "2 µs"),
    ],
)
def test_a_written_time_reads_well(ns, text):
    assert exact.written(ns) == text


@pytest.mark.parametrize("text", ["", "5", "5 h", "1.2345 µs", "5  s", "1e3 s", "٣ s"])
def test_a_time_that_was_not_written_here_is_refused(text):
    with pytest.raises(ValueError, match=r"no time|finer"):
        exact.parsed(text)


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=30))
def test_statistics_are_those_of_pytest_benchmark(durations):
    measured = results.case(Size.DEFAULT, repeats(duration_ns=durations))
    document = results.results("t", "d", RELEASE, HERE, {("chain", Size.DEFAULT): measured})
    expected = Stats()
    for ns in durations:
        expected.update(ns / 1e9)

    written = json.loads(pytest_benchmark.to_json(document))["benchmarks"][0]["stats"]

    for name, value in expected.as_dict().items():
        if isinstance(value, str):
            assert written[name] == value
        else:
            assert math.isclose(written[name], value, rel_tol=1e-9, abs_tol=1e-12), name


def test_pytest_benchmark_gets_no_case_without_a_duration():
    bare = results.case(Size.DEFAULT, repeats(pods=[1]))
    document = structs.replace(run(), cases={"flyte.benchmark.bare": bare})

    assert json.loads(pytest_benchmark.to_json(document))["benchmarks"] == []
