"""Whose time it was, as the page's bars show it: now and before, by owner and by kind of node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_flyteperf.report.page import owners
from pytest_flyteperf.report.text import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.model import KindMeasures, Measures
    from pytest_flyteperf.report.page.content import CaseContent


def _now(valid: Sequence[Measures]) -> dict[str, float]:
    owned = [m.ownership for m in valid if m.ownership is not None]
    return owners.coloured(
        (part.owner, part.detail, part.point_ns / len(owned)) for o in owned for part in o.owners
    )


def _before(content: CaseContent) -> dict[str, float]:
    """The critical path of what it is compared with, the mean of its sessions."""
    sessions = [s.parts for s in content.baseline.sessions if s.parts] if content.baseline else []
    return owners.coloured(
        (owner, detail, ns / len(sessions))
        for parts in sessions
        for name, ns in parts.items()
        for _, owner, detail in (name.split("/", 2),)
    )


def bars(content: CaseContent) -> tuple[tuple[str, str, tuple[owners.Share, ...]], ...]:
    """Who it is, its whole time, its parts: now, and before where that is known."""
    sides = [(content.now, _now(content.valid)), (content.before, _before(content))]
    known = [(who, times) for who, times in sides if times]
    scale = max((sum(times.values()) for _, times in known), default=0.0)
    return tuple(
        (who, duration(sum(times.values())), owners.bar(times, scale)) for who, times in known
    )


def glance(content: CaseContent) -> tuple[owners.Share, ...]:
    """The parts of now, in their own scale."""
    times = _now(content.valid)
    return owners.bar(times, sum(times.values()))


def moved(content: CaseContent) -> tuple[tuple[str, str, str, str], ...]:
    """Colour, owner, before and now, difference."""
    before, now = _before(content), _now(content.valid)
    rows = []
    for name in owners.NAMES:
        old, new = before.get(name), now.get(name)
        if old is None and new is None:
            continue
        shown = f"{duration(old or 0)} → {duration(new or 0)}" if before else duration(new or 0)
        shift = round((new or 0) - (old or 0))
        signed = f"+{duration(shift)}" if shift > 0 else duration(shift) if shift else ""
        rows.append((name, owners.NAMES[name], shown, signed if before else ""))
    return tuple(rows)


def kinds(
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
