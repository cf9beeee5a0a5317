"""The page's tables: nodes, operations, state, processes, audit, repeats, both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_flyteperf.gate.environment import identity, key, machine
from pytest_flyteperf.model import METRICS
from pytest_flyteperf.report import gather
from pytest_flyteperf.report.text import duration, escaped, figure, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_flyteperf.model import ComponentUse, Environment, Finding, Measures, Subject
    from pytest_flyteperf.report.page.content import CaseContent, RepeatContent
    from pytest_flyteperf.report.sections import Node, Times


MOST_NODES: Final = 25
"""Rows of the table of nodes; the timeline shows them all."""


def nodes(valid: Sequence[Measures]) -> tuple[tuple[dict[str, str], ...], int]:
    """The nodes with most of the critical path, and how many there are beside them."""
    found = sorted(gather.nodes(valid), key=lambda node: -(_middle(node.critical_path) or 0))
    return tuple(map(_node, found[:MOST_NODES])), max(0, len(found) - MOST_NODES)


def _middle(times: Times | None) -> int | None:
    return None if times is None else times.median


def _node(node: Node) -> dict[str, str]:
    def time(of: Times | None) -> str:
        middle = _middle(of)
        return "" if middle is None else duration(middle)

    return {
        "id": escaped(node.id),
        "kind": node.kind,
        "path": time(node.critical_path),
        "duration": time(node.duration),
        "flyte": time(node.flyte_overhead),
        "kubernetes": time(node.kubernetes),
        "user": time(node.user),
        "scheduling": time(node.scheduling),
    }


def operations(valid: Sequence[Measures]) -> tuple[tuple[str, ...], ...]:
    """Operation, beneath what, calls a repeat, and quantiles of its latency."""
    rows = []
    for place in gather.places(valid):
        latency = place.latency
        quantiles = (latency.p50, latency.p90, latency.p99) if latency else (None, None, None)
        rows.append(
            (
                place.operation,
                place.beneath,
                "" if place.calls is None else f"{place.calls.median:g}",
                *("" if ns is None else duration(ns) for ns in quantiles),
            )
        )
    return tuple(rows)


_STATE: Final = (
    ("revisions", "revisions written"),
    ("written_bytes", "written in all"),
    ("peak_bytes", "largest revision"),
    ("peak_spec_bytes", "of it spec"),
    ("peak_status_bytes", "of it status"),
    ("peak_gzip_bytes", "largest, gzip"),
    ("peak_nodes", "node statuses in it"),
    ("node_bytes", "a node status"),
    ("array_item_bytes", "a sub-task of an array node"),
    ("etcd_share", "share of etcd's request limit"),
)


def state(valid: Sequence[Measures]) -> tuple[tuple[str, str], ...]:
    """Facts of the FlyteWorkflow object, medians over the repeats."""
    states = [m.state for m in valid if m.state is not None]
    rows = []
    for field, title in _STATE:
        values = sorted(v for s in states if (v := getattr(s, field, None)) is not None)
        if not values:
            continue
        middle = values[len(values) // 2]
        if field == "etcd_share":
            shown = f"{100 * middle:.2g} %"
        elif "bytes" in field:
            shown = size(middle)
        else:
            shown = f"{middle:g}"
        rows.append((title, shown))
    return tuple(rows)


def components(valid: Sequence[Measures]) -> tuple[tuple[str, str, str], ...]:
    """Process, CPU time of a repeat, most memory."""
    found: dict[str, list[ComponentUse]] = {}
    for measures in valid:
        for use in measures.components:
            found.setdefault(use.component, []).append(use)
    return tuple(
        (
            escaped(name),
            duration(sum(u.cpu_ns for u in uses) / len(uses)),
            size(max(u.resident_bytes for u in uses)),
        )
        for name, uses in found.items()
    )


def findings(repeats: Iterable[RepeatContent]) -> tuple[tuple[str, str, str, int], ...]:
    """Check, severity, evidence of the first, how many repeats."""
    found: dict[tuple[str, str], list[Finding]] = {}
    for repeat in repeats:
        for finding in repeat.measures.findings:
            found.setdefault((finding.severity.value, finding.check), []).append(finding)
    return tuple(
        (escaped(check), severity, escaped(all_of[0].evidence), len(all_of))
        for (severity, check), all_of in sorted(found.items())
    )


def run(index: int, repeat: RepeatContent) -> dict[str, Any]:
    """One repeat."""
    metrics = repeat.measures.metrics
    return {
        "index": index,
        "execution": escaped(repeat.measures.execution),
        "phase": escaped(repeat.measures.phase).lower(),
        "valid": repeat.valid,
        "recording": escaped(repeat.recording),
        "links": repeat.links,
        **{
            name: figure(metrics.get(metric), METRICS[metric])
            for name, metric in (
                ("duration", "duration_ns"),
                ("flyte", "flyte_ns"),
                ("working", "handle_ns"),
                ("user", "user_ns"),
            )
        },
    }


def sides(content: CaseContent) -> tuple[tuple[str, str, str, bool], ...]:
    """Property, what it was before, what it is now, whether they differ."""
    baseline = content.baseline
    now = _facts(content.subject, content.environment)
    before: dict[str, str] = {}
    rows: list[tuple[str, str, str]] = []
    if baseline is not None:
        before = _facts(baseline.subject, baseline.environment)
        commit = "" if baseline.commit is None else f" at {baseline.commit[:12]}"
        rows += [
            ("recorded", f"{baseline.recorded}{commit}, {baseline.repeats} repeats", ""),
            ("accepted", f"{baseline.accepted.by}: {baseline.accepted.reason}", ""),
        ]
    rows += [(name, before.get(name, "—" if before else ""), new) for name, new in now.items()]
    return tuple(
        (name, escaped(old), escaped(new), bool(old and new and old != new))
        for name, old, new in rows
    )


def _facts(subject: Subject, environment: Environment) -> dict[str, str]:
    config = subject.config_digest
    facts = {
        "Flyte": subject.flyte,
        "digest": subject.digest[:16],
        "configuration": "the deployment's own" if config is None else config[:16],
        "environment": key(environment),
    }
    named = {**identity(environment), **machine(environment)}
    return facts | {name: str(value) for name, value in named.items() if value is not None}
