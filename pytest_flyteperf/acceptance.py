"""From what a run measured to a baseline: by an update of the run, or by somebody's word later."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_flyteperf import __version__, result
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate import BROKEN, Accepted, Baseline, Tolerance, session
from pytest_flyteperf.result import CaseResult


def baseline_of(measured: CaseResult, accepted: Accepted, commit: str | None) -> Baseline:
    """A result's valid repeats as the baseline of its case, with the tolerances it was held to.

    Args:
        measured: a result that `refusal` has nothing against.
        accepted: who takes it for the measure of things, and why.
        commit: of the checkout that will hold the baseline.
    """
    return Baseline(
        case=measured.case,
        size=measured.size,
        digest=measured.digest,
        recorded=measured.recorded,
        tool=__version__,
        commit=commit,
        accepted=accepted,
        subject=measured.subject,
        environment=measured.environment,
        sessions=(session(measured.recorded, measured.valid),),
        tolerances={
            name: Tolerance(share=share, source="asked")
            for name, share in measured.policy.tolerances.items()
        },
    )


def refusal(measured: CaseResult) -> str | None:
    """Why a result can be no baseline, or None where it can."""
    if measured.verdict is None:
        return "its test did not finish"
    if measured.verdict.verdict in BROKEN:
        return f"{measured.verdict.verdict.value}: {measured.verdict.reason}"
    return None if measured.valid else "no repeat is valid"


def chosen(folder: Path, cases: Sequence[str]) -> tuple[CaseResult, ...]:
    """Results of a run, all of them or those of the cases named, all fit to be baselines.

    Raises:
        UsageError: a case is not in the run, or cannot be accepted.
        RecordingError: a result is damaged.
    """
    found = {
        measured.case: measured
        for path in result.cases_in(folder)
        for measured in [result.load(path)]
    }
    if not found:
        raise UsageError(f"{folder}: holds no case; give the folder of a run")
    for case in cases:
        if case not in found:
            raise UsageError(f"{folder}: case {case!r} did not run; there are {_listed(found)}")
    wanted = tuple(found[case] for case in dict.fromkeys(cases or found))
    for measured in wanted:
        if (reason := refusal(measured)) is not None:
            raise UsageError(
                f"{folder}: {measured.case} cannot be accepted: {reason}; measure it again, or "
                "name the cases to accept"
            )
    return wanted


def commit(folder: Path) -> str | None:
    """Commit of the checkout in `folder`, None where there is none or git is missing."""
    return _git(folder, "rev-parse", "HEAD")


def author(folder: Path) -> str | None:
    """The name that commits of the checkout in `folder` would carry, None where git has none."""
    return _git(folder, "config", "user.name")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607 # the user's git
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
