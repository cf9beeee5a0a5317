"""Workflows that a task makes while they run."""

from flytekit import LaunchPlan, dynamic, workflow

from workflows.tasks import ROOMY, SMALL, increment

UNHELD = 10_000
"""More nodes at once than any case has."""


@dynamic(requests=SMALL, limits=ROOMY, node_dependency_hints=[increment])
def increments(numbers: list[int]) -> list[int]:
    return [increment(a=number) for number in numbers]


@workflow
def wide_dynamic_workflow(numbers: list[int]) -> list[int]:
    return increments(numbers=numbers)


wide_dynamic = LaunchPlan.create("wide_dynamic", wide_dynamic_workflow, max_parallelism=UNHELD)
"""As unlimited as the map task of the same width."""


@dynamic(requests=SMALL, limits=ROOMY, node_dependency_hints=[increment])
def inner(a: int, length: int) -> int:
    for _ in range(length):
        a = increment(a=a)
    return a


@dynamic(requests=SMALL, limits=ROOMY, node_dependency_hints=[inner, increment])
def outer(a: int, width: int, length: int) -> list[int]:
    return [inner(a=a, length=length) for _ in range(width)]


@workflow
def nested_dynamic(a: int, width: int, length: int) -> list[int]:
    return outer(a=a, width=width, length=length)
