"""Instants and durations of proto JSON and Kubernetes as integer nanoseconds.

The standard library's datetime keeps microseconds only, and admin's stamps have nanoseconds.
"""

from __future__ import annotations

from functools import lru_cache

SECOND_NS = 1_000_000_000

_DIGITS = 9
_USUAL = len(".123456789Z")


@lru_cache(maxsize=1 << 14)
def _seconds(stamp: str) -> int:
    """Seconds from the Unix epoch to `YYYY-MM-DDTHH:MM:SS`, UTC.

    The count of days is Howard Hinnant's `days_from_civil`
    (https://howardhinnant.github.io/date_algorithms.html).
    """
    if stamp[4:17:3] not in {"--T::", "--t::", "-- ::"} or not stamp[:4].isdigit():
        raise ValueError(stamp)
    year, month, day = int(stamp[:4]), int(stamp[5:7]), int(stamp[8:10])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        raise ValueError(stamp)
    year -= month <= 2
    era, of_era = divmod(year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = of_era * 365 + of_era // 4 - of_era // 100 + day_of_year
    days = era * 146_097 + day_of_era - 719_468
    return days * 86_400 + int(stamp[11:13]) * 3600 + int(stamp[14:16]) * 60 + int(stamp[17:19])


def _fraction_ns(digits: str) -> int:
    return int(digits[:_DIGITS].ljust(_DIGITS, "0"))


def unix_ns(stamp: str) -> int:
    """An RFC 3339 stamp in Unix nanoseconds; digits beyond the ninth are cut off.

    Raises:
        ValueError: the text is no RFC 3339 stamp.
    """
    if len(stamp) < 20:
        raise ValueError(stamp)
    whole = _seconds(stamp[:19]) * SECOND_NS
    rest = stamp[19:]
    if len(rest) == _USUAL and rest[0] == "." and rest[-1] == "Z" and rest[1:-1].isdigit():
        return whole + int(rest[1:-1])
    if rest in {"Z", "z"}:
        return whole
    if rest[-1] not in "Zz":
        whole -= _offset_s(rest[-6:]) * SECOND_NS
        rest = rest[:-5]
    fraction = rest[1:-1]
    if not fraction and len(rest) == 1:
        return whole
    if rest[0] != "." or not fraction.isdigit():
        raise ValueError(stamp)
    return whole + _fraction_ns(fraction)


def _offset_s(offset: str) -> int:
    """Seconds east of UTC of `+HH:MM`."""
    if len(offset) != 6 or offset[0] not in "+-" or offset[3] != ":":
        raise ValueError(offset)
    seconds = int(offset[1:3]) * 3600 + int(offset[4:6]) * 60
    return seconds if offset[0] == "+" else -seconds


def duration_ns(text: str) -> int:
    """A proto JSON duration such as `4.784701282s` or `-0.5s` in nanoseconds.

    Raises:
        ValueError: the text is no duration.
    """
    if not text.endswith("s"):
        raise ValueError(text)
    sign = -1 if text[0] == "-" else 1
    whole, _, fraction = text[:-1].lstrip("+-").partition(".")
    return sign * (int(whole) * SECOND_NS + (_fraction_ns(fraction) if fraction else 0))


def seconds_ns(seconds: float) -> int:
    """Unix seconds as a float (250 ns apart in this century) in nanoseconds."""
    return round(seconds * SECOND_NS)


def is_whole_second(stamp: str) -> bool:
    """Whether a stamp has no fraction: Kubernetes cuts its stamps to the second."""
    return "." not in stamp
