"""Execution of cases: registration, submission one at a time, waiting, checking, cleaning up."""

from pytest_flyteperf.execute.case import ABSENT, CaseSpec
from pytest_flyteperf.execute.registered import RegisteredPlan
from pytest_flyteperf.execute.runner import CaseRun, run_case

__all__ = ["ABSENT", "CaseRun", "CaseSpec", "RegisteredPlan", "run_case"]
