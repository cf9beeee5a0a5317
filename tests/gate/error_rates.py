"""The gate's own error rates, simulated: `python tests/gate/error_rates.py` prints the table.

Simulated noise has the shapes and spreads that `recordings/README.md` tells of 60 executions each
with a random submission phase, since those executions themselves are not stored, and sessions
that differ by a stated standard deviation. Baseline and head are always of different sessions.
"""

from __future__ import annotations

import math
import random
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pytest_flyteperf import gate
from pytest_flyteperf.gate import Policy, Verdict, statistics
from pytest_flyteperf.gate.statistics import Tails
from pytest_flyteperf.model import Size
from tests.gate.gate_examples import HERE, accepted, repeats

SECOND = 1_000_000_000
AT_PACE = Policy(pace_deviation=0.0)
"""Sessions that differ, simulated at one pace of the machine."""


class Noise(NamedTuple):
    """How one case's times vary."""

    name: str
    median_s: float
    spread: float
    """Coefficient of variation that was recorded."""
    ticks: bool
    """Whether the spread is one of whole one-second ticks, or smooth and skewed."""

    def draw(self, source, factor):
        """One execution's time in nanoseconds."""
        if not self.ticks:
            seconds = self.median_s * source.lognormvariate(0, self.spread)
        else:
            # Ticks of one second in shares that give the recorded spread, and what jitters.
            share = min(0.5, (self.spread * self.median_s) ** 2)
            tick = source.choices((-1, 0, 1), (share / 2, 1 - share, share / 2))[0]
            seconds = self.median_s + tick * 0.95 + source.gauss(0, 0.02 * self.median_s)
        return round(SECOND * factor * max(0.05, seconds))


CASES = (
    Noise("single", 0.83, 0.36, ticks=False),
    Noise("chain", 4.81, 0.07, ticks=True),
    Noise("echo_chain", 0.53, 0.13, ticks=False),
    Noise("echo_wide", 1.33, 0.13, ticks=False),
    Noise("echo_chain_of_fifty", 4.25, 0.06, ticks=False),
    Noise("chain_of_ten", 9.6, 0.05, ticks=True),
)
"""
The last but one is as eight repeats on the engine showed it, the last one is not recorded: twice
the five-task chain, its ticks independent.
"""


class Plan(NamedTuple):
    """How much is measured."""

    sessions: int
    repeats: int
    head: int
    deviation: float = 0.02
    """Between sessions, as a share."""


def session(noise, count, source, deviation, effect=1.0):
    """The times of one session, slower by `effect`."""
    factor = effect * math.exp(source.gauss(0, deviation))
    return [noise.draw(source, factor) for _ in range(count)]


def verdict(noise, plan, source, effect=1.0, policy=None):
    """What the gate says of one time, measured once."""
    before = accepted(
        [
            {"handle_ns": session(noise, plan.repeats, source, plan.deviation)}
            for _ in range(plan.sessions)
        ]
    )
    now = repeats(handle_ns=session(noise, plan.head, source, plan.deviation, effect))
    return (
        gate.judge(noise.name, Size.DEFAULT, now, before, HERE, policy or AT_PACE)
        .metrics[0]
        .verdict
    )


def sequential(noise, plan, source, effect=1.0):
    """The same, adding repeats while the answer straddles; the verdict and the repeats taken."""
    policy = Policy(budget=plan.head, pace_deviation=0.0)
    before = accepted(
        [
            {"handle_ns": session(noise, plan.repeats, source, plan.deviation)}
            for _ in range(plan.sessions)
        ]
    )
    factor = effect * math.exp(source.gauss(0, plan.deviation))
    values = []
    answer = None
    while (more := policy.more(len(values))) and gate.undecided(answer):
        values += [noise.draw(source, factor) for _ in range(more)]
        answer = gate.judge(
            noise.name, Size.DEFAULT, repeats(handle_ns=values), before, HERE, policy
        )
    return answer.verdict, len(values)


def rates(noise, plan, rounds, seed, effect=1.0):
    """Share of each verdict."""
    source = random.Random(seed)
    found = Counter(verdict(noise, plan, source, effect) for _ in range(rounds))
    return {name: found[name] / rounds for name in Verdict}


def upper_bound(hits, rounds, confidence=0.95):
    """Clopper and Pearson's upper bound of a rate, by bisection of the binomial's tail."""
    if hits == rounds:
        return 1.0
    low, high = hits / rounds, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        tail = math.fsum(
            math.exp(
                math.lgamma(rounds + 1)
                - math.lgamma(k + 1)
                - math.lgamma(rounds - k + 1)
                + k * math.log(rate)
                + (rounds - k) * math.log1p(-rate)
            )
            for k in range(hits + 1)
        )
        low, high = (rate, high) if tail > 1 - confidence else (low, rate)
    return high


def smallest_found(noise, plan, rounds, seed):
    """Smallest effect, to half a per cent, found in at least 95 % of the rounds; None above +60 %.

    Every effect meets the same noise, so that the share found grows with the effect.
    """
    low, high = 0, 121
    while high - low > 1:
        middle = (low + high) // 2
        share = rates(noise, plan, rounds, seed, 1 + middle / 200)[Verdict.REGRESSED]
        low, high = (low, middle) if share >= 0.95 else (middle, high)
    return None if high > 120 else high / 200


def row(noise, plan, rounds, seed):
    """One line of the stored table."""
    rest = rates(noise, plan, rounds, seed)
    alarms = round(rest[Verdict.REGRESSED] * rounds)
    smallest = smallest_found(noise, plan, rounds // 5, seed + 1)
    return (
        f"| {noise.name} | {plan.sessions} x {plan.repeats} | {plan.head} "
        f"| {100 * rest[Verdict.PASS]:.1f} % "
        f"| {alarms} of {rounds} (below {100 * upper_bound(alarms, rounds):.2f} %) "
        f"| {'none' if smallest is None else f'+{100 * smallest:.1f} %'} |"
    )


def estimators(rounds, seed):
    """Lines of a table: root mean square error of estimators of an absent change, in per cent."""
    yield "| case | repeats | Hodges-Lehmann | ratio of medians | ratio of means | geometric |"
    yield "|---|---|---|---|---|---|"
    source = random.Random(seed)
    spiked = Noise("echo_chain with outliers", 0.53, 0.13, ticks=False)
    for noise in (*CASES, spiked):
        for count in (10, 30):
            errors = [[], [], [], []]
            for _ in range(rounds):
                before, now = (
                    [
                        noise.draw(source, 3 if noise is spiked and source.random() < 0.05 else 1)
                        for _ in range(count)
                    ]
                    for _ in range(2)
                )
                logs = [[math.log(v) for v in values] for values in (before, now)]
                errors[0].append(statistics.shift(*logs, Tails(0.05, 0.05)).point)
                errors[1].append(math.log(statistics.median(now) / statistics.median(before)))
                errors[2].append(math.log(math.fsum(now) / math.fsum(before)))
                errors[3].append((math.fsum(logs[1]) - math.fsum(logs[0])) / count)
            figures = [100 * math.sqrt(math.fsum(e * e for e in one) / rounds) for one in errors]
            yield f"| {noise.name} | {count} | {' | '.join(f'{f:.1f}' for f in figures)} |"


def portfolios(comparisons, plan, rounds, seed):
    """One line of a table: unchanged portfolios of so many comparisons with any alarm."""
    source = random.Random(seed)
    alarms = sum(
        any(
            verdict(noise, plan, source) is Verdict.REGRESSED
            for noise in CASES
            for _ in range(comparisons // len(CASES))
        )
        for _ in range(rounds)
    )
    return (
        f"| {comparisons} | {100 * plan.deviation:.1f} % "
        f"| {plan.sessions} x {plan.repeats} | {plan.head} "
        f"| {alarms} of {rounds} (below {100 * upper_bound(alarms, rounds):.1f} %) |"
    )


PORTFOLIOS = (
    (24, Plan(1, 12, 12), 1000),
    (24, Plan(4, 12, 12), 1000),
    (102, Plan(1, 12, 12), 500),
    (102, Plan(4, 12, 12), 500),
    (24, Plan(1, 12, 12, 0.03), 500),
    (24, Plan(8, 12, 12, 0.03), 500),
)
"""
Times of the five cases of today, and of a portfolio as large as the default allows for; sessions
that differ as much as assumed, and half as much again. Comparisons are independent here; three
times of one case are not, so that fewer portfolios than these raise alarms.
"""
PLANS = (Plan(1, 20, 20), Plan(4, 20, 20), Plan(4, 40, 40))
ROUNDS, SEED = 1000, 20261122


def main():
    """Print the tables."""
    for line in estimators(ROUNDS // 2, SEED):
        print(line)
    print()
    print("| case | baseline | now | pass at rest | false alarms | finds |")
    print("|---|---|---|---|---|---|")
    for noise in CASES:
        for plan in PLANS:
            print(row(noise, plan, ROUNDS, SEED), flush=True)
    print()
    print("| times | sessions differ by | baseline | now | runs with an alarm |")
    print("|---|---|---|---|---|")
    for comparisons, plan, rounds in PORTFOLIOS:
        print(portfolios(comparisons, plan, rounds, SEED), flush=True)


if __name__ == "__main__":
    main()
