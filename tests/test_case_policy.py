"""What a case is held to: marker, ini file and what is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_flyteperf import asked
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.model import METRICS
from pytest_flyteperf.settings import resolve

TIMES = {name for name, metric in METRICS.items() if metric.unit == "ns"}


@pytest.fixture
def policy(pytester):
    """The policy of a case with this marker, flags and ini keys."""

    def made(marker="", ini=(), cases=1, **flags):
        item = pytester.getitem(
            f"import pytest\n@pytest.mark.flyteperf({marker})\ndef test_chain(flyteperf): pass",
            "test_chain",
        )
        settings = resolve(flags, {}, dict(ini).get, Path())
        return asked.policy(item, settings, cases), asked.run_plan(item, settings)

    return made


def test_the_second_test_of_a_case_is_refused_and_the_first_is_not(pytester):
    first, second = pytester.getitems(
        "def test_chain(flyteperf): pass\n"
        "class TestMore:\n    def test_chain(self, flyteperf): pass"
    )
    for item in (first, second):
        item.session.items = [first, second]

    asked.check_name(first)
    with pytest.raises(UsageError) as caught:
        asked.check_name(second)

    assert str(caught.value) == (
        f"{second.nodeid} and {first.nodeid} are both case 'chain'; rename one"
    )


def test_a_bare_tolerance_is_of_every_time(policy):
    held, _ = policy("tolerance=0.1")

    assert held.tolerances == dict.fromkeys(TIMES, 0.1)
    assert held.gate is None


def test_a_marker_wins_over_the_ini_file_metric_by_metric(policy):
    held, plan = policy(
        "tolerance={'handle_ns': 0.1}, gate=['handle_ns'], repeats=4",
        ini={
            "flyteperf_tolerance": "handle_ns=0.2, crd_writes=0.3",
            "flyteperf_gate": "duration_ns",
            "flyteperf_repeats": "9",
        },
    )

    assert held.tolerances == {"handle_ns": 0.1, "crd_writes": 0.3}
    assert held.gate == ("handle_ns",)
    assert (plan.repeats, held.budget) == (4, 8)


def test_a_size_that_a_case_does_not_know_has_that_sizes_own_repeats(policy):
    marked = "repeats={'short': 2, 'full': 9}"

    assert policy(marked, nightly=True)[1].repeats == 1
    assert policy(marked, full=True)[1].repeats == 9


def test_a_short_case_is_warmed_up_only_where_its_flyte_is_started_anew(policy):
    assert policy(short=True)[1].warmups == 0
    assert policy(short=True, base="v1.16.8")[1].warmups == 1


def test_what_is_typed_wins_over_the_marker(policy):
    held, plan = policy(
        "tolerance={'handle_ns': 0.1, 'pods': 0.5}, gate=['handle_ns'], repeats=4, timeout=5",
        tolerance="handle_ns=0.2",
        gate="duration_ns, crd_writes",
        repeats=9,
        timeout=7.0,
    )

    assert held.tolerances == {"handle_ns": 0.2, "pods": 0.5}
    assert held.gate == ("duration_ns", "crd_writes")
    assert (plan.repeats, plan.timeout_s, held.budget) == (9, 7.0, None)


def test_the_ini_file_says_what_no_marker_says(policy):
    held, plan = policy(ini={"flyteperf_tolerance": "0.2", "flyteperf_repeats": "9"})

    assert held.tolerances == dict.fromkeys(TIMES, 0.2)
    assert (plan.repeats, held.budget) == (9, 18)


@pytest.mark.parametrize(
    ("arguments", "marker", "message"),
    [
        (["--flyteperf-tolerance=much"], "", "--flyteperf-tolerance: 'much'; give a share such"),
        (["--flyteperf-tolerance=handle=0.1"], "", "gate: no metric 'handle'; there are duration_"),
        (["--flyteperf-tolerance=-0.1"], "", "give a share such as 0.05 for 5 %"),
        (["--flyteperf-gate=speed"], "", "gate: no metric 'speed'; there are duration_ns"),
        ([], "tolerance='5%'", "marker flyteperf: tolerance '5%' of duration_ns; give a share"),
        ([], "tolerance={'pods': True}", "marker flyteperf: tolerance True of pods; give a share"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_before_anything_starts(
    pytester, arguments, marker, message
):
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.flyteperf({marker})\ndef test_chain(flyteperf): assert False"
    )

    outcome = pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    assert message in outcome.stderr.str()


@pytest.mark.parametrize(("flags", "comparisons"), [({}, 100), ({"base": "v1.16.8"}, 12)])
def test_false_alarms_are_kept_over_a_portfolio_or_the_cases_that_take_turns(
    policy, flags, comparisons
):
    held, _ = policy(cases=3, **flags)

    assert held.comparisons == comparisons
