"""Write portfolio.md from runs of the portfolio: `python docs/write_portfolio.py RUN...`.

RUN is a folder such as `.flyteperf/runs/20261122-204106-60`; of a case in several the last counts.
Every figure is computed from what was measured; what a case is about is its test's docstring.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from pytest_flyteperf.analyze import scaling
from pytest_flyteperf.gate import DEFAULT_GATE
from pytest_flyteperf.model import METRICS
from pytest_flyteperf.outcome import sweeps
from pytest_flyteperf.report import growth, timers
from pytest_flyteperf.report.text import figure
from pytest_flyteperf.result import CaseResult, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_flyteperf.model import Measures, Shape

ROOT = Path(__file__).parents[1]
PER_THOUSAND = "thousand_"
"""How cases are named that sweep over sizes: their figures are of 1,000 units."""


class Unit(NamedTuple):
    """What a case has many of, so that its figures can be told for one."""

    name: str
    count: Callable[[Shape], int]


UNITS = {
    "echo_chain": Unit("node without a pod, in a chain", lambda s: s.nodes["task"]),
    "wide_workflow": Unit("node without a pod, beside others", lambda s: s.nodes["task"]),
    "cached_chain": Unit("cache hit", lambda s: s.cache["hit"]),
    "branches": Unit("branch, with the node it takes", lambda s: s.nodes["branch"]),
    "sub_workflows": Unit("sub-workflow, with what is in it", lambda s: s.nodes["sub-workflow"]),
    "large_literals": Unit("node that hands on a large value", lambda s: s.nodes["task"]),
    "chain": Unit("task in a chain", lambda s: s.nodes["task"]),
    "parallel_tasks": Unit("task beside others", lambda s: s.nodes["task"]),
    "held_tasks": Unit("task that waits for a place", lambda s: s.nodes["task"]),
    "map": Unit("sub-task of a map", lambda s: s.subtasks),
    "limited_map": Unit("sub-task of a limited map", lambda s: s.subtasks),
    "map_of_texts": Unit("sub-task of a map over large values", lambda s: s.subtasks),
    "dynamic": Unit("node of a dynamic", lambda s: s.nodes["task"]),
    "nested_dynamic": Unit("dynamic, with what is in it", lambda s: s.nodes["dynamic"]),
    "cache_reservation": Unit("task that wants a reserved result", lambda s: sum(s.cache.values())),
    "user_retries": Unit("attempt of a task that raises", lambda s: s.attempts),
    "system_retries": Unit("attempt of a task that is killed", lambda s: s.attempts),
    "launch_plan_chain": Unit("launch plan in a chain", lambda s: s.executions - 1),
    "launch_plan_fan": Unit("launch plan beside others", lambda s: s.executions - 1),
}
COUNTS = ("rounds", "crd_writes", "node_events", "task_events", "blob_reads", "blob_writes")


def docstrings(folder: Path) -> dict[str, str]:
    """First paragraph of each test's docstring, in one line, by the name of its case."""
    found = {}
    for path in sorted(folder.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                text = (ast.get_docstring(node) or "").partition("\n\n")[0]
                found[node.name.removeprefix("test_")] = " ".join(text.split())
    return found


def times(results: list[CaseResult], about: dict[str, str]) -> Iterator[str]:
    """The cases and where their time goes."""
    yield "| case | what it exercises | duration | Flyte | working | user | repeats | gate |"
    yield "|---|---|--:|--:|--:|--:|--:|---|"
    for result in results:
        cells = [
            _time(result, name) for name in ("duration_ns", "flyte_ns", "handle_ns", "user_ns")
        ]
        said = about.get(result.case, "")
        gate = _gate(result.policy.gate)
        yield _row(f"`{result.case}`", said, *cells, str(len(result.valid)), gate)


def _gate(asked: tuple[str, ...] | None) -> str:
    """What gates a case, as its difference from the default."""
    gate = DEFAULT_GATE if asked is None else asked
    more = [METRICS[name].title for name in gate if name not in DEFAULT_GATE]
    less = [METRICS[name].title for name in DEFAULT_GATE if name not in gate]
    parts = ("default", more and f"and {', '.join(more)}", less and f"without {', '.join(less)}")
    return " ".join(part for part in parts if part)


def costs(results: dict[str, CaseResult]) -> Iterator[str]:
    """What one of a case's units costs: its figures by the number of its units."""
    yield "| one … | case | units | working | duration | rounds | CRD writes | node events | task events | blob reads | blob writes | CRD bytes |"  # noqa: E501
    yield "|---|---|" + "--:|" * 10
    for case, unit in UNITS.items():
        shape = results[case].shape() if case in results else None
        if shape is None:
            continue
        result, units = results[case], unit.count(shape)
        peaks = [one.state.peak_bytes for one in result.valid if one.state is not None]
        yield _row(
            unit.name,
            f"`{case}`",
            str(units),
            _time(result, "handle_ns", units),
            _time(result, "duration_ns", units),
            *(f"{_middle(result.valid, name) / units:.1f}" for name in COUNTS),
            f"{median(peaks) / units:,.0f}" if peaks else "unknown",
        )


def _time(result: CaseResult, name: str, units: int = 1) -> str:
    return figure(_middle(result.valid, name) / units, METRICS[name])


def _middle(measures: tuple[Measures, ...], name: str) -> float:
    known = [value for one in measures if (value := one.metrics[name]) is not None]
    if not known:
        raise SystemExit(f"{name} is unknown in every repeat")
    return median(known)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def measured(runs: list[Path]) -> list[CaseResult]:
    """The cases of some runs that have a valid repeat, in alphabetical order."""
    found = [load(path) for run in runs for path in sorted(run.glob("*/case.json"))]
    results = {result.case: result for result in found if result.valid}
    if not results:
        raise SystemExit(f"{', '.join(map(str, runs))}: no case with a valid repeat")
    if len({(r.size, r.subject.digest, r.environment) for r in results.values()}) > 1:
        raise SystemExit("the runs differ in size, Flyte or environment")
    return [results[case] for case in sorted(results)]


def page(results: list[CaseResult]) -> Iterator[str]:
    """All of portfolio.md."""
    first = results[0]
    machine = first.environment.machine
    about = docstrings(ROOT / "benchmarks")
    yield "# The portfolio"
    yield ""
    yield "<!-- Written by docs/write_portfolio.py; do not edit. -->"
    yield ""
    yield (
        f"Measured {first.recorded[:10]} in size {first.size.value}: Flyte {first.subject.flyte}, "
        f"admin {first.environment.admin_kind.value}, {first.environment.cluster_kind} cluster, "
        f"{machine.cpu_count} CPUs ({machine.cpu_model}), {machine.memory_class}. Medians over the "
        "repeats."
    )
    for line in timers.lines(one.measures for result in results for one in result.repeats):
        yield ""
        yield f"All {line}."
    yield ""
    yield "## Cases"
    yield ""
    yield (
        "Flyte is its overhead on the critical path, working and waiting; working is the sum of "
        "Propeller's handles; user is where a container ran. Of a case named "
        f"`{PER_THOUSAND}…` the figures are what 1,000 units more cost. The default gate is "
        f"{', '.join(METRICS[name].title for name in DEFAULT_GATE)}; exact counts gate beside it."
    )
    yield ""
    yield from times(results, about)
    yield ""
    yield "## What one of each costs"
    yield ""
    yield (
        "The case's figures, divided by its number of units: what surrounds them is in it. Where "
        "units run beside each other, so is their duration shared. CRD bytes are those of the "
        "largest FlyteWorkflow object."
    )
    yield ""
    yield from costs({result.case: result for result in results})
    for title, points in sweeps(results):
        if (found := scaling(points)) is not None:
            yield ""
            yield f"## How `{title}` grows"
            yield ""
            yield "```text"
            yield from growth.lines(title, found)
            yield "```"


if __name__ == "__main__":
    text = "\n".join(page(measured([Path(run) for run in sys.argv[1:]]))) + "\n"
    (Path(__file__).parent / "portfolio.md").write_text(text, encoding="utf-8")
