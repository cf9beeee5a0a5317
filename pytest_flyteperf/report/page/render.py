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
from pytest_flyteperf.report.page.view import (
    SYMBOLS,
    CaseView,
    case_view,
    summary_counts,
    worst_first,
)
from pytest_flyteperf.report.text import escaped

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
    views = [case_view(one, i) for i, one in enumerate(worst_first(contents), start=1)]
    style, script = _asset("page.css"), _asset("page.js")
    return (
        _templates()
        .get_template("page.html.j2")
        .render(
            cases=views,
            counts=summary_counts(contents),
            headline=_headline(contents),
            legend=_used(views),
            symbols={verdict.value: symbol for verdict, symbol in SYMBOLS.items()},
            subject=contents[0].subject if contents else None,
            environment=contents[0].environment if contents else None,
            gating=any(content.gating for content in contents),
            recorded=escaped(recorded),
            run=escaped(run),
            tool=tool,
            style=Markup(style),  # noqa: S704 -- a file of this package
            script=Markup(script),  # noqa: S704 -- likewise
            policy=_policy(style, script),
        )
    )


def _headline(contents: Sequence[CaseContent]) -> str:
    """The run in one sentence."""
    if not contents:
        return "No case ran"
    counts = summary_counts(contents)
    whole = f"{len(contents)} case" if len(contents) == 1 else f"{len(contents)} cases"
    bad = [
        (verdict, n) for verdict, _, n in counts if verdict in {"regressed", "failed", "invalid"}
    ]
    if bad:
        return ", ".join(f"{n} {verdict}" for verdict, n in bad) + f" of {whole}"
    if not any(content.gating for content in contents):
        return f"{whole} measured"
    if all(verdict == "pass" for verdict, *_ in counts):
        return f"{whole}, no regression"
    named = ", ".join(f"{n} {verdict}" for verdict, _, n in counts)
    return f"No regression: {named}"


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
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data"] = _data
    return environment


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
