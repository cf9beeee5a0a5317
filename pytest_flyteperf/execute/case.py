"""What is run: a workflow, its inputs, and what counts as right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pytest_flyteperf.model import Size


class Absent(Enum):
    """The type of `ABSENT`."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT
"""No expected outputs were given; None is a value that a workflow may return."""


@dataclass(frozen=True, kw_only=True)
class CaseSpec:
    """One portfolio workflow with inputs, in a size.

    `entity` is flytekit's own: a workflow or a launch plan, which are registered before the first
    execution, or a reference launch plan, which exists already. So does a `RegisteredPlan`, whose
    types need not be known.
    """

    name: str
    entity: Any
    size: Size = Size.DEFAULT
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Python values by input name, as the workflow would be called with."""
    expected: Any = ABSENT
    """What the workflow must return: one value, or a tuple if it has several outputs."""
    check: Callable[[Any], None] | None = None
    """Called with the outputs; an AssertionError makes the repeat a failed one."""
    expected_phase: str = "SUCCEEDED"
    """The phase in which an execution ends if all is well."""
    timeout_s: float | None = None
    """Longest time from submission to the end; None leaves it to the plan."""
    least_warmups: int = 0
    """Warm-ups that the case needs whatever the plan says, e.g. one that fills a cache."""
