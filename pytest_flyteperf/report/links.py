"""Where else an execution can be looked at: Flyte's console, a Jaeger that has its traces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, urlencode

from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.analyze.stamps import unix_ns
from pytest_flyteperf.errors import RecordingError

if TYPE_CHECKING:
    from pathlib import Path

SERVICE: Final = "flytepropeller"
"""Name that FlytePropeller's spans have in a Jaeger."""
MOST_TRACES: Final = 1500
"""That a search shows: Propeller makes a trace of each handle."""
MARGIN_NS: Final = 60_000_000_000


class Sites(NamedTuple):
    """Web pages of the deployment; None where there is none."""

    console: str | None = None
    """URL of Flyte's console, e.g. `http://localhost:30080/console`."""
    jaeger: str | None = None
    """URL of a Jaeger, e.g. `http://localhost:16686`."""


class Found(NamedTuple):
    """URLs of one execution."""

    console: str | None = None
    jaeger: str | None = None


def of(folder: Path, sites: Sites) -> Found:
    """The pages of a recorded execution; none where its recording is gone or damaged."""
    if sites == Sites():
        return Found()
    try:
        execution = Recording(folder).execution
        created, updated = execution.closure.created_at, execution.closure.updated_at
        span = None if created is None else (unix_ns(created), unix_ns(updated or created))
    except (RecordingError, ValueError):
        return Found()
    named = execution.id
    return Found(
        console=_console(sites.console, named.project, named.domain, named.name),
        jaeger=_jaeger(sites.jaeger, named.name, span),
    )


def _console(site: str | None, project: str, domain: str, name: str) -> str | None:
    if site is None or not (project and domain):
        return None
    parts = (quote(part, safe="") for part in (project, domain, name))
    return "{}/projects/{}/domains/{}/executions/{}".format(site.rstrip("/"), *parts)


def _jaeger(site: str | None, name: str, span: tuple[int, int] | None) -> str | None:
    """The search for an execution's handles; every span carries the execution's name."""
    if site is None or span is None:
        return None
    start, end = span[0] - MARGIN_NS, span[1] + MARGIN_NS
    question = {
        "service": SERVICE,
        "tags": json.dumps({"exec_id": name}, separators=(",", ":")),
        "start": start // 1000,
        "end": end // 1000,
        "limit": MOST_TRACES,
    }
    return f"{site.rstrip('/')}/search?{urlencode(question)}"
