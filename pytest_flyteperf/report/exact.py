"""Times with a unit that lose nothing: `4.803124512 s`, and back to nanoseconds."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"s": 9, "ms": 6, "µs": 3, "ns": 0}
_FORM: Final = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))? (s|ms|µs|ns)", re.ASCII)


def written(ns: int) -> str:
    """Nanoseconds in the largest unit that leaves a whole part, exactly."""
    if ns == 0:
        return "0 s"
    sign, magnitude = ("-" if ns < 0 else ""), abs(ns)
    for unit, digits in _UNITS.items():
        whole, rest = divmod(magnitude, 10**digits)
        if whole or unit == "ns":
            fraction = f".{rest:0{digits}}".rstrip("0").rstrip(".") if rest else ""
            return f"{sign}{whole}{fraction} {unit}"
    raise AssertionError("every number of nanoseconds has a unit")


def parsed(text: str) -> int:
    """Nanoseconds that `written` wrote.

    Raises:
        ValueError: the text is no time, or not in whole nanoseconds.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError(f"{text[:40]!r} is no time such as 4.803124512 s")
    sign, whole, fraction, unit = form.groups(default="")
    digits = _UNITS[unit]
    if len(fraction) > digits:
        raise ValueError(f"{text!r} is finer than a nanosecond")
    ns = int(whole + fraction.ljust(digits, "0"))
    return -ns if sign else ns
