from __future__ import annotations

import random

from msgspec import structs

from pytest_flyteperf import gate
from pytest_flyteperf.model import CANARIES, METRICS, Size, Unit
from tests.gate.gate_examples import HERE, accepted, repeats

CASES, METRIC_COUNT, REPEATS = 25, 20, 100
BUDGET_S = 1.0


def samples(source):
    """A hundred repeats of twenty metrics; the pods vary so that no count is exact."""
    columns = {}
    for metric in list(METRICS.values())[:METRIC_COUNT]:
        if metric.unit is Unit.NS:
            columns[metric.name] = [round(source.lognormvariate(20, 0.13)) for _ in range(REPEATS)]
        else:
            columns[metric.name] = [source.randint(30, 36) for _ in range(REPEATS)]
    return columns


def sung(source):
    """Every canary beside each of them."""
    return {
        name: [round(source.lognormvariate(11, 0.13)) for _ in range(REPEATS)] for name in CANARIES
    }


def test_a_portfolio_is_judged_within_a_second(benchmark):
    source = random.Random(1)
    portfolio = [
        (
            structs.replace(accepted([samples(source) | sung(source)]), case=f"case{i}"),
            repeats(canaries=sung(source), **samples(source)),
        )
        for i in range(CASES)
    ]

    def judge():
        return [
            gate.judge(before.case, Size.DEFAULT, now, before, HERE) for before, now in portfolio
        ]

    verdicts = benchmark.pedantic(judge, rounds=5, warmup_rounds=1)

    assert all(len(verdict.metrics) == METRIC_COUNT for verdict in verdicts)
    if benchmark.enabled:
        benchmark.extra_info["budget_s"] = BUDGET_S
