"""The run store: a line of JSON for each run, appended when it ends, for `flyteperf history`.

It outlives the runs' folders: recordings are large and may be deleted, samples are not.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate import Verdict
from pytest_flyteperf.model import Environment, Frozen, Size, Subject

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE: Final = "history.jsonl"
SCHEMA: Final = 1


class CaseRun(Frozen, frozen=True):
    """One case of a run."""

    case: str
    size: Size
    verdict: Verdict | None
    samples: dict[str, tuple[int | None, ...]]
    """Metric to its value in each valid repeat."""


class Run(Frozen, frozen=True):
    """What a run measured."""

    id: str
    """Name of its folder."""
    recorded: str
    """UTC, e.g. `2026-11-22T18:40:00Z`."""
    tool: str
    commit: str | None
    """Of the checkout that holds the benchmarks."""
    subject: Subject
    environment: Environment
    cases: tuple[CaseRun, ...]
    schema: int = SCHEMA


class _Version(Frozen, frozen=True):
    schema: int


def append(folder: Path, run: Run) -> None:
    """Add a run to the store in a folder; whole, or what was torn is skipped by `read`.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / FILE, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, (b"\n" if torn else b"") + msgspec.json.encode(run) + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(folder: Path) -> tuple[tuple[Run, ...], int]:
    """Read the store in a folder: the runs, oldest first, and how many lines were damaged.

    Raises:
        UsageError: it cannot be read, or a newer version wrote it.
    """
    path = folder / FILE
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return (), 0
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; mend or remove it") from None
    runs, damaged = [], 0
    for number, line in enumerate(lines, 1):
        try:
            schema = msgspec.json.decode(line, type=_Version).schema
            if schema > SCHEMA:
                raise UsageError(
                    f"{path}: line {number}: schema {schema} is newer than {SCHEMA}, the latest "
                    "known here; upgrade pytest-flyteperf"
                )
            runs.append(msgspec.json.decode(line, type=Run))
        except msgspec.MsgspecError:
            damaged += 1
    return tuple(sorted(runs, key=lambda run: run.recorded)), damaged


def of_case(runs: Sequence[Run], case: str, size: Size) -> tuple[tuple[Run, CaseRun], ...]:
    """Runs that measured a case in a size, with what they measured of it."""
    return tuple(
        (run, one) for run in runs for one in run.cases if (one.case, one.size) == (case, size)
    )
