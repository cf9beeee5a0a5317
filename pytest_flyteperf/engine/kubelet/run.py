"""One pod, from the moment the kubelet knows it until it leaves the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_flyteperf.engine.forkserver.protocol import Started
from pytest_flyteperf.engine.kubelet.status import Ended, State, Verdict

if TYPE_CHECKING:
    from pytest_flyteperf.engine.kubelet.pods import Container, Pod


class PodRun:
    """What the kubelet knows of a pod beyond the API's own view of it."""

    def __init__(self, pod: Pod, seen_ns: int) -> None:
        self.pod = pod
        self.seen_ns = seen_ns
        self.start_ns = 0
        """Unix time at which the node began it; 0 before."""
        self.bound = bool(pod.spec.node_name)
        self.gone = False
        """It has left the API; nothing is to be written for it any more."""
        self.stopping = False
        """Its processes were told to end; no further container is begun."""
        self.grace_s: int | None = None
        """What the last deletion gave its processes; None while it is not being deleted."""
        self.begun = False
        """It was admitted and its deadline runs."""
        self.finished = False
        """Its end has been written, or need not be."""
        self.verdict: Verdict | None = None
        self.requested: set[str] = set()
        """Containers that the fork server was asked to start."""
        self.states: dict[str, State] = {}

    @property
    def live(self) -> tuple[str, ...]:
        """Containers that were asked for and have not ended."""
        return tuple(
            name for name in self.requested if not isinstance(self.states.get(name), Ended)
        )

    @property
    def over(self) -> bool:
        """Nothing of it runs or will run."""
        if self.live:
            return False
        return self.stopping or not self.next_containers()

    def next_containers(self) -> tuple[Container, ...]:
        """Containers to start now: init containers one after another, then the rest together."""
        for container in self.pod.init_containers:
            state = self.states.get(container.name)
            if not isinstance(state, Ended):
                return () if container.name in self.requested else (container,)
            if state.exit_code:
                return ()
        return tuple(c for c in self.pod.spec.containers if c.name not in self.requested)

    @property
    def initializing(self) -> bool:
        """None of its main containers was asked for."""
        return not any(c.name in self.requested for c in self.pod.spec.containers)

    @property
    def all_reported(self) -> bool:
        """Each main container began or was refused."""
        return all(
            isinstance(self.states.get(c.name), Started | Ended) for c in self.pod.spec.containers
        )

    @property
    def any_runs(self) -> bool:
        """A main container runs or has run."""
        return any(
            isinstance(state, Started)
            or (isinstance(state, Ended) and state.started_ns is not None)
            for state in map(self.states.get, (c.name for c in self.pod.spec.containers))
        )
