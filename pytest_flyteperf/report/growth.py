"""How a case grows with its size, in lines for the terminal and rows for documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_flyteperf.report.text import duration, escaped, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_flyteperf.model import Scaling, ScalingSlope

SHOWN: Final = {
    ("duration_ns", "node"): "duration",
    ("handle_ns", "node"): "working",
    ("crd_writes", "node"): "CRD writes",
    ("peak_bytes", "node"): "CRD size",
    ("round_ns", "byte"): "a round",
    ("crd_write_ns", "byte"): "a CRD write",
}
"""Slopes that are told, metric and unit of size, and what they are called."""
KIB: Final = 1 << 10


def lines(title: str, scaling: Scaling) -> Iterator[str]:
    """What a unit more costs, with 95 % intervals, and how far the limits are."""
    sizes = ", ".join(map(str, scaling.sizes))
    yield f"{escaped(title)}: growth over {sizes}, with 95 % intervals"
    for slope in scaling.slopes:
        name = SHOWN.get((slope.metric, slope.per))
        if name is not None:
            unit = "KiB of CRD" if slope.per == "byte" else "unit"
            low, middle, high = (_told(slope, x) for x in (slope.low, slope.per_unit, slope.high))
            knee = "" if slope.knee is None else f", another beyond {slope.knee:g}"
            yield f"  {name} {middle} [{low}, {high}] a {unit}{knee}"
    for cliff in scaling.cliffs:
        reached = "never reached" if cliff.nodes is None else f"reached at {cliff.nodes:,}"
        yield f"  {cliff.limit}: {100 * cliff.share:.1f} % used at {scaling.sizes[-1]}, {reached}"


def _told(slope: ScalingSlope, value: float) -> str:
    if slope.per == "byte":
        value *= KIB
    if slope.metric.endswith("_ns"):
        return duration(value)
    if slope.metric.endswith("_bytes"):
        return size(value)
    return f"{round(value, 2) + 0.0:.2f}"  # no signed zero
