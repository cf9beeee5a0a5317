"""What a run is about to measure: known, and checked, before anything starts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_flyteperf import asked
from pytest_flyteperf.run import is_benchmark
from pytest_flyteperf.settings import Settings
from pytest_flyteperf.stack import check_comparison


class Agenda(NamedTuple):
    """The cases of a run, and lines that say so."""

    cases: tuple[str, ...]
    lines: tuple[str, ...]
    executions: dict[str, int]
    """Of each case, warm-ups included; with two Flytes in turns at most so many."""


def agenda(items: Iterable[pytest.Item], settings: Settings) -> Agenda:
    """What the benchmarks among the tests are going to measure.

    Raises:
        UsageError: a marker is wrong, or two Flytes do not compare.
    """
    check_comparison(settings)
    executions: dict[str, int] = {}
    repeats = 0
    for item in filter(is_benchmark, items):
        plan = asked.run_plan(item, settings)
        repeats += plan.repeats
        asked.policy(item, settings)
        asked.needs(item)
        turns = 1 if settings.base is None else 2 * settings.blocks
        executions[asked.case_name(item)] = turns * (plan.warmups + plan.repeats)
    lines = tuple(_lines(len(executions), repeats, settings))
    return Agenda(tuple(executions), lines, executions)


def _lines(cases: int, repeats: int, settings: Settings) -> Iterable[str]:
    if settings.cluster != "existing":
        what = f"Flyte {settings.flyte} on a {settings.cluster} cluster"
    elif settings.install:
        what = f"Flyte {settings.flyte} on an existing cluster"
    else:
        what = "the Flyte of an existing cluster"
    size = f"size {settings.size}"
    counted = "1 case" if cases == 1 else f"{cases} cases"
    if settings.base is not None:
        blocks = f"at most {settings.blocks} blocks of either Flyte in turns"
        yield f"flyteperf: {counted}, {size}, {what}"
        each = f"{repeats // max(1, cases)} repeats a block"
        yield f"flyteperf: against {settings.base}, {blocks}, {each}"
        return
    gate = f"against {_shown(settings)}" if settings.baseline else "no gate"
    yield f"flyteperf: {counted}, {repeats} repeats, {size}, {gate}"
    yield f"flyteperf: {what}"


def _shown(settings: Settings) -> Path:
    """The folder of baselines as it is typed in the project."""
    folder, root = settings.baseline_dir, settings.root
    return folder.relative_to(root) if folder.is_relative_to(root) else folder
