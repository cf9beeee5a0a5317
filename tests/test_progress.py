import pytest

from pytest_flyteperf.progress import Beat, elapsed


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (272, "4 min 32 s"), (3661, "1 h 1 min")],
)
def test_time_is_said_as_people_say_it(seconds, said):
    assert elapsed(seconds) == said


def test_a_beat_speaks_at_once_and_then_no_more_often_than_it_says():
    now, told = [100.0], []
    beat = Beat(told.append, "building", clock=lambda: now[0], every_s=2)

    for now[0], detail in ((100.5, "early"), (102.0, "5 packages"), (103.9, "early"), (104.0, "")):
        beat.tick(detail)

    assert told == ["building", "building: 5 packages (2 s)", "building (4 s)"]
    assert beat.age_s == 4.0
