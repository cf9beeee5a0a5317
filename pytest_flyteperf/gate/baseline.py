"""Accepted samples of a case in an environment: the values, and the text of their file.

A file holds one case, with a section per size; see `Baseline` for a section's fields. The text
keeps a stable order and one metric a line, so that two branches that record different cases or
sizes merge.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pytest_flyteperf.errors import BaselineError
from pytest_flyteperf.gate import strict_yaml
from pytest_flyteperf.model import CANARIES, METRICS, Environment, Frozen, Size, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_flyteperf.model import Measures

SCHEMA: Final = 2
"""Of the file. A newer one is refused by name; an older one is migrated on reading."""

MAX_BYTES: Final = 8 * 1024 * 1024
MAX_REPEATS: Final = 10_000
MAX_SESSIONS: Final = 12
"""Kept of a baseline; the deviation between sessions is known well enough by then."""
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class MeanCost(Frozen, frozen=True, forbid_unknown_fields=True):
    """What one kind of operation cost, over the repeats of a session.

    Means, because they add up: the operations' times to the mean of `handle_ns`.
    """

    calls: float
    ns: int
    """Own time."""


class Session(Frozen, frozen=True, forbid_unknown_fields=True):
    """Repeats that one deployment ran in one go. Sessions differ more than repeats do."""

    id: str
    """Unique within the baseline."""
    samples: dict[str, tuple[int | None, ...]]
    """
    Metric name to its value in each valid repeat, in the order they ran; None if unknown. How a
    metric grew over a sweep may be negative.
    """
    canaries: dict[str, tuple[int | None, ...]] = msgspec.field(default_factory=dict)
    """Name in `model.CANARIES` to its figure beside each valid repeat; empty where none sang."""
    operations: dict[str, MeanCost] = msgspec.field(default_factory=dict)
    """Kind of operation to its cost; empty where no trace was read."""
    parts: dict[str, int] = msgspec.field(default_factory=dict)
    """
    Part of the critical path, as `<node kind>/<owner>/<detail>`, to its mean nanoseconds; they add
    up to the mean duration. Empty where no execution has ended.
    """

    def __post_init__(self) -> None:
        """Refuse samples that belong to different numbers of repeats."""
        columns = {**self.canaries, **self.samples}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"session {self.id}: metrics have {sorted(lengths)} repeats")
        if lengths and max(lengths) > MAX_REPEATS:
            raise ValueError(f"session {self.id}: more than {MAX_REPEATS} repeats")
        for name, values in self.canaries.items():
            if any(value is not None and value < 0 for value in values):
                raise ValueError(f"session {self.id}: {name} is negative")

    @property
    def repeats(self) -> int:
        """Number of valid repeats."""
        return max((len(values) for values in self.samples.values()), default=0)


class Tolerance(Frozen, frozen=True, forbid_unknown_fields=True):
    """Growth that was accepted of a metric, and who asked for it."""

    share: float
    """As a share of the baseline: 0.05 is 5 %."""
    source: str
    """E.g. `marker`, `ini`, `accept`."""


class Accepted(Frozen, frozen=True, forbid_unknown_fields=True):
    """Who took these samples for the measure of things, and why."""

    by: str
    reason: str


class Anchor(Frozen, frozen=True, forbid_unknown_fields=True):
    """The first baseline of a case's form: what many small accepted changes are held against."""

    recorded: str
    commit: str | None
    sessions: tuple[Session, ...]
    """Samples alone."""


class Baseline(Frozen, frozen=True, forbid_unknown_fields=True):
    """Accepted samples of a case and size in an environment."""

    case: str
    size: Size
    digest: str | None
    """Digest of the case: its workflow's source and inputs."""
    recorded: str
    """UTC, e.g. `2026-11-22T18:40:00Z`."""
    tool: str
    """Version of pytest-flyteperf."""
    commit: str | None
    """Commit of the checkout that holds the baseline, when it was recorded."""
    accepted: Accepted
    subject: Subject
    environment: Environment
    sessions: tuple[Session, ...]
    tolerances: dict[str, Tolerance] = msgspec.field(default_factory=dict)
    anchor: Anchor | None = None
    """None while this is the first one."""
    file: str | None = None
    """Where it was read; not stored."""

    def __post_init__(self) -> None:
        """Refuse what no run can have recorded."""
        if not _DATE.fullmatch(self.recorded):
            raise ValueError(f"recorded {self.recorded!r} is no date such as 2026-11-22T18:40:00Z")
        ids = [session.id for session in self.sessions]
        if len(set(ids)) < len(ids):
            raise ValueError("two sessions have the same id")
        if not any(session.repeats for session in self.sessions):
            raise ValueError("no session has a sample")
        for name, tolerance in self.tolerances.items():
            if not 0 <= tolerance.share < float("inf"):
                raise ValueError(f"tolerance of {name} is {tolerance.share}")

    def values(self, metric: str) -> tuple[int, ...]:
        """Known values of a metric, over all sessions."""
        return pooled(self.sessions, metric)

    def by_session(self, metric: str) -> tuple[tuple[int, ...], ...]:
        """Known values of a metric, session by session; sessions without any are left out."""
        return known_values(self.sessions, metric)

    @property
    def repeats(self) -> int:
        """Number of repeats, over all sessions."""
        return sum(session.repeats for session in self.sessions)


def known_values(sessions: Iterable[Session], metric: str) -> tuple[tuple[int, ...], ...]:
    """Known values of a metric, session by session; sessions without any are left out."""
    return tuple(
        known
        for session in sessions
        if (known := tuple(v for v in session.samples.get(metric, ()) if v is not None))
    )


def pooled(sessions: Iterable[Session], metric: str) -> tuple[int, ...]:
    """Known values of a metric, over all of these sessions."""
    return tuple(chain.from_iterable(known_values(sessions, metric)))


def joined(before: Baseline | None, accepted: Baseline) -> Baseline:
    """Add what was just measured to a baseline, of which it is another session.

    Sessions join only those of the same form of the case, subject and environment; a baseline of
    another is replaced. The latest `MAX_SESSIONS` are kept.
    """
    if before is None or not _alike(before, accepted):
        return accepted
    new = {session.id for session in accepted.sessions}
    kept = [session for session in before.sessions if session.id not in new]
    return msgspec.structs.replace(accepted, sessions=(*kept, *accepted.sessions)[-MAX_SESSIONS:])


def anchored(before: Baseline | None, accepted: Baseline) -> Baseline:
    """Let a baseline remember the first of its form: the anchor of the one that it replaces.

    Another form of the case, or another environment, begins anew.
    """
    if before is None or before.digest != accepted.digest:
        return accepted
    if before.environment != accepted.environment:
        return accepted
    first = before.anchor
    if first is None and before.subject != accepted.subject:
        first = Anchor(
            recorded=before.recorded,
            commit=before.commit,
            sessions=tuple(
                Session(id=s.id, samples=s.samples, canaries=s.canaries) for s in before.sessions
            ),
        )
    return msgspec.structs.replace(accepted, anchor=first)


def _alike(before: Baseline, now: Baseline) -> bool:
    return (before.case, before.size, before.digest, before.subject, before.environment) == (
        now.case,
        now.size,
        now.digest,
        now.subject,
        now.environment,
    )


def session(name: str, measures: Sequence[Measures]) -> Session:
    """Gather the samples of a session's valid repeats, without metrics that nothing shows."""
    names = [n for n in METRICS if any(m.metrics.get(n) is not None for m in measures)]
    sung = [n for n in CANARIES if any(n in m.canaries for m in measures)]
    return Session(
        id=name,
        samples={n: tuple(m.metrics.get(n) for m in measures) for n in names},
        canaries={n: tuple(m.canaries.get(n) for m in measures) for n in sung},
        operations=mean_costs(measures),
        parts=mean_parts(measures),
    )


def mean_costs(measures: Sequence[Measures]) -> dict[str, MeanCost]:
    """Cost of each kind of operation, over the repeats whose traces were read."""
    traced = [m.operations for m in measures if m.operations]
    return {
        name: MeanCost(
            calls=sum(one[name].calls for one in traced if name in one) / len(traced),
            ns=round(sum(one[name].ns for one in traced if name in one) / len(traced)),
        )
        for name in sorted({name for one in traced for name in one})
    }


def mean_parts(measures: Sequence[Measures]) -> dict[str, int]:
    """Nanoseconds of the critical path by node kind, owner and detail, over the repeats."""
    owned = [m.ownership for m in measures if m.ownership is not None]
    sums: dict[str, int] = {}
    for ownership in owned:
        for step in ownership.path:
            for owner in step.owners:
                name = f"{step.kind}/{owner.owner}/{owner.detail}"
                sums[name] = sums.get(name, 0) + owner.point_ns
    means = {name: round(ns / len(owned)) for name, ns in sorted(sums.items())}
    return {name: ns for name, ns in means.items() if ns}


def loads(text: str, where: str) -> dict[Size, Baseline]:
    """Read a baseline file's text.

    Args:
        text: the file's content.
        where: its path, for messages and for `Baseline.file`.

    Raises:
        BaselineError: anything that `dumps` did not write, in one line.
    """
    try:
        document = strict_yaml.loads(text)
    except strict_yaml.StrictYamlError as error:
        raise BaselineError(f"{where}: {error}; restore the file, or record it anew") from None
    if not isinstance(document, dict):
        raise BaselineError(f"{where}: no mapping; restore the file, or record it anew")
    schema = document.get("schema")
    if type(schema) is not int or schema < 1:
        raise BaselineError(
            f"{where}: schema {schema!r} is no version; restore the file, or record it anew"
        )
    if schema > SCHEMA:
        raise BaselineError(
            f"{where}: schema {schema} is newer than {SCHEMA}, the latest known here; "
            "upgrade pytest-flyteperf"
        )
    return _sections(document, where)


def dumps(baselines: Mapping[Size, Baseline]) -> str:
    """Write the sections of one case, short before default before full, in stable order."""
    cases = {baseline.case for baseline in baselines.values()}
    if len(cases) != 1:
        raise ValueError(f"a file holds one case, not {sorted(cases)}")
    sections = {size.value: _section(baselines[size]) for size in Size if size in baselines}
    return strict_yaml.dumps({"schema": SCHEMA, "case": cases.pop(), "sizes": sections})


def _sections(document: dict[str, Any], where: str) -> dict[Size, Baseline]:
    unknown = sorted(set(document) - {"schema", "case", "sizes"})
    sizes = document.get("sizes")
    if unknown or not isinstance(sizes, dict) or not sizes:
        what = f"unknown key {unknown[0]!r}" if unknown else "no sizes"
        raise BaselineError(f"{where}: {what}; restore the file, or record it anew")
    read: dict[Size, Baseline] = {}
    for size, section in sizes.items():
        if not isinstance(section, dict):
            raise BaselineError(f"{where}: sizes.{size} is no mapping; record it anew")
        given = {
            **_migrated(section, document["schema"]),
            "case": document.get("case"),
            "size": size,
            "file": where,
        }
        try:
            read[Size(size)] = msgspec.convert(given, Baseline)
        except (msgspec.ValidationError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise BaselineError(
                f"{where}: sizes.{size}: {reason}; restore the file, or record it anew"
            ) from None
    return read


def _migrated(section: dict[str, Any], schema: int) -> dict[str, Any]:
    """A section as the latest schema has it.

    Schema 1 had a figure of each canary for a whole baseline, which nothing was compared with.
    """
    if schema > 1:
        return section
    return {name: value for name, value in section.items() if name != "canaries"}


def _section(baseline: Baseline) -> dict[str, Any]:
    section: dict[str, Any] = msgspec.to_builtins(baseline)
    for name in ("case", "size", "file"):
        del section[name]
    section["tolerances"] = dict(sorted(section["tolerances"].items()))
    anchor = section.pop("anchor")
    section["sessions"] = _plain_sessions(section.pop("sessions"))
    if anchor is not None:
        section["anchor"] = {**anchor, "sessions": _plain_sessions(anchor["sessions"])}
    return section


def _plain_sessions(sessions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sessions in stable order, without what they lack."""
    plain = []
    for session in sessions:
        one = {name: value for name, value in session.items() if value}
        for columns in {"samples", "canaries"} & set(one):
            one[columns] = {n: list(v) for n, v in sorted(session[columns].items())}
        plain.append(one)
    return plain
