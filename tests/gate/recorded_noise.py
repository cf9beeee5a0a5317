"""Noise that the engine recorded: whole sessions, from the results of runs.

    python tests/gate/recorded_noise.py RUN_FOLDER...

prints how each case's times vary within and between sessions, and what the gate would have said:
simulated pull requests draw the baseline's sessions and the head's from different runs.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics as standard
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pytest_flyteperf import gate
from pytest_flyteperf.gate import Verdict, statistics
from pytest_flyteperf.model import Size
from pytest_flyteperf.report import results
from pytest_flyteperf.report.sections import Results
from tests.gate.gate_examples import HERE, accepted, repeats

METRICS = ("handle_ns", "duration_ns", "flyte_ns")
LEAST_SESSIONS = 3
"""Two for a baseline, and another one for the head."""


def read(folders):
    """Case and metric to the sessions of all runs, one list of values a run."""
    found = {}
    for folder in folders:
        path = Path(folder) / "results.json"
        document = results.from_json(path.read_text(encoding="utf-8"), Results, str(path))
        for case, section in document.cases.items():
            for metric in METRICS:
                values = [v for v in section.samples.get(metric, ()) if v is not None]
                if len(values) > 1:
                    found.setdefault((case, metric), []).append(values)
    return found


def spread(sessions):
    """Coefficient of variation within sessions, and the deviation between them, as shares."""
    logs = [[math.log(value) for value in values] for values in sessions]
    within = math.sqrt(standard.fmean(standard.variance(values) for values in logs))
    between = statistics._between(statistics._winsorized(logs))
    return within, math.sqrt(max(0.0, between))


def pull_requests(sessions, rounds, seed, effect=1.0):
    """Verdicts on a head session against two sessions of baseline, all of different runs."""
    source = random.Random(seed)  # noqa: S311 (a choice of sessions)
    found = Counter()
    for _ in range(rounds):
        *before, head = source.sample(range(len(sessions)), LEAST_SESSIONS)
        drawn = [[source.choice(sessions[i]) for _ in sessions[i]] for i in (*before, head)]
        baseline = accepted([{"handle_ns": values} for values in drawn[:-1]])
        now = repeats(handle_ns=[round(value * effect) for value in drawn[-1]])
        verdict = gate.judge("case", Size.DEFAULT, now, baseline, HERE)
        found[verdict.metrics[0].verdict] += 1
    return {verdict: found[verdict] / rounds for verdict in Verdict}


def table(folders, rounds=1000, seed=1):
    """Lines of a Markdown table."""
    yield "| case | metric | sessions | within | between | pass | regressed | +20 % regressed |"
    yield "|---|---|---|---|---|---|---|---|"
    for (case, metric), sessions in sorted(read(folders).items()):
        if len(sessions) < LEAST_SESSIONS or min(itertools.chain(*sessions)) <= 0:
            continue
        within, between = spread(sessions)
        rest = pull_requests(sessions, rounds, seed)
        slow = pull_requests(sessions, rounds, seed, effect=1.2)
        shares = (rest[Verdict.PASS], rest[Verdict.REGRESSED], slow[Verdict.REGRESSED])
        figures = " | ".join(f"{100 * share:.1f} %" for share in (within, between, *shares))
        yield f"| {case} | {metric} | {len(sessions)} | {figures} |"


if __name__ == "__main__":
    for line in table(sys.argv[1:]):
        print(line)  # noqa: T201
