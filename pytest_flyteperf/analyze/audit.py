"""Checks of a recording: can its figures be trusted, and what did Flyte itself do.

`invalid` findings come from outside Flyte: the recording lacks something or a clock jumped. What
Flyte does by itself (conflicts, refused events) is a measure and evidence of cause: a `note`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_flyteperf.analyze import spans
from pytest_flyteperf.analyze.nodes import Kind
from pytest_flyteperf.analyze.resources import machine_ticks, other_ticks
from pytest_flyteperf.analyze.signals import CHECKED
from pytest_flyteperf.model import (
    CRD_WRITE_FAILED,
    REFUSED_EVENTS,
    STEAL,
    STEAL_LIMIT,
    THROTTLING,
    Finding,
    Severity,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_flyteperf.analyze.documents import RecordingDocument
    from pytest_flyteperf.analyze.nodes import Node, Run
    from pytest_flyteperf.analyze.pods import Pod
    from pytest_flyteperf.analyze.spans import Stray
    from pytest_flyteperf.analyze.timeline import Timeline
    from pytest_flyteperf.model import Estimate, Latency, Signal

CLOCK_SLACK_NS = 50_000_000
"""How far a nanosecond stamp may lie behind the receipt of the event that shows it, before the
kubelet's and the collector's clocks are said to differ."""
SPAN_SLACK_NS = 1_000_000
"""How far an event's stamp may lie outside the handle that sent it: both are the same clock, read
microseconds apart."""
CLOCK_STEP_NS = 50_000_000
"""How far the wall clock may move against the monotonic one: NTP slews at most 30 ms a minute."""
STEAL_SHARE = 1
"""Percent of CPU time taken by a hypervisor that is pointed out: one clock tick in a second."""
OTHER_SHARE = 50
"""Percent of CPU time of strangers that is pointed out; asked only where no pod ran, whose CPU time
is not known apart. The recorder itself takes some of it."""
OTHER_LIMIT = 90
"""Percent beyond which nothing was left for Flyte to run at its own pace. Ten repeats of a pod-free
chain with 60 to 80 % took 0.45 to 0.61 s, no longer than on an idle machine."""
PACE_STEP = 1.5
"""How many times slower or faster the CPU canary may be after a repeat than before. At rest it
varies by 13 to 23 % from repeat to repeat (44 repeats on two virtual CPUs)."""
PRESSURE_SHARE = 1
"""Percent of an execution's time in which some task may have waited for memory: beyond it times are
those of fetching pages back. Waits for CPU and disk are Flyte's own."""
PULL_FAILED = ("ErrImagePull", "ImagePullBackOff")
"""Reasons of a task execution whose image did not come (`PM/flytek8s/pod_helper.go`)."""
LEAST_TICKS = 50
"""Fewer clock ticks than this say nothing about shares."""
UNKNOWN_SHARE = 10
"""Percent of the wall clock beyond which `unknown` is pointed out."""
TAIL_NS = 5_000_000_000
"""How long after its end spans of an execution may still begin."""


def _invalid(check: str, evidence: str) -> Finding:
    return Finding(check=check, severity=Severity.INVALID, evidence=evidence)


def _note(check: str, evidence: str) -> Finding:
    return Finding(check=check, severity=Severity.NOTE, evidence=evidence)


def stored_events(runs: Iterable[Run]) -> dict[str, int]:
    """The fewest events that FlyteAdmin must have accepted to know what it knows, by metric."""
    least = {"workflow_events": 0, "node_events": 0, "task_events": 0}
    for run in runs:
        least["workflow_events"] += {"SUCCEEDED": 3, "FAILED": 2, "ABORTED": 1}.get(run.phase, 0)
        for node in run.nodes.values():
            least["node_events"] += _node_events(node)
            least["task_events"] += sum(max(1, len(a.reasons)) for a in node.attempts)
    return least


def _node_events(node: Node) -> int:
    if node.started is not None:
        return 3 + (node.kind is Kind.DYNAMIC) if node.ended is not None else 2
    queued = node.kind is Kind.END or (node.attempts and node.phase == "SUCCEEDED")
    return 2 if queued and node.ended is not None else 1


def check_spans(
    counted: Mapping[str, int],
    runs: Sequence[Run],
    timelines: Mapping[str, Timeline],
    strays: Iterable[Stray],
    parentless: int,
) -> list[Finding]:
    """Whether spans of these executions were lost.

    Args:
        counted: accepted events by metric, from client spans beneath handles.
        runs: the execution first, then those that its launch plan nodes started.
        timelines: handles by execution.
        strays: client spans whose handle never came.
        parentless: spans beneath these handles whose parent never came.
    """
    evidence = [
        f"{counted.get(name, 0)} {name.replace('_', ' ')} in spans, at least {least} stored"
        for name, least in stored_events(runs).items()
        if counted.get(name, 0) < least
    ]
    if parentless:
        evidence.append(f"{parentless} spans without parent")
    if ours := sum(_belongs(stray, runs) for stray in strays):
        evidence.append(f"{ours} spans without handle")
    if outside := [name for run in runs for name in _outside(run, timelines.get(run.name))]:
        evidence.append(
            f"{len(outside)} events outside any handle, first {outside[0]}",
        )
    return [_invalid("lost spans", "; ".join(evidence))] if evidence else []


def _belongs(stray: Stray, runs: Sequence[Run]) -> bool:
    """Whether a stray span is of these executions; an event's is, if it falls into their time."""
    if stray.execution is not None:
        return any(stray.execution == run.name for run in runs)
    whole = runs[0]
    return (
        stray.name in spans.EVENTS
        and whole.created is not None
        and whole.created <= stray.start_ns <= (whole.ended or whole.created) + TAIL_NS
    )


def _outside(run: Run, timeline: Timeline | None) -> list[str]:
    """Events that no handle covers, though a handle must have sent them."""
    if timeline is None:
        return [f"all of {run.name}"]
    stamps = [(node.created, f"first of {node.id}") for node in run.nodes.values()]
    if run.phase in {"SUCCEEDED", "FAILED"}:
        stamps.append((run.ended, f"last of {run.name}"))
    return [
        what
        for at, what in stamps
        if at is not None and not timeline.spent(at - SPAN_SLACK_NS, at + SPAN_SLACK_NS)
    ]


def untraced(estimates: Mapping[str, Estimate]) -> Finding:
    """That a recording has no traces, and what then stands for them."""
    told = "handles, rounds and operations are unknown"
    if estimates:
        told = f"operations are unknown, {len(estimates)} figures are estimates that nothing gates"
    return _note("no traces", told)


def check_clocks(runs: Iterable[Run], pods: Iterable[Pod]) -> list[Finding]:
    """Whether stamps contradict the order in which things happen."""
    evidence = [
        f"node {node.id} of {run.name} ended before it began"
        for run in runs
        for node in run.nodes.values()
        if node.created is not None and node.ended is not None and node.ended < node.created
    ]
    for pod in pods:
        for what, stamp, received in (
            ("start", pod.started, pod.running_ns),
            ("end", pod.finished, pod.reported_ns),
        ):
            if stamp and received is not None and stamp.low > received + CLOCK_SLACK_NS:
                late = (stamp.low - received) // 1_000_000
                evidence.append(f"{what} of {pod.name} stamped {late} ms after its receipt")
        if pod.started and pod.started.high < pod.created_ns - CLOCK_SLACK_NS:
            early = (pod.created_ns - pod.started.high) // 1_000_000
            evidence.append(f"start of {pod.name} stamped {early} ms before its creation was seen")
    return [_invalid("clock", f"{len(evidence)}: {evidence[0]}")] if evidence else []


def check_recorder(about: RecordingDocument, pods: int | None) -> list[Finding]:
    """What the recorder noticed about its own work, the clock and the machine."""
    findings: list[Finding] = []
    if about.traces_complete is False:
        findings.append(_invalid("lost spans", "the last handle's span did not arrive in time"))
    if about.watch_gaps:
        findings.append(_invalid("watch gap", f"{about.watch_gaps} times events may be lost"))
    if abs(about.clock_step_ns) > CLOCK_STEP_NS:
        moved = about.clock_step_ns / 1e6
        findings.append(_invalid("clock", f"the wall clock moved by {moved:+.0f} ms"))
    findings += _pressure(about)
    findings += _neighbours(about)
    ticks = machine_ticks(about)
    whole = sum(ticks.values())
    if whole >= LEAST_TICKS:
        steal = ticks.get("steal", 0)
        if steal * 100 > whole * STEAL_SHARE:
            report = _invalid if steal * 100 > whole * STEAL_LIMIT else _note
            findings.append(report(STEAL, f"{steal * 100 // whole} % of CPU time"))
        other = other_ticks(about)
        if pods == 0 and _knows_flytes_own(about) and other * 100 > whole * OTHER_SHARE:
            report = _invalid if other * 100 > whole * OTHER_LIMIT else _note
            findings.append(report("other CPU use", f"{other * 100 // whole} % of CPU time"))
    before, after = about.canaries_before, about.canaries_after
    ratio = after.cpu_ns / before.cpu_ns if before and after and before.cpu_ns else 1.0
    if not 1 / PACE_STEP <= ratio <= PACE_STEP:
        moved = 100 * (ratio - 1)
        findings.append(_note("pace", f"the CPU canary took {moved:+.0f} % after the repeat"))
    return findings


def _knows_flytes_own(about: RecordingDocument) -> bool:
    """Whether Flyte's processes were told from strangers: not where they run in a cluster."""
    return about.machine_after is not None and bool(about.machine_after.processes)


def _neighbours(about: RecordingDocument) -> list[Finding]:
    """Others on a cluster that is not ours alone."""
    looks = [look for look in (about.neighbours_before, about.neighbours_after) if look is not None]
    findings: list[Finding] = []
    most = max((look.workflows or 0 for look in looks), default=0)
    if most:
        findings.append(_invalid("other workflows", f"{most} of others ran on the cluster"))
    pressed = dict.fromkeys(each for look in looks for each in look.pressed or ())
    if pressed:
        findings.append(_invalid("node pressure", ", ".join(pressed)))
    return findings


def _pressure(about: RecordingDocument) -> list[Finding]:
    before, after = about.machine_before, about.machine_after
    if before is None or after is None or not about.client_seconds:
        return []
    waited = after.pressure_us.get("memory", 0) - before.pressure_us.get("memory", 0)
    share = waited / (about.client_seconds * 10_000)
    if share <= PRESSURE_SHARE:
        return []
    return [_invalid("memory pressure", f"tasks waited for memory in {share:.0f} % of the time")]


def check_attempts(runs: Iterable[Run]) -> list[Finding]:
    """Images that did not come, which is the cluster's doing, and attempts that failed."""
    findings: list[Finding] = []
    nodes = [node for run in runs for node in run.nodes.values()]
    pulls = [
        node.id
        for node in nodes
        if any(word in said for a in node.attempts for _, said in a.reasons for word in PULL_FAILED)
    ]
    if pulls:
        findings.append(_invalid("image pull", f"failed for {len(pulls)} nodes, first {pulls[0]}"))
    again = sum(max(0, len(node.attempts) - 1) for node in nodes)
    if again:
        findings.append(_note("retries", f"{again} attempts after a first"))
    return findings


def check_flyte(latencies: Iterable[Latency]) -> list[Finding]:
    """What Flyte had to do twice."""
    findings: list[Finding] = []
    for row in latencies:
        if not row.failed:
            continue
        if row.operation in spans.EVENTS:
            findings.append(
                _note(REFUSED_EVENTS, f"{row.failed} of {row.count} {row.operation}s"),
            )
        elif row.operation == spans.CRD_WRITE:
            findings.append(
                _note(CRD_WRITE_FAILED, f"{row.failed} of {row.count} updates"),
            )
    return findings


def check_signals(
    metrics: Mapping[str, int | None],
    signals: Iterable[Signal],
) -> list[Finding]:
    """Whether Propeller's own counters agree with its spans.

    A note only: counters hold every execution of the process.
    """
    evidence: list[str] = []
    for signal in signals:
        spans_say = metrics.get(CHECKED.get(signal.name, ""))
        if spans_say is not None and spans_say != signal.count:
            evidence.append(f"{signal.count} {signal.name} counted, {spans_say} in spans")
    return [_note("counters disagree", "; ".join(evidence))] if evidence else []


def check_throttling(signals: Iterable[Signal]) -> list[Finding]:
    """Whether event calls were turned down for their rate (`PE/admin_eventsink.go`)."""
    evidence = [
        f"{s.count} {s.name}" for s in signals if s.name.startswith("throttled") and s.count
    ]
    return [_note(THROTTLING, "; ".join(evidence))] if evidence else []


def check_unknown(unknown_ns: int, wall_ns: int) -> list[Finding]:
    """Whether much of the wall clock has no known owner."""
    if unknown_ns * 100 <= wall_ns * UNKNOWN_SHARE:
        return []
    share = unknown_ns * 100 // wall_ns
    return [_note("unknown time", f"{share} % of the wall clock has no known owner")]
