"""Tasks side by side, with and without room for all of them, and nodes without pods."""

from flytekit import LaunchPlan, workflow
from flytekit.core.workflow import WorkflowBase

from workflows.tasks import echo, increment


def tasks_beside(width: int) -> WorkflowBase:
    @workflow
    def parallel_tasks(a: int) -> list[int]:
        return [increment(a=a) for _ in range(width)]

    return parallel_tasks


def held_tasks_beside(width: int, at_once: int) -> LaunchPlan:
    """More tasks than may run at once: the rest are held."""

    @workflow
    def held_tasks(a: int) -> list[int]:
        return [increment(a=a) for _ in range(width)]

    return LaunchPlan.create("held_tasks", held_tasks, max_parallelism=at_once)


def nodes_beside(width: int) -> WorkflowBase:
    @workflow
    def wide_workflow(a: int) -> list[int]:
        return [echo(a=a) for _ in range(width)]

    return wide_workflow
