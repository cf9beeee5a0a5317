"""Owners as the page shows them: their classes of colour, their names, their stacked bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_flyteperf.report.text import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAMES: Final = {
    "flyte-working": "Flyte, working",
    "flyte-waiting": "Flyte, waiting",
    "kubernetes": "Kubernetes",
    "external": "external",
    "held": "held",
    "backoff": "backoff",
    "user": "user",
    "user-compile": "user, compiling",
    "user-lost": "user, lost",
    "unknown": "unknown",
    "subnodes": "nodes beneath",
}
"""Class of colour to its name, in the order of bars and legends."""
_USER: Final = {"lost": "user-lost", "compile": "user-compile"}
_WORKING: Final = frozenset({"working", "admission"})


class Share(NamedTuple):
    """A part of a bar."""

    colour: str
    name: str
    time: str
    percent: float
    """Of the bar's scale."""
    at: float
    """Where it begins, in percent of the scale."""


def colour(owner: str, detail: str) -> str:
    """Class of colour of an owner's time."""
    if owner == "flyte":
        return "flyte-working" if detail in _WORKING else "flyte-waiting"
    if owner == "user":
        return _USER.get(detail, "user")
    return owner if owner in NAMES else "unknown"


def coloured(times: Iterable[tuple[str, str, float]]) -> dict[str, float]:
    """Nanoseconds by class of colour, from (owner, detail, nanoseconds)."""
    sums = dict.fromkeys(NAMES, 0.0)
    for owner, detail, ns in times:
        sums[colour(owner, detail)] += ns
    return {name: ns for name, ns in sums.items() if ns}


def bar(times: Mapping[str, float], scale_ns: float) -> tuple[Share, ...]:
    """The parts of a stacked bar, whose whole width stands for `scale_ns`."""
    shares = []
    at = 0.0
    for name, ns in times.items():
        percent = 100 * ns / scale_ns if scale_ns else 0.0
        shares.append(Share(name, NAMES[name], duration(ns), round(percent, 3), round(at, 3)))
        at += percent
    return tuple(shares)
