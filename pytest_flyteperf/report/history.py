"""The series of a case's runs, in lines: what `flyteperf history CASE` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_flyteperf.gate.environment import key
from pytest_flyteperf.gate.history import levels
from pytest_flyteperf.gate.statistics import median
from pytest_flyteperf.model import METRICS, Frozen, Size
from pytest_flyteperf.report.runs import Run, of_case
from pytest_flyteperf.report.text import Style, escaped, figure, percent, shortened, width

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN: Final = Style(colour=False)
BAR: Final = 20
SUBJECT: Final = 24


class Point(Frozen, frozen=True):
    """One run of the series."""

    recorded: str
    flyte: str
    digest: str
    repeats: int
    median: float
    """In the metric's own unit."""
    ratio: float | None
    """Of this level's median to that of the level before, where a level begins; else None."""


class Series(Frozen, frozen=True):
    """The runs of one environment that measured a case, oldest first."""

    case: str
    size: Size
    metric: str
    environment: str | None
    """Key of the environment, None without runs."""
    points: tuple[Point, ...]
    levels: int
    elsewhere: int
    """Runs of other environments, which are left out."""


def series(case: str, size: Size, metric: str, runs: Sequence[Run]) -> Series:
    """Gather a case's runs in the environment that measured it last.

    Args:
        case: its name.
        size: as it ran.
        metric: name in `model.METRICS`; repeats in which it is 0 or unknown are left out.
        runs: oldest first.
    """
    sampled = [
        (run, values)
        for run, one in of_case(runs, case, size)
        if (values := [v for v in one.samples.get(metric, ()) if v])
    ]
    here = key(sampled[-1][0].environment) if sampled else None
    own = [(run, values) for run, values in sampled if key(run.environment) == here]
    found = levels([values for _, values in own])
    begun = {level.first: level.ratio for level in found}
    return Series(
        case=case,
        size=size,
        metric=metric,
        environment=here,
        points=tuple(
            Point(
                recorded=run.recorded,
                flyte=run.subject.flyte,
                digest=run.subject.digest,
                repeats=len(values),
                median=median(values),
                ratio=begun.get(index),
            )
            for index, (run, values) in enumerate(own)
        ),
        levels=len(found),
        elsewhere=len(sampled) - len(own),
    )


def lines(shown: Series, *, style: Style = PLAIN) -> tuple[str, ...]:
    """Return one line a run, and a mark where the level changed."""
    case, metric = escaped(shown.case), METRICS[shown.metric]
    if not shown.points:
        return (f"{case} ({shown.size}): no run has {metric.title}",)
    most = max(point.median for point in shown.points)
    rows = []
    for point in shown.points:
        flyte = shortened(escaped(f"{point.flyte} ({point.digest[:8]})"), SUBJECT)
        bar = "#" * max(1, round(BAR * point.median / most))
        cells = (
            point.recorded[:16].replace("T", " "),
            flyte + " " * (SUBJECT - width(flyte)),
            f"{point.repeats:>4}",
            f"{figure(point.median, metric):>11}",
            bar + " " * (BAR - len(bar)),
        )
        mark = "" if point.ratio is None else f"  <- {percent(point.ratio)}"
        rows.append(("  ".join(cells) + style(mark, "bold")).rstrip())
    noun = "level" if shown.levels == 1 else "levels"
    head = (
        f"{case} ({shown.size}), {metric.title}, {shown.environment}: "
        f"{len(shown.points)} runs, {shown.levels} {noun}"
    )
    left_out = f"{shown.elsewhere} runs of other environments are left out"
    return (head, *rows, *([left_out] if shown.elsewhere else []))
