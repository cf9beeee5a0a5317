"""Two runs beside each other: both sides, difference, ratio, interval and verdict of each figure.

What `compare` shows on the terminal, in JSON and as Markdown; `delta` subtracts whole documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pytest_flyteperf.gate import BROKEN, CaseVerdict, Kind, Policy, Verdict, judge
from pytest_flyteperf.model import METRICS, Subject
from pytest_flyteperf.report import results, terminal
from pytest_flyteperf.report.sections import SCHEMA, Section
from pytest_flyteperf.report.sides import Side, measures
from pytest_flyteperf.report.terminal import COLOURS, PLAIN
from pytest_flyteperf.report.text import aligned, escaped, figure
from pytest_flyteperf.report.verdicts import headline, rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_flyteperf.gate import MetricVerdict
    from pytest_flyteperf.report.text import Style

PLACES: Final = {
    "duration_ns": "duration",
    "flyte_ns": "flyteOverhead",
    "handle_ns": "working",
    "user_ns": "user",
    "overhead_ns": "overhead",
    "unknown_ns": "unknown",
    "workflow_events": "events.workflow.count",
    "node_events": "events.node.count",
    "task_events": "events.task.count",
    "blob_writes": "blobstore.writes.count",
    "blob_reads": "blobstore.reads.count",
    "handles": "propeller.rounds.count",
    "rounds": "propeller.streaks.count",
    "crd_writes": "propeller.crdWrites.count",
}
"""Metric to its place in the results document; others go by their own name."""
HEADINGS: Final = ("case", "metric", "A", "B", "change", "verdict")
RIGHT: Final = frozenset({2, 3})


class Figure(Section, frozen=True, rename="camel"):
    """One figure of both sides: medians, in nanoseconds, bytes or a count."""

    base: float | None
    head: float | None
    difference: float | None
    ratio: float | None
    """Estimated size of head as a multiple of base."""
    interval: tuple[float | None, float | None] | None
    """Of the ratio; None where the samples bound none."""
    verdict: Verdict
    gated: bool


class CaseDifference(Section, frozen=True, rename="camel"):
    """A case that both sides have."""

    verdict: CaseVerdict
    figures: dict[str, Figure]
    """By place in the results document, e.g. `events.node.count`, else by metric."""


class Differences(Section, frozen=True, rename="camel"):
    """What differs between two sides."""

    schema_version: int
    base: Subject | None
    head: Subject | None
    cases: dict[str, CaseDifference]
    """By `flyte.benchmark.<case>`, what matters most first."""
    only_base: tuple[str, ...]
    only_head: tuple[str, ...]

    @property
    def verdicts(self) -> tuple[CaseVerdict, ...]:
        """Of the cases, in order."""
        return tuple(case.verdict for case in self.cases.values())


def compare(base: Side, head: Side, policy: Policy | None = None) -> Differences:
    """Hold every case of head against that of base, as if base were its baseline.

    What the runs themselves gated is gated, and a case that broke in one of them did not hold.

    Args:
        base: one side.
        head: the other.
        policy: None for the default one, with the metrics that the runs gated.
    """
    both = [key for key in head.cases if key in base.cases]
    verdicts = {}
    for name, size in both:
        before, now = base.cases[name, size], head.cases[name, size]
        own = [side.verdict(name, size) for side in (base, head)]
        verdict = judge(
            name,
            size,
            measures(now),
            before,
            now.environment,
            policy or Policy(gate=_gated(own)),
            digest=now.digest if before.digest else None,
            sessions=len(now.sessions),
        )
        verdicts[name, size] = _unless_broken(verdict, own)
    both.sort(key=lambda key: rank(verdicts[key]))
    subjects = [next((one.subject for one in side.cases.values()), None) for side in (base, head)]
    return Differences(
        schema_version=SCHEMA,
        base=subjects[0],
        head=subjects[1],
        cases={results.key(*key): _case(verdicts[key]) for key in both},
        only_base=tuple(results.key(*key) for key in base.cases if key not in head.cases),
        only_head=tuple(results.key(*key) for key in head.cases if key not in base.cases),
    )


def _gated(own: Iterable[CaseVerdict | None]) -> tuple[str, ...] | None:
    """The metrics that the runs gated, None where neither says."""
    names = [m.metric for verdict in own if verdict for m in verdict.metrics if m.gated]
    return tuple(dict.fromkeys(names)) or None


def _unless_broken(verdict: CaseVerdict, own: Iterable[CaseVerdict | None]) -> CaseVerdict:
    for side, one in zip("AB", own, strict=True):
        if one is not None and one.verdict in BROKEN:
            reason = f"{side}: {one.reason}"
            return msgspec.structs.replace(verdict, verdict=one.verdict, reason=reason)
    return verdict


def _case(verdict: CaseVerdict) -> CaseDifference:
    return CaseDifference(
        verdict=verdict,
        figures={PLACES.get(m.metric, m.metric): _figure(m) for m in verdict.metrics},
    )


def _figure(metric: MetricVerdict) -> Figure:
    base = None if metric.baseline is None else metric.baseline.median
    head = None if metric.now is None else metric.now.median
    bounded = metric.low is not None or metric.high is not None
    return Figure(
        base=base,
        head=head,
        difference=None if base is None or head is None else head - base,
        ratio=metric.ratio,
        interval=(metric.low, metric.high) if bounded else None,
        verdict=metric.verdict,
        gated=metric.gated,
    )


def lines(found: Differences, *, columns: int = 80, style: Style = PLAIN) -> Iterator[str]:
    """For the terminal: the sentence, the cases, what moved, what only one side has."""
    yield style(headline(found.verdicts), "bold")
    for side, subject in (("A", found.base), ("B", found.head)):
        if subject is not None:
            yield f"  {side}  Flyte {escaped(terminal.subject_shown(subject))}"
    yield ""
    yield from terminal.table(found.verdicts, gating=True, columns=columns, style=style)
    rows = list(_rows(found))
    if rows:
        yield ""
        table = aligned((HEADINGS, *(row[:-1] for row in rows)), right=RIGHT)
        for line, row in zip(table, [None, *rows], strict=True):
            yield line if row is None else style(line, *COLOURS[Verdict(row[-1])])
    alone = list(_alone(found))
    yield from ["", *alone] if alone else []


def markdown(found: Differences) -> str:
    """The same as Markdown."""
    from pytest_flyteperf.report import github  # only for this form

    rows = [HEADINGS, ("---", "---", "--:", "--:", "---", "---"), *(r[:-1] for r in _rows(found))]
    cells = [rows[0], rows[1], *(tuple(map(github.plain, row)) for row in rows[2:])]
    table = [f"| {' | '.join(row)} |" for row in cells] if len(rows) > 2 else []  # noqa: PLR2004
    alone = [f"- {github.plain(line)}" for line in _alone(found)]
    parts = [f"### flyteperf: {headline(found.verdicts)}", "\n".join(table), "\n".join(alone)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _rows(found: Differences) -> Iterator[tuple[str, ...]]:
    """Figures that moved, and the gated ones of cases that did not pass; last the verdict."""
    for verdict in found.verdicts:
        for metric in sorted(verdict.metrics, key=_weight):
            moved = metric.verdict in {Verdict.REGRESSED, Verdict.IMPROVED}
            if not moved and (verdict.verdict is Verdict.PASS or not metric.gated):
                continue
            if not moved and metric.kind is Kind.EXACT:
                continue
            unit = METRICS[metric.metric]
            sides = (metric.baseline, metric.now)
            word = metric.verdict.value if metric.gated else f"{metric.verdict.value} (advice)"
            yield (
                terminal.name(verdict),
                unit.title,
                *(figure(None if side is None else side.median, unit) for side in sides),
                terminal.change(metric),
                word,
                metric.verdict.value,
            )


def _weight(metric: MetricVerdict) -> tuple[bool, float]:
    return not metric.gated, -abs((metric.ratio or 1.0) - 1)


def _alone(found: Differences) -> Iterator[str]:
    for side, names in (("A", found.only_base), ("B", found.only_head)):
        if names:
            shown: Sequence[str] = [escaped(n.removeprefix(results.PREFIX)) for n in names]
            yield f"only {side}: {', '.join(shown)}"
