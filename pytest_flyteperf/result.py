"""All that is known of a case after a run, as it lies on disk beside its recordings."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from pytest_flyteperf.analyze.slopes import per_thousand
from pytest_flyteperf.errors import ExecutionError, RecordingError, UsageError
from pytest_flyteperf.gate import CaseVerdict, Policy, Verdict, atomic
from pytest_flyteperf.model import (
    Environment,
    Frozen,
    Measures,
    Repeat,
    RunPlan,
    Shape,
    Size,
    Subject,
)

CASE_FILE = "case.json"


class Measured(Frozen, frozen=True):
    """A repeat and its measures."""

    repeat: Repeat
    measures: Measures
    block: int = 0
    """Which block of its side it belongs to, where two Flytes were measured in turns."""
    units: int | None = None
    """Size within a sweep; None outside one."""


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
    recorded: str
    """When it began, in UTC, e.g. `2026-11-22T18:40:00Z`; names the session in a baseline."""
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
        """Measures of the repeats, warm-ups left out; in a sweep, how each repeat of it grew."""
        if any(one.units is None for one in self.repeats):
            return tuple(one.measures for one in self.repeats)
        sizes: dict[int, list[Measures]] = {}
        for one in self.repeats:
            sizes.setdefault(one.units or 0, []).append(one.measures)
        # Valid ones first: those that were replaced are left over.
        columns = [sorted(found, key=lambda one: not one.valid) for found in sizes.values()]
        sweeps = zip(*columns, strict=False)
        return tuple(per_thousand(tuple(zip(sizes, one, strict=True))) for one in sweeps)

    @property
    def points(self) -> tuple[tuple[int, Measures], ...]:
        """Of a sweep, the size and the measures of each valid repeat; empty for other cases."""
        return tuple(
            (one.units, one.measures)
            for one in self.repeats
            if one.units is not None and one.measures.valid
        )

    @property
    def valid(self) -> tuple[Measures, ...]:
        """Samples that no audit check has thrown out."""
        return tuple(one for one in self.samples if one.valid)

    def shape(self) -> Shape | None:
        """What the valid repeats consisted of, or invalid ones if all are; None before the first.

        In a sweep, those of the size that ran last.

        Raises:
            ExecutionError: two of them differ, so they did not measure the same.
        """
        alike = [one.measures for one in self.repeats if one.units == self.repeats[-1].units]
        counted = [one for one in alike if one.valid]
        known = [one.shape for one in counted or alike[:1] if one.shape is not None]
        if not known:
            return None
        first, *others = (msgspec.structs.replace(shape, pods_at_once=None) for shape in known)
        for other in others:
            if other != first:
                raise ExecutionError(
                    f"{self.case}: repeats differ in shape: {_difference(first, other)}"
                )
        met = [shape.pods_at_once for shape in known if shape.pods_at_once is not None]
        return msgspec.structs.replace(first, pods_at_once=max(met, default=None))

    @property
    def invalid(self) -> int:
        """How many samples an audit check has thrown out."""
        return len(self.samples) - len(self.valid)

    def invalid_at(self, units: int | None) -> int:
        """How many repeats of one size an audit check has thrown out; None outside a sweep."""
        return sum(one.units == units and not one.measures.valid for one in self.repeats)

    @property
    def blocks(self) -> tuple[tuple[Measures, ...], ...]:
        """Samples by block, in the order of measuring."""
        numbers = dict.fromkeys(one.block for one in self.repeats)
        return tuple(
            tuple(one.measures for one in self.repeats if one.block == number) for number in numbers
        )


def joined(earlier: str | None, digest: str | None) -> str | None:
    """Digest of a case that runs a workflow after others, as a sweep does."""
    if earlier is None or digest is None:
        return digest
    return hashlib.sha256(f"{earlier} {digest}".encode()).hexdigest()[: len(digest)]


def _difference(first: Shape, other: Shape) -> str:
    """What an execution of another shape had, and an earlier one had not, in words."""
    pairs = zip(*(msgspec.structs.asdict(shape).items() for shape in (first, other)), strict=True)
    return ", ".join(
        f"{name} {after!r}, earlier {before!r}"
        for (name, before), (_, after) in pairs
        if before != after
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


def settled(result: CaseResult) -> CaseResult:
    """A result with a verdict; a case that has none never came to its end."""
    if result.verdict is not None:
        return result
    lost = failed(result, "killed or interrupted before its verdict")
    return msgspec.structs.replace(result, verdict=lost)


def load(path: Path) -> CaseResult:
    """Read a `case.json`.

    Raises:
        RecordingError: it is absent or damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=CaseResult)
    except (OSError, msgspec.MsgspecError) as error:
        raise RecordingError(f"{path}: {error}; run the case again") from error


def save(result: CaseResult) -> Path:
    """Write a result to the `case.json` of its folder.

    Raises:
        RecordingError: the folder cannot be written.
    """
    path = Path(result.folder) / CASE_FILE
    try:
        atomic.write_text(path, msgspec.json.encode(result).decode())
    except OSError as error:
        raise RecordingError(
            f"{error.filename or path}: {error.strerror}; make room, or give --flyteperf-out "
            "another folder"
        ) from error
    return path


def moved(result: CaseResult, folder: Path) -> CaseResult:
    """The result of a run whose folder is here now, e.g. unpacked from an artifact of CI."""
    before = Path(result.folder).parent

    def here(path: str) -> str:
        inside = Path(path).is_relative_to(before)
        return str(folder / Path(path).relative_to(before)) if inside else path

    def found(one: Measured) -> Measured:
        repeat = msgspec.structs.replace(one.repeat, recording=here(one.repeat.recording))
        return msgspec.structs.replace(one, repeat=repeat)

    return msgspec.structs.replace(
        result,
        folder=here(result.folder),
        warmups=tuple(map(found, result.warmups)),
        repeats=tuple(map(found, result.repeats)),
        base=None if result.base is None else moved(result.base, folder),
    )


def cases_in(run: Path) -> tuple[Path, ...]:
    """The results that lie in a run's folder."""
    return tuple(sorted(run.glob(f"*/{CASE_FILE}")))


def latest_run(out: Path) -> Path:
    """The folder of the latest run that measured a case.

    Args:
        out: where all recordings and results lie.

    Raises:
        UsageError: there is none.
    """
    for run in sorted(out.glob("runs/*/"), reverse=True):
        if cases_in(run):
            return run
    raise UsageError(f"{out / 'runs'}: holds no run; `flyteperf run` measures one")
