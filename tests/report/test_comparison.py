"""The table of two Flytes beside each other."""

import msgspec

from pytest_flyteperf.gate import CaseVerdict, Kind, MetricVerdict, Summary, Verdict
from pytest_flyteperf.model import Size, Subject
from pytest_flyteperf.report import comparison
from pytest_flyteperf.report.comparison import Compared
from tests.gate.gate_examples import HERE, RELEASE

MS = 1_000_000


def summary(median):
    return Summary(median=median, least=int(median), most=int(median), repeats=20)


def metric(name, before, now, verdict, **more):
    return MetricVerdict(
        metric=name,
        kind=more.pop("kind", Kind.MAGNITUDE),
        verdict=verdict,
        gated=more.pop("gated", True),
        reason="",
        baseline=summary(before),
        now=summary(now),
        **more,
    )


def case(*metrics, verdict=Verdict.REGRESSED, cause=(), **more):
    found = CaseVerdict(
        case="echo_chain",
        size=Size.DEFAULT,
        verdict=verdict,
        reason="no repeat was measured",
        metrics=metrics,
        repeats=20,
        **more,
    )
    return Compared(verdict=found, cause=tuple(cause), blocks=(4, 4))


WORKING = metric(
    "handle_ns",
    412 * MS,
    455 * MS,
    Verdict.REGRESSED,
    ratio=1.104,
    low=1.072,
    high=1.131,
    tolerance=0.052,
    tolerance_from="resolution",
)
EVENTS = metric("node_events", 18, 18, Verdict.PASS, kind=Kind.EXACT)


def test_a_case_shows_both_sides_and_the_cause():
    lines = list(comparison.table([case(WORKING, EVENTS, cause=["crd write +41 ms"])]))

    assert lines == [
        "",
        "echo_chain: regressed, 20 + 20 repeats in 4 + 4 blocks",
        "  metric     base    head  change                 tolerance         verdict",
        "  working  412 ms  455 ms  +10.4 % [+7.2, +13.1]  5.2 % resolution  regressed",
        "  equal: node events 18",
        "  cause",
        "    crd write +41 ms",
    ]


def test_a_count_that_moved_has_a_line_of_its_own():
    moved = metric("pods", 0, 10, Verdict.REGRESSED, kind=Kind.EXACT)
    lines = list(comparison.table([case(moved)]))

    assert lines[3].split() == ["pods", "0", "10", "0", "->", "10", "exact", "regressed"]


def test_advice_is_left_out_and_a_case_without_metrics_says_why():
    advice = msgspec.structs.replace(WORKING, gated=False)
    lines = list(
        comparison.table([case(advice, verdict=Verdict.INVALID, invalid=("lost spans: 3",))])
    )

    assert lines[2:] == [
        "  no repeat was measured",
        "  1 of head's repeats discarded: lost spans: 3",
    ]


def test_the_header_names_both_flytes_and_the_machine():
    head = Subject(flyte="../flyte\x1b[31m", digest="f" * 64, config_digest="c" * 64)
    lines = comparison.header(RELEASE, head, HERE)

    assert lines[0].startswith(f"base   Flyte {RELEASE.flyte} ({RELEASE.digest[:12]}")
    assert lines[1].startswith("head   Flyte ../flyte\\x1b[31m (ffffffffffff, config cccccccccccc)")
    assert HERE.machine.cpu_model in "".join(lines)
