"""Verdicts as Markdown for GitHub: the step summary and the comment on a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_flyteperf.gate import Kind, Verdict
from pytest_flyteperf.model import METRICS
from pytest_flyteperf.report.terminal import change, name
from pytest_flyteperf.report.text import escaped, figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_flyteperf.gate import CaseVerdict, MetricVerdict
    from pytest_flyteperf.model import Environment, Subject

MARK: Final = "<!-- flyteperf -->"
"""First line of a comment, by which the next run finds it and edits it."""
FIGURES: Final = ("flyte_ns", "handle_ns", "duration_ns")
DECIDED: Final = frozenset({Verdict.REGRESSED, Verdict.IMPROVED})


def summary(
    verdicts: Sequence[CaseVerdict],
    *,
    subject: Subject,
    environment: Environment,
    causes: Mapping[str, Sequence[str]] | None = None,
    base: Subject | None = None,
) -> str:
    """Write what moved, by how much, why, and on what evidence.

    Args:
        verdicts: in the order to show.
        subject: what was measured.
        environment: where.
        causes: case name to lines that say what moved.
        base: what it was measured in turns with, if it was.
    """
    worst = [v for v in verdicts if v.verdict is Verdict.REGRESSED]
    headline = _headline(verdicts, len(worst))
    blocks = [MARK, f"### flyteperf: {headline}", _table(verdicts)]
    for verdict in verdicts:
        moved = [m for m in verdict.metrics if m.gated and m.verdict in DECIDED]
        why = (causes or {}).get(verdict.case, ())
        if moved or why:
            blocks.append(_details(verdict, moved, why))
    machine = environment.machine
    against = "" if base is None else f" in turns with {_flyte(base)}"
    blocks.append(
        f"{_flyte(subject)}{against}, admin "
        f"{environment.admin_kind.value}, {_text(environment.cluster_kind)} cluster, "
        f"{machine.cpu_count} CPUs {_text(machine.cpu_model)}. Intervals keep false alarms of the "
        "whole portfolio to 1 %."
    )
    return "\n\n".join(blocks) + "\n"


def properties(verdict: CaseVerdict) -> tuple[tuple[str, str], ...]:
    """Return a case's answer as names and values, for JUnit's properties."""
    pairs = [
        ("flyteperf.verdict", verdict.verdict.value),
        ("flyteperf.reason", escaped(verdict.reason)),
        ("flyteperf.repeats", str(verdict.repeats)),
    ]
    for metric in verdict.metrics:
        if metric.now is not None:
            pairs.append((f"flyteperf.{metric.metric}", f"{metric.now.median:.15g}"))
        if metric.gated:
            pairs.append((f"flyteperf.{metric.metric}.verdict", metric.verdict.value))
    return tuple(pairs)


def _headline(verdicts: Sequence[CaseVerdict], regressed: int) -> str:
    counts = {v: sum(one.verdict is v for one in verdicts) for v in Verdict}
    if regressed:
        return f"{regressed} of {len(verdicts)} cases regressed"
    named = ", ".join(f"{count} {v.value}" for v, count in counts.items() if count)
    return named or "no case ran"


def _table(verdicts: Sequence[CaseVerdict]) -> str:
    shown = [
        metric
        for metric in FIGURES
        if any(m.metric == metric and m.now for v in verdicts for m in v.metrics)
    ]
    heads = ["case", "verdict", *(METRICS[metric].title for metric in shown), "repeats"]
    rows = [heads, ["---"] * len(heads)]
    for verdict in verdicts:
        by_name = {m.metric: m for m in verdict.metrics}
        label = verdict.verdict.value
        bold = f"**{label}**" if verdict.verdict is Verdict.REGRESSED else label
        figures = [_cell(by_name.get(metric)) for metric in shown]
        rows.append([_text(name(verdict)), bold, *figures, str(verdict.repeats)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(metric: MetricVerdict | None) -> str:
    if metric is None or metric.now is None:
        return ""
    value = figure(metric.now.median, METRICS[metric.metric])
    if metric.kind is Kind.MAGNITUDE and metric.ratio is not None:
        return f"{value} ({change(metric, interval=False)})"
    return value


def _details(verdict: CaseVerdict, moved: Sequence[MetricVerdict], why: Sequence[str]) -> str:
    lines = [
        f"- {METRICS[m.metric].title}: {m.verdict.value}, {_text(escaped(m.reason))}" for m in moved
    ]
    lines += [f"- cause: {_text(escaped(line))}" for line in why]
    title = f"<summary>{_html(name(verdict))}: {verdict.verdict.value}</summary>"
    return "\n".join(["<details>", title, "", *lines, "", "</details>"])


def _text(plain: str) -> str:
    """`plain` so that Markdown shows it as it is, also within a table."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~@&-])", r"\\\1", plain)


def _code(plain: str) -> str:
    harmless = escaped(plain).replace("`", "'").replace("|", "/")
    return f"`{harmless}`"


def _flyte(subject: Subject) -> str:
    config = "" if subject.config_digest is None else f", config {subject.config_digest[:12]}"
    return f"Flyte {_code(subject.flyte)} ({_code(subject.digest[:12])}{config})"


def _html(plain: str) -> str:
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
