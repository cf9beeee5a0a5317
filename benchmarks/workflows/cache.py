"""Tasks that want the same result at the same time."""

import time

from flytekit import task, workflow
from flytekit.core.workflow import WorkflowBase

from workflows.tasks import ROOMY, SMALL


@task(requests=SMALL, limits=ROOMY)
def new_key() -> int:
    return time.time_ns()


@task(requests=SMALL, limits=ROOMY, cache=True, cache_version="1", cache_serialize=True)
def reserved_increment(key: int, a: int) -> int:
    return a + 1 if key else a


def reservations_of(width: int) -> WorkflowBase:
    """Every execution has a key of its own, so one of its tasks runs and the others wait for it."""

    @workflow
    def cache_reservation(a: int) -> list[int]:
        key = new_key()
        return [reserved_increment(key=key, a=a) for _ in range(width)]

    return cache_reservation
