"""One task mapped over a list."""

from flytekit import map_task, task, workflow
from flytekit.core.workflow import WorkflowBase

from workflows.tasks import ROOMY, SMALL, increment


@workflow
def wide_map(numbers: list[int]) -> list[int]:
    return map_task(increment, concurrency=0)(a=numbers)


def limited_map_of(at_once: int) -> WorkflowBase:
    @workflow
    def limited_map(numbers: list[int]) -> list[int]:
        return map_task(increment, concurrency=at_once)(a=numbers)

    return limited_map


@task(requests=SMALL, limits=ROOMY)
def texts(count: int, length: int) -> list[str]:
    return ["x" * length] * count


@task(requests=SMALL, limits=ROOMY)
def length_of(text: str) -> int:
    return len(text)


@workflow
def map_of_texts(count: int, length: int) -> list[int]:
    return map_task(length_of, concurrency=0)(text=texts(count=count, length=length))
