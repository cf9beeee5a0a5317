"""How people name an execution: a URL of the console, `project/domain/name`, or the name alone."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.model import Frozen

PROJECT, DOMAIN = "flytesnacks", "development"
"""What flytekit's own commands take where none is named."""
_CONSOLE = re.compile(r"/projects/([^/]+)/domains/([^/]+)/executions/([^/]+)")
_SCHEMES = {"http", "https"}
_PARTS = 3
_NAME = re.compile(r"[A-Za-z0-9._-]+")


class Reference(Frozen, frozen=True):
    """An execution, and where its Flyte answers if that was said."""

    project: str
    domain: str
    name: str
    endpoint: str | None = None
    """host or host:port, as the URL has it."""
    insecure: bool | None = None
    """Whether the URL was one without TLS."""


def parse_reference(text: str, project: str | None = None, domain: str | None = None) -> Reference:
    """Understand what an execution was called.

    Args:
        text: e.g. `https://host/console/projects/p/domains/d/executions/name`, `p/d/name`, `name`.
        project: for a name alone; flytekit's own default where it is None.
        domain: likewise.

    Raises:
        UsageError: it is none of these.
    """
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise UsageError(f"{text}: is no URL ({error})") from None
    if parts.scheme in _SCHEMES:
        found = _CONSOLE.search(parts.path)
        if found is None or not parts.netloc:
            raise UsageError(
                f"{text}: not the URL of an execution; "
                "give one like https://HOST/console/projects/P/domains/D/executions/NAME"
            )
        named = tuple(unquote(part) for part in found.groups())
        endpoint = parts.netloc.rpartition("@")[2]
        return _checked(text, named, endpoint=endpoint, insecure=parts.scheme == "http")
    named = tuple(text.split("/"))
    if len(named) == 1:
        named = (project or PROJECT, domain or DOMAIN, text)
    return _checked(text, named)


def _checked(
    text: str, named: tuple[str, ...], endpoint: str | None = None, *, insecure: bool | None = None
) -> Reference:
    if len(named) != _PARTS or not all(_NAME.fullmatch(part) for part in named):
        raise UsageError(
            f"{text}: neither a folder nor an execution; give a recording's folder, the URL of "
            "the console, PROJECT/DOMAIN/NAME, or NAME"
        )
    project, domain, name = named
    return Reference(
        project=project, domain=domain, name=name, endpoint=endpoint, insecure=insecure
    )
