from __future__ import annotations

import random

from pytest_flyteperf.gate import Verdict
from pytest_flyteperf.model import Size
from pytest_flyteperf.report import results
from tests.gate import recorded_noise
from tests.gate.gate_examples import HERE, MS, RELEASE, repeats


def sessions(count, within, between, seed):
    source = random.Random(seed)  # noqa: S311
    made = []
    for _ in range(count):
        factor = source.lognormvariate(0, between)
        made.append(
            [round(500 * MS * factor * source.lognormvariate(0, within)) for _ in range(20)]
        )
    return made


def test_spread_within_and_between_sessions_are_told_apart():
    within, between = recorded_noise.spread(sessions(40, 0.08, 0.04, seed=1))

    assert 0.07 < within < 0.09
    assert 0.03 < between < 0.05


def test_sessions_as_alike_as_assumed_raise_no_alarm():
    rates = recorded_noise.pull_requests(sessions(10, 0.06, 0.015, seed=2), 300, seed=1)

    assert rates[Verdict.REGRESSED] == 0
    assert rates[Verdict.PASS] > 0.9


def test_runs_are_read_from_their_results(tmp_path):
    for number, values in enumerate(sessions(4, 0.06, 0.015, seed=3)):
        section = results.case(Size.DEFAULT, repeats(handle_ns=values, duration_ns=values))
        cases = {("chain", Size.DEFAULT): section}
        document = results.results("t", "d", RELEASE, HERE, cases)
        results.write(tmp_path / str(number), "results", document)

    lines = list(recorded_noise.table(sorted(tmp_path.iterdir()), rounds=50))

    assert [line.split(" | ")[1] for line in lines[2:]] == ["duration_ns", "handle_ns"]
    assert all(line.startswith("| flyte.benchmark.chain |") for line in lines[2:])
