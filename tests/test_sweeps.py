"""Samples of a sweep: one repeat of each size makes one."""

from pytest_flyteperf.gate import Policy
from pytest_flyteperf.model import METRICS, Finding, Measures, Repeat, RunPlan, Severity, Size
from pytest_flyteperf.result import CaseResult, Measured

BAD = Finding(check="steal", severity=Severity.INVALID, evidence="9 %")


def measured(units, index, rounds, *, valid=True):
    repeat = Repeat(
        case="links",
        size=Size.SHORT,
        index=index,
        warmup=False,
        execution="f1",
        recording="nowhere",
        phase_wait_ns=0,
        trace_wait_ns=0,
        client_ns=0,
    )
    measures = Measures(
        execution="f1",
        phase="SUCCEEDED",
        metrics=dict.fromkeys(METRICS) | {"rounds": rounds},
        findings=() if valid else (BAD,),
    )
    return Measured(repeat=repeat, measures=measures, units=units)


def result(*repeats):
    plan = RunPlan(warmups=0, repeats=2, timeout_s=1, seed=0)
    empty = {}
    return CaseResult(
        case="links",
        size=Size.SHORT,
        nodeid="test_it.py::test_links",
        plan=plan,
        policy=Policy(),
        subject=empty,
        environment=empty,
        folder="nowhere",
        recorded="2026-11-22T18:40:00Z",
        repeats=repeats,
    )


def test_a_repeat_that_was_replaced_is_in_no_sample():
    found = result(
        measured(2, 0, 20),
        measured(2, 1, 20),
        measured(4, 0, 999, valid=False),
        measured(4, 1, 40),
        measured(4, 2, 60),
    )

    assert [one.metrics["rounds"] for one in found.samples] == [10_000, 20_000]
    assert (found.invalid, found.invalid_at(4), found.invalid_at(2)) == (0, 1, 0)
    assert [units for units, _ in found.points] == [2, 2, 4, 4]


def test_a_repeat_that_was_not_replaced_makes_its_sample_invalid():
    found = result(
        measured(2, 0, 20), measured(2, 1, 20), measured(4, 0, 9, valid=False), measured(4, 1, 40)
    )

    assert (len(found.samples), len(found.valid)) == (2, 1)
