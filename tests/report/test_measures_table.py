from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.model import Finding, Severity
from pytest_flyteperf.report import measures, text
from tests.gate.gate_examples import MS, repeats


def test_one_line_a_recording():
    measured = repeats(duration_ns=[4800 * MS, None], node_events=[18, 9])

    assert measures.lines(measured) == (
        "execution  phase      duration  node ev",
        "chain-0    succeeded    4.80 s       18",
        "chain-1    succeeded         ?        9",
    )


def test_a_wide_table_is_broken_into_several():
    measured = repeats(duration_ns=[4800 * MS], handle_ns=[500 * MS], node_events=[18])

    assert measures.lines(measured, columns=32) == (
        "execution  phase      duration",
        "chain-0    succeeded    4.80 s",
        "",
        "execution  working  node ev",
        "chain-0     500 ms       18",
    )


def test_findings_stand_below():
    lost = Finding(check="lost spans", severity=Severity.NOTE, evidence="17 of\n18")

    assert measures.lines(repeats(findings=[lost], pods=[1]))[-1] == (
        "chain-0: note: lost spans: 17 of\\n18"
    )


def test_nothing_measured_prints_nothing():
    assert measures.lines([]) == ()


@given(st.integers(40, 160))
def test_no_line_is_wider_than_the_terminal(columns):
    names = ("duration_ns", "pods", "crd_writes", "rounds")
    measured = repeats(**{name: [10**9] for name in names})

    assert all(text.width(line) <= columns for line in measures.lines(measured, columns=columns))
