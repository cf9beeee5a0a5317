"""Flytekit's own share of the time that containers ran, from the timers it keeps itself.

A container's life is cut at instants that follow one another in `flytekit.bin.entrypoint`: the task
is loaded, its inputs are fetched and converted, the user's code runs, its outputs are converted and
uploaded. The stages of a container add up to its life exactly.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_flyteperf.model import FlytekitShare

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_flyteperf.analyze.documents import TaskStep, TaskSteps
    from pytest_flyteperf.analyze.pods import Pod

LOADS = frozenset({"Load task", "Load map task"})
USER_CODE = "Execute user level code"


def flytekit_share(told: Iterable[TaskSteps], pods: Iterable[Pod]) -> FlytekitShare | None:
    """The stages of all containers whose timers and whose ends are known; None without any.

    A container that was killed tells no timers, and one whose end has whole seconds cannot be cut.
    """
    ends = {pod.name: pod.finished.point for pod in pods if pod.precise and pod.finished}
    cuts = [cut for steps in told if (cut := _cut(steps, ends)) is not None]
    if not cuts:
        return None
    start, load, inputs, user, outputs, leave = (sum(column) for column in zip(*cuts, strict=True))
    return FlytekitShare(
        containers=len(cuts),
        start_ns=start,
        load_ns=load,
        inputs_ns=inputs,
        user_code_ns=user,
        outputs_ns=outputs,
        exit_ns=leave,
    )


def _cut(told: TaskSteps, ends: Mapping[str, int]) -> tuple[int, ...] | None:
    """Nanoseconds of start, load, inputs, user code, outputs and exit."""
    finished = ends.get(told.pod)
    load = _first(told.steps, LOADS, told.started_ns)
    if finished is None or load is None:
        return None
    user = _first(told.steps, frozenset({USER_CODE}), load.end_ns)
    # Inputs that cannot be had end a task before the user's code.
    began, ended = (user.start_ns, user.end_ns) if user else (told.returned_ns, told.returned_ns)
    instants = (
        told.started_ns,
        load.start_ns,
        load.end_ns,
        began,
        ended,
        told.returned_ns,
        finished,
    )
    stages = tuple(later - earlier for earlier, later in pairwise(instants))
    return None if min(stages) < 0 else stages


def _first(steps: Iterable[TaskStep], names: frozenset[str], since_ns: int) -> TaskStep | None:
    """The first step of a name that began at an instant or later."""
    found = (step for step in steps if step.name in names and step.start_ns >= since_ns)
    return min(found, key=lambda step: step.start_ns, default=None)
