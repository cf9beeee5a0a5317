"""Unions of intervals against plain sets of instants."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.analyze.intervals import length, union

intervals = st.lists(st.tuples(st.integers(-10, 30), st.integers(-10, 30)))


def instants(found):
    return {at for start, end in found for at in range(start, end)}


@given(intervals)
def test_a_union_has_the_same_instants_once_and_in_order(given_intervals):
    joined = union(given_intervals)

    assert instants(joined) == instants(given_intervals)
    assert length(joined) == len(instants(given_intervals))
    assert all(start < end for start, end in joined)
    assert all(end < start for (_, end), (start, _) in pairwise(joined))
