"""What is asked of a test's case: its name, its plan, its policy and its needs.

What was typed wins over the test's marker, that over the ini file, that over what the size says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate import Policy
from pytest_flyteperf.gate.policy import COMPARISONS, COMPARISONS_A_CASE
from pytest_flyteperf.model import METRICS, RunPlan, Size
from pytest_flyteperf.run import is_benchmark
from pytest_flyteperf.settings import LEAST_BLOCK

if TYPE_CHECKING:
    import pytest

    from pytest_flyteperf.settings import Settings

REPEATS = {Size.SHORT: 3, Size.DEFAULT: 10, Size.FULL: 30, Size.NIGHTLY: 1}
WARMUPS = {Size.SHORT: 0, Size.DEFAULT: 1, Size.FULL: 2, Size.NIGHTLY: 0}
BUDGET = 2
"""How many times its planned repeats a case may take."""
_TIMES = tuple(name for name, metric in METRICS.items() if metric.unit == "ns")
_MARKER_KEYS = ("repeats", "warmups", "timeout", "tolerance", "gate", "needs")


def case_name(item: pytest.Item) -> str:
    """The name that baselines know a test by: `test_chain[3]` is `chain-3`.

    Raises:
        UsageError: nothing is left of it.
    """
    name = re.sub(r"[^A-Za-z0-9._]+", "-", item.name.removeprefix("test_")).strip("-.")
    if not name:
        raise UsageError(f"{item.nodeid}: no case name is left of the test's; name it test_<case>")
    return name


def check_name(item: pytest.Item) -> None:
    """Check that a test's case is not another's too.

    Raises:
        UsageError: an earlier test of this run is the same case.
    """
    name = case_name(item)
    first = next(
        (one for one in item.session.items if is_benchmark(one) and case_name(one) == name), item
    )
    if first is not item:
        raise UsageError(f"{item.nodeid} and {first.nodeid} are both case {name!r}; rename one")


def marker(item: pytest.Item) -> dict[str, Any]:
    """What `@pytest.mark.flyteperf` says of a test; the closest marker wins key by key.

    Raises:
        UsageError: it has positional arguments or unknown keys.
    """
    merged: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("flyteperf"))):
        unknown = [repr(a) for a in mark.args] + [k for k in mark.kwargs if k not in _MARKER_KEYS]
        if unknown:
            keys = ", ".join(_MARKER_KEYS)
            raise UsageError(f"{item.nodeid}: marker flyteperf: {unknown[0]} is none of {keys}")
        merged |= mark.kwargs
    return merged


def needs(item: pytest.Item) -> tuple[str, ...]:
    """Custom resource definitions that a test's case cannot run without.

    Raises:
        UsageError: they are something else than names.
    """
    given = marker(item).get("needs", ())
    if isinstance(given, str) or not all(isinstance(name, str) for name in given):
        raise UsageError(
            f"{item.nodeid}: marker flyteperf: needs={given!r}: give a list of names such as "
            '["rayjobs.ray.io"]'
        )
    return tuple(given)


def run_plan(item: pytest.Item, settings: Settings) -> RunPlan:
    """How a test's case is repeated: what was typed, else its marker, ini file, size's default.

    In a comparison of two Flytes this is the plan of one block.

    Raises:
        UsageError: the marker holds something else than numbers.
    """
    size = Size(settings.size)

    def number(key: str, default: int) -> int:
        asked: int | None = getattr(settings, key)
        marked = _marked(item, key, size)
        if key == "repeats" and settings.base is not None:
            marked = LEAST_BLOCK
        order = (asked, marked) if key in settings.typed else (marked, asked)
        return next(one for one in (*order, default) if one is not None)

    warmups = WARMUPS[size] if settings.base is None else max(1, WARMUPS[size])
    timeout_s = settings.timeout_s
    if "timeout_s" not in settings.typed:
        timeout_s = float(marker(item).get("timeout", timeout_s))
    return RunPlan(
        warmups=number("warmups", warmups),
        repeats=number("repeats", REPEATS[size]),
        timeout_s=timeout_s,
        seed=settings.seed,
    )


def policy(item: pytest.Item, settings: Settings, cases: int = 1) -> Policy:
    """How a test's case is gated: what was typed, else its marker, ini file, the default.

    Tolerances add up metric by metric. Where the number of repeats was not typed, a case may take
    up to twice its own while its verdict is open; in a comparison of two Flytes, as many blocks as
    are allowed.

    Args:
        item: the test.
        settings: of the run.
        cases: of the run; a comparison of two Flytes keeps its false alarms over these.

    Raises:
        UsageError: a metric is unknown, or a tolerance is none.
    """
    marked = marker(item)
    tolerances = [_shares(settings.tolerance), _tolerances(item, marked.get("tolerance"))]
    gates = [_names(settings.gate), marked.get("gate")]
    if "tolerance" not in settings.typed:
        tolerances.reverse()
    if "gate" not in settings.typed:
        gates.reverse()
    gate = next((one for one in gates if one is not None), None)
    strongest, other = tolerances
    return Policy(
        gate=None if gate is None else tuple(gate),
        tolerances={**other, **strongest},
        budget=_budget(settings, run_plan(item, settings).repeats),
        comparisons=COMPARISONS if settings.base is None else COMPARISONS_A_CASE * max(1, cases),
        strict=settings.strict,
    )


def _budget(settings: Settings, repeats: int) -> int | None:
    """How many repeats a case, or its head, may take in all."""
    if settings.base is not None:
        return settings.blocks * repeats
    return None if "repeats" in settings.typed else BUDGET * repeats


def _tolerances(item: pytest.Item, asked: object) -> dict[str, float]:
    """A marker's tolerance by metric; a single one is of every time."""
    if asked is None:
        return {}
    given = asked if isinstance(asked, Mapping) else dict.fromkeys(_TIMES, asked)
    for name, share in given.items():
        if isinstance(share, bool) or not isinstance(share, int | float):
            raise UsageError(
                f"{item.nodeid}: marker flyteperf: tolerance {share!r} of {name}; "
                "give a share such as 0.05 for 5 %"
            )
    return dict(given)


def _shares(text: str | None) -> dict[str, float]:
    """Tolerances as they are typed: `0.05`, or `handle_ns=0.05,duration_ns=0.1`."""
    shares: dict[str, float] = {}
    for part in [] if text is None else text.split(","):
        name, _, share = part.rpartition("=")
        try:
            shares |= dict.fromkeys([name.strip()] if name else _TIMES, float(share))
        except ValueError:
            raise UsageError(
                f"--flyteperf-tolerance: {part!r}; give a share such as 0.05, or shares by metric "
                "such as handle_ns=0.05,duration_ns=0.1"
            ) from None
    return shares


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(","))


def _marked(item: pytest.Item, key: str, size: Size) -> int | None:
    value = marker(item).get(key)
    if isinstance(value, Mapping):
        value = value.get(size.value)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UsageError(f"{item.nodeid}: marker flyteperf: {key}={value!r} is no number of {key}")
    return value
