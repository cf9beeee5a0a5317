"""What `compare` takes for a side: results, a run's folder, or baselines; all become baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate import Accepted, Baseline, CaseVerdict, Session
from pytest_flyteperf.gate.baseline import MAX_BYTES, loads
from pytest_flyteperf.model import Measures, Size
from pytest_flyteperf.report import results
from pytest_flyteperf.report.results import PREFIX
from pytest_flyteperf.report.sections import Results

if TYPE_CHECKING:
    from pathlib import Path

WANTED: Final = "give results.json or .yaml, the folder of a run, or baselines"
MOST_BYTES: Final = 16 * MAX_BYTES


class Side(NamedTuple):
    """One side of a comparison."""

    cases: dict[tuple[str, Size], Baseline]
    """Samples by name and size."""
    results: Results | None
    """The whole document, where the side is one."""

    def verdict(self, case: str, size: Size) -> CaseVerdict | None:
        """What its own run said of a case; None where it said nothing."""
        section = self.results and self.results.cases.get(results.key(case, size))
        return section.verdict if section else None


def read(path: Path) -> Side:
    """Read one side.

    Raises:
        UsageError: it is none.
        BaselineError: it is a damaged baseline.
    """
    file = path
    if path.is_dir():
        file = path / "results.json"
        if not file.exists():
            return _folder(path)
    if file.suffix == ".json":
        return _of_results(results.from_json(_text(file), Results, str(file)))
    text = _text(file)
    if text.startswith("schemaVersion"):
        return _of_results(results.from_yaml(text, Results, str(file)))
    return Side(_baselines(text, file), None)


def measures(side: Baseline) -> list[Measures]:
    """A side's repeats as the gate takes those of now."""
    return [
        Measures(
            execution=f"{session.id}-{index}",
            phase="SUCCEEDED",
            metrics={name: values[index] for name, values in session.samples.items()},
        )
        for session in side.sessions
        for index in range(session.repeats)
    ]


def _folder(path: Path) -> Side:
    files = sorted(path.glob("*.yaml"))
    if not files:
        raise UsageError(f"{path}: holds neither results.json nor baselines; {WANTED}")
    cases: dict[tuple[str, Size], Baseline] = {}
    for file in files:
        cases |= _baselines(_text(file), file)
    return Side(cases, None)


def _baselines(text: str, file: Path) -> dict[tuple[str, Size], Baseline]:
    return {(one.case, size): one for size, one in loads(text, str(file)).items()}


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UsageError(f"{file}: is larger than {MOST_BYTES >> 20} MiB; {WANTED}")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; {WANTED}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: is no text; {WANTED}") from None


def _of_results(document: Results) -> Side:
    cases = {}
    for key, case in document.cases.items():
        name = key.removeprefix(PREFIX)
        if case.size is not Size.DEFAULT:
            name = name.removesuffix(f".{case.size.value}")
        try:
            cases[name, case.size] = Baseline(
                case=name,
                size=case.size,
                digest=None,
                recorded=document.recorded,
                tool=document.tool,
                commit=None,
                accepted=Accepted(by="compare", reason="one side of it"),
                subject=document.subject,
                environment=document.environment,
                sessions=(Session(id=document.recorded, samples=dict(case.samples)),),
            )
        except ValueError:
            continue  # nothing was measured, so there is nothing to compare
    return Side(cases, document)
