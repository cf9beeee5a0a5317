"""The sub-tasks of an array node, as its one task execution lists their attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.analyze.documents import ExternalResource

NOTHING_CAME = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})
"""Phases of attempts that came to nothing."""


class Subtasks(msgspec.Struct, frozen=True, gc=False):
    """What is known of them."""

    attempts: int
    """Of all of them."""
    count: int
    """Each once."""
    pods: tuple[str, ...]
    earlier: dict[str, str]
    """Pod of a later attempt to that of the attempt before it."""
    lost: frozenset[str]
    """Pods of attempts that came to nothing: a container of flytekit's may have exited with 0."""


NONE = Subtasks(1, 0, (), {}, frozenset())
"""Of a task, which is one attempt of its own."""


def subtasks_of(resources: Sequence[ExternalResource]) -> Subtasks:
    """The sub-tasks of a task execution; `NONE` where it lists none."""
    if not resources:
        return NONE
    pods = {(one.index, one.retry_attempt): one.external_id for one in resources}
    return Subtasks(
        attempts=len(resources),
        count=len({one.index for one in resources}),
        pods=tuple(one.external_id for one in resources if one.external_id),
        earlier={
            pod: before
            for (index, retry), pod in pods.items()
            if retry and (before := pods.get((index, retry - 1)))
        },
        lost=frozenset(one.external_id for one in resources if one.phase in NOTHING_CAME),
    )
