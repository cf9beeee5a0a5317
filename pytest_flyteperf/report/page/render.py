"""The page as text: templates, style and script put together, with a policy that allows no more."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import jinja2
from markupsafe import Markup

from pytest_flyteperf.report.page.owners import NAMES
from pytest_flyteperf.report.page.view import CaseView, case_view, summary_counts
from pytest_flyteperf.report.text import escaped
from pytest_flyteperf.report.verdicts import SYMBOLS, headline, rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.report.page.content import CaseContent

LEGEND: Final = {name: title for name, title in NAMES.items() if name != "subnodes"}


def render(contents: Sequence[CaseContent], *, recorded: str, tool: str, run: str) -> str:
    """The report of a run as one HTML document.

    Args:
        contents: its cases, in any order; the page shows the worst first.
        recorded: when it ran, UTC.
        tool: version of pytest-flyteperf.
        run: name of the run.
    """
    ordered = sorted(contents, key=lambda one: rank(one.verdict))
    views = [case_view(one, i) for i, one in enumerate(ordered, start=1)]
    said = headline([one.verdict for one in contents])
    style, script = _asset("page.css"), _asset("page.js")
    return (
        _templates()
        .get_template("page.html.j2")
        .render(
            cases=views,
            counts=summary_counts(contents),
            headline=said[0].upper() + said[1:],
            legend=_used(views),
            symbols={verdict.value: symbol for verdict, symbol in SYMBOLS.items()},
            subject=contents[0].subject if contents else None,
            environment=contents[0].environment if contents else None,
            gating=any(content.gating for content in contents),
            recorded=recorded,
            run=run,
            tool=tool,
            style=Markup(style),  # noqa: S704 -- a file of this package
            script=Markup(script),  # noqa: S704 -- likewise
            policy=_policy(style, script),
        )
    )


def _used(views: Sequence[CaseView]) -> dict[str, str]:
    """Owners that the page shows, in the order of bars."""
    shown = {share.colour for view in views for *_, shares in view.bars for share in shares}
    shown |= {share.colour for view in views for *_, shares in view.kinds for share in shares}
    return {name: title for name, title in LEGEND.items() if name in shown}


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pytest_flyteperf.report.page", "templates"),
        autoescape=True,
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data"] = _data
    return environment


def _visible(value: object) -> object:
    """What a browser would obey or hide is shown as an escape; what is markup is ours."""
    return escaped(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _asset(name: str) -> str:
    loader = _templates().loader
    assert loader is not None  # noqa: S101 -- set above
    return loader.get_source(_templates(), name)[0]


def _data(value: Any) -> Markup:  # noqa: ANN401 -- JSON
    """JSON that cannot end the element it stands in."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(safe)  # noqa: S704 -- escaped above
