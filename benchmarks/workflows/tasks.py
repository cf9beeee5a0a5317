"""Tasks that do nothing worth timing: what remains is Flyte's own work."""

from flytekit import Resources, task
from flytekit.core.task import Echo

SMALL = Resources(cpu="10m", mem="10Mi")
ROOMY = Resources(cpu="2", mem="1Gi")
"""Without limits of its own a task gets its requests as limits, too little for any container."""

echo = Echo(name="echo", inputs={"a": int})
"""Copies its input inside FlytePropeller: a node without a pod."""


@task(requests=SMALL, limits=ROOMY)
def increment(a: int) -> int:
    return a + 1


@task(requests=SMALL, limits=ROOMY, cache=True, cache_version="1")
def cached_increment(a: int) -> int:
    return a + 1
