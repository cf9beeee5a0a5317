"""What a working day looks like: a map, a fan-out and a chain compete for the same room."""

from flytekit import LaunchPlan, map_task, task, workflow

from workflows.tasks import ROOMY, SMALL, increment


@task(requests=SMALL, limits=ROOMY)
def total(mapped: list[int], fanned: list[int], chained: int) -> int:
    return sum(mapped) + sum(fanned) + chained


def mixed_of(width: int, length: int, at_once: int) -> LaunchPlan:
    """The chain comes last, so that what is before it can starve it."""

    @workflow
    def mixed(numbers: list[int], a: int) -> int:
        mapped = map_task(increment)(a=numbers)
        fanned = [increment(a=a) for _ in range(width)]
        chained = a
        for _ in range(length):
            chained = increment(a=chained)
        return total(mapped=mapped, fanned=fanned, chained=chained)

    return LaunchPlan.create("mixed", mixed, max_parallelism=at_once)
