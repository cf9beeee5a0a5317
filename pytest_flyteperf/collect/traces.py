"""Where a repeat's traces come from: the file of our own receiver, or a Jaeger beside Flyte."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from pytest_flyteperf.collect import tracesource
from pytest_flyteperf.collect.slices import TraceFile
from pytest_flyteperf.collect.spans import handle_ended_after
from pytest_flyteperf.forward import Service
from pytest_flyteperf.kubeapi import KubeApi
from pytest_flyteperf.model import Deployment


class Ended(NamedTuple):
    """An execution that has ended, and those that its launch plan nodes started."""

    names: Sequence[str]
    """Its own first."""
    start_ns: int
    """Unix time at which FlyteAdmin created it."""
    end_ns: int
    """Unix time of FlyteAdmin's last change of it."""


class Traces(Protocol):
    """A source of traces."""

    delay_s: float
    """Longest time a finished span stays in the exporter's queue."""
    grace_s: float
    """How much longer than that the last handle is waited for."""
    poll_s: float

    def position(self) -> int:
        """Where the source stands now."""

    def complete(self, since: int, ended: Ended) -> bool:
        """Whether the last handle of an execution has come."""

    def content(self, since: int, ended: Ended) -> tuple[str, bytes]:
        """The recording's file name, and its content."""


class ReceivedTraces:
    """What our receiver appends to its file."""

    grace_s = 2.0
    poll_s = 0.01

    def __init__(self, file: str, delay_s: float) -> None:
        self.delay_s = delay_s
        self._file = TraceFile(file)
        self._checked = 0

    def position(self) -> int:
        self._checked = self._file.end()
        return self._checked

    def complete(self, since: int, ended: Ended) -> bool:
        upto = self._file.end()
        new = self._file.read(max(since, self._checked), upto)
        self._checked = upto
        return handle_ended_after(new, ended.names[0], ended.end_ns)

    def content(self, since: int, ended: Ended) -> tuple[str, bytes]:
        del ended  # others' spans are told apart when they are read
        return "otlp.binpb", self._file.read(since, self._file.end())


class JaegerTraces:
    """What a Jaeger's query service answers.

    Flyte exports every 5 s unless told otherwise (OTEL_BSP_SCHEDULE_DELAY), and a collector may
    gather before it hands on: the last handle is waited for longer than with our own receiver.
    """

    delay_s = 0.0
    grace_s = 30.0
    poll_s = 0.5

    def __init__(self, ask: tracesource.Ask) -> None:
        self._ask = ask

    def position(self) -> int:
        return 0  # a Jaeger is asked by execution

    def complete(self, since: int, ended: Ended) -> bool:
        del since
        found = tracesource.ask_jaeger(self._ask, ended.names[:1], ended.start_ns, ended.end_ns)
        return tracesource.has_handle_after(found, ended.end_ns)

    def content(self, since: int, ended: Ended) -> tuple[str, bytes]:
        del since
        found = tracesource.ask_jaeger(self._ask, ended.names, ended.start_ns, ended.end_ns)
        return tracesource.JAEGER, found


def source(deployment: Deployment, api: KubeApi) -> Traces | None:
    """The source of a deployment's traces; None where they reach nobody."""
    if deployment.cluster.traces is not None:
        return ReceivedTraces(deployment.cluster.traces, deployment.trace_delay_s)
    if deployment.jaeger is None:
        return None
    service = Service.parse(deployment.jaeger)
    if service is None:
        return JaegerTraces(tracesource.over_http(deployment.jaeger))
    return JaegerTraces(lambda question: api.raw(f"{service.proxy}{question}"))


def wait(
    traces: Traces, since: int, ended: Ended, pause_s: float, clock: Callable[[], int]
) -> bool:
    """Wait until an exporter must have handed over every span of an execution.

    Each of Flyte's services exports on a timer of its own, so the last handle alone does not tell
    that all has come: `pause_s`, what is left of the exporter's delay, is waited in any case.

    Returns:
        Whether the last handle came.
    """
    time.sleep(max(0.0, pause_s))
    deadline_ns = clock() + round(traces.grace_s * 1e9)
    while not traces.complete(since, ended):
        if clock() > deadline_ns:
            return False
        time.sleep(traces.poll_s)
    return True
