"""Tasks that generated workflows are made of; a pod finds them here by name."""

from flytekit import Resources, dynamic, task
from flytekit.core.task import Echo

SMALL = Resources(cpu="10m", mem="10Mi")

echo = Echo(name="echo_whole", inputs={"a": int})


@task(requests=SMALL)
def increment(a: int) -> int:
    return a + 1


@task(requests=SMALL)
def negate(a: int) -> int:
    return -a


@task(requests=SMALL)
def add(a: int, b: int) -> int:
    return a + b


@task(requests=SMALL)
def spread(a: int, width: int) -> list[int]:
    return [a + i for i in range(width)]


@task(requests=SMALL)
def total(numbers: list[int]) -> int:
    return sum(numbers)


@dynamic(requests=SMALL)
def increments(a: int, times: int) -> int:
    for _ in range(times):
        a = increment(a=a)
    return a
