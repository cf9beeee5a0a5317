"""The HTML report of a run, from the files in its folder."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_flyteperf import __version__, again
from pytest_flyteperf.analyze import scaling
from pytest_flyteperf.analyze.lanes import Lanes, read_lanes
from pytest_flyteperf.analyze.uncollected import uncollected
from pytest_flyteperf.errors import RecordingError, UsageError
from pytest_flyteperf.gate import BaselineStore, atomic
from pytest_flyteperf.gate.statistics import median
from pytest_flyteperf.outcome import cause, held_against
from pytest_flyteperf.progress import Progress, silent
from pytest_flyteperf.report import growth, links, traces
from pytest_flyteperf.report.page import CaseContent, Links, RepeatContent, render
from pytest_flyteperf.report.results import key
from pytest_flyteperf.report.sections import Results
from pytest_flyteperf.result import (
    CaseResult,
    Measured,
    cases_in,
    failed,
    load,
    moved,
    settled,
)
from pytest_flyteperf.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME: Final = "report.html"


def write_all(
    results: Sequence[CaseResult], settings: Settings, folder: Path, progress: Progress = silent
) -> Iterator[str]:
    """Write the report into a run's folder and where it was asked for; say where it is.

    Raises:
        OSError: a file cannot be written.
        BaselineError: a baseline cannot be read.
    """
    recorded = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    paths = [folder / NAME, *([settings.report] if settings.report else [])]
    for path in paths:
        write(results, settings, path, recorded=recorded, progress=progress)
    shown = paths[-1]
    if shown.is_relative_to(settings.root):
        shown = shown.relative_to(settings.root)
    yield f"report: {shown}"


def write(  # noqa: PLR0913 (what the page says, where it goes, who watches)
    results: Sequence[CaseResult],
    settings: Settings,
    path: Path,
    *,
    recorded: str,
    document: Results | None = None,
    progress: Progress = silent,
) -> None:
    """Write the report of a run, whole or not at all.

    Args:
        results: of its cases.
        settings: those that hold now.
        path: of the page.
        recorded: when the run was, UTC.
        document: what the run itself wrote, if that is long ago: it knows how it was typed.
        progress: is told of each case.

    Raises:
        OSError: the file cannot be written.
        BaselineError: a baseline cannot be read.
    """
    told = {} if document is None else {k: case.again for k, case in document.cases.items()}
    contents = []
    for number, result in enumerate(results, 1):
        progress(f"report: {result.case}, {number} of {len(results)}")
        rerun = told.get(key(result.case, result.size))
        with uncollected():
            contents.append(content(result, settings, path.parent, rerun))
    run = Path(results[0].folder).parent.name if results else path.parent.name
    page = render(contents, recorded=recorded, tool=__version__, run=run)
    atomic.write_text(path, page)


def read_run(folder: Path) -> tuple[CaseResult, ...]:
    """The cases in a run's folder, their recordings looked for where the folder is now.

    Raises:
        UsageError: it is no folder of a run.
        RecordingError: one is damaged.
    """
    paths = cases_in(folder)
    if not paths and not (folder / "results.json").is_file():
        raise UsageError(f"{folder}: no run lies there; give a folder such as .flyteperf/runs/RUN")
    return tuple(moved(load(path), folder) for path in paths)


def content(
    result: CaseResult, settings: Settings, beside: Path, rerun: str | None = None
) -> CaseContent:
    """All that the page says of a case.

    The repeat that its timeline shows gets a trace for Perfetto beside its recording.

    Args:
        result: of the case.
        settings: say where the baseline of its verdict lies, and the deployment's web pages.
        beside: folder of the page, from which links start.
        rerun: command that measures the case again, where the run told it.
    """
    verdict = settled(result).verdict or failed(result, "no verdict")
    store = BaselineStore(settings.baseline_dir)
    baseline = held_against(result, store)
    shown = _shown(result)
    grown = scaling(result.points)
    lanes = None if shown is None else _lanes(shown)
    sites = links.Sites(console=settings.console, jaeger=settings.jaeger)
    return CaseContent(
        verdict=verdict,
        subject=result.subject,
        environment=result.environment,
        repeats=tuple(_repeat(one, beside, sites) for one in result.repeats),
        valid=result.valid,
        baseline=baseline,
        cause=cause(result, store),
        lanes=lanes,
        shown=None if shown is None or lanes is None else result.repeats.index(shown),
        before="baseline" if result.base is None else "base",
        now="now" if result.base is None else "head",
        points=result.points,
        growth=() if grown is None else tuple(growth.lines(result.case, grown)),
        gating=baseline is not None or verdict.baseline is not None,
        rerun=rerun or again.measure(result, settings),
        accept=again.accept(result, settings),
    )


def _repeat(one: Measured, beside: Path, sites: links.Sites) -> RepeatContent:
    folder = Path(one.repeat.recording)
    trace = folder / traces.PERFETTO
    found = links.of(folder, sites)
    return RepeatContent(
        measures=one.measures,
        recording=os.path.relpath(folder),
        links=Links(
            trace=os.path.relpath(trace, beside) if trace.is_file() else None,
            console=found.console,
            jaeger=found.jaeger,
        ),
    )


def _shown(result: CaseResult) -> Measured | None:
    """The valid repeat whose duration is nearest the median, of a sweep's largest size."""
    largest = max((one.units or 0 for one in result.repeats), default=0)
    timed = [
        (ns, one)
        for one in result.repeats
        if one.measures.valid
        and (one.units or 0) == largest
        and (ns := one.measures.metrics.get("duration_ns")) is not None
    ]
    if not timed:
        return None
    middle = median([ns for ns, _ in timed])
    return min(timed, key=lambda pair: abs(pair[0] - middle))[1]


def _lanes(shown: Measured) -> Lanes | None:
    """A repeat drawn, and its trace written; None if its recording is gone or damaged."""
    folder = Path(shown.repeat.recording)
    try:
        lanes = read_lanes(folder)
        if lanes is not None:
            with suppress(OSError):  # in a folder that cannot be written the page has no link
                traces.write_perfetto(folder, lanes)
    except RecordingError:
        return None
    return lanes
