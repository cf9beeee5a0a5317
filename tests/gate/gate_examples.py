"""Values that the gate's and the report's tests share."""

from __future__ import annotations

import random

from pytest_flyteperf.gate import Accepted, Baseline, Policy, Session
from pytest_flyteperf.model import (
    CANARIES,
    AdminKind,
    Environment,
    Machine,
    Measures,
    Size,
    Subject,
)

MACHINE = Machine(
    engine_digest="e1",
    cpu_model="Xeon 8481C",
    cpu_count=2,
    memory_class="8GiB",
    kernel="6.1.0",
)
HERE = Environment(
    cluster_kind="local",
    admin_kind=AdminKind.STAND_IN,
    distribution="kube-apiserver v1.34.1",
    blob_store="versitygw v1.8.0",
    database="stand-in",
    chart=None,
    machine=MACHINE,
    kubelet_slots=8,
)
RELEASE = Subject(flyte="v1.16.8", digest="4f1d0a77c2b19e55")
MS = 1_000_000
POLICY = Policy(session_deviation=0.015, pace_deviation=0.0)
"""So that exact figures in tests do not hang on the default."""


def accepted(sessions, **given):
    """A baseline whose sessions are mappings of metric or canary to values."""
    fields = {
        "case": "chain",
        "size": Size.DEFAULT,
        "digest": "d1",
        "recorded": "2026-11-20T08:00:00Z",
        "tool": "0.1.0",
        "commit": "1a2b3c4d5e6f7a8b",
        "accepted": Accepted(by="a reviewer", reason="first recording"),
        "subject": RELEASE,
        "environment": HERE,
        **given,
    }
    return Baseline(
        sessions=tuple(
            Session(
                id=f"s{i}",
                samples={m: tuple(v) for m, v in one.items() if m not in CANARIES},
                canaries={m: tuple(v) for m, v in one.items() if m in CANARIES},
            )
            for i, one in enumerate(sessions)
        ),
        **fields,
    )


def repeats(findings=(), canaries=None, **metrics):
    """Measures of as many repeats as the columns have values; canaries are columns too."""
    canaries = canaries or {}
    rows = zip(*metrics.values(), strict=True)
    return [
        Measures(
            execution=f"chain-{i}",
            phase="SUCCEEDED",
            metrics=dict(zip(metrics, row, strict=True)),
            findings=tuple(findings),
            canaries={name: values[i] for name, values in canaries.items()},
        )
        for i, row in enumerate(rows)
    ]


def noisy(seed, count, middle=500 * MS, spread=0.05):
    """Times around `middle` with a coefficient of variation of `spread`, skewed to the right."""
    source = random.Random(seed)
    return [round(middle * source.lognormvariate(0, spread)) for _ in range(count)]
