"""How an execution ended, held against what its case expects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_flyteperf.collect import error_message
from pytest_flyteperf.errors import ExecutionError
from pytest_flyteperf.execute.case import ABSENT
from pytest_flyteperf.execute.literals import to_python

if TYPE_CHECKING:
    from pytest_flyteperf.collect import Admin, End
    from pytest_flyteperf.execute.case import CaseSpec
    from pytest_flyteperf.model import Deployment


class Ending(NamedTuple):
    """What came of an execution."""

    problem: str | None
    """Why it counts as failed, else None."""
    outputs: object = ABSENT
    """What it returned; `ABSENT` unless it succeeded."""
    error: str | None = None
    """Its error, of one that was meant to fail."""


def ending(
    spec: CaseSpec,
    entity: Any,
    deployment: Deployment,
    admin: Admin,
    end: End,
) -> Ending:
    """Say what is wrong with an ended execution, if anything is, and what it returned."""
    name = end.execution.id.name
    where = f"{spec.name}: execution {name}"
    reason = error_message(end.execution)
    if end.phase != spec.expected_phase:
        wanted = spec.expected_phase
        but = "" if wanted == "SUCCEEDED" else f", but was to end {wanted}"
        return Ending(f"{where} ended {end.phase}{but}" + (f": {reason}" if reason else ""))
    if end.phase != "SUCCEEDED":
        return Ending(None, error=reason or None)
    outputs: object = ABSENT
    try:
        outputs = to_python(entity, admin.outputs(name), deployment)
        if spec.check is not None:
            spec.check(outputs)
    except (ExecutionError, AssertionError) as error:
        said = " ".join(str(error).split()) or "its outputs fail the check"
        return Ending(f"{where}: {said}", outputs)
    if spec.expected is not ABSENT and outputs != spec.expected:
        return Ending(f"{where} returned {outputs!r}, not {spec.expected!r}", outputs)
    return Ending(None, outputs)
