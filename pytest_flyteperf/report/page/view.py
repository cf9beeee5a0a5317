"""A case in the words of the page: what the templates print, ready made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_flyteperf.gate import Kind, MetricVerdict, Verdict
from pytest_flyteperf.model import METRICS
from pytest_flyteperf.report import gather, terminal
from pytest_flyteperf.report.page import owners, plots, tables, timeline, times
from pytest_flyteperf.report.text import UNKNOWN, escaped, figure
from pytest_flyteperf.report.verdicts import SYMBOLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.report.page.content import CaseContent

MOST_STRIPS: Final = 4
STRIPS: Final = ("duration_ns", "flyte_ns", "handle_ns", "crd_writes", "rounds")
GROWING: Final = ("duration_ns", "handle_ns", "crd_writes")
"""What of a sweep is drawn over its sizes."""


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
    nodes: tuple[dict[str, str], ...]
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
    shown_links: tuple[tuple[str, str], ...]
    """Where else it can be looked at: title, URL."""
    growth: tuple[str, ...]
    growth_plots: tuple[plots.Scatter, ...]
    before: str
    now: str


def case_view(content: CaseContent, number: int) -> CaseView:
    """Put a case into words."""
    verdict = content.verdict
    valid = content.valid
    nodes, more_nodes = tables.nodes(valid)
    return CaseView(
        anchor=f"{number}-{re.sub(r'[^a-z0-9]+', '-', verdict.case.lower()).strip('-')[:40]}",
        name=terminal.name(verdict),
        verdict=verdict.verdict.value,
        symbol=SYMBOLS[verdict.verdict],
        reason=escaped(verdict.reason),
        headline=_arrows(terminal.headline(verdict) or escaped(verdict.reason)),
        cause=tuple(_arrows(escaped(line)) for line in content.cause),
        repeats=verdict.repeats,
        flyte=_median(content, "flyte_ns"),
        duration=_median(content, "duration_ns"),
        bars=times.bars(content),
        glance=times.glance(content),
        moved=times.moved(content),
        gated=tuple(_metric(m) for m in verdict.metrics if m.gated),
        advice=tuple(_metric(m) for m in verdict.metrics if not m.gated),
        strips=_strips(content),
        kinds=times.kinds(valid),
        nodes=nodes,
        more_nodes=more_nodes,
        operations=tables.operations(valid),
        state=tables.state(valid),
        components=tables.components(valid),
        findings=tables.findings(content.repeats),
        runs=tuple(tables.run(index, one) for index, one in enumerate(content.repeats)),
        sides=tables.sides(content),
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
        shown_links=_shown_links(content),
        growth=tuple(escaped(line.strip()) for line in content.growth),
        growth_plots=_growth_plots(content),
        before=content.before,
        now=content.now,
    )


def _arrows(line: str) -> str:
    return line.replace(" -> ", " → ")


def _shown_links(content: CaseContent) -> tuple[tuple[str, str], ...]:
    if content.shown is None:
        return ()
    links = content.repeats[content.shown].links
    named = {
        "Perfetto (a file for ui.perfetto.dev)": links.trace,
        "the console": links.console,
        "Jaeger": links.jaeger,
    }
    return tuple((title, url) for title, url in named.items() if url is not None)


def _growth_plots(content: CaseContent) -> tuple[plots.Scatter, ...]:
    found = []
    for metric in GROWING:
        values = [(size, m.metrics.get(metric)) for size, m in content.points]
        plot = plots.scatter(metric, [(size, v) for size, v in values if v is not None])
        if plot is not None:
            found.append(plot)
    return tuple(found)


def _median(content: CaseContent, metric: str) -> str:
    for one in content.verdict.metrics:
        if one.metric == metric and one.now is not None:
            return figure(one.now.median, METRICS[metric])
    found = gather.times(m.metrics.get(metric) for m in content.valid)
    return UNKNOWN if found is None else figure(found.median, METRICS[metric])


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
    if metric.kind is Kind.MAGNITUDE:
        if metric.ratio is not None:
            return terminal.change(metric, interval=False)
        same = metric.now is not None and metric.now.median == metric.baseline.median
        return "none" if same else ""
    before, _, now = terminal.change(metric).partition(" -> ")
    return "none" if before == now else f"{before} → {now}"


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


def summary_counts(contents: Sequence[CaseContent]) -> tuple[tuple[str, str, int], ...]:
    """How many cases have each verdict, worst first."""
    counts = {v: sum(c.verdict.verdict is v for c in contents) for v in SYMBOLS}
    return tuple((v.value, SYMBOLS[v], count) for v, count in counts.items() if count)
