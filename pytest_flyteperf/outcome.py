"""What came out of a run: the stored result of a case, the summary and the documents."""

from __future__ import annotations

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
from pytest_flyteperf.report import github, ownership, terminal
from pytest_flyteperf.report import results as documents
from pytest_flyteperf.report.text import Style
from pytest_flyteperf.settings import Settings, Update


class Measured(Frozen, frozen=True):
    """A repeat and its measures."""

    repeat: Repeat
    measures: Measures


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
        return tuple(
            one
            for one in self.samples
            if all(finding.severity is not Severity.INVALID for finding in one.findings)
        )

    @property
    def invalid(self) -> int:
        """How many repeats an audit check has thrown out."""
        return len(self.repeats) - len(self.valid)


def failed(result: CaseResult, reason: str) -> CaseVerdict:
    """The verdict on a case whose test failed for another reason than its figures."""
    return CaseVerdict(
        case=result.case,
        size=result.size,
        verdict=Verdict.FAILED,
        reason=reason,
        repeats=len(result.repeats),
    )


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
    recorded = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    first = results[0]
    sections = {
        (r.case, r.size): documents.case(r.size, r.samples, r.verdict) for r in results if r.repeats
    }
    document = documents.results(__version__, recorded, first.subject, first.environment, sections)
    json_path, _ = documents.write(folder, "results", document)
    yield f"results: {_shown(json_path, settings)} and .yaml"
    _summarize_step(results, environ)
    join = settings.update is Update.JOIN
    fresh = _new_baselines(results, settings, store, recorded)
    written = [store.put(baseline, join=join) for baseline in fresh]
    if settings.update is not Update.NONE:
        where = _shown(settings.baseline_dir / key(first.environment), settings)
        yield f"baselines: {len(written)} written to {where}"


def _summarize_step(results: Sequence[CaseResult], environ: Mapping[str, str]) -> None:
    summary = environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return
    verdicts = [result.verdict for result in results if result.verdict is not None]
    first = results[0]
    text = github.summary(verdicts, subject=first.subject, environment=first.environment)
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
