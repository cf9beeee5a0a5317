"""What came out of a run: the summary, the documents, the run store, new baselines."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from pytest_flyteperf import __version__, acceptance, again
from pytest_flyteperf.again import shown
from pytest_flyteperf.analyze import scaling
from pytest_flyteperf.errors import RecordingError
from pytest_flyteperf.gate import (
    Accepted,
    Baseline,
    BaselineStore,
    atomic,
    explain,
)
from pytest_flyteperf.gate.environment import key
from pytest_flyteperf.judgement import base_of
from pytest_flyteperf.model import Measures, Size
from pytest_flyteperf.report import (
    causes,
    comparison,
    github,
    growth,
    ownership,
    pytest_benchmark,
    runs,
    sharpness,
    terminal,
    timers,
)
from pytest_flyteperf.report import results as documents
from pytest_flyteperf.report.delta import delta
from pytest_flyteperf.report.sections import Results
from pytest_flyteperf.report.text import Style
from pytest_flyteperf.result import CaseResult
from pytest_flyteperf.settings import Settings, Update

_PARAMETER = re.compile(r"(?P<test>.+)\[(?P<size>[0-9]+)\]")
"""Node id of a test with one parameter, a whole number."""


def failure(result: CaseResult, baseline: Baseline | None, settings: Settings) -> str:
    """Text of a case whose verdict fails its test."""
    rerun = again.measure(result, settings)
    if result.base is not None:
        return "\n".join((*comparison.case(_compared(result)), "", f"  again  {rerun}"))
    if result.verdict is None:
        return f"{result.case}: has no verdict"
    return terminal.failure(
        result.verdict,
        subject=result.subject,
        cause=causes.lines(result.verdict, explain(result.verdict, baseline, result.samples)),
        rerun=rerun,
        accept=again.accept(result, settings),
    )


def summary(
    results: Sequence[CaseResult],
    settings: Settings,
    *,
    columns: int,
    colour: bool,
    verbose: bool,
) -> Iterator[str]:
    """Lines for the end of a run: where it was measured, the table, what it cannot say.

    With `verbose` also who owned the time of each case, and how sharply it is gated.
    """
    style = Style(colour=colour)
    if any(result.base is not None for result in results):
        yield from _comparison(results, style)
        return
    verdicts = [r.verdict for r in results if r.verdict is not None]
    first = results[0]
    baselines = shown(settings.baseline_dir, settings) if settings.baseline else None
    yield from terminal.header(first.environment, first.subject, baselines=baselines)
    yield ""
    yield from terminal.table(verdicts, gating=settings.baseline, columns=columns, style=style)
    yield from timers.lines(one.measures for result in results for one in result.repeats)
    for result in results if verbose else ():
        yield ""
        yield from ownership.lines(result.case, result.samples)
        if result.verdict is not None:
            yield from sharpness.lines(result.verdict, result.valid)
    for title, points in sweeps(results):
        if (found := scaling(points)) is not None:
            yield ""
            yield from growth.lines(title, found)
    lines = terminal.warnings(verdicts, style=style) if settings.baseline else ()
    if lines:
        yield ""
        yield from lines


def sweeps(results: Sequence[CaseResult]) -> Iterator[tuple[str, tuple[tuple[int, Measures], ...]]]:
    """Cases that ran in several sizes, with each size's measures.

    A test that sweeps over sizes is one; so are the tests that one parameter, a whole number,
    tells apart.
    """
    parametrized: dict[str, list[tuple[int, Measures]]] = {}
    for result in results:
        if result.points:
            yield result.case, result.points
        elif found := _PARAMETER.fullmatch(result.nodeid):
            points = [(int(found["size"]), one) for one in result.valid]
            parametrized.setdefault(found["test"], []).extend(points)
    for test, found_points in parametrized.items():
        if len({size for size, _ in found_points}) > 1:
            yield test.rpartition("::")[2].removeprefix("test_"), tuple(found_points)


def _comparison(results: Sequence[CaseResult], style: Style) -> Iterator[str]:
    """Both Flytes case by case, and those that only one of them ran."""
    both = [r for r in results if r.base is not None and r.verdict is not None]
    for result in both[:1]:
        if result.base is not None:
            yield from comparison.header(result.base.subject, result.subject, result.environment)
    yield from comparison.table([_compared(result) for result in both], style=style)


def _compared(result: CaseResult) -> comparison.Compared:
    verdict, base = result.verdict, result.base
    if verdict is None or base is None:
        raise RecordingError(f"{result.folder}: {result.case} has one side only; run it again")
    blocks = len(base.blocks), len(result.blocks)
    return comparison.Compared(verdict=verdict, cause=cause(result), blocks=blocks)


def held_against(result: CaseResult, store: BaselineStore | None) -> Baseline | None:
    """What a verdict compared with: the other side, or the baseline unless replaced since."""
    if result.base is not None:
        return base_of(result.base)
    if store is None or result.verdict is None or result.verdict.baseline is None:
        return None
    found = store.find(result.case, result.size, result.environment)
    same = found is not None and found.recorded == result.verdict.baseline.recorded
    return found if same else None


def cause(result: CaseResult, store: BaselineStore | None = None) -> tuple[str, ...]:
    """Lines that say what moved since the baseline, or between two sides, strongest first."""
    if result.verdict is None:
        return ()
    found = explain(result.verdict, held_against(result, store), result.samples)
    return causes.lines(result.verdict, found)


def write(
    results: Sequence[CaseResult],
    settings: Settings,
    store: BaselineStore,
    folder: Path,
    environ: Mapping[str, str],
) -> Iterator[str]:
    """Write the results documents and, where asked, baselines; say where they are.

    The run is also appended to the run store, and told in the summary of a GitHub Actions step.

    Raises:
        OSError: the folder cannot be written.
        BaselineError: a baseline cannot be read or written.
    """
    recorded = _now()
    first = results[0]
    document = _document(results, recorded, settings)
    json_path, _ = documents.write(folder, "results", document)
    yield f"results: {shown(json_path, settings)} and .yaml"
    bases = [result.base for result in results if result.base is not None]
    if bases:
        base = _document(bases, recorded, settings)
        documents.write(folder / "base", "results", base)
        path, _ = documents.write(folder, "delta", delta(base, document))
        yield f"difference: {shown(path, settings)} and .yaml; base/results.json is the other side"
    runs.append(settings.out, _run(document, results, folder.name, settings))
    if settings.benchmark_json is not None:
        atomic.write_text(settings.benchmark_json, pytest_benchmark.to_json(document))
        yield f"pytest-benchmark: {shown(settings.benchmark_json, settings)}"
    _summarize_step(document, environ)
    join = settings.update is Update.JOIN
    fresh = _new_baselines(results, settings, store)
    written = [store.put(baseline, join=join) for baseline in fresh]
    if settings.update is not Update.NONE:
        where = shown(settings.baseline_dir / key(first.environment), settings)
        yield f"baselines: {len(written)} written to {where}"


def _document(results: Sequence[CaseResult], recorded: str, settings: Settings) -> Results:
    store = BaselineStore(settings.baseline_dir)
    sections = {
        (r.case, r.size): msgspec.structs.replace(
            documents.case(r.size, r.samples, r.verdict),
            cause=cause(r, store),
            again=again.measure(r, settings),
        )
        for r in results
        if r.repeats or r.verdict is not None
    }
    first = results[0]
    return documents.results(__version__, recorded, first.subject, first.environment, sections)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def unused(
    results: Sequence[CaseResult],
    planned: Iterable[str],
    settings: Settings,
    store: BaselineStore,
) -> Iterator[str]:
    """Lines for baselines of this environment that no case of a whole run has.

    Raises:
        BaselineError: a baseline cannot be read.
    """
    if not settings.baseline and settings.update is Update.NONE:
        return
    first = results[0]
    ran: dict[tuple[str, Size], str | None] = {(name, first.size): None for name in planned}
    ran |= {(result.case, result.size): result.digest for result in results}
    for one in store.unused(first.environment, ran):
        if one.size is first.size:
            file = shown(Path(one.file), settings)
            yield f"unused baseline: {msgspec.structs.replace(one, file=file)}"


def _summarize_step(document: Results, environ: Mapping[str, str]) -> None:
    summary = environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return
    with Path(summary).open("a", encoding="utf-8") as file:
        file.write(github.summary(document) + "\n")


def _run(
    document: Results, results: Iterable[CaseResult], name: str, settings: Settings
) -> runs.Run:
    return runs.Run(
        id=name,
        recorded=document.recorded,
        tool=document.tool,
        commit=acceptance.commit(settings.root),
        subject=document.subject,
        environment=document.environment,
        cases=tuple(
            runs.CaseRun(
                case=result.case,
                size=result.size,
                verdict=None if result.verdict is None else result.verdict.verdict,
                samples=document.cases[documents.key(result.case, result.size)].samples,
            )
            for result in results
            if result.repeats
        ),
    )


def _new_baselines(
    results: Iterable[CaseResult], settings: Settings, store: BaselineStore
) -> Iterator[Baseline]:
    if settings.update is Update.NONE:
        return
    accepted = Accepted(by="--flyteperf-update", reason=f"update {settings.update.value}")
    for result in results:
        if acceptance.refusal(result) is not None:
            continue
        if settings.update is Update.NEW and _has_own(result, store):
            continue
        yield acceptance.baseline_of(result, accepted, acceptance.commit(settings.root))


def _has_own(result: CaseResult, store: BaselineStore) -> bool:
    found = store.find(result.case, result.size, result.environment)
    return found is not None and key(found.environment) == key(result.environment)
