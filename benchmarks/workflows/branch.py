"""Decisions one after another."""

from flytekit import conditional, workflow
from flytekit.core.workflow import WorkflowBase

from workflows.tasks import echo


def branches_of(length: int) -> WorkflowBase:
    @workflow
    def branches(a: int) -> int:
        for index in range(length):
            choice = conditional(f"choice-{index}").if_(a > 0).then(echo(a=a))
            a = choice.else_().then(echo(a=a))
        return a

    return branches
