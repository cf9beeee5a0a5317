from __future__ import annotations

import re
from xml.sax.saxutils import quoteattr

from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf import gate
from pytest_flyteperf.model import Size
from pytest_flyteperf.report import github
from tests.gate.gate_examples import HERE, MS, POLICY, RELEASE, accepted, repeats

COLUMN = {
    "handle_ns": [x * MS for x in (500, 501, 502, 499, 500, 501, 500, 500)],
    "node_events": [18] * 8,
}
BEFORE = accepted([COLUMN])


def judged(case="chain", before=BEFORE, **given):
    return gate.judge(case, Size.DEFAULT, repeats(**{**COLUMN, **given}), before, HERE, POLICY)


SLOW = judged("slow_chain", handle_ns=[x * 2 for x in COLUMN["handle_ns"]])


def test_a_comment_says_what_moved_and_why():
    written = github.summary(
        [judged(), SLOW],
        subject=RELEASE,
        environment=HERE,
        causes={"slow_chain": ["CRD writes 12 -> 31"]},
    )

    assert written == (
        "<!-- flyteperf -->\n"
        "\n"
        "### flyteperf: 1 of 2 cases regressed\n"
        "\n"
        "| case | verdict | working | repeats |\n"
        "| --- | --- | --- | --- |\n"
        "| chain | pass | 500 ms (0.0 %) | 8 |\n"
        "| slow\\_chain | **regressed** | 1.00 s (+100.0 %) | 8 |\n"
        "\n"
        "<details>\n"
        "<summary>slow_chain: regressed</summary>\n"
        "\n"
        "- working: regressed, \\+100.0 % \\[\\+84.8 %, \\+107.1 %\\] exceeds tolerance 8.2 % "
        "\\(resolution\\)\n"
        "- cause: CRD writes 12 \\-\\> 31\n"
        "\n"
        "</details>\n"
        "\n"
        "Flyte `v1.16.8` (`4f1d0a77c2b1`), admin stand-in, local cluster, 2 CPUs Xeon 8481C. "
        "Intervals keep false alarms of the whole portfolio to 1 %.\n"
    )


def test_a_quiet_run_says_so():
    written = github.summary([judged()], subject=RELEASE, environment=HERE)

    assert "### flyteperf: 1 pass\n" in written
    assert "<details>" not in written


def test_no_case_is_no_success():
    assert "no case ran" in github.summary([], subject=RELEASE, environment=HERE)


@given(st.text(min_size=1, max_size=60))
def test_no_name_leaves_its_cell_or_makes_markup(case):
    slow = judged(case, handle_ns=[x * 2 for x in COLUMN["handle_ns"]])

    written = github.summary([slow], subject=RELEASE, environment=HERE, causes={case: [case]})

    row = written.splitlines()[6]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 5
    markup = re.sub(r"</?(details|summary)>|<!-- flyteperf -->", "", written)
    assert not re.search(r"(?<!\\)<", markup)


@given(st.text(max_size=40))
def test_properties_fit_into_junit(case):
    found = dict(github.properties(judged(case)))

    assert found["flyteperf.verdict"] == "pass"
    assert found["flyteperf.handle_ns"] == "500000000"
    assert found["flyteperf.node_events.verdict"] == "pass"
    assert all(quoteattr(value).isprintable() for value in found.values())
