import pytest

from pytest_flyteperf.forecast import BESIDE_S, Forecast, earlier
from pytest_flyteperf.model import Size
from pytest_flyteperf.progress import left
from pytest_flyteperf.report.runs import CaseRun, Run
from tests.gate.gate_examples import HERE, RELEASE


@pytest.fixture
def clock():
    """A clock that is turned by hand."""

    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    return Clock()


@pytest.mark.parametrize(
    ("seconds", "said", "bound"),
    [
        (1, "about 10 s left", "at most 10 s left"),
        (41, "about 40 s left", "at most 50 s left"),
        (59.9, "about 60 s left", "at most 60 s left"),
        (100, "about 2 min left", "at most 2 min left"),
        (3 * 3600 + 20, "about 3 h 0 min left", "at most 3 h 1 min left"),
    ],
)
def test_what_is_left_is_told_no_finer_than_it_is_known(seconds, said, bound):
    assert left(seconds) == said
    assert left(seconds, at_most=True) == bound


def test_nothing_is_claimed_before_anything_is_known(clock):
    forecast = Forecast({"a": 4, "b": 4}, {}, clock=clock)

    forecast.begin("a", 4)

    assert forecast.left_s is None
    assert forecast.told() == "[1/2] "


def test_earlier_runs_say_how_long_until_the_case_has_its_own_figures(clock):
    forecast = Forecast({"a": 4, "b": 4}, {"a": 10, "b": 20}, clock=clock)
    forecast.begin("a", 4)
    assert forecast.left_s == 4 * 10 + 4 * 20
    assert forecast.told() == "[1/2, about 2 min left] "

    for clock.now in (130, 160):
        forecast.finished("a")

    assert forecast.left_s == 2 * 30 + 4 * 20


def test_a_case_that_nothing_is_known_of_counts_like_the_others(clock):
    forecast = Forecast({"a": 2, "new": 3}, {"a": 10}, clock=clock)

    forecast.begin("a", 2)

    assert forecast.left_s == 2 * 10 + 3 * 10


def test_repeats_that_are_added_are_counted_and_cases_that_ended_early_are_not(clock):
    forecast = Forecast({"a": 4, "b": 1}, {"a": 10, "b": 10}, clock=clock)
    forecast.begin("a", 4)
    forecast.more("a", 2)
    assert forecast.left_s == 70

    forecast.begin("b", 1)

    assert forecast.left_s == 10
    assert forecast.told() == "[2/2, about 10 s left] "


def test_a_budget_is_an_upper_bound(clock):
    forecast = Forecast({"a": 30}, {"a": 10}, clock=clock, at_most=True)
    forecast.begin("a", 30)

    assert forecast.told() == "[at most 5 min left] "


def test_a_case_that_was_not_planned_is_told_without_a_forecast(clock):
    forecast = Forecast({}, {}, clock=clock)
    forecast.begin("a", 3)
    forecast.finished("a")

    assert forecast.told() == ""


def run(size, *ns):
    case = CaseRun(case="a", size=size, verdict=None, samples={"duration_ns": ns})
    return Run(
        id="r",
        recorded="2026-11-22T18:40:00Z",
        tool="1",
        commit=None,
        subject=RELEASE,
        environment=HERE,
        cases=(case,),
    )


def test_the_newest_run_of_the_same_size_tells():
    second = 1_000_000_000
    runs = [
        run(Size.SHORT, 9 * second),
        run(Size.SHORT, second, None, 3 * second),
        run(Size.FULL, 99 * second),
        run(Size.SHORT, None),
    ]

    assert earlier(runs, ["a", "b"], Size.SHORT) == {"a": 2 + BESIDE_S}
    assert earlier(runs, ["b"], Size.SHORT) == {}
