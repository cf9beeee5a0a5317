"""How sharply a case is gated, and how fast the machine was: lines for `-v`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_flyteperf.gate import Kind
from pytest_flyteperf.gate.statistics import median
from pytest_flyteperf.model import METRICS
from pytest_flyteperf.report.text import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_flyteperf.gate import CaseVerdict
    from pytest_flyteperf.model import Measures

PER_CENT_PPM: Final = 10_000


def lines(verdict: CaseVerdict, measures: Sequence[Measures]) -> Iterator[str]:
    """Say what changes of which times the repeats tell from none, and what the canaries sang.

    Args:
        verdict: of the case; without a comparison it has nothing to resolve.
        measures: of its repeats.
    """
    resolved = [
        f"{METRICS[m.metric].title} \N{PLUS-MINUS SIGN}{100 * m.resolution:.0f} %"
        for m in verdict.metrics
        if m.kind is Kind.MAGNITUDE and m.gated and m.resolution is not None
    ]
    if resolved:
        yield f"  resolves {', '.join(resolved)}"
    sung = []
    titles = {"cpu_ns": "CPU", "api_write_ns": "API write", "servers_cpu_ns": "servers' CPU"}
    for name, title in titles.items():
        if figures := [m.canaries[name] for m in measures if name in m.canaries]:
            sung.append(f"{title} {duration(median(figures))}")
    if others := [m.canaries["other_cpu_ppm"] for m in measures if "other_cpu_ppm" in m.canaries]:
        sung.append(f"others use {median(others) / PER_CENT_PPM:.0f} % of the CPUs")
    if sung:
        yield f"  canaries: {', '.join(sung)}"
