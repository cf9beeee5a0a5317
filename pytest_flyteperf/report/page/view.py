"""A case in the words of the page: what the templates print, ready made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_flyteperf.gate import Kind, MetricVerdict, Verdict
from pytest_flyteperf.gate.environment import identity, key, machine
from pytest_flyteperf.model import METRICS
from pytest_flyteperf.report import gather, terminal
from pytest_flyteperf.report.page import owners, plots, timeline
from pytest_flyteperf.report.text import UNKNOWN, duration, escaped, figure, size
from pytest_flyteperf.report.verdicts import SYMBOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_flyteperf.model import Environment, Finding, KindMeasures, Measures, Subject
    from pytest_flyteperf.report.page.content import CaseContent, RepeatContent

MOST_NODES: Final = 25
"""Rows of the table of nodes; the timeline shows them all."""
MOST_STRIPS: Final = 4
STRIPS: Final = ("duration_ns", "flyte_ns", "handle_ns", "crd_writes", "rounds")


@dataclass(frozen=True, kw_only=True)
class MetricView:
    """One line of the evidence."""

    title: str
    baseline: str
    now: str
    change: str
    limit: str
    verdict: str
    symbol: str
    reason: str
    interval: plots.Interval | None


@dataclass(frozen=True, kw_only=True)
class CaseView:
    """Everything that the page says of a case."""

    anchor: str
    name: str
    verdict: str
    symbol: str
    reason: str
    headline: str
    cause: tuple[str, ...]
    repeats: int
    flyte: str
    duration: str
    bars: tuple[tuple[str, str, tuple[owners.Share, ...]], ...]
    """Who it is, its whole time, its parts: now, and the baseline where it is known."""
    glance: tuple[owners.Share, ...]
    """Of now, in its own scale."""
    moved: tuple[tuple[str, str, str, str], ...]
    """Colour, owner, baseline and now, difference."""
    gated: tuple[MetricView, ...]
    advice: tuple[MetricView, ...]
    strips: tuple[plots.Strip, ...]
    kinds: tuple[tuple[str, int, str, tuple[owners.Share, ...]], ...]
    nodes: tuple[dict[str, Any], ...]
    more_nodes: int
    operations: tuple[tuple[str, ...], ...]
    state: tuple[tuple[str, str], ...]
    components: tuple[tuple[str, str, str], ...]
    findings: tuple[tuple[str, str, str, int], ...]
    """Check, severity, evidence, how many repeats."""
    runs: tuple[dict[str, Any], ...]
    sides: tuple[tuple[str, str, str, bool], ...]
    """Property, baseline, now, whether they differ."""
    commands: tuple[tuple[str, str], ...]
    timeline: dict[str, Any] | None
    shown: str
    """The execution that the timeline shows."""


def case_view(content: CaseContent, number: int) -> CaseView:
    """Put a case into words."""
    verdict = content.verdict
    valid = content.valid
    shown_nodes = sorted(gather.nodes(valid), key=lambda node: -(_middle(node.critical_path) or 0))
    return CaseView(
        anchor=f"{number}-{re.sub(r'[^a-z0-9]+', '-', verdict.case.lower()).strip('-')[:40]}",
        name=terminal.name(verdict),
        verdict=verdict.verdict.value,
        symbol=SYMBOLS[verdict.verdict],
        reason=escaped(verdict.reason),
        headline=terminal.headline(verdict) or escaped(verdict.reason),
        cause=tuple(map(escaped, content.cause)),
        repeats=verdict.repeats,
        flyte=_median(content, "flyte_ns"),
        duration=_median(content, "duration_ns"),
        bars=_bars(content),
        glance=_glance(content),
        moved=_moved(content),
        gated=tuple(_metric(m) for m in verdict.metrics if m.gated),
        advice=tuple(_metric(m) for m in verdict.metrics if not m.gated),
        strips=_strips(content),
        kinds=_kinds(valid),
        nodes=tuple(_node(node) for node in shown_nodes[:MOST_NODES]),
        more_nodes=max(0, len(shown_nodes) - MOST_NODES),
        operations=_operations(valid),
        state=_state(valid),
        components=_components(valid),
        findings=_findings(content.repeats),
        runs=tuple(_run(index, one) for index, one in enumerate(content.repeats)),
        sides=_sides(content),
        commands=tuple(
            (what, command)
            for what, command in (
                ("measure it again", content.rerun),
                ("accept it as the baseline", content.accept),
            )
            if command
        ),
        timeline=None if content.lanes is None else timeline.encoded(content.lanes),
        shown="" if content.lanes is None else escaped(content.lanes.execution),
    )


def _median(content: CaseContent, metric: str) -> str:
    for one in content.verdict.metrics:
        if one.metric == metric and one.now is not None:
            return figure(one.now.median, METRICS[metric])
    times = gather.times(m.metrics.get(metric) for m in content.valid)
    return UNKNOWN if times is None else figure(times.median, METRICS[metric])


def _metric(metric: MetricVerdict) -> MetricView:
    unit = METRICS[metric.metric]
    return MetricView(
        title=unit.title,
        baseline=figure(metric.baseline.median, unit) if metric.baseline else "",
        now=figure(metric.now.median if metric.now else None, unit),
        change=_change(metric),
        limit=terminal.limit(metric),
        verdict=metric.verdict.value,
        symbol=SYMBOLS[metric.verdict],
        reason=escaped(metric.reason),
        interval=plots.interval(metric),
    )


def _change(metric: MetricVerdict) -> str:
    if metric.baseline is None:
        return ""
    if metric.kind is not Kind.MAGNITUDE and metric.baseline == metric.now:
        return "none"
    return terminal.change(metric, interval=False).replace(" -> ", " → ")


# --- time ---------------------------------------------------------------------------------------


def _now(valid: Sequence[Measures]) -> dict[str, float]:
    owned = [m.ownership for m in valid if m.ownership is not None]
    return owners.coloured(
        (part.owner, part.detail, part.point_ns / len(owned)) for o in owned for part in o.owners
    )


def _before(content: CaseContent) -> dict[str, float]:
    """The baseline's critical path, the mean of its sessions."""
    sessions = [s.parts for s in content.baseline.sessions if s.parts] if content.baseline else []
    return owners.coloured(
        (owner, detail, ns / len(sessions))
        for parts in sessions
        for name, ns in parts.items()
        for _, owner, detail in (name.split("/", 2),)
    )


def _bars(content: CaseContent) -> tuple[tuple[str, str, tuple[owners.Share, ...]], ...]:
    sides = [("now", _now(content.valid)), ("baseline", _before(content))]
    known = [(who, times) for who, times in sides if times]
    scale = max((sum(times.values()) for _, times in known), default=0.0)
    return tuple(
        (who, duration(sum(times.values())), owners.bar(times, scale)) for who, times in known
    )


def _glance(content: CaseContent) -> tuple[owners.Share, ...]:
    times = _now(content.valid)
    return owners.bar(times, sum(times.values()))


def _moved(content: CaseContent) -> tuple[tuple[str, str, str, str], ...]:
    before, now = _before(content), _now(content.valid)
    rows = []
    for name in owners.NAMES:
        old, new = before.get(name), now.get(name)
        if old is None and new is None:
            continue
        shown = f"{duration(old or 0)} → {duration(new or 0)}" if before else duration(new or 0)
        shift = round((new or 0) - (old or 0))
        signed = f"+{duration(shift)}" if shift > 0 else duration(shift)
        rows.append((name, owners.NAMES[name], shown, signed if before else ""))
    return tuple(rows)


def _kinds(
    valid: Sequence[Measures],
) -> tuple[tuple[str, int, str, tuple[owners.Share, ...]], ...]:
    """Per node kind: nodes of a repeat, mean time on the critical path, own time by owner."""
    owned = [m.ownership for m in valid if m.ownership is not None]
    by_kind: dict[str, list[KindMeasures]] = {}
    for ownership in owned:
        for one in ownership.kinds:
            by_kind.setdefault(one.kind, []).append(one)
    times = {
        name: owners.coloured(
            (part.owner, part.detail, part.point_ns / len(owned))
            for one in found
            for part in one.owners
            if part.owner != "subnodes"
        )
        for name, found in by_kind.items()
    }
    on_path = {name: sum(one.on_path_ns for one in found) for name, found in by_kind.items()}
    scale = max((sum(parts.values()) for parts in times.values()), default=0.0)
    return tuple(
        (
            name,
            round(sum(one.nodes for one in by_kind[name]) / len(owned)),
            duration(on_path[name] / len(owned)),
            owners.bar(times[name], scale),
        )
        for name in sorted(by_kind, key=lambda name: -on_path[name])
    )


def _middle(times: Any) -> int | None:  # noqa: ANN401 -- Times or None
    return None if times is None else times.median


def _node(node: Any) -> dict[str, Any]:  # noqa: ANN401 -- a section's Node
    def time(of: Any) -> str:  # noqa: ANN401 -- Times or None
        middle = _middle(of)
        return "" if middle is None else duration(middle)

    return {
        "id": escaped(node.id),
        "kind": node.kind,
        "path": time(node.critical_path),
        "duration": time(node.duration),
        "flyte": time(node.flyte_overhead),
        "kubernetes": time(node.kubernetes),
        "user": time(node.user),
        "scheduling": time(node.scheduling),
    }


def _strips(content: CaseContent) -> tuple[plots.Strip, ...]:
    chosen = [m for m in content.verdict.metrics if m.metric in STRIPS or _decided(m)]
    chosen.sort(
        key=lambda m: (not _decided(m), STRIPS.index(m.metric) if m.metric in STRIPS else 9)
    )
    strips = []
    for metric in chosen[:MOST_STRIPS]:
        before = content.baseline.values(metric.metric) if content.baseline else ()
        values = (m.metrics.get(metric.metric) for m in content.valid)
        strips.append(plots.strip(metric, before, [v for v in values if v is not None]))
    return tuple(one for one in strips if one is not None)


def _decided(metric: MetricVerdict) -> bool:
    return metric.gated and metric.verdict in {Verdict.REGRESSED, Verdict.IMPROVED}


# --- tables ---------------------------------------------------------------------------------------


def _operations(valid: Sequence[Measures]) -> tuple[tuple[str, ...], ...]:
    rows = []
    for place in gather.places(valid):
        latency = place.latency
        quantiles = (latency.p50, latency.p90, latency.p99) if latency else (None, None, None)
        rows.append(
            (
                place.operation,
                place.beneath,
                "" if place.calls is None else f"{place.calls.median:g}",
                *("" if ns is None else duration(ns) for ns in quantiles),
            )
        )
    return tuple(rows)


_STATE: Final = (
    ("revisions", "revisions written"),
    ("written_bytes", "written in all"),
    ("peak_bytes", "largest revision"),
    ("peak_spec_bytes", "of it spec"),
    ("peak_status_bytes", "of it status"),
    ("peak_gzip_bytes", "largest, gzip"),
    ("peak_nodes", "node statuses in it"),
    ("node_bytes", "a node status"),
    ("array_item_bytes", "a sub-task of an array node"),
    ("etcd_share", "share of etcd's request limit"),
)


def _state(valid: Sequence[Measures]) -> tuple[tuple[str, str], ...]:
    states = [m.state for m in valid if m.state is not None]
    rows = []
    for field, title in _STATE:
        values = sorted(v for s in states if (v := getattr(s, field, None)) is not None)
        if not values:
            continue
        middle = values[len(values) // 2]
        if field == "etcd_share":
            shown = f"{100 * middle:.2g} %"
        elif "bytes" in field:
            shown = size(middle)
        else:
            shown = f"{middle:g}"
        rows.append((title, shown))
    return tuple(rows)


def _components(valid: Sequence[Measures]) -> tuple[tuple[str, str, str], ...]:
    found: dict[str, list[Any]] = {}
    for measures in valid:
        for use in measures.components:
            found.setdefault(use.component, []).append(use)
    return tuple(
        (
            escaped(name),
            duration(sum(u.cpu_ns for u in uses) / len(uses)),
            size(max(u.resident_bytes for u in uses)),
        )
        for name, uses in found.items()
    )


def _findings(repeats: Iterable[RepeatContent]) -> tuple[tuple[str, str, str, int], ...]:
    found: dict[tuple[str, str], list[Finding]] = {}
    for repeat in repeats:
        for finding in repeat.measures.findings:
            found.setdefault((finding.severity.value, finding.check), []).append(finding)
    return tuple(
        (escaped(check), severity, escaped(all_of[0].evidence), len(all_of))
        for (severity, check), all_of in sorted(found.items())
    )


def _run(index: int, repeat: RepeatContent) -> dict[str, Any]:
    metrics = repeat.measures.metrics
    return {
        "index": index,
        "execution": escaped(repeat.measures.execution),
        "phase": escaped(repeat.measures.phase).lower(),
        "valid": repeat.valid,
        "recording": escaped(repeat.recording),
        "links": repeat.links,
        **{
            name: figure(metrics.get(metric), METRICS[metric])
            for name, metric in (
                ("duration", "duration_ns"),
                ("flyte", "flyte_ns"),
                ("working", "handle_ns"),
                ("user", "user_ns"),
            )
        },
    }


def _sides(content: CaseContent) -> tuple[tuple[str, str, str, bool], ...]:
    baseline = content.baseline
    now = _facts(content.subject, content.environment)
    before: dict[str, str] = {}
    rows: list[tuple[str, str, str]] = []
    if baseline is not None:
        before = _facts(baseline.subject, baseline.environment)
        commit = "" if baseline.commit is None else f" at {baseline.commit[:12]}"
        rows += [
            ("recorded", f"{baseline.recorded}{commit}, {baseline.repeats} repeats", ""),
            ("accepted", f"{baseline.accepted.by}: {baseline.accepted.reason}", ""),
        ]
    rows += [(name, before.get(name, "—" if before else ""), new) for name, new in now.items()]
    return tuple(
        (name, escaped(old), escaped(new), bool(old and new and old != new))
        for name, old, new in rows
    )


def _facts(subject: Subject, environment: Environment) -> dict[str, str]:
    config = subject.config_digest
    facts = {
        "Flyte": subject.flyte,
        "digest": subject.digest[:16],
        "configuration": "the deployment's own" if config is None else config[:16],
        "environment": key(environment),
    }
    named = {**identity(environment), **machine(environment)}
    return facts | {name: str(value) for name, value in named.items() if value is not None}


def summary_counts(contents: Sequence[CaseContent]) -> tuple[tuple[str, str, int], ...]:
    """How many cases have each verdict, worst first."""
    counts = {v: sum(c.verdict.verdict is v for c in contents) for v in SYMBOLS}
    return tuple((v.value, SYMBOLS[v], count) for v, count in counts.items() if count)
