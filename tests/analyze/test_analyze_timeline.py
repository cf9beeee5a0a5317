"""When Propeller worked: what is asked of a timeline is what walking over its segments gives."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.analyze.timeline import Timeline

INSTANTS = st.integers(0, 60)
SEGMENTS = st.lists(
    st.tuples(INSTANTS, INSTANTS, st.sampled_from("abc")).map(
        lambda one: (min(one[:2]), max(one[:2]), one[2])
    ),
    max_size=12,
)


def instants(timeline):
    """The operation of each worked nanosecond."""
    return {at: kind for start, end, kind in timeline.segments for at in range(start, end)}


@given(SEGMENTS, INSTANTS, INSTANTS)
def test_time_by_kind_is_that_of_its_instants(segments, start, end):
    timeline = Timeline(segments)
    within = [kind for at, kind in instants(timeline).items() if start <= at < end]

    by_kind = timeline.by_kind(start, end)

    assert by_kind == {kind: within.count(kind) for kind in set(within)}
    assert timeline.spent(start, end) == sum(by_kind.values())


@given(SEGMENTS, INSTANTS, INSTANTS)
def test_stretches_are_continuous_whole_and_overlap(segments, start, end):
    timeline = Timeline(segments)
    worked = instants(timeline)

    stretches = timeline.stretches(start, end)

    for low, high in stretches:
        assert all(at in worked for at in range(low, high))
        assert low - 1 not in worked
        assert high not in worked
        assert low < end
        assert high > start
    inside = {at for at in worked if start <= at < end}
    assert inside <= {at for low, high in stretches for at in range(low, high)}


@given(SEGMENTS, INSTANTS)
def test_the_last_start_is_that_of_the_latest_stretch_begun(segments, before):
    timeline = Timeline(segments)
    worked = instants(timeline)
    starts = [at for at in worked if at - 1 not in worked and at <= before]

    assert timeline.last_start(before) == max(starts, default=None)
