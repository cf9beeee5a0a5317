import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from pytest_flyteperf.gate import Verdict
from pytest_flyteperf.report.page import Links, render
from tests.report import page_examples as examples

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m\"'&../../é\u202e"


def page(*contents):
    return render(contents, recorded="2026-11-22 20:00 UTC", tool="1.2.3", run="r1")


class Elements(HTMLParser):
    """Elements in order with their attributes' names, and all text."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data):
        self.text += data


def test_the_verdict_comes_first_and_the_cause_stands_beside_it():
    text = page(examples.case("fine"), examples.case("slow", slower=1.6))
    seen = Elements(text).text

    assert "<title>1 regressed of 2 cases · flyteperf</title>" in text
    assert seen.index("1 regressed of 2 cases") < seen.index("what moved, and why")
    row = text[text.index('<th scope="row"><a href="#1-slow">') :]
    row = row[: row.index("</tr>")]
    assert "regressed" in row
    assert "crd write +310 ms" in row


@pytest.mark.parametrize(
    "contents", [(), (examples.failure(),), (examples.case(baseline=False),)], ids=len
)
def test_little_is_a_page_too(contents):
    text = page(*contents)

    assert text.endswith("</html>")
    assert ("Nothing was measured" in text) == (not contents)


def test_nothing_is_loaded_and_only_our_style_and_script_may_act():
    text = page(*examples.portfolio(5))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)

    def source(inner):
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        return f"&#39;sha256-{digest}&#39;"

    assert len(script) == 1
    assert f"style-src {source(style)}; script-src {source(script[0])};" in policy
    assert policy.startswith("default-src &#39;none&#39;;")
    assert not re.search(r"<(link|img|iframe|object)\b|@import|url\(|\bstyle=|\son\w+=", text)
    assert not re.findall(r'(?:src|href)="(?!#)', text)


def test_a_portfolio_is_less_than_two_megabytes():
    assert len(page(*examples.portfolio(25)).encode()) < 2_000_000


def test_timelines_are_json():
    text = page(examples.case())
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])

    assert data["wall"] == examples.recorded("chain")[1].wall_ns // 1000
    assert [lane[0] for lane in data["lanes"]][:2] == ["start-node", "n0"]
    assert data["path"][-1] == data["wall"]


def test_a_sweep_is_drawn_over_its_sizes():
    text = page(examples.sweep())

    assert text.count('class="strip scatter"') == 3
    assert 'aria-label="duration over sizes 10, 20, 40, up to' in text
    assert "growth over 10, 20, 40, with 95 % intervals" in text


def test_cases_are_walked_from_one_to_the_next():
    text = page(*[examples.failure(f"case_{i}") for i in range(3)])

    assert text.count("← case_") == 2
    assert ">case_1 →</a>" in text


def test_an_invalid_case_shows_its_audit_at_once():
    content = examples.case(invalid=1)
    verdict = structs.replace(content.verdict, verdict=Verdict.INVALID)
    text = page(structs.replace(content, verdict=verdict))

    assert re.search(r"<details open><summary><h3>Audit and repeats", text)
    assert not re.search(r"<details open><summary><h3>Audit", page(content))


def named(name):
    content = examples.case(name, slower=1.6, invalid=1)
    lanes = content.lanes
    lane = structs.replace(lanes.lanes[1], id=name, phase=name)
    first = structs.replace(
        content.repeats[0], recording=name, links=Links(trace=f"./{len(name)}.json")
    )
    return structs.replace(
        content,
        cause=(name,),
        rerun=name,
        lanes=structs.replace(lanes, execution=name, lanes=(lane, *lanes.lanes[2:])),
        repeats=(first, *content.repeats[1:]),
        subject=structs.replace(content.subject, flyte=name),
    )


PLAIN = Elements(page(named("plain"))).found


@settings(max_examples=20, deadline=None)
@given(st.text(min_size=1, max_size=60))
@example(HOSTILE)
@example("{{ 7 * 7 }}{% raw %}")
def test_no_name_becomes_markup(name):
    found = Elements(page(named(name)))

    assert found.found == PLAIN
    assert not any(ord(c) < 32 and c not in "\n\t" for c in found.text)


def test_hostile_names_are_shown():
    seen = Elements(page(named(HOSTILE))).text

    assert r"</script><img src=x onerror=alert(1)>\x1b[31m" in seen
    assert r"\u202e" in seen
