from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.execute.phase import SECOND_NS, phase_offset_ns, wait_for_phase, wait_ns

instants = st.integers(0, 2**63)
offsets = st.integers(0, SECOND_NS - 1)


@given(instants, offsets)
def test_the_wait_ends_at_the_phase_within_a_second(now, offset):
    wait = wait_ns(now, offset)

    assert 0 <= wait < SECOND_NS
    assert (now + wait) % SECOND_NS == offset


@given(st.integers(), st.text(), st.integers(0, 10_000))
def test_a_seed_gives_the_same_phase_again(seed, case, index):
    drawn = phase_offset_ns(seed, case, index)

    assert 0 <= drawn < SECOND_NS
    assert drawn == phase_offset_ns(seed, case, index)


def test_phases_are_uniform_over_the_second():
    tenths = [0] * 10
    for index in range(10_000):
        tenths[phase_offset_ns(7, "chain", index) * 10 // SECOND_NS] += 1

    # Chi-square with 9 degrees of freedom: 27.9 is its 99.9th percentile.
    assert sum((n - 1000) ** 2 / 1000 for n in tenths) < 27.9


def test_cases_seeds_and_repeats_draw_apart():
    drawn = {
        phase_offset_ns(seed, case, index)
        for seed in (1, 2)
        for case in ("a", "b")
        for index in (0, 1)
    }
    assert len(drawn) == 8


def test_it_sleeps_as_long_as_it_says():
    slept = []
    pause = wait_for_phase(250_000_000, wall_ns=lambda: 5 * SECOND_NS, sleep=slept.append)

    assert pause == 250_000_000
    assert slept == [0.25]
