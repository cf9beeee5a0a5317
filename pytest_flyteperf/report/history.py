"""The series of a case's runs, in lines: what `flyteperf history CASE` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_flyteperf.gate.history import levels
from pytest_flyteperf.gate.statistics import median
from pytest_flyteperf.model import METRICS
from pytest_flyteperf.report.text import Style, escaped, figure, percent, shortened, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.report.sections import Results

PLAIN: Final = Style(colour=False)
BAR: Final = 20
SUBJECT: Final = 24


class _Run(NamedTuple):
    recorded: str
    subject: str
    values: list[int]


def lines(
    case: str, metric: str, runs: Sequence[Results], *, style: Style = PLAIN
) -> tuple[str, ...]:
    """Return one line a run, oldest first, and a mark where the level changed.

    Args:
        case: key of the case in the documents.
        metric: a time or a size of `model.METRICS`.
        runs: documents of one environment; those without the case are left out.
        style: paints, or not.
    """
    series = [
        run for one in sorted(runs, key=lambda r: r.recorded) if (run := _run(one, case, metric))
    ]
    if not series:
        return (f"{escaped(case)}: no run has {METRICS[metric].title}",)
    found = levels([run.values for run in series])
    changed = {level.first: level.ratio for level in found if level.ratio is not None}
    medians = [median(run.values) for run in series]
    most = max(medians)
    rows = []
    for index, (run, middle) in enumerate(zip(series, medians, strict=True)):
        subject = shortened(escaped(run.subject), SUBJECT)
        mark = f"  <- {percent(changed[index])}" if index in changed else ""
        bar = "#" * max(1, round(BAR * middle / most))
        cells = (
            run.recorded[:16].replace("T", " "),
            subject + " " * (SUBJECT - width(subject)),
            f"{len(run.values):>4}",
            f"{figure(middle, METRICS[metric]):>11}",
            bar + " " * (BAR - len(bar)),
        )
        rows.append(("  ".join(cells) + style(mark, "bold")).rstrip())
    head = f"{escaped(case)}, {METRICS[metric].title}: {len(series)} runs, {len(found)} levels"
    return (head, *rows)


def _run(document: Results, case: str, metric: str) -> _Run | None:
    section = document.cases.get(case)
    if section is None:
        return None
    values = [v for v in section.samples.get(metric, ()) if v is not None and v > 0]
    subject = document.subject
    name = f"{subject.flyte} ({subject.digest[:8]})"
    return _Run(document.recorded, name, values) if values else None
