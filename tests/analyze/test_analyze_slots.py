"""Slots that become free, against a count of every instant."""

from hypothesis import example, given
from hypothesis import strategies as st

from pytest_flyteperf.analyze.slots import Slots

busy = st.lists(
    st.tuples(st.integers(0, 30), st.none() | st.integers(0, 30)).filter(
        lambda node: node[1] is None or node[0] < node[1]
    ),
    max_size=8,
)


def running(nodes, at):
    return sum(start <= at and (end is None or at < end) for start, end in nodes)


@given(busy, st.integers(1, 4), st.integers(-1, 31), st.integers(-1, 31))
@example(nodes=[(0, 4), (0, 5)], limit=2, after=4, until=5)
@example(nodes=[(0, 5), (4, 5)], limit=2, after=4, until=5)
def test_a_slot_becomes_free_where_the_limit_was_reached_until_then(nodes, limit, after, until):
    ends = {end for _, end in nodes if end is not None and after < end <= until}
    last = max((end for end in ends if running(nodes, end - 1) >= limit), default=None)

    assert Slots(limit, nodes).freed(after, until) == last


def test_without_a_limit_nothing_waits_for_a_slot():
    assert Slots(0, [(0, 5), (0, 6)]).freed(-1, 10) is None
