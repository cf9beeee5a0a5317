from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pytest_flyteperf import gate
from pytest_flyteperf.model import METRICS, Finding, Severity, Size
from pytest_flyteperf.report import terminal, text
from pytest_flyteperf.report.text import Style
from tests.gate.gate_examples import HERE, MS, POLICY, RELEASE, accepted, repeats

COLUMN = {
    "duration_ns": [x * MS for x in (4800, 4810, 4820, 4790, 4800, 4810, 4800, 4805)],
    "handle_ns": [x * MS for x in (500, 501, 502, 499, 500, 501, 500, 500)],
    "user_ns": [1330 * MS] * 8,
    "pods": [5] * 8,
    "crd_writes": [12, 13, 12, 12, 13, 12, 12, 12],
}
BEFORE = accepted([COLUMN])


def judged(case="chain", before=BEFORE, size=Size.DEFAULT, **given):
    problems = given.pop("problems", ())
    measured = repeats(**{**COLUMN, **given})
    return gate.judge(case, size, measured, before, HERE, POLICY, problems=problems)


SLOW = judged(
    handle_ns=[x * 5 // 4 for x in COLUMN["handle_ns"]], crd_writes=[31, 30, 31, 31, 30, 32, 31, 31]
)


def test_the_table_fits_eighty_columns():
    more = judged("single", pods=[6] * 8, size=Size.SHORT)

    lines = terminal.table([judged(), SLOW, more, judged("echo", None)], gating=True)

    assert "\n".join(lines) == (
        "case            verdict      working    user  duration  n  change\n"
        "chain           pass          500 ms  1.33 s    4.80 s  8  working 0.0 %\n"
        "chain           regressed     625 ms  1.33 s    4.80 s  8  working +25.0 %\n"
        "single (short)  regressed     500 ms  1.33 s    4.80 s  8  pods 5 -> 6\n"
        "echo            no-baseline   500 ms  1.33 s    4.80 s  8"
    )


def test_a_wide_table_shows_intervals():
    lines = terminal.table([SLOW], gating=True, columns=120)

    assert lines == (
        "case   verdict    working    user  duration  n  change",
        "chain  regressed   625 ms  1.33 s    4.80 s  8  working +25.0 % [+15.5, +29.4]",
    )


def test_a_change_that_nothing_gates_is_called_advice():
    few = {metric: values[:3] for metric, values in COLUMN.items()}
    slower = judged(before=accepted([few]), handle_ns=[x * 5 for x in COLUMN["handle_ns"]])

    assert slower.verdict is gate.Verdict.PASS
    assert terminal.table([slower], gating=True)[1].endswith("working +399 %, advice")


def test_without_a_gate_the_table_has_figures_alone():
    assert terminal.table([judged()], gating=False) == (
        "case   working    user  duration  n",
        "chain   500 ms  1.33 s    4.80 s  8",
    )


def test_without_a_gate_the_table_says_what_is_broken():
    broken = [
        structs.replace(judged(case), verdict=verdict)
        for case, verdict in (("lost", gate.Verdict.FAILED), ("noisy", gate.Verdict.INVALID))
    ]
    lines = terminal.table([judged(), *broken], gating=False)

    assert lines[0].split()[:2] == ["case", "verdict"]
    assert lines[1].split()[0] == "chain"
    assert "pass" not in lines[1]
    assert [line.split()[:2] for line in lines[2:]] == [["lost", "failed"], ["noisy", "invalid"]]


def test_what_no_source_shows_has_no_column():
    bare = gate.judge("chain", Size.DEFAULT, repeats(pods=[5]), None, HERE)

    assert terminal.table([bare], gating=False) == ("case   n", "chain  1")


def test_a_narrow_table_keeps_case_verdict_and_change():
    lines = terminal.table([SLOW], gating=True, columns=40)

    assert lines == ("case   verdict    n  change", "chain  regressed  8  working +25.0 %")


@given(st.text(min_size=1, max_size=200), st.integers(40, 200))
def test_no_name_breaks_the_table(case, columns):
    lines = terminal.table(
        [judged(case), SLOW], gating=True, columns=columns, style=Style(colour=True)
    )

    assert len(lines) == 3
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert all(line.isprintable() for line in plain)
    assert all(text.width(line) <= max(columns, 64) for line in plain)


def test_colour_changes_nothing_but_colour():
    plain = terminal.table([SLOW], gating=True)
    painted = terminal.table([SLOW], gating=True, style=Style(colour=True))

    assert "\x1b[31;1mregressed\x1b[0m" in painted[1]
    assert tuple(re.sub(r"\x1b\[[0-9;]*m", "", line) for line in painted) == plain


def test_a_regression_is_told_without_a_traceback():
    block = terminal.failure(
        SLOW,
        subject=structs.replace(RELEASE, flyte="../flyte", digest="99aa", config_digest="c0ffee"),
        cause=["CRD writes 12 -> 31"],
        rerun="pytest benchmarks/test_chain.py::test_chain --flyteperf-baseline",
        accept='flyteperf accept chain --reason "..."',
    )

    assert block == (
        "chain: regressed\n"
        "\n"
        "  metric      baseline     now  change                  tolerance         repeats\n"
        "  working       500 ms  625 ms  +25.0 % [+15.5, +29.4]  8.2 % resolution  8 + 8\n"
        "  CRD writes        12      31  12 -> 31                +2 floor          8 + 8\n"
        "\n"
        "  cause\n"
        "    CRD writes 12 -> 31\n"
        "\n"
        "  baseline  Flyte v1.16.8 (4f1d0a77c2b1), 2026-11-20 at 1a2b3c4d5e6f\n"
        "  now       Flyte ../flyte (99aa, config c0ffee)\n"
        "  again     pytest benchmarks/test_chain.py::test_chain --flyteperf-baseline\n"
        '  accept    flyteperf accept chain --reason "..."'
    )


def test_a_failed_execution_says_what_failed():
    block = terminal.failure(judged(problems=["chain-3 ended as FAILED"]), subject=RELEASE)

    assert block.splitlines()[0] == "chain: failed: chain-3 ended as FAILED"


def test_an_invalid_measurement_says_so():
    lost = Finding(check="lost spans", severity=Severity.INVALID, evidence="17 of 18 events")
    invalid = gate.judge("chain", Size.SHORT, repeats(findings=[lost], pods=[5]), BEFORE, HERE)

    block = terminal.failure(invalid, subject=RELEASE)

    assert block.splitlines()[0] == (
        "chain (short): measurement invalid: 1 of 1 repeats invalid: lost spans: 17 of 18 events"
    )


def test_a_failure_shows_eight_causes_at_most():
    block = terminal.failure(SLOW, subject=RELEASE, cause=[f"cause {i}" for i in range(20)])

    assert "cause 7" in block
    assert "cause 8" not in block


def test_undecided_cases_and_discarded_repeats_are_warned_about():
    lost = Finding(check="lost spans", severity=Severity.INVALID, evidence="17 of\x1b[2J18")
    measured = [*repeats(**COLUMN), *repeats(findings=[lost], pods=[5])]
    discarded = gate.judge("chain", Size.DEFAULT, measured, BEFORE, HERE, POLICY)

    lines = terminal.warnings([judged("echo", None), discarded, SLOW])

    assert lines == (
        "echo: no-baseline: no baseline; record one with --flyteperf-update new",
        "chain: 1 invalid repeat discarded: lost spans: 17 of\\x1b[2J18",
    )


def test_the_header_says_where_and_what():
    assert terminal.header(HERE, RELEASE, baselines="baselines") == (
        "flyteperf: Flyte v1.16.8 (4f1d0a77c2b1), admin stand-in",
        "flyteperf: local cluster on 2 CPUs, 8GiB, kube-apiserver v1.34.1",
        "flyteperf: against baselines/local-stand-in-2cpu-3c8d30",
    )


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (0, "0 s"),
        (812, "812 ns"),
        (999.6, "1.00 µs"),
        (41_234, "41.2 µs"),
        (412_000_000, "412 ms"),
        (999_600_000, "1.00 s"),
        (999_400_000, "999 ms"),
        (4_804_000_000, "4.80 s"),
        (9_996_000_000, "10.0 s"),
        (99_900_000_000, "99.9 s"),
        (99_960_000_000, "1 min 40 s"),
        (125_000_000_000, "2 min 05 s"),
        (7_260_000_000_000, "2 h 01 min"),
        (-4_804_000_000, "-4.80 s"),
    ],
)
def test_durations_have_three_figures(ns, shown):
    assert text.duration(ns) == shown


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [(1.125, "+12.5 %"), (1.0, "0.0 %"), (0.99999, "0.0 %"), (3.5, "+250 %"), (None, "?")],
)
def test_ratios_are_shown_as_growth(ratio, shown):
    assert text.percent(ratio) == shown


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_shortened_name_fits(name, columns):
    assert text.width(text.shortened(text.escaped(name), columns)) <= columns


def test_bytes_and_counts_have_their_own_figures():
    assert text.size(1536) == "1.50 KiB"
    assert text.size(812) == "812 B"
    assert text.figure(12.5, METRICS["crd_writes"]) == "12.5"
    assert text.figure(None, METRICS["crd_writes"]) == "?"


def test_drift_is_told_with_the_day_it_began():
    drift = gate.Drift(
        metric="handle_ns",
        ratio=1.21,
        low=1.15,
        high=1.24,
        since="2026-01-10T00:00:00Z",
        commit="abc",
    )

    assert terminal.warnings([structs.replace(judged(), drift=(drift,))]) == (
        (
            "chain: drift: working +21.0 % [+15.0, +24.0] since the first baseline, "
            "2026-01-10 at abc, in accepted steps"
        ),
    )


def test_times_that_the_repeats_hardly_resolve_are_named():
    wild = [x * MS for x in (600, 1900, 800, 1700, 700, 1500, 900, 1200)]

    verdict = judged(before=accepted([{**COLUMN, "handle_ns": wild}]), handle_ns=wild)

    assert terminal.warnings([verdict]) == (
        "chain: advice only: 8 repeats resolve working to 151 %",
    )
