"""Verdicts in a glance: their marks, their order, a run in one sentence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pytest_flyteperf.gate import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.gate import CaseVerdict

SYMBOLS: Final = {
    Verdict.REGRESSED: "▲",
    Verdict.FAILED: "✕",
    Verdict.INVALID: "!",
    Verdict.INCONCLUSIVE: "~",
    Verdict.INCOMPARABLE: "≠",
    Verdict.NO_BASELINE: "○",
    Verdict.IMPROVED: "▼",
    Verdict.PASS: "✓",
}
"""Verdicts, worst first, with a mark that needs no colour."""
BAD: Final = (Verdict.REGRESSED, Verdict.FAILED, Verdict.INVALID)
_ORDER: Final = list(SYMBOLS)


def rank(verdict: CaseVerdict) -> tuple[int, float, str]:
    """Order of cases: worst verdict, then largest change, then name."""
    ratios = [abs((m.ratio or 1.0) - 1) for m in verdict.of(verdict.verdict)]
    return _ORDER.index(verdict.verdict), -max(ratios, default=0.0), verdict.case


def headline(verdicts: Sequence[CaseVerdict]) -> str:
    """A run in one sentence."""
    if not verdicts:
        return "no case ran"
    counts = Counter(verdict.verdict for verdict in verdicts)
    whole = "1 case" if len(verdicts) == 1 else f"{len(verdicts)} cases"
    bad = [f"{counts[one]} {one.value}" for one in BAD if counts[one]]
    if bad:
        return f"{', '.join(bad)} of {whole}"
    if set(counts) == {Verdict.NO_BASELINE}:
        return f"{whole} measured, no baseline"
    if set(counts) == {Verdict.PASS}:
        return f"{whole}, no regression"
    named = ", ".join(f"{counts[one]} {one.value}" for one in _ORDER if counts[one])
    return f"no regression: {named}"
