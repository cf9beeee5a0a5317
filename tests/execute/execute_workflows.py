from flytekit import dynamic, task, workflow


@task
def plus_one(a: int) -> int:
    return a + 1


@workflow
def single(a: int = 0) -> int:
    return plus_one(a=a)


@dynamic
def twice(a: int) -> int:
    return plus_one(a=plus_one(a=a))


@workflow
def with_dynamic(a: int = 0) -> int:
    return twice(a=a)


@workflow
def pair(a: int = 0) -> tuple[int, int]:
    return plus_one(a=a), plus_one(a=a)


@workflow
def with_sub(a: int = 0) -> int:
    return single(a=single(a=a))
