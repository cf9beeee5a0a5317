"""Results as Markdown for GitHub: the step summary and the comment on a pull request.

Made from the results document alone, so that a job with a token needs none of the code that was
measured. Names come from anywhere: they are escaped, and what is too long is left out by name.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_flyteperf.gate import Kind, Verdict
from pytest_flyteperf.gate.environment import identity, machine
from pytest_flyteperf.model import METRICS
from pytest_flyteperf.report import terminal
from pytest_flyteperf.report.results import PREFIX
from pytest_flyteperf.report.text import UNKNOWN, escaped, figure, shortened
from pytest_flyteperf.report.verdicts import SYMBOLS, headline, rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_flyteperf.gate import CaseVerdict, MetricVerdict
    from pytest_flyteperf.report.sections import Case, Results

MARK: Final = "<!-- flyteperf -->"
"""First line of a comment, by which the next run finds it and edits it."""
MOST_BYTES: Final = 60_000
"""GitHub takes 65,536 characters."""
BLANK: Final = "&nbsp;"
"""Where GitHub's narrow tables shall not break a line."""
MOST_NAME: Final = 120
MOST_CAUSES: Final = 8
MOST_OPEN: Final = 12
"""Rows of a quiet run's table that are not folded."""
MOVED: Final = frozenset({Verdict.REGRESSED, Verdict.IMPROVED, Verdict.FAILED, Verdict.INVALID})
FIGURES: Final = ("flyte_ns", "handle_ns", "duration_ns")


class _Shown(NamedTuple):
    name: str
    """Plain."""
    verdict: CaseVerdict
    case: Case


def summary(results: Results) -> str:
    """Write what moved, by how much, why, on what evidence, and how to see it again."""
    shown = sorted(
        (
            _Shown(terminal.name(case.verdict), case.verdict, case)
            for case in results.cases.values()
            if case.verdict is not None
        ),
        key=lambda one: rank(one.verdict),
    )
    unjudged = [
        shortened(escaped(name.removeprefix(PREFIX)), MOST_NAME)
        for name, case in results.cases.items()
        if case.verdict is None
    ]
    verdicts = [one.verdict for one in shown]
    last = _environment(results)
    blocks = [MARK, f"### {_sign(verdicts)} flyteperf: {headline(verdicts)}"]
    moved = [one for one in shown if one.verdict.verdict in MOVED]
    others = [one for one in shown if one.verdict.verdict not in MOVED]
    tables = [_table(moved)] if moved else []
    if others:
        folded = _folded(_others(len(others), alone=not moved), _table(others))
        tables.append(folded if moved or len(others) > MOST_OPEN else _table(others))
    details = [_details(one) for one in moved if one.verdict.metrics or one.case.cause]
    if unjudged:
        details.append(f"Without a verdict: {plain(', '.join(unjudged))}.")
    return _bounded([*blocks, *tables, *details], last) + "\n"


def _others(count: int, *, alone: bool) -> str:
    if alone:
        return "all cases"
    return "1 more case" if count == 1 else f"{count} more cases"


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


def _sign(verdicts: Sequence[CaseVerdict]) -> str:
    found = {verdict.verdict for verdict in verdicts}
    if not found:
        return "⚪"
    if found & {Verdict.REGRESSED, Verdict.FAILED, Verdict.INVALID}:
        return "🔴"
    return "🟢" if found <= {Verdict.PASS, Verdict.IMPROVED} else "🟡"


def _table(shown: Sequence[_Shown]) -> str:
    figures = [
        metric
        for metric in FIGURES
        if any(m.metric == metric and m.now for one in shown for m in one.verdict.metrics)
    ]
    heads = ["case", "verdict", "what moved", *(METRICS[m].title for m in figures), "repeats"]
    ruler = ["---", "---", "---", *("--:" for _ in figures), "--:"]
    rows = [heads, ruler]
    for name, verdict, case in shown:
        by_name = {m.metric: m for m in verdict.metrics}
        label = f"{SYMBOLS[verdict.verdict]}{BLANK}{verdict.verdict.value}"
        bold = f"**{label}**" if verdict.verdict in MOVED else label
        cells = [_cell(by_name.get(metric)) for metric in figures]
        rows.append([_name(name), bold, _why(verdict, case), *cells, str(verdict.repeats)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _why(verdict: CaseVerdict, case: Case) -> str:
    moved = terminal.headline(verdict) if verdict.verdict in MOVED else ""
    clause = plain(shortened(escaped(moved or verdict.reason), 2 * MOST_NAME))
    if not case.cause:
        return clause
    return f"{clause}<br>{plain(shortened(escaped(case.cause[0]), 2 * MOST_NAME))}"


def _cell(metric: MetricVerdict | None) -> str:
    if metric is None or metric.now is None:
        return ""
    value = figure(metric.now.median, METRICS[metric.metric]).replace(" ", BLANK)
    if metric.kind is Kind.MAGNITUDE and metric.ratio is not None:
        return f"{value} ({terminal.change(metric, interval=False).replace(' ', BLANK)})"
    return value


def _details(one: _Shown) -> str:
    """A case that moved: cause, evidence, and the command that shows it again."""
    lines: list[str] = []
    if one.case.cause:
        causes = one.case.cause[:MOST_CAUSES]
        lines += ["**Cause**", "", *(f"1. {plain(escaped(line))}" for line in causes), ""]
    deciding = one.verdict.of(one.verdict.verdict)
    if deciding:
        lines += [_evidence(deciding), ""]
    elif one.verdict.reason:
        lines += [plain(escaped(one.verdict.reason)), ""]
    if one.case.again:
        lines += ["Again, here or on your machine:", "", _block(escaped(one.case.again)), ""]
    title = f"{shortened(one.name, MOST_NAME)}: {one.verdict.verdict.value}"
    return _folded(title, "\n".join(lines).rstrip())


def _evidence(metrics: Iterable[MetricVerdict]) -> str:
    rows: list[tuple[str, ...]] = [
        ("metric", "before", "now", "change", "tolerance", "repeats"),
        ("---", "--:", "--:", "---", "---", "---"),
    ]
    for metric in metrics:
        unit = METRICS[metric.metric]
        sides = metric.baseline, metric.now
        rows.append(
            (
                unit.title,
                *(UNKNOWN if side is None else figure(side.median, unit) for side in sides),
                plain(terminal.change(metric)),
                plain(terminal.limit(metric)),
                " + ".join(str(side.repeats) if side else "0" for side in sides),
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _environment(results: Results) -> str:
    subject = results.subject
    verdicts = [case.verdict for case in results.cases.values() if case.verdict is not None]
    against = next((v.baseline for v in verdicts if v.baseline is not None), None)
    config = subject.config_digest
    line = f"Flyte {_code(subject.flyte)} ({_code(subject.digest[:12])}"
    line += f", configuration {_code(config[:12])})" if config else ")"
    if against is not None:
        old, commit = against.subject, against.commit
        line += f" against {_code(old.flyte)} ({_code(old.digest[:12])}"
        line += f", {plain(against.recorded[:10])}"
        line += f" at {_code(commit[:12])})" if commit else ")"
    named = {**identity(results.environment), **machine(results.environment)}
    facts = [f"- {plain(name)}: {_code(value)}" for name, value in named.items() if value]
    facts.append(f"- pytest-flyteperf {_code(results.tool)}, {plain(results.recorded)}")
    note = "Intervals keep false alarms of the whole portfolio to 1 %."
    return f"{line}.\n\n{_folded('environment', chr(10).join([*facts, '', note]))}"


def _bounded(blocks: list[str], last: str) -> str:
    """The blocks and the last one, those that do not fit left out and counted."""
    kept: list[str] = []
    room = MOST_BYTES - len(last.encode()) - 200
    left_out = 0
    for block in blocks:
        room -= len(block.encode()) + 2
        if room < 0:
            left_out += 1
        else:
            kept.append(block)
    if left_out:
        kept.append(f"{left_out} parts did not fit here; the report of the run has them.")
    return "\n\n".join([*kept, last])


# --- Markdown -------------------------------------------------------------------------------------


def _folded(title: str, inner: str) -> str:
    safe = _unlinked(html.escape(escaped(title), quote=False))
    return f"<details>\n<summary>{safe}</summary>\n\n{inner}\n\n</details>"


def _name(name: str) -> str:
    return plain(shortened(name, MOST_NAME))


def plain(text: str) -> str:
    """`text` so that Markdown shows it as it is, also within a table, and calls nobody."""
    safe = re.sub(r"([\\`*_{}\[\]<>()#+!|~&-])", r"\\\1", text)
    return _unlinked(safe)


def _unlinked(safe: str) -> str:
    """GitHub calls whom a text names and links what looks like an address: not here."""
    return safe.replace("@", "&#64;").replace("://", "&#58;//").replace("www.", "www&#46;")


def _code(text: str) -> str:
    harmless = escaped(text).replace("`", "'").replace("|", "/")
    return f"`{shortened(harmless, MOST_NAME)}`"


def _block(text: str) -> str:
    runs = [len(run) for run in re.findall("`+", text)]
    fence = "`" * max(3, *(run + 1 for run in runs), 3)
    return f"{fence}sh\n{text}\n{fence}"
