from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from pytest_benchmark.stats import Stats

from pytest_flyteperf import gate
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.model import Finding, Severity, Size
from pytest_flyteperf.report import exact, pytest_benchmark, results
from pytest_flyteperf.report.results import Delta, Results
from tests.gate.gate_examples import HERE, MS, RELEASE, accepted, noisy, repeats

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
    assert "      median: 500.5 ms\n      least: 499 ms\n" in results.to_yaml(run())


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

    document = results.delta(before, now)

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
    section = results.delta(run(), run()).cases["flyte.benchmark.chain"]

    assert section.duration == results.Times(median=0, least=0, most=0)


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
        (0, "0 ns"),
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
