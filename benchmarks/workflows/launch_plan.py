"""Workflows that start others as executions of their own."""

from flytekit import LaunchPlan, workflow
from flytekit.core.workflow import WorkflowBase

from workflows.tasks import echo


@workflow
def child(a: int) -> int:
    return echo(a=a)


child_plan = LaunchPlan.create("child_plan", child)


def launch_plans_in_a_row(length: int) -> WorkflowBase:
    @workflow
    def launch_plan_chain(a: int) -> int:
        for _ in range(length):
            a = child_plan(a=a)
        return a

    return launch_plan_chain


def launch_plans_beside(width: int) -> WorkflowBase:
    @workflow
    def launch_plan_fan(a: int) -> list[int]:
        return [child_plan(a=a) for _ in range(width)]

    return launch_plan_fan
