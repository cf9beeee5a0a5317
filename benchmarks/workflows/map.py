"""One task mapped over a list."""

from flytekit import map_task, workflow

from workflows.tasks import increment


@workflow
def wide_map(numbers: list[int]) -> list[int]:
    return map_task(increment, concurrency=0)(a=numbers)
