"""Flytekit's share inside containers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.analyze.documents import TaskStep, TaskSteps
from pytest_flyteperf.analyze.flytekit import flytekit_share
from pytest_flyteperf.analyze.pods import Instant, Pod


def pod(name="p", finished=100, *, precise=True):
    return Pod(
        name=name,
        execution="e",
        node="n0",
        created_ns=0,
        bound_ns=None,
        running_ns=None,
        started=Instant.exact(0),
        finished=None if finished is None else Instant.exact(finished),
        reported_ns=None,
        deleted_ns=None,
        exit_code=0,
        phase="Succeeded",
        precise=precise,
        found=False,
        use=None,
    )


def told(*steps, name="p", started=10, returned=90):
    timers = tuple(TaskStep(*step) for step in steps)
    return TaskSteps(name, "main", started, returned, timers)


LOAD = ("Load task", 20, 25)
USER = ("Execute user level code", 40, 70)
WHOLE = told(("Download data to local from x", 26, 30), LOAD, USER, ("Upload data to y", 75, 80))


def stages(share):
    return (
        share.start_ns,
        share.load_ns,
        share.inputs_ns,
        share.user_code_ns,
        share.outputs_ns,
        share.exit_ns,
    )


def test_a_containers_life_is_cut_at_flytekits_own_timers():
    assert stages(flytekit_share([WHOLE], [pod()])) == (10, 5, 15, 30, 20, 10)


def test_containers_are_added_up():
    share = flytekit_share([WHOLE, told(LOAD, USER, name="q")], [pod(), pod("q", 110)])

    assert share.containers == 2
    assert stages(share) == (20, 10, 30, 60, 40, 30)


def test_inputs_that_cannot_be_had_leave_no_users_code():
    assert stages(flytekit_share([told(LOAD)], [pod()])) == (10, 5, 65, 0, 0, 10)


def test_the_tasks_own_use_of_the_timers_names_nothing():
    odd = told(("Execute user level code", 12, 13), LOAD, USER, ("Load task", 71, 72))

    assert stages(flytekit_share([odd], [pod()])) == (10, 5, 15, 30, 20, 10)


@pytest.mark.parametrize(
    ("steps", "pods"),
    [
        (WHOLE, []),
        (WHOLE, [pod(precise=False)]),
        (WHOLE, [pod(finished=None)]),
        (WHOLE, [pod(finished=50)]),
        (told(USER), [pod()]),
        (told(), [pod()]),
    ],
    ids=["no pod", "whole seconds", "no end", "ends before its timers", "not loaded", "no timers"],
)
def test_what_cannot_be_cut_is_unknown(steps, pods):
    assert flytekit_share([steps], pods) is None


@given(st.lists(st.integers(0, 10**18), min_size=7, max_size=7).map(sorted))
def test_stages_add_up_to_the_containers_life(instants):
    started, load, loaded, began, ended, returned, finished = instants
    steps = told(
        ("Load task", load, loaded),
        ("Execute user level code", began, ended),
        started=started,
        returned=returned,
    )

    assert sum(stages(flytekit_share([steps], [pod(finished=finished)]))) == finished - started
