import pytest

from pytest_flyteperf.report.page import render
from tests.doubles import browser
from tests.report import page_examples as examples

pytestmark = pytest.mark.skipif(browser.PROGRAM is None, reason=browser.WITHOUT)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    found = browser.Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "none": [],
        "one": [examples.case(slower=1.6)],
        "failures": [examples.failure(), examples.case("slow", slower=1.6, invalid=2)],
        "twenty": examples.portfolio(20),
        "sweep": [examples.sweep()],
        "large": [examples.large()],
    }
    for name, contents in made.items():
        text = render(contents, recorded="2026-11-22 20:00 UTC", tool="1.2.3", run="r1")
        (folder / f"{name}.html").write_text(text)
    return folder


@pytest.mark.parametrize("width", [390, 820, 1440])
@pytest.mark.parametrize("name", ["none", "one", "failures", "twenty", "sweep"])
def test_the_page_fits_its_window_loads_nothing_and_breaks_no_rule(chromium, pages, name, width):
    page = pages / f"{name}.html"
    chromium.logged.clear()
    chromium.requested.clear()
    first = chromium.open(page, width=width, dark=width == 820)
    anchors = chromium.run("[...document.querySelectorAll('.view')].map(v => v.id)")
    for anchor in anchors[:3]:
        chromium.open(page, f"#{anchor}", width=width, dark=width == 820)
        assert chromium.run("document.documentElement.scrollWidth") <= width, (anchor, first)

    assert not chromium.logged
    assert {url.partition("#")[0] for url in chromium.requested} <= {page.as_uri(), "about:blank"}


def test_from_the_verdict_to_the_cause_in_one_click(chromium, pages):
    chromium.open(pages / "twenty.html")
    assert chromium.run("document.querySelector('h1').textContent").startswith(
        "1 regressed, 1 fail"
    )

    chromium.run("document.querySelector('.cases tbody a').click()")
    chromium.frame()

    assert chromium.run("document.activeElement.textContent").startswith("chain")
    assert (
        chromium.run("[...document.querySelectorAll('.view')].filter(v => !v.hidden).length") == 1
    )
    cause = "document.querySelector('.view:not([hidden]) .cause li').getBoundingClientRect().bottom"
    assert chromium.run(cause) < 900


def painted(chromium):
    """Whether anything but the card's colour is on the timeline."""
    return chromium.run(
        "(() => { const c = document.querySelector('.view:not([hidden]) canvas');"
        " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " return new Set(new Uint32Array(d.buffer)).size })()"
    )


def test_ten_thousand_nodes_are_walked_by_keyboard(chromium, pages):
    chromium.open(pages / "large.html", "#1-large")
    said = "document.querySelector('.view:not([hidden]) .said').textContent"
    chromium.run("document.querySelector('.view:not([hidden]) .lanes').focus()")

    assert painted(chromium) > 5
    chromium.press("ArrowDown")
    assert chromium.run(said).startswith("n0 (task), 800 ms")
    chromium.press("End")
    chromium.frame()
    assert chromium.run(said).startswith("n9999 (task), 800 ms, on the critical path")
    assert chromium.run("document.querySelector('.view:not([hidden]) .lanes').scrollTop") > 190_000
    assert painted(chromium) > 3


def test_a_node_fills_the_timeline_when_it_is_entered(chromium, pages):
    chromium.open(pages / "large.html", "#1-large")
    user = (
        "(() => { const c = document.querySelector('.view:not([hidden]) canvas');"
        " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " const hue = getComputedStyle(document.documentElement).getPropertyValue('--user').trim();"
        " const [r, g, b] = [1, 3, 5].map(i => parseInt(hue.slice(i, i + 2), 16)); let n = 0;"
        " for (let i = 0; i < d.length; i += 4)"
        " n += d[i] === r && d[i + 1] === g && d[i + 2] === b; return n })()"
    )
    chromium.run("document.querySelector('.view:not([hidden]) .critical').click()")
    chromium.run("document.querySelector('.view:not([hidden]) .lanes').focus()")
    chromium.press("ArrowDown")
    chromium.frame()
    before = chromium.run(user)

    chromium.press("Enter")
    chromium.frame()

    assert chromium.run(user) > 5 * before > 0


def test_zoom_and_search_narrow_the_timeline(chromium, pages):
    chromium.open(pages / "large.html", "#1-large")
    chromium.run(
        "(() => { const f = document.querySelector('.view:not([hidden]) .find');"
        " f.value = 'n999'; f.dispatchEvent(new Event('input')); })()"
    )
    chromium.frame()

    said = "document.querySelector('.view:not([hidden]) .said').textContent"
    assert chromium.run(said) == "11 of 10000 nodes"


def test_the_theme_can_be_turned(chromium, pages):
    chromium.open(pages / "one.html")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = chromium.run(colour)

    chromium.run("document.getElementById('theme').click()")

    assert chromium.run(colour) != light
    assert chromium.run("document.getElementById('theme').textContent") == "Light"


def test_without_a_script_every_case_is_there(chromium, pages):
    text = (pages / "twenty.html").read_text()
    plain = pages / "plain.html"
    plain.write_text(text.replace('"use strict";', '"use strict"; throw 0;'))
    chromium.open(plain)

    shown = "[...document.querySelectorAll('.view')].every(v => v.getBoundingClientRect().height)"
    assert chromium.run(shown)
