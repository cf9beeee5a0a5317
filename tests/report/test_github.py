from __future__ import annotations

import re
from xml.sax.saxutils import quoteattr

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pytest_flyteperf import gate
from pytest_flyteperf.model import Size
from pytest_flyteperf.report import github
from pytest_flyteperf.report import results as documents
from tests.gate.gate_examples import HERE, MS, POLICY, RELEASE, accepted, repeats

COLUMN = {
    "handle_ns": [x * MS for x in (500, 501, 502, 499, 500, 501, 500, 500)],
    "node_events": [18] * 8,
}
BEFORE = accepted([COLUMN])


def judged(case="chain", before=BEFORE, **given):
    return gate.judge(case, Size.DEFAULT, repeats(**{**COLUMN, **given}), before, HERE, POLICY)


SLOW = judged("slow_chain", handle_ns=[x * 2 for x in COLUMN["handle_ns"]])


def results(*verdicts, cause=(), again=None):
    sections = {
        (v.case, v.size): structs.replace(
            documents.case(v.size, (), v), cause=tuple(cause), again=again
        )
        for v in verdicts
    }
    return documents.results("1.2.3", "2026-11-22T20:00:00Z", RELEASE, HERE, sections)


def written(*verdicts, **given):
    return github.summary(results(*verdicts, **given))


def test_a_comment_says_what_moved_and_why_first():
    text = written(
        judged(), SLOW, cause=["CRD writes 12 -> 31"], again='pytest "b.py::test_slow_chain"'
    )

    assert text.startswith(
        "<!-- flyteperf -->\n"
        "\n"
        "### 🔴 flyteperf: 1 regressed of 2 cases\n"
        "\n"
        "| case | verdict | what moved | working | repeats |\n"
        "| --- | --- | --- | --: | --: |\n"
        "| slow\\_chain | **▲&nbsp;regressed** | working \\+100.0 % \\[\\+84.8, \\+107\\]"
        "<br>CRD writes 12 \\-\\> 31 | 1.00&nbsp;s (+100.0&nbsp;%) | 8 |\n"
        "\n"
        "<details>\n"
        "<summary>1 more case</summary>\n"
    )
    assert (
        "<summary>slow_chain: regressed</summary>\n\n**Cause**\n\n1. CRD writes 12 \\-\\> 31\n"
        in text
    )
    assert '```sh\npytest "b.py::test_slow_chain"\n```' in text
    assert "Flyte `v1.16.8` (`4f1d0a77c2b1`)" in text


def test_a_quiet_run_shows_its_table_unfolded():
    text = written(judged())

    assert "### 🟢 flyteperf: 1 case, no regression\n\n| case |" in text
    assert "**Cause**" not in text


def test_no_case_is_no_success():
    assert "### ⚪ flyteperf: no case ran" in written()


def test_an_undecided_run_is_not_green():
    assert "### 🟡 flyteperf: 1 case measured, no baseline" in written(judged("chain", None))


def test_a_large_run_fits_and_says_what_is_left_out():
    slow = [judged(f"slow_{i}", handle_ns=[x * 2 for x in COLUMN["handle_ns"]]) for i in range(150)]

    text = written(*slow, cause=["because " + "x" * 500] * 8)

    assert len(text.encode()) < 60_000
    assert "parts did not fit here" in text
    assert text.startswith(github.MARK)
    assert "<summary>environment</summary>" in text


@given(st.text(min_size=1, max_size=60))
def test_no_name_leaves_its_cell_or_makes_markup(case):
    slow = judged(case, handle_ns=[x * 2 for x in COLUMN["handle_ns"]])

    text = written(slow, cause=[case], again=case)

    row = text.splitlines()[6]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 6
    rest, fences = re.subn(r"^(`{3,})sh\n(.*)\n\1$", "", text, flags=re.MULTILINE)
    assert fences == 1
    markup = re.sub(r"</?(details|summary|br)>|<!-- flyteperf -->", "", rest)
    assert not re.search(r"(?<!\\)<", markup)
    assert "@" not in rest


def test_a_name_calls_nobody_and_links_nowhere():
    text = written(judged("@everyone see https://evil.example and www.evil.example"))

    assert "@everyone" not in text
    assert "https://evil" not in text
    assert "www.evil" not in text


@given(st.text(max_size=40))
def test_properties_fit_into_junit(case):
    found = dict(github.properties(judged(case)))

    assert found["flyteperf.verdict"] == "pass"
    assert found["flyteperf.handle_ns"] == "500000000"
    assert found["flyteperf.node_events.verdict"] == "pass"
    assert all(quoteattr(value).isprintable() for value in found.values())
