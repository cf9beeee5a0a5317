from __future__ import annotations

import pytest
from msgspec import structs

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate.environment import key
from pytest_flyteperf.model import Size
from pytest_flyteperf.report import history, runs
from tests.gate.gate_examples import HERE, MACHINE, MS, RELEASE

ELSEWHERE = structs.replace(HERE, machine=structs.replace(MACHINE, cpu_count=4))


def run(day, middle, digest="4f1d0a77c2b19e55", environment=HERE):
    return runs.Run(
        id=f"run-{day}",
        recorded=f"2026-11-{day:02}T08:00:00Z",
        tool="0.1.0",
        commit=None,
        subject=structs.replace(RELEASE, digest=digest),
        environment=environment,
        cases=(
            runs.CaseRun(
                case="chain",
                size=Size.DEFAULT,
                verdict=None,
                samples={"handle_ns": (*[middle * MS] * 5, None)},
            ),
        ),
    )


STEP = [*(run(day, 500) for day in (1, 2)), run(3, 650, "bbbb"), run(4, 655, "bbbb")]


def shown(stored, case="chain"):
    return history.lines(history.series(case, Size.DEFAULT, "handle_ns", stored))


def test_runs_are_listed_oldest_first_with_a_mark_at_the_change():
    assert shown(STEP) == (
        f"chain (default), working, {key(HERE)}: 4 runs, 2 levels",
        "2026-11-01 08:00  v1.16.8 (4f1d0a77)           5       500 ms  ###############",
        "2026-11-02 08:00  v1.16.8 (4f1d0a77)           5       500 ms  ###############",
        (
            "2026-11-03 08:00  v1.16.8 (bbbb)               5       650 ms  ####################"
            "  <- +30.5 %"
        ),
        "2026-11-04 08:00  v1.16.8 (bbbb)               5       655 ms  ####################",
    )


def test_runs_of_other_environments_are_left_out_and_told():
    lines = shown([run(1, 900, environment=ELSEWHERE), *STEP[1:]])

    assert lines[0].endswith("3 runs, 1 level")
    assert lines[-1] == "1 runs of other environments are left out"


def test_a_case_that_never_ran_says_so():
    assert shown(STEP, "gone") == ("gone (default): no run has working",)


def test_what_is_appended_is_read_back_oldest_first(tmp_path):
    for one in reversed(STEP):
        runs.append(tmp_path / "out", one)

    assert runs.read(tmp_path / "out") == (tuple(STEP), 0)
    assert runs.read(tmp_path / "none") == ((), 0)


def test_a_torn_line_costs_one_run(tmp_path):
    for one in STEP[:2]:
        runs.append(tmp_path, one)
    stored = tmp_path / runs.FILE
    stored.write_bytes(stored.read_bytes()[:-20])
    runs.append(tmp_path, STEP[2])

    assert runs.read(tmp_path) == ((STEP[0], STEP[2]), 1)


def test_a_newer_store_is_refused_by_name(tmp_path):
    runs.append(tmp_path, structs.replace(STEP[0], schema=2))

    with pytest.raises(UsageError, match=r"history.jsonl: line 1: schema 2 is newer than 1"):
        runs.read(tmp_path)
