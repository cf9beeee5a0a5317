"""All measures of one recording."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from pytest_flyteperf.analyze import audit, intervals, served, spans
from pytest_flyteperf.analyze.cadvisor import container_uses
from pytest_flyteperf.analyze.crd import first_seen
from pytest_flyteperf.analyze.crosscheck import check_metrics
from pytest_flyteperf.analyze.estimates import from_counters, from_log
from pytest_flyteperf.analyze.evidence import Watch
from pytest_flyteperf.analyze.flytekit import flytekit_share
from pytest_flyteperf.analyze.ledger import ADMISSION, WAITING, WORKING, Owner
from pytest_flyteperf.analyze.nodes import Run
from pytest_flyteperf.analyze.orchestration import Orchestration
from pytest_flyteperf.analyze.ownership import attribute
from pytest_flyteperf.analyze.pods import Pod, fold_pods
from pytest_flyteperf.analyze.recording import Recording
from pytest_flyteperf.analyze.resources import (
    canaries,
    component_uses,
    loopback_bytes,
    pods_use,
)
from pytest_flyteperf.analyze.runtime import runtime_use
from pytest_flyteperf.analyze.shape import shape_of
from pytest_flyteperf.analyze.signals import read_samples, signals
from pytest_flyteperf.analyze.sources import sources_of
from pytest_flyteperf.analyze.state import measure_state
from pytest_flyteperf.analyze.timeline import Segment, Timeline, partition
from pytest_flyteperf.analyze.uncollected import uncollected
from pytest_flyteperf.analyze.views import ownership_of
from pytest_flyteperf.model import METRICS, Measures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_flyteperf.analyze.ledger import Ledger
    from pytest_flyteperf.model import ComponentUse, Cost, Estimate, Finding, Signal

TERMINAL = frozenset({"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"})
"""Phases of an execution that has ended (`A/common/executions.go`)."""


def analyze_recording(folder: str | Path) -> Measures:
    """Read a recording and compute all its measures.

    Counts and handles are of the execution together with the executions its launch plan nodes
    started, at any depth: they are what running this workflow cost. Executions that merely ran at
    the same time change nothing.

    Raises:
        RecordingError: the recording is absent, incomplete or damaged.
    """
    with uncollected():
        return _analyze(Recording(folder))


def _analyze(recording: Recording) -> Measures:
    parts = (recording, *recording.children)
    family = frozenset(part.execution.id.name for part in parts)
    pods = _pods(recording, family)
    runs = _runs(recording, parts, family)
    run, children = runs[0], {child.name: child for child in runs[1:]}
    metrics: dict[str, int | None] = dict.fromkeys(METRICS)
    metrics["attempts"] = count_attempts(runs)
    if pods is not None:
        metrics["pods"] = len(pods)
        metrics["pod_ns"] = container_ns(pods)
    work = _Work(recording, family)
    metrics |= work.orchestration.metrics()
    scrapes = _scrapes(recording)
    if scrapes:
        metrics |= runtime_use(*scrapes)
    findings = audit.check_recorder(recording.about, metrics["pods"])
    findings += audit.check_clocks(runs, pods or ())
    findings += audit.check_attempts(runs)
    findings += work.findings(runs)
    ownership = None
    if run.phase in TERMINAL and run.created is not None and run.ended is not None:
        watch = Watch({pod.name: pod for pod in pods or ()})
        attribution = attribute(run, children, watch, work.timelines)
        ownership = ownership_of(run, attribution)
        metrics["duration_ns"] = attribution.whole.wall
        metrics |= _owned(attribution.whole, traced=run.name in work.timelines)
        findings += audit.check_unknown(
            attribution.whole.point(Owner.UNKNOWN),
            attribution.whole.wall,
        )
    if answer := recording.execution_metrics():
        findings += check_metrics(answer.span, runs, {pod.name: pod for pod in pods or ()})
    counted = signals(*map(read_samples, scrapes)) if scrapes else ()
    estimates = _estimates(recording, counted, family) if metrics["handles"] is None else {}
    if not work.traced:
        findings.append(audit.untraced(estimates))
    findings += audit.check_throttling(counted)
    if work.traced:
        findings += audit.check_signals(metrics, counted)
    records = recording.workflows()
    state = None
    if records is not None:
        state = measure_state(records, run.name, family, work.orchestration.evaluations)
    if state is not None:
        metrics["crd_bytes"] = state.peak_bytes
    return Measures(
        execution=run.name,
        phase=run.phase,
        metrics=metrics,
        findings=tuple(findings),
        ownership=ownership,
        operations=work.costs(),
        latencies=work.orchestration.latencies(),
        state=state,
        signals=(*counted, *_served(recording)),
        trace_source=recording.trace_source,
        sources=sources_of(recording, metrics),
        estimates=estimates,
        components=(*component_uses(recording.about), *_container_uses(recording)),
        pods_use=pods_use(pods or ()),
        flytekit=flytekit_share(recording.task_steps() or (), pods or ()),
        loopback_bytes=loopback_bytes(recording.about),
        canaries=canaries(recording.about),
        shape=shape_of(runs, pods),
    )


def _pods(recording: Recording, family: frozenset[str]) -> list[Pod] | None:
    records = recording.pods()
    return None if records is None else fold_pods(records, family)


def _container_uses(recording: Recording) -> Iterator[ComponentUse]:
    """What containers used on nodes whose cAdvisor was asked."""
    for node in recording.cadvisor_nodes():
        before, after = recording.page(node, "before"), recording.page(node, "after")
        if before is not None and after is not None:
            yield from container_uses(before, after)


def _served(recording: Recording) -> tuple[Signal, ...]:
    """What servers counted, as far as their pages were read."""
    found: list[Signal] = []
    for component, sources in (("kube-apiserver", served.API_SERVER), ("admin", served.ADMIN)):
        before, after = recording.page(component, "before"), recording.page(component, "after")
        if before is not None and after is not None:
            found += served.timed(sources, before, after)
    lines = recording.gateway()
    return (*found, *(() if lines is None else served.gateway(lines)))


def _scrapes(recording: Recording) -> tuple[list[bytes], ...]:
    """Lines of Propeller's metrics before and after, for more than one reader."""
    return tuple(map(list, recording.scrapes() or ()))


def _estimates(
    recording: Recording,
    counted: Iterable[Signal],
    family: frozenset[str],
) -> dict[str, Estimate]:
    """What stands for traces: the log's figures where no counter tells them."""
    lines = recording.log()
    logged = {} if lines is None else from_log(lines, family)
    return logged | from_counters(counted)


def _runs(
    recording: Recording,
    parts: Iterable[Recording],
    family: frozenset[str],
) -> list[Run]:
    records = recording.workflows()
    seen = {} if records is None else first_seen(records, family)
    return [Run(part, seen.get(part.execution.id.name)) for part in parts]


class _Work:
    """What the traces tell of an execution and its children."""

    def __init__(self, recording: Recording, family: frozenset[str]) -> None:
        self.orchestration = Orchestration()
        self.timelines: dict[str, Timeline] = {}
        self.traced = False
        self._strays: list[spans.Stray] = []
        self._parentless = 0
        self._segments: dict[str, list[Segment]] = {}
        records = recording.traces()
        if records is None:
            return
        self.traced = True
        for found in spans.read_handles(records):
            if isinstance(found, spans.Stray):
                self._strays.append(found)
            elif found.execution in family:
                self._parentless += found.lost
                self.orchestration.take(found)
                self._segments.setdefault(found.execution, []).extend(partition(found))
        self.timelines = {name: Timeline(cut) for name, cut in self._segments.items()}

    def findings(self, runs: list[Run]) -> list[Finding]:
        if not self.traced:
            return []
        counted = self.orchestration.metrics()
        lost = audit.check_spans(counted, runs, self.timelines, self._strays, self._parentless)
        return lost + audit.check_flyte(self.orchestration.latencies())

    def costs(self) -> dict[str, Cost]:
        """Calls and own time by operation; empty where no trace shows any."""
        return self.orchestration.costs(chain.from_iterable(self._segments.values()))


def _owned(whole: Ledger, *, traced: bool) -> dict[str, int | None]:
    flyte = whole.point(Owner.FLYTE)
    kubernetes = whole.point(Owner.KUBERNETES)
    external = whole.point(Owner.EXTERNAL)
    waiting = sum(
        share.point for (_, detail), share in whole.shares.items() if detail.startswith(WAITING)
    )
    return {
        "flyte_ns": flyte,
        "overhead_ns": flyte + kubernetes + external,
        "working_ns": whole.point(Owner.FLYTE, WORKING, ADMISSION) if traced else None,
        "waiting_ns": waiting if traced else None,
        "kubernetes_ns": kubernetes,
        "user_ns": whole.point(Owner.USER),
        "external_ns": external,
        "held_ns": whole.point(Owner.HELD),
        "backoff_ns": whole.point(Owner.BACKOFF),
        "unknown_ns": whole.point(Owner.UNKNOWN),
    }


def count_attempts(runs: Iterable[Run]) -> int:
    """Attempts of tasks; each attempt of each sub-task of an array node counts, the array not."""
    return sum(
        attempt.subtasks.attempts
        for run in runs
        for node in run.nodes.values()
        for attempt in node.attempts
    )


def container_ns(pods: Iterable[Pod]) -> int:
    """Time in which some container ran, by the points of its stamps."""
    return intervals.length(
        intervals.union(
            (pod.started.point, pod.finished.point) for pod in pods if pod.started and pod.finished
        ),
    )
