"""Error rates of Flytes in turns, simulated: `python tests/gate/turns_noise.py` prints the table.

The machine's pace wanders from block to block; a fresh process draws a per cent of its own; repeats
vary beside that. A comparison looks after four blocks of a side and after each further two, until
it is settled or its blocks are spent, as `turns.Turns` does.
"""

from __future__ import annotations

import math
import random
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pytest_flyteperf.gate import Policy, Verdict
from pytest_flyteperf.gate.blocks import as_baseline, judge_blocks, unsettled
from pytest_flyteperf.gate.policy import COMPARISONS_A_CASE
from pytest_flyteperf.model import Size
from tests.gate.error_rates import upper_bound
from tests.gate.gate_examples import HERE, MS, RELEASE, repeats

LEAST = 4
"""Blocks of a side before the first look."""
CANARY = 0.03
"""How the CPU canary of one repeat varies at an even pace."""


class Machine(NamedTuple):
    """How a case's working time varies on it, as shares."""

    within: float
    """From repeat to repeat of a block."""
    wanders: float
    """Standard deviation of the pace over the hours."""
    holds: float = 8
    """Blocks after which the pace is half forgotten."""
    process: float = 0.01
    """What a fresh process draws."""
    told: bool = True
    """Whether a canary tells the pace."""

    def block(self, source, logarithm, count):
        """Repeats of a block at a pace, and the canaries beside them."""
        own = source.gauss(0, self.process)
        values = [
            round(500 * MS * math.exp(logarithm + own + source.gauss(0, self.within)))
            for _ in range(count)
        ]
        pace = logarithm if self.told else 0
        return values, [
            round(45 * MS * math.exp(pace + source.gauss(0, CANARY))) for _ in range(count)
        ]


def turns(machine, plan, source, effect):
    """Blocks of base and of head, a four after the other, ABBA or BAAB."""
    kept = 0.5 ** (1 / machine.holds)
    pace = source.gauss(0, machine.wanders)
    base, head = [], []
    while len(head) < plan.blocks:
        outer, inner = (base, head) if source.random() < 0.5 else (head, base)
        for side in (outer, inner, inner, outer):
            step = source.gauss(0, machine.wanders) * math.sqrt(1 - kept**2)
            pace = kept * pace + step
            values, sung = machine.block(source, pace, plan.count)
            slower = effect if side is head else 1
            times = [round(value * slower) for value in values]
            side.append(repeats(handle_ns=times, canaries={"cpu_ns": sung}))
    return base, head


def compared(base, head, policy):
    """The verdict of a comparison that stops when it is settled."""
    for upto in range(LEAST, len(head) + 1, 2):
        stored = as_baseline(
            "chain",
            Size.DEFAULT,
            base[:upto],
            subject=RELEASE,
            environment=HERE,
            recorded="2026-11-26T17:00:00Z",
            tool="0.1.0",
        )
        verdict = judge_blocks(stored, head[:upto], policy)
        if not unsettled(verdict):
            break
    return verdict


class Plan(NamedTuple):
    """How comparisons are simulated."""

    blocks: int
    """Of a side, at most."""
    count: int
    """Repeats of a block."""
    rounds: int
    seed: int


def verdicts(machine, plan, effect):
    """How often each verdict of the working time came out."""
    source = random.Random(plan.seed)
    policy = Policy(comparisons=COMPARISONS_A_CASE, budget=plan.blocks * plan.count)
    found = Counter()
    for _ in range(plan.rounds):
        base, head = turns(machine, plan, source, effect)
        found[compared(base, head, policy).verdict] += 1
    return found


MACHINES = (
    Machine(within=0.06, wanders=0.0),
    Machine(within=0.08, wanders=0.10),
    Machine(within=0.08, wanders=0.10, told=False),
    Machine(within=0.12, wanders=0.15),
    Machine(within=0.12, wanders=0.15, told=False),
)
BUDGETS = ((8, 5), (8, 10), (16, 5))
"""Blocks of a side, and repeats of a block."""


def table(rounds, seed):
    """Lines of the table."""
    yield (
        "| repeats vary by | pace wanders by | canary | blocks x repeats | pass at rest "
        "| false alarms | +1 % | +10 % | -10 % |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for machine in MACHINES:
        for blocks, count in BUDGETS:
            plan = Plan(blocks, count, rounds, seed)
            rest, hundredth, tenth, back = (
                verdicts(machine, plan, effect) for effect in (1.0, 1.01, 1.1, 1 / 1.1)
            )
            alarms = rest[Verdict.REGRESSED]
            yield (
                f"| {100 * machine.within:.0f} % | {100 * machine.wanders:.0f} % "
                f"| {'yes' if machine.told else 'no'} | {blocks} x {count} "
                f"| {100 * rest[Verdict.PASS] / rounds:.0f} % "
                f"| {alarms} of {rounds} (below {100 * upper_bound(alarms, rounds):.1f} %) "
                f"| found {100 * hundredth[Verdict.REGRESSED] / rounds:.1f} % "
                f"| found {100 * tenth[Verdict.REGRESSED] / rounds:.0f} % "
                f"| improved {100 * back[Verdict.IMPROVED] / rounds:.0f} % |"
            )


if __name__ == "__main__":
    for line in table(rounds=400, seed=20261126):
        print(line, flush=True)
