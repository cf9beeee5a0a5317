"""Waiting for a machine whose CPU others take."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.collect import await_calm, calm, spoilt_by_others
from pytest_flyteperf.collect.machine import STATES
from pytest_flyteperf.model import STEAL, STEAL_LIMIT, Finding, Severity

RECORDINGS = Path(__file__).parents[1] / "data/recordings"


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Time passes only by pauses."""
    passed = [0.0]
    monkeypatch.setattr(calm.time, "monotonic", lambda: passed[0])
    monkeypatch.setattr(calm.time, "sleep", lambda s: passed.append(passed.pop() + s))
    return passed


def waited(shares, **given):
    """What is said while the machine's shares are these, one at each look."""
    said = []
    await_calm(said.append, taken_percent=iter(shares).__next__, **given)
    return said


def test_a_calm_machine_is_not_waited_for(clock):
    assert waited([STEAL_LIMIT]) == []
    assert clock == [0.0]


def test_a_burst_is_waited_for_and_told():
    assert waited([41.0, 19.0, 2.0]) == [
        "waiting for the machine: others take 41 % of its CPU time",
        "waiting for the machine: others take 19 % of its CPU time",
    ]


def test_a_machine_that_is_never_calm_is_waited_for_a_while_only(clock):
    said = waited([50.0] * 100, most_s=10)

    assert 10 <= clock[0] < 15
    assert len(said) == clock[0] / calm.PAUSE_S


@pytest.mark.parametrize(
    ("check", "severity", "spoilt"),
    [
        (STEAL, Severity.INVALID, True),
        (STEAL, Severity.NOTE, False),
        ("lost spans", Severity.INVALID, False),
    ],
)
def test_only_time_that_others_took_is_waited_out(check, severity, spoilt):
    measures = analyze_recording(RECORDINGS / "single" / "0")
    found = replace(measures, findings=(Finding(check, severity, ""),))

    assert spoilt_by_others(found) is spoilt


def stat(folder, **ticks):
    line = " ".join(str(ticks.get(state, 0)) for state in STATES)
    folder.mkdir(exist_ok=True)
    (folder / "stat").write_text(f"cpu  {line}\n")


def test_the_share_is_of_the_time_that_was_asked_for(monkeypatch, tmp_path):
    stat(tmp_path, user=100, idle=500)
    looks = iter([0.0, 2.0])

    def later():
        stat(tmp_path, user=160, idle=580, steal=20)
        return next(looks)

    monkeypatch.setattr(calm.time, "monotonic", later)
    assert calm.taken_percent(tmp_path) == 25


def test_where_there_is_no_proc_nothing_is_waited_for(tmp_path, monkeypatch):
    looks = iter([0.0, 2.0])
    monkeypatch.setattr(calm.time, "monotonic", lambda: next(looks))
    assert calm.taken_percent(tmp_path / "none") == 0
