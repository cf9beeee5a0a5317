from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pytest_flyteperf.model import Estimate, Finding, Severity
from pytest_flyteperf.report import measures, text
from tests.gate.gate_examples import MS, repeats


def test_one_line_a_recording():
    measured = repeats(duration_ns=[4800 * MS, None], node_events=[18, 9])

    assert measures.lines(measured) == (
        "execution  duration  phase      node ev",
        "chain-0      4.80 s  succeeded       18",
        "chain-1           ?  succeeded        9",
    )


def test_recordings_go_by_the_names_they_are_given():
    measured = repeats(pods=[1, 2])

    table = measures.lines(measured, names=["chain/0", "chain/1"])

    assert [line.split()[0] for line in table] == ["execution", "chain/0", "chain/1"]


def test_a_wide_table_is_broken_into_several_times_before_counts():
    measured = repeats(duration_ns=[4800 * MS], handle_ns=[500 * MS], node_events=[18])

    assert measures.lines(measured, columns=32) == (
        "execution  duration  in handles",
        "chain-0      4.80 s      500 ms",
        "",
        "execution  phase      node ev",
        "chain-0    succeeded       18",
    )


def test_owners_that_are_rare_have_a_column_where_they_have_time():
    none = measures.lines(repeats(held_ns=[0, 0], unknown_ns=[0, 0]), columns=160)
    some = measures.lines(repeats(held_ns=[0, 5 * MS], unknown_ns=[0, 0]), columns=160)

    assert none[0].split() == ["execution", "unknown", "phase"]
    assert some[0].split() == ["execution", "held", "unknown", "phase"]


def test_findings_stand_below():
    lost = Finding(check="lost spans", severity=Severity.NOTE, evidence="17 of\n18")

    assert measures.lines(repeats(findings=[lost], pods=[1]))[-1] == (
        "chain-0: note: lost spans: 17 of\\n18"
    )


def test_an_estimate_is_marked_and_its_source_told():
    exact = repeats(pods=[1], crd_writes=[11])
    near = Estimate(value=12, source="flyte:propeller:all:wf_updated")
    about = repeats(pods=[2], crd_writes=[None])
    measured = [
        structs.replace(exact[0], sources={"pods": "pods.jsonl", "crd_writes": "otlp.binpb"}),
        structs.replace(about[0], sources={"pods": "pods.jsonl"}, estimates={"crd_writes": near}),
    ]

    assert measures.lines(measured, names=["a", "b"]) == (
        "execution  phase      pods  CRD wr",
        "a          succeeded     1      11",
        "b          succeeded     2     ~12",
        "from pods.jsonl: pods",
        "from otlp.binpb (a): CRD wr",
        "from Propeller's counters (b): ~CRD wr",
    )


def test_nothing_measured_prints_nothing():
    assert measures.lines([]) == ()


@given(st.integers(40, 160))
def test_no_line_is_wider_than_the_terminal(columns):
    names = ("duration_ns", "pods", "crd_writes", "rounds")
    measured = repeats(**{name: [10**9] for name in names})

    assert all(text.width(line) <= columns for line in measures.lines(measured, columns=columns))
