"""The results document of a run, as JSON and YAML, in the hierarchy of Flyte's RFC 2995.

Times are integer nanoseconds in JSON, and the same values with a unit in YAML (`4.803124512 s`).
In `propeller`, the RFC's words are kept: `rounds` counts handles (one worker pickup each),
`streaks` counts evaluations; everywhere else these are called handles and rounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate import atomic, strict_yaml
from pytest_flyteperf.model import Frozen, Size
from pytest_flyteperf.report import exact, gather, sizes, use
from pytest_flyteperf.report.sections import (
    SCHEMA,
    BlobStore,
    Case,
    Counts,
    Delta,
    Events,
    Latency,
    Mean,
    Operations,
    Propeller,
    Results,
    Section,
    Times,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_flyteperf.gate import CaseVerdict
    from pytest_flyteperf.model import Environment, Measures, Subject

PREFIX: Final = "flyte.benchmark."

_Document = TypeVar("_Document", Results, Delta)


def case(size: Size, measures: Sequence[Measures], verdict: CaseVerdict | None = None) -> Case:
    """Gather a case's section from the measures of its repeats, invalid ones included."""
    valid = [m for m in measures if m.valid]
    samples, estimates = gather.samples(valid), gather.estimates(valid)
    known = samples | estimates
    places = gather.places(valid)

    def times(name: str) -> Times | None:
        return gather.times(known.get(name, ()))

    def counts(name: str) -> Counts | None:
        return gather.counts(known.get(name, ()))

    def operations(name: str, operation: str) -> Operations:
        found = [place.latency for place in places if place.operation == operation]
        return Operations(count=counts(name), latency=found[0] if len(found) == 1 else None)

    return Case(
        size=size,
        repeats=len(valid),
        invalid_repeats=len(measures) - len(valid),
        duration=times("duration_ns"),
        flyte_overhead=times("flyte_ns"),
        working=times("handle_ns"),
        user=times("user_ns"),
        overhead=times("overhead_ns"),
        unknown=times("unknown_ns"),
        owners=gather.owners(valid),
        nodes=gather.nodes(valid),
        summed_node_overhead=gather.summed(valid),
        events=Events(
            workflow=operations("workflow_events", "workflow event"),
            node=operations("node_events", "node event"),
            task=operations("task_events", "task event"),
        ),
        blobstore=BlobStore(
            writes=operations("blob_writes", "blob write"),
            reads=operations("blob_reads", "blob read"),
        ),
        propeller=Propeller(
            rounds=operations("handles", "handle"),
            streaks=operations("rounds", "round"),
            crd_writes=operations("crd_writes", "crd write"),
        ),
        operations=places,
        kinds=gather.kinds(valid),
        state=sizes.state(valid),
        components=use.components(valid),
        pods_use=use.pods(valid),
        flytekit=use.flytekit(valid),
        signals=use.signals(valid),
        audit=use.noticed(measures),
        pods=counts("pods"),
        attempts=counts("attempts"),
        verdict=verdict,
        samples=samples,
        estimates=estimates,
        sources=gather.sources(valid),
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


def json_schema(kind: type[Frozen]) -> dict[str, Any]:
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


def _readable(value: object) -> Any:  # noqa: ANN401 (what YAML holds)
    if isinstance(value, Times | Latency | Mean):
        plain = msgspec.to_builtins(value)
        return strict_yaml.Row(
            {name: None if ns is None else exact.written(ns) for name, ns in plain.items()}
        )
    if isinstance(value, Counts):
        return strict_yaml.Row(msgspec.to_builtins(value))
    if isinstance(value, Section):
        fields = msgspec.structs.fields(value)
        shown = {f.encode_name: (getattr(value, f.name), f.default) for f in fields}
        return {
            name: _readable(inner) for name, (inner, default) in shown.items() if inner != default
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
    if value and value.keys() <= {"median", "least", "most", "p50", "p90", "p99", "mean"}:
        return {
            name: exact.parsed(inner) if isinstance(inner, str) else inner
            for name, inner in value.items()
        }
    return {name: _parsed(inner) for name, inner in value.items()}
