"""The results document of a run, as JSON and YAML, in the hierarchy of Flyte's RFC 2995.

Times are integer nanoseconds in JSON, and the same values with a unit in YAML (`4.803124512 s`).
What was not measured is absent or null, never 0. In `propeller`, the RFC's words are kept:
`rounds` counts handles (one worker pickup each), `streaks` counts evaluations; everywhere else
these are called handles and rounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate import CaseVerdict, atomic, strict_yaml
from pytest_flyteperf.model import METRICS, Environment, Frozen, Severity, Size, Subject
from pytest_flyteperf.report import exact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_flyteperf.model import Measures

SCHEMA: Final = 1
PREFIX: Final = "flyte.benchmark."


class Section(Frozen, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """A part of the document."""


class Times(Section, frozen=True, rename="camel"):
    """A time over the repeats, in nanoseconds."""

    median: int | None
    least: int | None
    most: int | None


class Counts(Section, frozen=True, rename="camel"):
    """A count over the repeats."""

    median: float | None
    least: int | None
    most: int | None


class Latency(Section, frozen=True, rename="camel"):
    """Quantiles over all operations of all repeats, in nanoseconds."""

    p50: int | None
    p90: int | None
    p99: int | None


class Operations(Section, frozen=True, rename="camel"):
    """Operations of one kind: how many a repeat makes, and how long each takes."""

    count: Counts | None = None
    latency: Latency | None = None


class Events(Section, frozen=True, rename="camel"):
    """Events that Propeller sent to FlyteAdmin."""

    workflow: Operations
    node: Operations
    task: Operations


class BlobStore(Section, frozen=True, rename="camel"):
    """Operations on the object store that traces show."""

    writes: Operations
    reads: Operations


class Propeller(Section, frozen=True, rename="camel"):
    """Propeller's evaluation loop, in the RFC's words."""

    rounds: Operations
    """Handles: one worker pickup of the workflow each."""
    streaks: Operations
    """Evaluations of the workflow; a handle holds one or more."""
    crd_writes: Operations


class Case(Section, frozen=True, rename="camel"):
    """One case in one size: what its repeats measured, and the gate's answer."""

    size: Size
    repeats: int
    """Valid ones."""
    invalid_repeats: int
    duration: Times | None = None
    flyte_overhead: Times | None = None
    working: Times | None = None
    """Sum of the execution's handles."""
    user: Times | None = None
    """Union of its containers' run times."""
    events: Events | None = None
    blobstore: BlobStore | None = None
    propeller: Propeller | None = None
    pods: Counts | None = None
    attempts: Counts | None = None
    verdict: CaseVerdict | None = None
    samples: dict[str, tuple[int | None, ...]] = msgspec.field(default_factory=dict)
    """Metric to its value in each valid repeat, in the unit that ends the name, else a count."""


class Results(Section, frozen=True, rename="camel"):
    """What a run measured."""

    schema_version: int
    tool: str
    """Version of pytest-flyteperf."""
    recorded: str
    """UTC, e.g. `2026-11-22T18:40:00Z`."""
    subject: Subject
    environment: Environment
    cases: dict[str, Case]
    """By `flyte.benchmark.<case>`, with `.short` or `.full` where it ran in that size."""


class Delta(Section, frozen=True, rename="camel"):
    """What changed between two runs: the later figures less the earlier ones, signed."""

    schema_version: int
    before: Subject
    now: Subject
    cases: dict[str, Case]
    """Cases that both runs have; samples and verdicts are left out."""
    only_before: tuple[str, ...]
    only_now: tuple[str, ...]


_Document = TypeVar("_Document", Results, Delta)


def case(size: Size, measures: Sequence[Measures], verdict: CaseVerdict | None = None) -> Case:
    """Gather a case's section from the measures of its repeats, invalid ones included."""
    valid = [m for m in measures if all(f.severity is not Severity.INVALID for f in m.findings)]
    samples = {
        name: tuple(m.metrics.get(name) for m in valid)
        for name in METRICS
        if any(m.metrics.get(name) is not None for m in valid)
    }

    def times(name: str) -> Times | None:
        known = _known(samples.get(name, ()))
        if not known:
            return None
        return Times(median=round(_median(known)), least=known[0], most=known[-1])

    def counts(name: str) -> Counts | None:
        known = _known(samples.get(name, ()))
        if not known:
            return None
        return Counts(median=_median(known), least=known[0], most=known[-1])

    def operations(name: str) -> Operations:
        return Operations(count=counts(name))

    return Case(
        size=size,
        repeats=len(valid),
        invalid_repeats=len(measures) - len(valid),
        duration=times("duration_ns"),
        flyte_overhead=times("flyte_ns"),
        working=times("handle_ns"),
        user=times("pod_ns"),
        events=Events(
            workflow=operations("workflow_events"),
            node=operations("node_events"),
            task=operations("task_events"),
        ),
        blobstore=BlobStore(writes=operations("blob_writes"), reads=operations("blob_reads")),
        propeller=Propeller(
            rounds=operations("handles"),
            streaks=operations("rounds"),
            crd_writes=operations("crd_writes"),
        ),
        pods=counts("pods"),
        attempts=counts("attempts"),
        verdict=verdict,
        samples=samples,
    )


def results(
    tool: str,
    recorded: str,
    subject: Subject,
    environment: Environment,
    cases: Mapping[tuple[str, Size], Case],
) -> Results:
    """Gather a run's document from its cases by name and size."""
    return Results(
        schema_version=SCHEMA,
        tool=tool,
        recorded=recorded,
        subject=subject,
        environment=environment,
        cases={key(name, size): section for (name, size), section in cases.items()},
    )


def key(name: str, size: Size) -> str:
    """Key of a case in the documents."""
    return f"{PREFIX}{name}" if size is Size.DEFAULT else f"{PREFIX}{name}.{size.value}"


def delta(before: Results, now: Results) -> Delta:
    """Subtract an earlier run from a later one, figure by figure."""
    return Delta(
        schema_version=SCHEMA,
        before=before.subject,
        now=now.subject,
        cases={
            name: _difference(before.cases[name], section)
            for name, section in now.cases.items()
            if name in before.cases
        },
        only_before=tuple(name for name in before.cases if name not in now.cases),
        only_now=tuple(name for name in now.cases if name not in before.cases),
    )


def to_json(document: Results | Delta) -> str:
    """Write the document as JSON, times in integer nanoseconds."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def to_yaml(document: Results | Delta) -> str:
    """Write the document as YAML, times with a unit."""
    return strict_yaml.dumps(_readable(document))


def from_json(text: str, kind: type[_Document], where: str) -> _Document:
    """Read what `to_json` wrote.

    Raises:
        UsageError: the text is no such document, or a newer one.
    """
    try:
        return _converted(msgspec.json.decode(text), kind, where)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UsageError(f"{where}: {error}; write it anew") from None


def from_yaml(text: str, kind: type[_Document], where: str) -> _Document:
    """Read what `to_yaml` wrote.

    Raises:
        UsageError: the text is no such document, or a newer one.
    """
    try:
        return _converted(_parsed(strict_yaml.loads(text)), kind, where)
    except ValueError as error:
        raise UsageError(f"{where}: {error}; write it anew") from None


def write(folder: Path, name: str, document: Results | Delta) -> tuple[Path, Path]:
    """Write `<name>.json` and `<name>.yaml`, each whole or not at all.

    Raises:
        OSError: the folder cannot be written, the disk is full.
    """
    paths = folder / f"{name}.json", folder / f"{name}.yaml"
    atomic.write_text(paths[0], to_json(document))
    atomic.write_text(paths[1], to_yaml(document))
    return paths


def json_schema(kind: type[Results | Delta]) -> dict[str, Any]:
    """JSON Schema of a document, generated from its type."""
    return msgspec.json.schema(kind)


def _converted(value: object, kind: type[_Document], where: str) -> _Document:
    schema = value.get("schemaVersion") if isinstance(value, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise UsageError(
            f"{where}: schema {schema} is newer than {SCHEMA}, the latest known here; "
            "upgrade pytest-flyteperf"
        )
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {error}; write it anew") from None


def _known(values: Sequence[int | None]) -> list[int]:
    return sorted(value for value in values if value is not None)


def _median(ordered: Sequence[int]) -> float:
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def _difference(before: Case, now: Case) -> Case:
    """Subtract every figure of two sections; what either lacks is lacking."""

    def less(old: object, new: object) -> Any:  # noqa: ANN401 (a field of any section)
        if isinstance(old, Section) and isinstance(new, Section):
            fields = (f for f in new.__struct_fields__ if f not in {"verdict", "samples"})
            return type(new)(**{f: less(getattr(old, f), getattr(new, f)) for f in fields})
        if isinstance(old, Size):
            return new
        if isinstance(old, int | float) and isinstance(new, int | float):
            return new - old
        return None

    difference: Case = less(before, now)
    return difference


def _readable(value: object) -> Any:  # noqa: ANN401 (what YAML holds)
    if isinstance(value, Times | Latency):
        return {
            name: None if ns is None else exact.written(ns)
            for name, ns in msgspec.to_builtins(value).items()
        }
    if isinstance(value, Section):
        fields = msgspec.structs.fields(value)
        shown = {f.encode_name: (getattr(value, f.name), f.default) for f in fields}
        return {
            name: _readable(inner)
            for name, (inner, default) in shown.items()
            if inner is not None or default is not None
        }
    if isinstance(value, dict):
        return {name: _readable(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [_readable(inner) for inner in value]
    return msgspec.to_builtins(value)


def _parsed(value: Any) -> Any:  # noqa: ANN401 (what YAML holds)
    """Turn times with a unit back into nanoseconds, where a section holds times."""
    if isinstance(value, list):
        return [_parsed(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if value and value.keys() <= {"median", "least", "most", "p50", "p90", "p99"}:
        return {
            name: exact.parsed(inner) if isinstance(inner, str) else inner
            for name, inner in value.items()
        }
    return {name: _parsed(inner) for name, inner in value.items()}
