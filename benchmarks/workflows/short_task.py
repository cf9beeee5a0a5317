"""One task."""

from flytekit import workflow

from workflows.tasks import increment


@workflow
def short_task(a: int) -> int:
    return increment(a=a)
