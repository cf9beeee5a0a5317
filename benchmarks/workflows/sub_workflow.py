"""Workflows within a workflow, side by side."""

from flytekit import workflow
from flytekit.core.workflow import WorkflowBase

from workflows.tasks import echo


@workflow
def inner(a: int) -> int:
    return echo(a=a)


@workflow
def outer(a: int) -> int:
    return inner(a=a)


def sub_workflows_beside(width: int) -> WorkflowBase:
    @workflow
    def sub_workflows(a: int) -> list[int]:
        return [outer(a=a) for _ in range(width)]

    return sub_workflows
