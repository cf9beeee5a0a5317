"""What a run says on the terminal: header, summary table, and the block of a case that fails.

Plain strings come out; the plugin writes them. Names come from users' files: they are escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_flyteperf.gate import BROKEN, DEFAULT_GATE, Kind, MetricVerdict, Verdict
from pytest_flyteperf.gate.environment import key
from pytest_flyteperf.gate.metric import BLUNT
from pytest_flyteperf.model import METRICS, Size
from pytest_flyteperf.report import text
from pytest_flyteperf.report.text import Style, escaped, figure, percent, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.gate import CaseVerdict, Drift
    from pytest_flyteperf.model import Environment, Subject

PLAIN: Final = Style(colour=False)
GAP: Final = "  "
LEAST_CASE: Final = 20
"""Columns that a longer case's name keeps, however narrow the terminal."""

COLOURS: Final = {
    Verdict.PASS: ("green",),
    Verdict.IMPROVED: ("green", "bold"),
    Verdict.REGRESSED: ("red", "bold"),
    Verdict.FAILED: ("red", "bold"),
    Verdict.INVALID: ("red",),
    Verdict.INCONCLUSIVE: ("yellow",),
    Verdict.INCOMPARABLE: ("yellow",),
    Verdict.NO_BASELINE: ("yellow",),
}

FIGURES: Final = (
    ("flyte_ns", "Flyte", 2),
    ("handle_ns", "working", 3),
    ("waiting_ns", "waiting", 6),
    ("kubernetes_ns", "Kubernetes", 7),
    ("user_ns", "user", 5),
    ("duration_ns", "duration", 4),
)
"""Metric, heading, and how early the column goes where the terminal is narrow (7 goes first)."""


class _Column(NamedTuple):
    heading: str
    cells: list[str]
    rank: int
    right: bool
    styles: list[tuple[str, ...]]

    @property
    def width(self) -> int:
        return max(text.width(cell) for cell in (self.heading, *self.cells))


def header(
    environment: Environment, subject: Subject, *, baselines: str | None = None
) -> tuple[str, ...]:
    """Lines for the top of a run: where, what, against what.

    Args:
        environment: where it is measured.
        subject: what is measured.
        baselines: directory of baselines, if the run gates.
    """
    machine = environment.machine
    config = "" if subject.config_digest is None else f" with config {subject.config_digest[:12]}"
    lines = (
        (
            f"flyteperf: Flyte {subject.flyte} ({subject.digest[:12]}){config}, "
            f"admin {environment.admin_kind.value}"
        ),
        (
            f"flyteperf: {environment.cluster_kind} cluster on {machine.cpu_count} CPUs, "
            f"{machine.memory_class}, {environment.distribution}"
        ),
        *([] if baselines is None else [f"flyteperf: against {baselines}/{key(environment)}"]),
    )
    return tuple(escaped(line) for line in lines)


def table(
    verdicts: Sequence[CaseVerdict],
    *,
    gating: bool,
    columns: int = 80,
    style: Style = PLAIN,
) -> tuple[str, ...]:
    """Lines of the summary: one case a line, medians over its repeats.

    Args:
        verdicts: in the order to show.
        gating: whether verdicts and changes are shown, or figures and what is broken.
        columns: width of the terminal; columns are left out until the rest fits.
        style: paints, or not.
    """
    if not verdicts:
        return ()
    case, *others = _columns(verdicts, gating=gating, intervals=True)
    if case.width + len(GAP) + _total(others) > columns:
        case, *others = _columns(verdicts, gating=gating, intervals=False)
    least = min(case.width, LEAST_CASE)
    while len(others) > 1 and least + len(GAP) + _total(others) > columns:
        others.remove(max(others, key=lambda column: column.rank))
    room = max(least, columns - _total(others) - len(GAP))
    case = case._replace(cells=[shortened(cell, room) for cell in case.cells])
    kept = [case, *others]
    lines = [style(_line([(c, c.heading, ()) for c in kept], style), "bold")]
    lines += [
        _line([(c, c.cells[row], c.styles[row]) for c in kept], style)
        for row in range(len(verdicts))
    ]
    return tuple(lines)


def warnings(verdicts: Sequence[CaseVerdict], *, style: Style = PLAIN) -> tuple[str, ...]:
    """Lines for what a table's cell cannot say: why a case is undecided, what was discarded."""
    undecided = {Verdict.INCONCLUSIVE, Verdict.INCOMPARABLE, Verdict.NO_BASELINE}
    lines = []
    for verdict in verdicts:
        if verdict.verdict in undecided:
            label = style(verdict.verdict.value, *COLOURS[verdict.verdict])
            lines.append(f"{name(verdict)}: {label}: {escaped(verdict.reason)}")
        lines += [f"{name(verdict)}: advice: {_clause(metric)}" for metric in _advised(verdict)]
        if blunt := _blunt(verdict):
            lines.append(f"{name(verdict)}: {blunt}")
        lines += [f"{name(verdict)}: {_drift(drift)}" for drift in verdict.drift]
        if verdict.invalid:
            count = len(verdict.invalid)
            noun = "repeat" if count == 1 else "repeats"
            why = escaped(verdict.invalid[0])
            lines.append(f"{name(verdict)}: {count} invalid {noun} discarded: {why}")
    return tuple(lines)


def _advised(verdict: CaseVerdict) -> list[MetricVerdict]:
    """Figures that grew without deciding; a case that failed has said enough."""
    if verdict.verdict is Verdict.REGRESSED:
        return []
    return [m for m in verdict.metrics if not m.gated and m.verdict is Verdict.REGRESSED]


def _blunt(verdict: CaseVerdict) -> str:
    """Times of the default gate that are advice here, because the repeats resolve too little."""
    blunt = [
        f"{METRICS[m.metric].title} to {100 * (m.resolution or 0):.0f} %"
        for m in verdict.metrics
        if not m.gated
        and m.kind is Kind.MAGNITUDE
        and m.metric in DEFAULT_GATE
        and (m.resolution or 0) > BLUNT
    ]
    if not blunt or verdict.baseline is None:
        return ""
    return f"advice only: {verdict.repeats} repeats resolve {', '.join(blunt)}"


def _drift(drift: Drift) -> str:
    at = "" if drift.commit is None else f" at {drift.commit[:12]}"
    ends = ", ".join(percent(end).removesuffix(" %") for end in (drift.low, drift.high))
    title = METRICS[drift.metric].title
    first = escaped(f"the first baseline, {drift.since[:10]}{at}")
    return f"drift: {title} {percent(drift.ratio)} [{ends}] since {first}, in accepted steps"


def failure(  # noqa: PLR0913 (a block of text and what stands in it)
    verdict: CaseVerdict,
    *,
    subject: Subject,
    cause: Sequence[str] = (),
    rerun: str | None = None,
    accept: str | None = None,
    style: Style = PLAIN,
) -> str:
    """Text of a failed case, instead of a traceback.

    Args:
        verdict: of the case.
        subject: what was measured.
        cause: lines that say what moved, strongest first; eight are shown.
        rerun: command that measures the case again.
        accept: command that makes this result the baseline.
        style: paints, or not.
    """
    label = style(
        "measurement invalid" if verdict.verdict is Verdict.INVALID else verdict.verdict.value,
        *COLOURS[verdict.verdict],
    )
    deciding = verdict.of(verdict.verdict)
    if deciding and verdict.verdict is not Verdict.INVALID:
        blocks = [f"{name(verdict)}: {label}", _evidence(deciding)]
    else:
        blocks = [f"{name(verdict)}: {label}: {escaped(verdict.reason)}"]
    if cause:
        blocks.append("\n".join(["  cause", *(f"    {escaped(c)}" for c in cause[:MOST_CAUSES])]))
    blocks.append("\n".join(f"  {line}" for line in _context(verdict, subject, rerun, accept)))
    return "\n\n".join(blocks)


MOST_CAUSES: Final = 8


def name(verdict: CaseVerdict) -> str:
    """Return the case's name, with the size where it is not the default."""
    plain = escaped(verdict.case)
    return plain if verdict.size is Size.DEFAULT else f"{plain} ({verdict.size.value})"


def _cases(verdicts: Sequence[CaseVerdict]) -> _Column:
    """Names; a size that all have in common stands in the heading."""
    styles: list[tuple[str, ...]] = [()] * len(verdicts)
    common = {verdict.size for verdict in verdicts}
    heading, names = "case", [name(verdict) for verdict in verdicts]
    if len(common) == 1 and Size.DEFAULT not in common:
        heading = f"case ({common.pop().value})"
        names = [escaped(verdict.case) for verdict in verdicts]
    return _Column(heading, names, 0, right=False, styles=styles)


def _columns(verdicts: Sequence[CaseVerdict], *, gating: bool, intervals: bool) -> list[_Column]:
    none: list[tuple[str, ...]] = [()] * len(verdicts)
    columns = [_cases(verdicts)]
    told = [v.verdict if gating or v.verdict in BROKEN else None for v in verdicts]
    if any(told):
        cells = [verdict.value if verdict else "" for verdict in told]
        styles = [COLOURS[verdict] if verdict else () for verdict in told]
        columns.append(_Column("verdict", cells, 0, right=False, styles=styles))
    for metric, heading, rank in FIGURES:
        if metric not in METRICS:
            continue
        medians = [_median(v, metric) for v in verdicts]
        if any(median is not None for median in medians):
            cells = ["" if m is None else figure(m, METRICS[metric]) for m in medians]
            columns.append(_Column(heading, cells, rank, right=True, styles=none))
    repeats = [str(v.repeats) for v in verdicts]
    columns.append(_Column("n", repeats, 1, right=True, styles=none))
    if gating:
        changes = [_headline(v, intervals=intervals) for v in verdicts]
        columns.append(_Column("change", changes, 0, right=False, styles=none))
    return columns


def _total(columns: Sequence[_Column]) -> int:
    return sum(column.width + len(GAP) for column in columns) - len(GAP)


def _line(cells: Sequence[tuple[_Column, str, tuple[str, ...]]], style: Style) -> str:
    parts = []
    for column, cell, styles in cells:
        pad = " " * (column.width - text.width(cell))
        painted = style(cell, *styles)
        parts.append(pad + painted if column.right else painted + pad)
    return GAP.join(parts).rstrip()


def _median(verdict: CaseVerdict, metric: str) -> float | None:
    for one in verdict.metrics:
        if one.metric == metric and one.now is not None:
            return one.now.median
    return None


def _headline(verdict: CaseVerdict, *, intervals: bool) -> str:
    """The change that decides the case, or that of working time where none does: then told apart.

    In a case that passes by its counts alone, a time that nothing gates may have grown a lot.
    """
    deciding = verdict.of(verdict.verdict) if verdict.verdict is not Verdict.PASS else ()
    timed = [m for m in verdict.metrics if m.metric in {"handle_ns", "flyte_ns", "duration_ns"}]
    for metric in (*deciding, *sorted(timed, key=lambda m: m.metric != "handle_ns")):
        if metric.ratio is not None or (metric.kind is Kind.EXACT and metric.baseline):
            told = f"{METRICS[metric.metric].title} {change(metric, interval=intervals)}"
            return told if metric.gated else f"{told}, advice"
    return ""


def headline(verdict: CaseVerdict) -> str:
    """What moved most of what decides a case, with its interval; empty where nothing did."""
    decided = verdict.of(verdict.verdict)
    if not decided or verdict.verdict not in {Verdict.REGRESSED, Verdict.IMPROVED}:
        return ""
    strongest = max(decided, key=lambda m: abs((m.ratio or 1.0) - 1))
    rest = "" if len(decided) == 1 else f", and {len(decided) - 1} more"
    return f"{METRICS[strongest.metric].title} {change(strongest)}{rest}"


def change(metric: MetricVerdict, *, interval: bool = True) -> str:
    """Estimate and interval: `+12.5 % [+8.0, +17.2]`; counts as `12 -> 31`."""
    unit = METRICS[metric.metric]
    if metric.kind is not Kind.MAGNITUDE:
        before = None if metric.baseline is None else metric.baseline.median
        now = None if metric.now is None else metric.now.median
        if metric.now is not None and metric.kind is Kind.EXACT:
            now = metric.now.most if before != metric.now.most else metric.now.least
        return f"{figure(before, unit)} -> {figure(now, unit)}"
    if not interval:
        return percent(metric.ratio)
    ends = (percent(end).removesuffix(" %") for end in (metric.low, metric.high))
    return f"{percent(metric.ratio)} [{', '.join(ends)}]"


def _clause(metric: MetricVerdict) -> str:
    return f"{METRICS[metric.metric].title}: {escaped(metric.reason)}"


FIGURE_CELLS: Final = {1, 2}
"""Columns of the evidence that hold one figure each, aligned to the right."""


def _evidence(metrics: Sequence[MetricVerdict]) -> str:
    headings = ("metric", "baseline", "now", "change", "tolerance", "repeats")
    rows = [headings]
    for metric in metrics:
        unit = METRICS[metric.metric]
        counts = [str(s.repeats) if s else "0" for s in (metric.baseline, metric.now)]
        rows.append(
            (
                unit.title,
                figure(metric.baseline.median if metric.baseline else None, unit),
                figure(metric.now.median if metric.now else None, unit),
                change(metric),
                limit(metric),
                " + ".join(counts),
            )
        )
    return "\n".join(f"  {line}" for line in text.aligned(rows, right=FIGURE_CELLS))


def limit(metric: MetricVerdict) -> str:
    """The growth that is accepted, and where that limit comes from; `exact` for exact counts."""
    if metric.kind is Kind.EXACT:
        return "exact"
    if metric.tolerance is None:
        return metric.tolerance_from or ""
    if metric.kind is Kind.RANGED and metric.baseline is not None:
        return f"+{metric.tolerance * metric.baseline.median:.3g} {metric.tolerance_from or ''}"
    return f"{100 * metric.tolerance:.1f} % {metric.tolerance_from or ''}".rstrip()


def _context(
    verdict: CaseVerdict, subject: Subject, rerun: str | None, accept: str | None
) -> list[str]:
    lines = []
    if verdict.baseline is not None:
        recorded = verdict.baseline.recorded[:10]
        commit = verdict.baseline.commit
        at = "" if commit is None else f" at {commit[:12]}"
        lines.append(f"baseline  Flyte {subject_shown(verdict.baseline.subject)}, {recorded}{at}")
    lines.append(f"now       Flyte {subject_shown(subject)}")
    if rerun is not None:
        lines.append(f"again     {rerun}")
    if accept is not None:
        lines.append(f"accept    {accept}")
    return [escaped(line) for line in lines]


def subject_shown(subject: Subject) -> str:
    """A Flyte in a few words: reference, digest, configuration."""
    config = "" if subject.config_digest is None else f", config {subject.config_digest[:12]}"
    return f"{subject.flyte} ({subject.digest[:12]}{config})"
