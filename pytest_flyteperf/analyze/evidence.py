"""What is known of a node's time: its containers, its pods, its waits.

Which rule made a layer stands in its detail, so that a reader can ask for the reason.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from pytest_flyteperf.analyze.ledger import ADMISSION, WAITING, Container, Facts, Layer, Owner
from pytest_flyteperf.analyze.nodes import FAILED, IN_PROCESS, PODS, Attempt, Kind, Node, Run
from pytest_flyteperf.analyze.path import Part
from pytest_flyteperf.analyze.pods import Instant, Pod
from pytest_flyteperf.analyze.stamps import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_flyteperf.analyze.path import Stretch
    from pytest_flyteperf.analyze.timeline import Timeline

BATCHING_TICK = WAITING + "batching tick"
RESYNC = WAITING + "resync timer"
LAUNCH_PLAN_TIMER = WAITING + "launch-plan timer"
FREE_WORKER = WAITING + "free worker"
RE_EVALUATION = WAITING + "re-evaluation"

BATCH_NS = 1_100_000_000
"""A pod's news that is acted upon within this time waited for the batching queue, whose tick is
1 s by default (`queue.batching-interval`); later, for the informer's resync (10 s by default)."""

HELD = "max-parallelism"
RUN = "container"
LOST = "lost"
COMPILE = "compile"
SLEEP = "sleep"

_QUOTA = ("resourcequota", "exceeded quota", "forbidden: exceeded")
"""Reasons of WaitingForResources: the plugin backs off (`PM/flytek8s`, `tasks.backoff`)."""


class Watch(NamedTuple):
    """What the pod watch gave."""

    pods: dict[str, Pod]
    """By name; empty where pods were not watched."""


def of_stretch(
    stretch: Stretch,
    watch: Watch,
    runs: dict[str, Run],
    timeline: Timeline | None,
) -> Facts:
    """What is known of a stretch of the critical path."""
    if stretch.part is not Part.NODE or stretch.node is None:
        return _between(stretch)
    return of_node(stretch.node, watch, runs, timeline, last_only=True)


_FIRST = Facts(rest_owner=Owner.FLYTE, rest_detail=FREE_WORKER)
_LATER = Facts(rest_owner=Owner.FLYTE, rest_detail=RE_EVALUATION)


def _between(stretch: Stretch) -> Facts:
    """Outside any node's events: all of it is Flyte's, or the limit's."""
    run = stretch.run
    facts = _FIRST if stretch.node is None or stretch.node.kind is Kind.START else _LATER
    layers: list[Layer] = []
    if stretch.part is Part.TRANSITION and run.created is not None and run.accepted is not None:
        layers.append(Layer(run.created, run.accepted, Owner.FLYTE, ADMISSION))
    if stretch.held:
        layers.append(Layer(stretch.start, stretch.end, Owner.HELD, HELD))
    return replace(facts, layers=tuple(layers)) if layers else facts


def of_node(
    node: Node,
    watch: Watch,
    runs: dict[str, Run],
    timeline: Timeline | None,
    *,
    last_only: bool = False,
) -> Facts:
    """What is known between a node's first and last event, but for what runs beneath it.

    Args:
        node: the node.
        watch: the pods.
        runs: the executions that launch plan nodes started, by name.
        timeline: when Propeller worked on the node's execution.
        last_only: of an array node's sub-tasks take only the one that finished last and those
            whose end let it begin: the critical path goes through them.
    """
    containers: list[Container] = []
    layers: list[Layer] = []
    for index, attempt in enumerate(node.attempts):
        until = _next_created(node, index)
        pods = [watch.pods[name] for name in attempt.pods if name in watch.pods]
        if last_only and node.kind is Kind.ARRAY:
            pods = _last_pods(pods, node.parallelism, attempt.subtasks.earlier)
            layers += _handed_on(pods, timeline)
        _attempt(node, attempt, pods, until, timeline, containers, layers)
    if node.created is not None and node.held_until is not None:
        layers.append(Layer(node.created, node.held_until, Owner.HELD, HELD))
    if node.kind is Kind.LAUNCH_PLAN:
        _launch_plan(node, runs, layers)
    if node.kind is Kind.GATE:
        _gate(node, containers, layers)
    owner, detail = _rest(node)
    return Facts(tuple(containers), tuple(layers), owner, detail)


def _rest(node: Node) -> tuple[str, str]:
    """Who has the time of a node that no fact covers.

    Nothing wakes Propeller when a sleep is over: a gate waits for the informer's resync.
    """
    if node.kind is Kind.UNKNOWN and not node.children:
        return Owner.UNKNOWN, "kind of node"
    return Owner.FLYTE, RESYNC if node.kind is Kind.GATE else RE_EVALUATION


def _next_created(node: Node, index: int) -> int | None:
    """What follows an attempt: the children it built, the next attempt, or the node's end."""
    begun = [after.created for after in node.attempts[index + 1 :] if after.created is not None]
    if node.children:
        group = str(node.attempts[index].retry)
        begun += [
            child.created
            for child in node.children
            if child.group == group and child.created is not None
        ]
    return min(begun, default=node.ended)


def _last_pods(pods: list[Pod], parallelism: int, earlier: dict[str, str]) -> list[Pod]:
    """The sub-task that finished last, and what it waited for.

    Before a later attempt stands the one that failed; before a first one, where few may run at
    once, the pod that freed its slot.
    """
    reported = sorted((pod for pod in pods if pod.reported_ns is not None), key=_report)
    if not reported:
        return pods
    left = {pod.name: pod for pod in pods}
    chain: list[Pod] = []
    pod: Pod | None = reported.pop()
    while pod is not None:
        chain.append(left.pop(pod.name))
        before = left.get(earlier.get(pod.name, ""))
        if before is None and parallelism:
            while reported and (
                reported[-1].name not in left or _report(reported[-1]) > (pod.created_ns, "")
            ):
                reported.pop()
            before = reported.pop() if reported else None
        pod = before
    return chain


def _handed_on(chain: list[Pod], timeline: Timeline | None) -> list[Layer]:
    """From one pod's report to the next one's creation: Flyte's, waiting for a worker."""
    return [
        Layer(news, later.created_ns, Owner.FLYTE, _waited_for(news, later.created_ns, timeline))
        for later, before in pairwise(chain)
        if (news := before.reported_ns) is not None
    ]


def _report(pod: Pod) -> tuple[int, str]:
    return pod.reported_ns or 0, pod.name


def _attempt(  # noqa: PLR0913, PLR0917 -- two lists to fill
    node: Node,
    attempt: Attempt,
    pods: list[Pod],
    until: int | None,
    timeline: Timeline | None,
    containers: list[Container],
    layers: list[Layer],
) -> None:
    if any(pod.found for pod in pods):
        submitted = None if node.kind is Kind.ARRAY else attempt.created
        for pod in pods:
            _found(pod, _detail(node, attempt, pod), submitted, until, containers, layers)
        return
    for pod in pods:
        _pod(pod, _detail(node, attempt, pod), until, containers, layers)
    if pods:
        news = max((pod.reported_ns or pod.created_ns) for pod in pods)
        if until is not None and until > news:
            layers.append(Layer(news, until, Owner.FLYTE, _waited_for(news, until, timeline)))
        first = min(pod.created_ns for pod in pods)
        layers += _quota(attempt, first)
    elif attempt.plugin in PODS:
        _unwatched(node, attempt, until, containers, layers)
    elif attempt.plugin not in IN_PROCESS and attempt.created is not None:
        ended = attempt.updated if attempt.updated is not None else node.ended
        if ended is not None:
            layers.append(_elsewhere(attempt, attempt.created, ended))


def _elsewhere(attempt: Attempt, created: int, ended: int) -> Layer:
    """A task that runs neither as a pod of the FlyteWorkflow nor within Propeller."""
    if attempt.plugin:
        return Layer(created, ended, Owner.EXTERNAL, attempt.plugin)
    return Layer(created, ended, Owner.UNKNOWN, "plugin")


def _detail(node: Node, attempt: Attempt, pod: Pod | None) -> str:
    if attempt.phase in FAILED or attempt.phase == "ABORTED":
        return LOST
    if pod is not None and (pod.exit_code or pod.name in attempt.subtasks.lost):
        return LOST
    return COMPILE if node.kind is Kind.DYNAMIC else RUN


def _waited_for(news: int, until: int, timeline: Timeline | None) -> str:
    """Which timer brought a pod's news to a worker: the one that the handle's delay fits."""
    acted = timeline.last_start(until) if timeline else None
    acted = until if acted is None or acted < news else acted
    return BATCHING_TICK if acted - news <= BATCH_NS else RESYNC


def _pod(
    pod: Pod,
    detail: str,
    until: int | None,
    containers: list[Container],
    layers: list[Layer],
) -> None:
    """A pod's life: Kubernetes' but while its container runs."""
    end = pod.reported_ns or pod.deleted_ns or until
    if end is None:
        end = max(pod.created_ns, pod.bound_ns or 0, pod.started.high if pod.started else 0)
    bound = end if pod.bound_ns is None else min(pod.bound_ns, end)
    layers.append(Layer(pod.created_ns, bound, Owner.KUBERNETES, "scheduling"))
    if pod.started is None:
        layers.append(Layer(bound, end, Owner.KUBERNETES, "starting"))
        return
    started = pod.started
    finished = pod.finished
    if finished is None:
        seen = min(started.high, end)
        finished = Instant(seen, max(end, started.point), max(end, started.high))
    layers += (
        Layer(bound, max(bound, started.high), Owner.KUBERNETES, "starting"),
        Layer(finished.low, max(end, finished.low), Owner.KUBERNETES, "reporting"),
    )
    containers.append(Container(started, finished, detail))


def _found(  # noqa: PLR0913, PLR0917 -- two lists to fill
    pod: Pod,
    detail: str,
    submitted: int | None,
    until: int | None,
    containers: list[Container],
    layers: list[Layer],
) -> None:
    """A pod that was only found later: what lies around its container nobody received.

    `submitted` is when Propeller had created it: its task execution begins then, to the nanosecond.
    """
    if pod.started is None or pod.finished is None:
        layers.append(Layer(pod.created_ns, until or pod.created_ns, Owner.UNKNOWN, "pod"))
        return
    if submitted is not None and pod.created_ns <= submitted <= pod.started.high:
        created = submitted
    else:
        created = min(pod.created_ns + SECOND_NS, pod.started.low)
        layers.append(Layer(pod.created_ns, created, Owner.UNKNOWN, "pod's creation"))
    started = pod.started.no_earlier(created)
    finished = pod.finished.no_earlier(started.low)
    finished = replace(finished, point=max(finished.point, started.point))
    ended = pod.finished.high if until is None else max(until, pod.finished.low)
    layers += (
        Layer(created, started.high, Owner.KUBERNETES, "starting"),
        Layer(pod.finished.low, ended, Owner.UNKNOWN, "pod's report"),
    )
    containers.append(Container(started, finished, detail))


def _quota(attempt: Attempt, until: int) -> list[Layer]:
    """Backing off for a resource quota: from the reason that says so to the pod, if it came."""
    since = [
        at
        for at, message in attempt.reasons
        if at < until and any(words in message.lower() for words in _QUOTA)
    ]
    return [Layer(min(since), until, Owner.BACKOFF, "resource quota")] if since else []


def _unwatched(
    node: Node,
    attempt: Attempt,
    until: int | None,
    containers: list[Container],
    layers: list[Layer],
) -> None:
    """A pod that no watch showed: FlyteAdmin's copy of the kubelet's stamps is what there is."""
    ended = attempt.updated if attempt.updated is not None else until
    if attempt.created is None or ended is None:
        return
    if attempt.started is None:
        layers.append(Layer(attempt.created, ended, Owner.UNKNOWN, "pod not watched"))
        layers += _quota(attempt, ended)
        return
    started = attempt.started.no_earlier(attempt.created).no_later(ended)
    layers.append(Layer(attempt.created, started.high, Owner.KUBERNETES, "starting"))
    if attempt.ended is None:
        layers.append(Layer(started.low, ended, Owner.UNKNOWN, "container's end"))
        return
    finished = attempt.ended.no_earlier(started.low).no_later(ended)
    finished = replace(finished, point=max(finished.point, started.point))
    layers.append(Layer(finished.low, ended, Owner.UNKNOWN, "pod's report"))
    containers.append(Container(started, finished, _detail(node, attempt, None)))


def _launch_plan(node: Node, runs: dict[str, Run], layers: list[Layer]) -> None:
    """What a launch plan node does besides its execution's run."""
    if node.started is None or node.ended is None:
        return
    child = runs.get(node.child)
    if child is None or child.ended is None:
        detail = "launched execution was not recorded"
        layers.append(Layer(node.started, node.ended, Owner.UNKNOWN, detail))
    else:
        layers.append(Layer(child.ended, node.ended, Owner.FLYTE, LAUNCH_PLAN_TIMER))


def _gate(node: Node, containers: list[Container], layers: list[Layer]) -> None:
    """A sleep is what the user asked for; a signal is given from outside."""
    if node.started is None or node.ended is None:
        return
    if node.sleep_ns is not None:
        woken = min(node.started + node.sleep_ns, max(node.ended, node.started))
        containers.append(Container(Instant.exact(node.started), Instant.exact(woken), SLEEP))
    else:
        layers.append(Layer(node.started, node.ended, Owner.EXTERNAL, "signal"))


def subnodes(node: Node, below: Iterable[tuple[int, int]]) -> tuple[Layer, ...]:
    """What runs beneath a node, as layers of its own ledger."""
    return tuple(Layer(low, high, Owner.SUBNODES, node.kind.value) for low, high in below)
