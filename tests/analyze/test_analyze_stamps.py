"""Stamps keep every nanosecond and agree with the standard library's calendar."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.analyze.stamps import duration_ns, seconds_ns, unix_ns


def test_nanoseconds_survive():
    assert unix_ns("2026-11-22T13:34:05.416528430Z") == 1_795_354_445_416_528_430


@given(
    st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2400, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_every_date_and_offset_agrees_with_datetime(moment, minutes):
    moment = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))

    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000

    assert unix_ns(moment.isoformat()) == expected


@given(st.integers(-(10**18), 10**18))
def test_durations_are_read_back(nanoseconds):
    whole, fraction = divmod(abs(nanoseconds), 10**9)
    sign = "-" if nanoseconds < 0 else ""

    assert duration_ns(f"{sign}{whole}.{fraction:09}s") == nanoseconds


@pytest.mark.parametrize(
    "stamp",
    ["", "yesterday", "2026-13-01T00:00:00Z", "2026-11-22T13:34:05", "2026-11-22T13:34:05+1"],
)
def test_what_is_no_stamp_is_refused(stamp):
    with pytest.raises(ValueError):  # noqa: PT011 -- the message is the stamp
        unix_ns(stamp)


def test_a_receipt_keeps_what_a_float_can_hold():
    assert abs(seconds_ns(1795354445.47153) - 1_795_354_445_471_530_000) < 250
