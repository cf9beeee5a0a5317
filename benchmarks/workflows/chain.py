"""Tasks one after another, with pods, from the cache, or without pods."""

from flytekit import workflow
from flytekit.core.workflow import WorkflowBase

from workflows.tasks import cached_increment, echo, increment


def chain_of(length: int) -> WorkflowBase:
    @workflow
    def chain(a: int) -> int:
        for _ in range(length):
            a = increment(a=a)
        return a

    return chain


def cached_chain_of(length: int) -> WorkflowBase:
    @workflow
    def cached_chain(a: int) -> int:
        for _ in range(length):
            a = cached_increment(a=a)
        return a

    return cached_chain


def echo_chain_of(length: int) -> WorkflowBase:
    @workflow
    def echo_chain(a: int) -> int:
        for _ in range(length):
            a = echo(a=a)
        return a

    return echo_chain
