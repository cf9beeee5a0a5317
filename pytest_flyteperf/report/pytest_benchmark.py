"""Results in pytest-benchmark's JSON, for tools that read it (its `compare`, CI dashboards).

Only the duration is a benchmark there; the other figures stand in `extra_info`. The statistics
are those that pytest-benchmark computes, in seconds (its `stats.py`, version 5).
"""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_flyteperf.report.sections import Case, Results


def to_json(results: Results) -> str:
    """Write the cases that measured a duration as pytest-benchmark would."""
    document = {
        "machine_info": _machine(results),
        "commit_info": {"id": results.subject.digest, "flyte": results.subject.flyte},
        "benchmarks": [
            _benchmark(name, case) for name, case in results.cases.items() if _seconds(case)
        ],
        "datetime": results.recorded,
        "version": "5.0.0",
    }
    return json.dumps(document, indent=4) + "\n"


def _machine(results: Results) -> dict[str, Any]:
    environment = results.environment
    return {
        "node": environment.cluster_kind,
        "processor": "",
        "machine": "",
        "python_version": "",
        "system": "Linux",
        "release": environment.machine.kernel,
        "cpu": {"brand_raw": environment.machine.cpu_model, "count": environment.machine.cpu_count},
    }


def _benchmark(name: str, case: Case) -> dict[str, Any]:
    return {
        "group": case.size.value,
        "name": name,
        "fullname": name,
        "params": None,
        "param": None,
        "extra_info": {
            "verdict": None if case.verdict is None else case.verdict.verdict.value,
            "samples": {n: list(v) for n, v in case.samples.items() if n != "duration_ns"},
        },
        "options": {
            "disable_gc": False,
            "timer": "flyteperf",
            "min_rounds": 1,
            "max_time": 0.0,
            "min_time": 0.0,
            "warmup": False,
        },
        "stats": _stats(_seconds(case)),
    }


def _seconds(case: Case) -> list[float]:
    return [ns / 1e9 for ns in case.samples.get("duration_ns", ()) if ns is not None]


def _stats(data: Sequence[float]) -> dict[str, Any]:
    ordered = sorted(data)
    mean = statistics.mean(data)
    deviation = statistics.stdev(data) if len(data) > 1 else 0.0
    q1, q3 = _quartiles(ordered)
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    far = sum(value < mean - deviation or value > mean + deviation for value in data)
    outside = sum(not low <= value <= high for value in data)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": deviation,
        "rounds": len(data),
        "median": statistics.median(ordered),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": outside,
        "stddev_outliers": far,
        "outliers": f"{far};{outside}",
        "ld15iqr": next(value for value in ordered if value >= low),
        "hd15iqr": max(value for value in ordered if value <= high),
        "ops": len(data) / sum(data) if sum(data) else 0.0,
        "total": sum(data),
        "iterations": 1,
        "data": list(data),
    }


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    """Tukey's hinges for even counts, the mean of both usual methods for odd ones."""
    groups, rest = divmod(len(ordered), 4)
    if len(ordered) == 1:
        return ordered[0], ordered[0]
    if rest % 2 == 0:
        half = len(ordered) // 2
        return statistics.median(ordered[:half]), statistics.median(ordered[half:])
    if rest == 1:
        low = 0.25 * ordered[groups - 1] + 0.75 * ordered[groups]
        return low, 0.75 * ordered[3 * groups] + 0.25 * ordered[3 * groups + 1]
    low = 0.75 * ordered[groups] + 0.25 * ordered[groups + 1]
    return low, 0.25 * ordered[3 * groups + 1] + 0.75 * ordered[3 * groups + 2]
