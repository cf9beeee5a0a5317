"""The workflows of tests/data/recordings, in a module named as when they were recorded."""

import os
import time

from flytekit import LaunchPlan, Resources, conditional, dynamic, map_task, task, workflow
from flytekit.core.task import Echo
from flytekit.exceptions.user import FlyteRecoverableException

R = Resources(cpu="10m", mem="10Mi")


@task(requests=R)
def t1(a: int) -> int:
    return a + 1


@task(requests=R)
def sleepy(a: int) -> int:
    time.sleep(2)
    return a


@task(requests=R, cache=True, cache_version="1")
def c1(a: int) -> int:
    return a + 1


@task(requests=R)
def rng(n: int) -> list[int]:
    return list(range(n))


@task(requests=R, retries=2)
def flaky(a: int) -> int:
    if os.environ.get("FLYTE_ATTEMPT_NUMBER", "0") == "0":
        raise FlyteRecoverableException("first attempt fails")
    return a


@task(requests=R)
def bad(a: int) -> int:
    if a >= 0:
        raise ValueError("planted failure")
    return a


@task(requests=R)
def rng2(a: int) -> int:
    return -a


echo = Echo(name="echo_int", inputs={"a": int})


@workflow
def single(a: int = 0) -> int:
    return t1(a=a)


@workflow
def sleep2(a: int = 0) -> int:
    return sleepy(a=a)


@workflow
def chain(a: int = 0) -> int:
    for _ in range(5):
        a = t1(a=a)
    return a


@workflow
def cached_chain(a: int = 0) -> int:
    for _ in range(5):
        a = c1(a=a)
    return a


@workflow
def fan(n: int = 20) -> list[int]:
    return map_task(t1, concurrency=0)(a=rng(n=n))


@workflow
def echo_chain(a: int = 0) -> int:
    for _ in range(10):
        a = echo(a=a)
    return a


@workflow
def echo_wide(a: int = 0) -> list[int]:
    return [echo(a=a) for _ in range(50)]


@dynamic(requests=R)
def dyn(n: int) -> int:
    a = 0
    for _ in range(n):
        a = t1(a=a)
    return a


@workflow
def dynamic3(n: int = 3) -> int:
    return dyn(n=n)


@dynamic(requests=R)
def dyn_outer(n: int) -> int:
    a = 0
    for _ in range(n):
        a = dyn(n=2)
    return a


@workflow
def nested_dynamic(n: int = 2) -> int:
    return dyn_outer(n=n)


lp = LaunchPlan.get_or_create(single, "single_lp")


@workflow
def launchplan2(a: int = 0) -> int:
    b = lp(a=a)
    return lp(a=b)


@workflow
def branch(a: int = 1) -> int:
    return conditional("c").if_(a > 0).then(t1(a=a)).else_().then(rng2(a=a))


@workflow
def sub(a: int) -> int:
    return t1(a=t1(a=a))


@workflow
def parallel_subs(a: int = 0) -> list[int]:
    return [sub(a=a) for _ in range(3)]


@workflow
def retry(a: int = 0) -> int:
    return flaky(a=a)


@workflow
def failing(a: int = 0) -> int:
    return bad(a=a)
