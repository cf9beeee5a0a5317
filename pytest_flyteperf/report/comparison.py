"""Two Flytes beside each other: what each took, what changed, how sure that is, and why.

For the end of an A/B run: every gated time and ranged count a line, exact counts that agree in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_flyteperf.gate import Kind, Verdict
from pytest_flyteperf.model import METRICS, Frozen
from pytest_flyteperf.report import terminal
from pytest_flyteperf.report.terminal import COLOURS, MOST_CAUSES, PLAIN
from pytest_flyteperf.report.text import aligned, escaped, figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_flyteperf.gate import CaseVerdict, MetricVerdict
    from pytest_flyteperf.model import Environment, Subject
    from pytest_flyteperf.report.text import Style

HEADINGS: Final = ("metric", "base", "head", "change", "tolerance", "verdict")
RIGHT: Final = frozenset({1, 2})


class Compared(Frozen, frozen=True):
    """A case that both Flytes ran."""

    verdict: CaseVerdict
    cause: tuple[str, ...]
    """Lines that say what moved, strongest first."""
    blocks: tuple[int, int]
    """Of base and of head."""


def header(base: Subject, head: Subject, environment: Environment) -> tuple[str, ...]:
    """Lines for the top: the two Flytes, and where both ran."""
    machine = environment.machine
    kernel = f"Linux {machine.kernel}"
    place = (
        f"{environment.cluster_kind} cluster, {environment.distribution}, {environment.blob_store}",
        f"{machine.cpu_count} x {machine.cpu_model}, {machine.memory_class}, {kernel}",
    )
    lines = [
        f"base   Flyte {terminal.subject_shown(base)}, admin {environment.admin_kind.value}",
        f"head   Flyte {terminal.subject_shown(head)}, admin {environment.admin_kind.value}",
        f"where  {place[0]}",
        f"       {place[1]}",
    ]
    return tuple(escaped(line) for line in lines)


def table(compared: Sequence[Compared], *, style: Style = PLAIN) -> Iterator[str]:
    """Lines for every case: its verdict, its metrics, and the cause of what moved."""
    for one in compared:
        yield ""
        yield from case(one, style=style)


def case(one: Compared, *, style: Style = PLAIN) -> Iterator[str]:
    """Lines for one case."""
    verdict = one.verdict
    label = style(verdict.verdict.value, *COLOURS[verdict.verdict])
    yield f"{terminal.name(verdict)}: {label}, {_size(one)}"
    shown = [m for m in verdict.metrics if m.gated and not _agrees(m)]
    if not shown:
        yield f"  {escaped(verdict.reason)}"
    else:
        rows = [_row(metric) for metric in shown]
        yield from (f"  {line}" for line in aligned((HEADINGS, *rows), right=RIGHT))
    agreed = [m for m in verdict.metrics if m.gated and _agrees(m)]
    if agreed:
        counts = ", ".join(_count(metric) for metric in agreed)
        yield f"  equal: {counts}"
    if one.cause:
        yield "  cause"
        yield from (f"    {escaped(line)}" for line in one.cause[:MOST_CAUSES])
    if verdict.invalid:
        yield f"  {len(verdict.invalid)} of head's repeats discarded: {escaped(verdict.invalid[0])}"


def _size(one: Compared) -> str:
    blocks = " + ".join(str(count) for count in one.blocks)
    before = max((m.baseline.repeats for m in one.verdict.metrics if m.baseline), default=0)
    return f"{before} + {one.verdict.repeats} repeats in {blocks} blocks"


def _agrees(metric: MetricVerdict) -> bool:
    """Whether a count says no more than that both sides have it alike."""
    same = metric.baseline is not None and metric.now is not None
    same = same and metric.baseline.median == metric.now.median  # type: ignore[union-attr] # see above
    return same and metric.kind is not Kind.MAGNITUDE and metric.verdict is Verdict.PASS


def _count(metric: MetricVerdict) -> str:
    median = figure(metric.now.median if metric.now else None, METRICS[metric.metric])
    return f"{METRICS[metric.metric].title} {median}"


def _row(metric: MetricVerdict) -> tuple[str, ...]:
    unit = METRICS[metric.metric]
    return (
        unit.title,
        figure(metric.baseline.median if metric.baseline else None, unit),
        figure(metric.now.median if metric.now else None, unit),
        terminal.change(metric),
        terminal.limit(metric),
        metric.verdict.value,
    )
