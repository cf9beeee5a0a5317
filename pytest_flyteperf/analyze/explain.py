"""One execution's critical path in words: what each stretch of it went into."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_flyteperf.model import FlytekitShare, Measures, Owned, Ownership, PathStep

SHOWN_PERCENT = 1
"""Owners of less than this share of a stretch are left out of its line."""


def printable(text: str) -> str:
    """A text in one line, with whatever a terminal would obey shown as an escape."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def explain(measures: Measures) -> Iterator[str]:
    """Lines that say where an execution's time went, along its critical path.

    Each line is a node's stretch: when it began, how long it took, what owned it. The lines of
    nodes beneath a node are indented by how deep they are; those of a launched execution begin with
    its name.
    """
    name, ownership = printable(measures.execution), measures.ownership
    if ownership is None:
        yield f"{name}: {printable(measures.phase).lower()}; it has not ended, so nothing is owned"
        return
    yield f"{name}: {measures.phase.lower()} after {_seconds(ownership.wall_ns)}"
    depths = _depths(ownership)
    for step in ownership.path:
        inside = f"{step.execution}/" if step.execution != measures.execution else ""
        yield _line(step, inside, depths.get((step.execution, step.node or ""), 0))
    if measures.flytekit is not None:
        yield _stages(measures.flytekit)
    for finding in measures.findings:
        yield f"{finding.severity.value}: {printable(f'{finding.check}: {finding.evidence}')}"


def _stages(share: FlytekitShare) -> str:
    stages = {
        "start": share.start_ns,
        "load": share.load_ns,
        "inputs": share.inputs_ns,
        "user's code": share.user_code_ns,
        "outputs": share.outputs_ns,
        "exit": share.exit_ns,
    }
    told = ", ".join(f"{name} {_seconds(spent_ns)}" for name, spent_ns in stages.items())
    return f"inside {share.containers} containers: {told}"


def _depths(ownership: Ownership) -> dict[tuple[str, str], int]:
    """How many nodes each node lies beneath, within its own execution."""
    parents = {(node.execution, node.id): node.parent for node in ownership.nodes}
    depths: dict[tuple[str, str], int] = {}
    for (execution, node), parent in parents.items():
        above, depth = parent, 0
        while above is not None and depth <= len(parents):
            above, depth = parents.get((execution, above)), depth + 1
        depths[execution, node] = depth
    return depths


def _line(step: PathStep, inside: str, depth: int) -> str:
    part = {"transition": "before ", "teardown": "after "}.get(step.part, "")
    what = (
        f"{'  ' * depth}{part}{printable(inside + (step.node or 'the first node'))} ({step.kind})"
    )
    length = step.end_ns - step.start_ns
    owners = [one for one in step.owners if one.point_ns * 100 >= length * SHOWN_PERCENT]
    owned = ", ".join(_owned(one) for one in sorted(owners, key=lambda one: -one.point_ns))
    return f"{step.start_ns / 1e9:9.3f} {_seconds(length):>10}  {what:<36} {owned}"


def _owned(one: Owned) -> str:
    owned = f"{one.owner} {printable(one.detail)} {_seconds(one.point_ns)}"
    if one.low_ns == one.high_ns:
        return owned
    return f"{owned} ({one.low_ns / 1e9:.3f} to {one.high_ns / 1e9:.3f})"


def _seconds(spent_ns: int) -> str:
    return f"{spent_ns / 1e9:.3f} s"
