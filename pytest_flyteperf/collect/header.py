"""recording.json: what the recorder itself knows of a repeat."""

from __future__ import annotations

import msgspec

from pytest_flyteperf.collect.canary import Canaries
from pytest_flyteperf.collect.machine import MachineUse, MemoryUse
from pytest_flyteperf.collect.quiet import Neighbours
from pytest_flyteperf.model import Environment, Size, Subject


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What was submitted, when and under which name."""

    case: str
    inputs: dict[str, object]
    """Inputs as JSON shows them; a value that JSON cannot hold as its `repr`."""
    size: Size
    index: int
    warmup: bool
    project: str
    domain: str
    execution: str
    seed: int
    phase_offset_ns: int | None
    """The phase of the second that was drawn for the submission; None if none was."""
    phase_wait_ns: int
    submitted_unix_ns: int
    """Just before CreateExecution was sent."""
    accepted_unix_ns: int
    """Just after CreateExecution was answered."""
    problem: str | None
    """Why the repeat counts as failed, else None."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How the repeat ended and how its collection went."""

    ended_unix_ns: int
    """Receipt of the last event of the FlyteWorkflow object."""
    phase: int
    """`flyteidl.core.WorkflowExecution.Phase`."""
    timed_out: bool
    """The execution was aborted by the recorder because its time was over."""
    trace_wait_ns: int
    traces_complete: bool | None
    """Whether the last handle's span arrived in time; None where no traces are received."""
    watch_gaps: int
    """How often watch events may have been lost."""
    clock_step_ns: int
    """How much more the wall clock advanced than the monotonic one; a step or slew if not 0."""
    machine_before: MachineUse | None
    machine_after: MachineUse | None
    memory: dict[str, MemoryUse]
    """By component; empty where nobody could look."""
    absent: dict[str, str]
    """Files, and components without a page of metrics, that are not there, and why."""
    neighbours_before: Neighbours | None
    """Who else used the cluster; None on a local one, which is nobody else's."""
    neighbours_after: Neighbours | None
    canaries_before: Canaries
    canaries_after: Canaries


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, where, and by which version of this tool."""

    tool_version: str
    subject: Subject
    environment: Environment
    environment_digest: str
    """SHA-256 of the environment as canonical JSON."""


def document(submission: Submission, outcome: Outcome, provenance: Provenance) -> bytes:
    """Encode recording.json: the keys of the recordings first, then what else is known."""
    flat = {
        "case": submission.case,
        "inputs": submission.inputs,
        "submitted": submission.submitted_unix_ns / 1e9,
        "client_seconds": (outcome.ended_unix_ns - submission.submitted_unix_ns) / 1e9,
        "phase": outcome.phase,
        **msgspec.to_builtins(submission),
        **msgspec.to_builtins(outcome),
        **msgspec.to_builtins(provenance),
    }
    return msgspec.json.format(msgspec.json.encode(flat), indent=1)
