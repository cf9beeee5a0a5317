"""What changed between two runs: a document with the keys of the results, and signed figures."""

from __future__ import annotations

from typing import Any

from pytest_flyteperf.model import Size
from pytest_flyteperf.report.sections import (
    SCHEMA,
    Case,
    Component,
    Delta,
    Kind,
    Limit,
    Node,
    Noticed,
    Owner,
    Place,
    Results,
    Section,
    Signal,
)

LEFT_OUT = frozenset({"verdict", "samples", "estimates", "sources", "cause", "again"})


def delta(before: Results, now: Results) -> Delta:
    """Subtract an earlier run from a later one, figure by figure."""
    return Delta(
        schema_version=SCHEMA,
        before=before.subject,
        now=now.subject,
        cases={
            name: _difference(before.cases[name], section)
            for name, section in now.cases.items()
            if name in before.cases
        },
        only_before=tuple(name for name in before.cases if name not in now.cases),
        only_now=tuple(name for name in now.cases if name not in before.cases),
    )


def _difference(before: Case, now: Case) -> Case:
    """Subtract every figure of two sections; what either lacks is lacking."""
    difference: Case = _less(before, now)
    return difference


def _less(old: object, new: object) -> Any:  # noqa: ANN401 (a field of any section)
    if isinstance(old, Section) and isinstance(new, Section):
        fields = (f for f in new.__struct_fields__ if f not in LEFT_OUT)
        return type(new)(**{f: _field(f, getattr(old, f), getattr(new, f)) for f in fields})
    if isinstance(old, tuple) and isinstance(new, tuple):
        return _matched(old, new)
    if isinstance(old, int | float) and isinstance(new, int | float):
        return new - old
    return None


def _field(name: str, old: object, new: object) -> Any:  # noqa: ANN401 (a field of any section)
    """Names and places are no figures: they stay as they are now."""
    if isinstance(new, str | Size) or name == "execution":
        return new
    return _less(old, new)


def _matched(old: tuple[object, ...], new: tuple[object, ...]) -> tuple[Any, ...]:
    """Subtract what both lists know, by what they know it by."""
    listed = Owner | Node | Place | Kind | Component | Signal | Noticed | Limit
    before = {one.identity: one for one in old if isinstance(one, listed)}
    return tuple(
        _less(before[one.identity], one)
        for one in new
        if isinstance(one, listed) and one.identity in before
    )
