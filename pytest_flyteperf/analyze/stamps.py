"""Instants and durations of proto JSON and Kubernetes as integer nanoseconds.

The standard library's datetime keeps microseconds only, and admin's stamps have nanoseconds.
"""

from __future__ import annotations

from functools import lru_cache

SECOND_NS = 1_000_000_000

_DIGITS = 9


@lru_cache(maxsize=4096)
def _day_seconds(date: str) -> int:
    """Seconds from the Unix epoch to midnight UTC of `YYYY-MM-DD`.

    The count of days is Howard Hinnant's `days_from_civil`
    (https://howardhinnant.github.io/date_algorithms.html).
    """
    year, month, day = int(date[:4]), int(date[5:7]), int(date[8:10])
    if date[4] != "-" or date[7] != "-" or not (1 <= month <= 12 and 1 <= day <= 31):  # noqa: PLR2004
        raise ValueError(date)
    year -= month <= 2  # noqa: PLR2004
    era, of_era = divmod(year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = of_era * 365 + of_era // 4 - of_era // 100 + day_of_year
    return (era * 146_097 + day_of_era - 719_468) * 86_400


def _fraction_ns(digits: str) -> int:
    return int(digits[:_DIGITS].ljust(_DIGITS, "0"))


def unix_ns(stamp: str) -> int:
    """An RFC 3339 stamp in Unix nanoseconds; digits beyond the ninth are cut off.

    Raises:
        ValueError: the text is no RFC 3339 stamp.
    """
    if len(stamp) < 20 or stamp[10] not in "Tt " or stamp[13] != ":" or stamp[16] != ":":  # noqa: PLR2004
        raise ValueError(stamp)
    seconds = (
        _day_seconds(stamp[:10])
        + int(stamp[11:13]) * 3600
        + int(stamp[14:16]) * 60
        + int(stamp[17:19])
    )
    rest = stamp[19:]
    if rest in {"Z", "z"}:
        return seconds * SECOND_NS
    fraction = 0
    if rest[0] == ".":
        end = 1
        while end < len(rest) and rest[end].isdigit():
            end += 1
        fraction = _fraction_ns(rest[1:end])
        rest = rest[end:]
    if rest not in {"Z", "z"}:
        if len(rest) != 6 or rest[0] not in "+-" or rest[3] != ":":  # noqa: PLR2004
            raise ValueError(stamp)
        offset = int(rest[1:3]) * 3600 + int(rest[4:6]) * 60
        seconds += -offset if rest[0] == "+" else offset
    return seconds * SECOND_NS + fraction


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
