"""Tasks that fail, for a while or for good."""

import os
import signal

from flytekit import task, workflow
from flytekit.exceptions.user import FlyteRecoverableException

from workflows.tasks import ROOMY, SMALL


def attempt() -> int:
    return int(os.environ["FLYTE_ATTEMPT_NUMBER"])


@task(requests=SMALL, limits=ROOMY, retries=5)
def raises_at_first(failures: int) -> int:
    if attempt() < failures:
        raise FlyteRecoverableException("planted failure")
    return failures


@task(requests=SMALL, limits=ROOMY)
def dies_at_first(failures: int) -> int:
    if attempt() < failures:
        os.kill(os.getpid(), signal.SIGKILL)
    return failures


@workflow
def user_retries(failures: int) -> int:
    return raises_at_first(failures=failures)


@workflow
def system_retries(failures: int) -> int:
    return dies_at_first(failures=failures)


@task(requests=SMALL, limits=ROOMY)
def fails(reason: str) -> str:
    if reason:
        raise ValueError(reason)
    return reason


@task(requests=SMALL, limits=ROOMY)
def clean_up(reason: str) -> str:
    return reason


@workflow(on_failure=clean_up)
def failure(reason: str) -> str:
    return fails(reason=reason)
