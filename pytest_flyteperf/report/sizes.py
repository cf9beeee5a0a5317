"""How large the FlyteWorkflow objects of a case became, over its repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_flyteperf.gate.statistics import median
from pytest_flyteperf.report.gather import counts, grouped
from pytest_flyteperf.report.sections import Counts, Limit, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_flyteperf.model import LimitUse, Measures

ALWAYS: Final = (
    "revisions",
    "written_bytes",
    "peak_bytes",
    "peak_spec_bytes",
    "peak_status_bytes",
    "peak_gzip_bytes",
)
"""What every watched repeat knows; of the rest only what its workflow has."""
SOMETIMES: Final = (
    "peak_binary_bytes",
    "peak_plugin_bytes",
    "node_bytes",
    "array_item_bytes",
    "dynamic_child_bytes",
    "node_growth_bytes",
)


def state(measures: Sequence[Measures]) -> State | None:
    """Return how large the workflow object became; None where no repeat was watched."""
    watched = [m.state for m in measures if m.state is not None]
    if not watched:
        return None

    def figures(names: Iterable[str]) -> dict[str, Counts]:
        found = {name: counts(getattr(one, name) for one in watched) for name in names}
        return {name: figure for name, figure in found.items() if figure is not None}

    return State(
        **figures(ALWAYS),
        **figures(SOMETIMES),
        write_amplification=_middle(one.write_amplification for one in watched),
        round_ns_per_byte=_middle(
            one.round_cost.ns_per_byte for one in watched if one.round_cost is not None
        ),
        limits=_limits([one.limits for one in watched]),
    )


def _middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(median(known)), 3) if known else None


def _limits(used: Sequence[Sequence[LimitUse]]) -> tuple[Limit, ...]:
    found = grouped((one for limits in used for one in limits), lambda one: one.limit)
    return tuple(
        Limit(
            limit=limit,
            limit_bytes=ones[0].limit_bytes,
            used_bytes=counts(one.used_bytes for one in ones),
            nodes=counts(one.nodes for one in ones),
        )
        for limit, ones in found.items()
    )
