"""Tasks that do nothing worth timing: what remains is Flyte's own work."""

from flytekit import Resources, task
from flytekit.core.task import Echo

SMALL = Resources(cpu="10m", mem="10Mi")

echo = Echo(name="echo", inputs={"a": int})
"""Copies its input inside FlytePropeller: a node without a pod."""


@task(requests=SMALL)
def increment(a: int) -> int:
    return a + 1


@task(requests=SMALL, cache=True, cache_version="1")
def cached_increment(a: int) -> int:
    return a + 1
