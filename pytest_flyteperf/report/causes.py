"""The cause of a change, in lines: counts first, then operations, then parts of the duration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_flyteperf.gate import Verdict
from pytest_flyteperf.model import METRICS
from pytest_flyteperf.report.text import duration

if TYPE_CHECKING:
    from pytest_flyteperf.gate import CaseVerdict
    from pytest_flyteperf.gate.cause import Cause, Noted, Operation, Part

WORKING: Final = frozenset({"handle_ns", "working_ns"})
ELAPSED: Final = frozenset(
    {"duration_ns", "flyte_ns", "overhead_ns", "waiting_ns", "kubernetes_ns", "held_ns"}
)


def lines(verdict: CaseVerdict, cause: Cause) -> tuple[str, ...]:
    """Return the cause, strongest evidence first; empty where nothing is known of it."""
    counted = [f"{METRICS[c.metric].title} {c.before:g} -> {c.now:g}" for c in cause.counted]
    moved = verdict.of(Verdict.REGRESSED) or verdict.of(Verdict.IMPROVED)
    if verdict.of(Verdict.REGRESSED):
        counted += [_noted(n) for n in cause.noted]
    timed = {m.metric for m in moved}
    operations = [_operation(o) for o in cause.operations] if timed & (WORKING | ELAPSED) else []
    parts = [_part(p) for p in cause.parts] if timed & ELAPSED else []
    if not timed & WORKING:
        return (*counted, *parts, *operations)
    return (*counted, *operations, *parts)


def _noted(noted: Noted) -> str:
    return (
        f"{noted.check} in {noted.repeats} of {noted.of} repeats, one of them with {noted.evidence}"
    )


def _part(part: Part) -> str:
    share = f"{100 * part.share:.0f} % of the duration's change"
    return f"{part.owner} {part.detail} in {part.kind} nodes {_signed(part.shift_ns)}, {share}"


def _operation(operation: Operation) -> str:
    before, now = operation.before, operation.now
    share = f"{100 * operation.share:.0f} % of working time's change"
    if before.calls == 0:
        calls = f"{_calls(now.calls)} calls, none before"
    elif abs(now.calls - before.calls) < 0.05 * before.calls:
        calls = f"{_calls(now.calls)} calls"
    else:
        calls = f"{_calls(before.calls)} -> {_calls(now.calls)} calls"
    each = [duration(cost.ns / cost.calls) for cost in (before, now) if cost.calls]
    shown = " -> ".join(dict.fromkeys(each))
    return f"{operation.name} {_signed(operation.shift_ns)}, {share}: {calls}, {shown} each"


def _calls(calls: float) -> str:
    return f"{calls:.0f}" if calls >= 10 or calls == round(calls) else f"{calls:.1f}"  # noqa: PLR2004 (two figures)


def _signed(ns: int) -> str:
    return f"+{duration(ns)}" if ns > 0 else duration(ns)
