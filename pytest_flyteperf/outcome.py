"""What came out of a run: the stored result of a case, the summary and the documents."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from pytest_flyteperf import __version__
from pytest_flyteperf.errors import RecordingError
from pytest_flyteperf.gate import (
    Accepted,
    Baseline,
    BaselineStore,
    CaseVerdict,
    Policy,
    Verdict,
    as_baseline,
    explain,
    session,
)
from pytest_flyteperf.gate.environment import key
from pytest_flyteperf.model import (
    Environment,
    Frozen,
    Measures,
    Repeat,
    RunPlan,
    Severity,
    Size,
    Subject,
)
from pytest_flyteperf.report import causes, comparison, github, ownership, terminal
from pytest_flyteperf.report import results as documents
from pytest_flyteperf.report.delta import delta
from pytest_flyteperf.report.sections import Results
from pytest_flyteperf.report.text import Style
from pytest_flyteperf.settings import Settings, Update


class Measured(Frozen, frozen=True):
    """A repeat and its measures."""

    repeat: Repeat
    measures: Measures
    block: int = 0
    """Which block of its side it belongs to, where two Flytes were measured in turns."""


def is_valid(measures: Measures) -> bool:
    """Whether no audit check has thrown the repeat out."""
    return all(finding.severity is not Severity.INVALID for finding in measures.findings)


class CaseResult(Frozen, frozen=True):
    """All that is known of a case after a run: `case.json`."""

    case: str
    size: Size
    nodeid: str
    plan: RunPlan
    policy: Policy
    subject: Subject
    environment: Environment
    folder: str
    digest: str | None = None
    """Digest of the registered workflow."""
    warmups: tuple[Measured, ...] = ()
    repeats: tuple[Measured, ...] = ()
    verdict: CaseVerdict | None = None
    base: CaseResult | None = None
    """The other side, where two Flytes were measured in turns; then this is the head."""

    def having(self, measured: Measured, *, digest: str | None) -> CaseResult:
        """The result with one repeat more."""
        field = "warmups" if measured.repeat.warmup else "repeats"
        more = (*getattr(self, field), measured)
        return msgspec.structs.replace(self, digest=digest, **{field: more})

    @property
    def samples(self) -> tuple[Measures, ...]:
        """Measures of the repeats, warm-ups left out."""
        return tuple(one.measures for one in self.repeats)

    @property
    def valid(self) -> tuple[Measures, ...]:
        """Samples that no audit check has thrown out."""
        return tuple(filter(is_valid, self.samples))

    @property
    def invalid(self) -> int:
        """How many repeats an audit check has thrown out."""
        return len(self.repeats) - len(self.valid)

    @property
    def blocks(self) -> tuple[tuple[Measures, ...], ...]:
        """Samples by block, in the order of measuring."""
        numbers = dict.fromkeys(one.block for one in self.repeats)
        return tuple(
            tuple(one.measures for one in self.repeats if one.block == number) for number in numbers
        )


def failed(result: CaseResult, reason: str) -> CaseVerdict:
    """The verdict on a case whose test failed for another reason than its figures."""
    return CaseVerdict(
        case=result.case,
        size=result.size,
        verdict=Verdict.FAILED,
        reason=reason,
        repeats=len(result.repeats),
    )


def base_of(base: CaseResult) -> Baseline:
    """What the head of a comparison is held against."""
    return as_baseline(
        base.case,
        base.size,
        base.blocks,
        subject=base.subject,
        environment=base.environment,
        recorded=_now(),
        tool=__version__,
    )


def failure(result: CaseResult, baseline: Baseline | None, settings: Settings) -> str:
    """Text of a case whose verdict fails its test."""
    again, accept = _commands(result, settings)
    if result.base is not None:
        return "\n".join((*comparison.case(_compared(result)), "", f"  again  {again}"))
    if result.verdict is None:
        return f"{result.case}: has no verdict"
    return terminal.failure(
        result.verdict,
        subject=result.subject,
        cause=causes.lines(result.verdict, explain(result.verdict, baseline, result.samples)),
        rerun=again,
        accept=accept,
    )


def _commands(result: CaseResult, settings: Settings) -> tuple[str, str | None]:
    """Commands that measure a case again, and that make this result its baseline."""
    size = "" if result.size is Size.DEFAULT else f" --flyteperf-{result.size.value}"
    if result.base is not None:
        sides = {"base": result.base.subject.flyte, "head": result.subject.flyte}
        sides |= {
            f"{side}-config": str(path)
            for side, path in (("base", settings.base_config), ("head", settings.config))
            if path is not None
        }
        given = "".join(f" --{side} {shlex.quote(value)}" for side, value in sides.items())
        return f'flyteperf ab{given} "{result.nodeid}"{size.replace("flyteperf-", "")}', None
    again = f'pytest "{result.nodeid}" --flyteperf-baseline{size}'
    return again, f"{again} --flyteperf-update all"


def load(path: Path) -> CaseResult:
    """Read a `case.json`.

    Raises:
        RecordingError: it is absent or damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=CaseResult)
    except (OSError, msgspec.MsgspecError) as error:
        raise RecordingError(f"{path}: {error}; run the case again") from error


def summary(
    results: Sequence[CaseResult],
    settings: Settings,
    *,
    columns: int,
    colour: bool,
    verbose: bool,
) -> Iterator[str]:
    """Lines for the end of a run: where it was measured, the table, what it cannot say.

    With `verbose` also who owned the time of each case.
    """
    style = Style(colour=colour)
    if any(result.base is not None for result in results):
        yield from _comparison(results, style)
        return
    verdicts = [r.verdict for r in results if r.verdict is not None]
    first = results[0]
    baselines = _shown(settings.baseline_dir, settings) if settings.baseline else None
    yield from terminal.header(first.environment, first.subject, baselines=baselines)
    yield ""
    yield from terminal.table(verdicts, gating=settings.baseline, columns=columns, style=style)
    for result in results if verbose else ():
        yield ""
        yield from ownership.lines(result.case, result.samples)
    lines = terminal.warnings(verdicts, style=style) if settings.baseline else ()
    if lines:
        yield ""
        yield from lines


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


def cause(result: CaseResult) -> tuple[str, ...]:
    """Lines that say what moved between the two sides of a comparison, strongest first."""
    if result.base is None or result.verdict is None:
        return ()
    found = explain(result.verdict, base_of(result.base), result.samples)
    return causes.lines(result.verdict, found)


def write(
    results: Sequence[CaseResult],
    settings: Settings,
    store: BaselineStore,
    folder: Path,
    environ: Mapping[str, str],
) -> Iterator[str]:
    """Write the results documents and, where asked, baselines; say where they are.

    In a step of GitHub Actions its summary is written too.

    Raises:
        OSError: the folder cannot be written.
        BaselineError: a baseline cannot be read or written.
    """
    recorded = _now()
    first = results[0]
    document = _document(results, recorded)
    json_path, _ = documents.write(folder, "results", document)
    yield f"results: {_shown(json_path, settings)} and .yaml"
    bases = [result.base for result in results if result.base is not None]
    if bases:
        base = _document(bases, recorded)
        documents.write(folder / "base", "results", base)
        path, _ = documents.write(folder, "delta", delta(base, document))
        yield f"difference: {_shown(path, settings)} and .yaml; base/results.json is the other side"
    _summarize_step(results, environ)
    join = settings.update is Update.JOIN
    fresh = _new_baselines(results, settings, store, recorded)
    written = [store.put(baseline, join=join) for baseline in fresh]
    if settings.update is not Update.NONE:
        where = _shown(settings.baseline_dir / key(first.environment), settings)
        yield f"baselines: {len(written)} written to {where}"


def _document(results: Sequence[CaseResult], recorded: str) -> Results:
    sections = {
        (r.case, r.size): documents.case(r.size, r.samples, r.verdict) for r in results if r.repeats
    }
    first = results[0]
    return documents.results(__version__, recorded, first.subject, first.environment, sections)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _summarize_step(results: Sequence[CaseResult], environ: Mapping[str, str]) -> None:
    summary = environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return
    verdicts = [result.verdict for result in results if result.verdict is not None]
    first = results[0]
    text = github.summary(
        verdicts,
        subject=first.subject,
        environment=first.environment,
        causes={result.case: cause(result) for result in results},
        base=None if first.base is None else first.base.subject,
    )
    with Path(summary).open("a", encoding="utf-8") as file:
        file.write(text + "\n")


def _new_baselines(
    results: Iterable[CaseResult], settings: Settings, store: BaselineStore, recorded: str
) -> Iterator[Baseline]:
    if settings.update is Update.NONE:
        return
    for result in results:
        if result.verdict is None or not result.valid:
            continue
        if result.verdict.verdict in {Verdict.FAILED, Verdict.INVALID}:
            continue
        if settings.update is Update.NEW and _has_own(result, store):
            continue
        yield Baseline(
            case=result.case,
            size=result.size,
            digest=result.digest,
            recorded=recorded,
            tool=__version__,
            commit=_commit(settings.root),
            accepted=Accepted(by="--flyteperf-update", reason=f"update {settings.update.value}"),
            subject=result.subject,
            environment=result.environment,
            sessions=(session(recorded, result.valid),),
        )


def _has_own(result: CaseResult, store: BaselineStore) -> bool:
    found = store.find(result.case, result.size, result.environment)
    return found is not None and key(found.environment) == key(result.environment)


def _commit(folder: Path) -> str | None:
    """Commit of the checkout in `folder`, None where there is none or git is missing."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 # the user's git
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def _shown(path: Path, settings: Settings) -> str:
    """A path as the user would type it."""
    try:
        return str(path.relative_to(settings.root))
    except ValueError:
        return str(path)
