"""The commands that follow a verdict: measure again, just so; accept what was measured."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from pytest_flyteperf import acceptance
from pytest_flyteperf.model import Size
from pytest_flyteperf.options import OPTIONS
from pytest_flyteperf.result import CaseResult
from pytest_flyteperf.settings import Settings

_ALL = frozenset(option.name for option in OPTIONS)
_RUNS_OWN = frozenset(
    {"baseline", "update", "keep", "wait", "out", "report", "benchmark-json"}
    | {"console"}
    | {"base", "base-config", "blocks"}
    | {size.value for size in Size}
)
"""Options that change nothing in what one case measures, or that are said otherwise."""
_SECRET = frozenset({"database"})
WHERE = frozenset(
    {"cluster", "chart", "values", "images"}
    | {"node-image", "task-image", "store-image", "database-image"}
)
"""Options that say where both sides of a comparison ran."""


def measure(result: CaseResult, settings: Settings) -> str:
    """The command that measures a case again, with all that was typed for it."""
    size = "" if result.size is Size.DEFAULT else f" --flyteperf-{result.size.value}"
    if result.base is not None:
        sides = {"base": result.base.subject.flyte, "head": result.subject.flyte}
        sides |= {
            f"{side}-config": shown(path, settings)
            for side, path in (("base", settings.base_config), ("head", settings.config))
            if path is not None
        }
        given = "".join(f" --{side} {shlex.quote(value)}" for side, value in sides.items())
        where = "".join(f" {one}" for one in _typed(settings, WHERE)) + size
        return f'flyteperf ab{given} "{result.nodeid}"{where.replace("--flyteperf-", "--")}'
    typed = "".join(f" {one}" for one in _typed(settings, _ALL - _RUNS_OWN))
    return f'pytest "{result.nodeid}" --flyteperf-baseline{size}{typed}'


def accept(result: CaseResult, settings: Settings) -> str | None:
    """The command that makes a result its case's baseline; None where it can be none."""
    if result.base is not None or acceptance.refusal(result) is not None:
        return None
    folders = {"baseline-dir": settings.baseline_dir, "out": settings.out}
    where = "".join(
        f" --{name} {shlex.quote(shown(path, settings))}"
        for name, path in folders.items()
        if name.replace("-", "_") in settings.typed
    )
    return f'flyteperf accept {result.case} --reason "..."{where}'


def shown(path: Path, settings: Settings) -> str:
    """A path as the user would type it."""
    try:
        return str(path.relative_to(settings.root))
    except ValueError:
        return str(path)


def _typed(settings: Settings, names: frozenset[str]) -> Iterator[str]:
    for option in OPTIONS:
        value = getattr(settings, option.key)
        if option.key not in settings.typed or option.name not in names or value is False:
            continue
        if option.kind is bool:
            yield option.flag
        elif option.name in _SECRET:
            yield f"{option.flag} ..."
        else:
            text = shown(value, settings) if isinstance(value, Path) else str(value)
            yield f"{option.flag} {shlex.quote(text)}"
