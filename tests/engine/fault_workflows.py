import os
import signal
import sys
import time

from flytekit import Resources, reference_task, task, workflow

SMALL = Resources(cpu="10m", mem="10Mi")


@task(requests=SMALL)
def never_ends(a: int) -> int:
    while a is not None:
        time.sleep(1)
    return a


@task(requests=SMALL)
def leaves_with_three(a: int) -> int:
    if a is not None:
        sys.exit(3)
    return a


@task(requests=SMALL)
def kills_itself(a: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return a


@task(requests=SMALL)
def raises(a: int) -> int:
    if a is not None:
        raise ValueError("planted failure")
    return a


@reference_task("flytesnacks", "development", "nobodys_task", "v1")
def nobodys_task(a: int) -> int: ...


@workflow
def incomplete(a: int = 0) -> int:
    return nobodys_task(a=a)


@workflow
def endless(a: int = 0) -> int:
    return never_ends(a=a)


@workflow
def exits(a: int = 0) -> int:
    return leaves_with_three(a=a)


@workflow
def killed(a: int = 0) -> int:
    return kills_itself(a=a)


@workflow
def raising(a: int = 0) -> int:
    return raises(a=a)
