"""Noise that the engine recorded, whole sessions of an unchanged Flyte, and what the gate says.

    python tests/gate/recorded_noise.py distil RUN_FOLDER... > tests/data/noise/NAME.json
    python tests/gate/recorded_noise.py table

The first command keeps of each run's recordings the samples of the gated metrics and the canaries,
by case and repeat. The second prints the tables of docs/decisions/statistics-of-the-gate.md:
simulated pull requests draw whole sessions, those of the baseline and that of the head from
different ones, and as many repeats of each as are asked for, in blocks that follow each other, so
that what wanders within a session still does.
"""

from __future__ import annotations

import json
import math
import random
import statistics as standard
import sys
from collections import Counter
from itertools import product
from pathlib import Path
from typing import NamedTuple

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pytest_flyteperf import gate
from pytest_flyteperf.analyze.documents import RecordingDocument
from pytest_flyteperf.analyze.resources import canaries
from pytest_flyteperf.gate import Verdict, statistics
from pytest_flyteperf.model import CANARIES, Size
from tests.gate.error_rates import upper_bound
from tests.gate.gate_examples import HERE, accepted, repeats

NOISE = Path(__file__).resolve().parents[1] / "data" / "noise"
METRICS = (
    "handle_ns",
    "duration_ns",
    "flyte_ns",
    "waiting_ns",
    "pod_ns",
    "workflow_events",
    "node_events",
    "task_events",
    "crd_writes",
    "crd_bytes",
    "blob_reads",
    "blob_writes",
    "pods",
    "allocations",
    "propeller_cpu_ns",
)
TIMES = ("handle_ns", "duration_ns", "flyte_ns")
GROWING = (*TIMES, "propeller_cpu_ns", "allocations")
"""What a Flyte that works more has more of; the last two are in newer recordings only."""
BLOCK = 5
"""Repeats in a row that are drawn together."""
FOUND = 0.95
QUIET_PPM = 20_000
BASELINES = (3, 8)
"""Sessions of a simulated baseline; fewer where not so many and another one were recorded."""


class CaseNoise(msgspec.Struct, frozen=True):
    """A case in one session, without invalid repeats."""

    invalid: int
    repeat_s: float
    """Mean time that a repeat took, all between two submissions included."""
    samples: dict[str, tuple[int | None, ...]]
    canaries: dict[str, tuple[int, ...]]


class SessionNoise(msgspec.Struct, frozen=True):
    """One run on a fresh deployment."""

    id: str
    cases: dict[str, CaseNoise]


class Noise(msgspec.Struct, frozen=True):
    """All sessions of one machine."""

    machine: str
    flyte: str
    engine: str
    sessions: tuple[SessionNoise, ...]


def distil(folders):
    """Read run folders: `case.json` and, for canaries, each repeat's `recording.json`.

    Other cases than those of the portfolio below are left out, so that its ordinary runs serve too.
    """
    first = None
    sessions = []
    for folder in sorted(map(Path, folders)):
        cases = {}
        for path in sorted(folder.glob("*/case.json")):
            result = json.loads(path.read_text(encoding="utf-8"))
            first = first or result
            if result["case"] in PORTFOLIO:
                cases[result["case"]] = _case(path.parent, result)
        sessions.append(SessionNoise(id=folder.name, cases=cases))
    machine = first["environment"]["machine"]
    return Noise(
        machine=f"{machine['cpu_model']}, {machine['cpu_count']} CPUs, kernel {machine['kernel']}",
        flyte=f"{first['subject']['flyte']} ({first['subject']['digest']})",
        engine=machine["engine_digest"],
        sessions=tuple(sessions),
    )


def _case(folder, result):
    valid, invalid, starts = [], 0, []
    for one in result["repeats"]:
        recording = (folder / str(one["repeat"]["index"]) / "recording.json").read_bytes()
        starts.append(json.loads(recording)["submitted"])
        if any(f["severity"] == "invalid" for f in one["measures"]["findings"]):
            invalid += 1
            continue
        about = msgspec.json.decode(recording, type=RecordingDocument)
        valid.append((one["measures"]["metrics"], canaries(about)))
    names = set.intersection(*(set(sung) for _, sung in valid))
    return CaseNoise(
        invalid=invalid,
        repeat_s=round((starts[-1] - starts[0]) / (len(starts) - 1), 2),
        samples={m: tuple(metrics.get(m) for metrics, _ in valid) for m in METRICS},
        canaries={n: tuple(sung[n] for _, sung in valid) for n in sorted(names)},
    )


def load(path) -> Noise:
    return msgspec.json.decode(Path(path).read_bytes(), type=Noise)


def at_rest(noise):
    """The sessions in which nothing else used the CPUs beside cases that start no pod."""

    def quiet(session):
        return all(
            standard.median(case.canaries["other_cpu_ppm"]) < QUIET_PPM
            for case in session.cases.values()
            if not case.samples["pods"][0]
        )

    return msgspec.structs.replace(noise, sessions=tuple(filter(quiet, noise.sessions)))


def beside_containers(noise):
    """The cases with pods, their containers' time for the CPU canary where none was recorded.

    A container here is a Python program that no change of Flyte touches, and it runs while Flyte
    works: as near to a canary as sessions without one come.
    """

    def told(case):
        pods = case.samples["pods"][0]
        time = tuple(ns // pods for ns in case.samples["pod_ns"])
        return msgspec.structs.replace(case, canaries={"cpu_ns": time, **case.canaries})

    return msgspec.structs.replace(
        noise,
        sessions=tuple(
            msgspec.structs.replace(
                one,
                cases={n: told(case) for n, case in one.cases.items() if case.samples["pods"][0]},
            )
            for one in noise.sessions
        ),
    )


def spread(sessions):
    """Coefficient of variation within sessions, and the deviation between them, as shares."""
    logs = [[math.log(value) for value in values] for values in sessions]
    within = math.sqrt(standard.fmean(standard.variance(values) for values in logs))
    between = statistics._between(statistics._winsorized(logs))
    return within, math.sqrt(max(0.0, between))


def columns(case, count, source, *, effect=1.0, told=True):
    """So many repeats of a session's case, in blocks that follow each other."""
    size = len(next(iter(case.samples.values())))
    picked = []
    while len(picked) < count:
        at = source.randrange(size)
        picked += [(at + i) % size for i in range(BLOCK)]
    picked = picked[:count]
    made = {
        name: [round(values[i] * effect) if name in GROWING else values[i] for i in picked]
        for name, values in case.samples.items()
        if None not in values
    }
    if told:
        made |= {name: [values[i] for i in picked] for name, values in case.canaries.items()}
    return made


class Requests(NamedTuple):
    """Pull requests that are simulated alike."""

    noise: Noise
    counts: dict[str, int]
    """Case to the repeats that a session and the head have."""
    effect: float = 1.0
    """How much slower the head is."""
    told: bool = True
    """Whether the gate knows the canaries."""
    baseline: int = BASELINES[0]

    def draw(self, source):
        """Verdict of each case on a head session against a baseline of other sessions."""
        sessions = [one for one in self.noise.sessions if one.cases.keys() >= self.counts.keys()]
        most = len(sessions) - 1
        *before, head = source.sample(sessions, min(self.baseline, most) + 1)
        verdicts = {}
        for case, count in self.counts.items():
            stored = accepted(
                [columns(one.cases[case], count, source, told=self.told) for one in before]
            )
            now = columns(head.cases[case], count, source, effect=self.effect, told=self.told)
            sung = {name: now.pop(name) for name in CANARIES if name in now}
            measures = repeats(canaries=sung, **now)
            verdicts[case] = gate.judge(case, Size.DEFAULT, measures, stored, HERE)
        return verdicts


class Plan(NamedTuple):
    """How a case is measured in a simulated pull request."""

    case: str
    metric: str
    minutes: float
    effect: float
    """That shall be found."""

    def repeats(self, noise):
        """How many fit into the minutes."""
        sessions = [one for one in noise.sessions if self.case in one.cases]
        took = standard.fmean(one.cases[self.case].repeat_s for one in sessions)
        return max(5, int(self.minutes * 60 / took))


PLANS = (
    Plan("echo_chain", "handle_ns", 2, 1.15),
    Plan("echo_chain", "handle_ns", 5, 1.10),
    Plan("chain", "duration_ns", 5, 1.20),
    Plan("cached_chain", "handle_ns", 1, 1.20),
    Plan("chain", "handle_ns", 5, 1.20),
    Plan("short_task", "handle_ns", 1, 1.20),
)
PORTFOLIO = {
    "short_task": 20,
    "chain": 10,
    "cached_chain": 20,
    "echo_chain": 20,
    "branches": 20,
}


class Rates(NamedTuple):
    """What came of simulated pull requests of one plan."""

    passed: float
    regressed: float
    error: float
    """Root mean square of the estimated change, on logarithms."""


def rates(plan, requests, rounds, seed):
    """Shares of verdicts of the plan's metric, and the error of its estimate."""
    source = random.Random(seed)
    verdicts, square = Counter(), 0.0
    for _ in range(rounds):
        found = requests.draw(source)[plan.case]
        metric = next(m for m in found.metrics if m.metric == plan.metric)
        verdicts[metric.verdict] += 1
        square += math.log(metric.ratio) ** 2
    return Rates(
        verdicts[Verdict.PASS] / rounds,
        verdicts[Verdict.REGRESSED] / rounds,
        math.sqrt(square / rounds),
    )


def smallest_found(plan, requests, rounds, seed):
    """Smallest effect, to one per cent, found in 95 % of the rounds; None above +100 %."""
    low, high = 0, 101
    while high - low > 1:
        middle = (low + high) // 2
        found = rates(plan, requests._replace(effect=1 + middle / 100), rounds, seed).regressed
        low, high = (low, middle) if found >= FOUND else (middle, high)
    return None if high > 100 else high / 100


def row(noise, plan, rounds, seed, baseline):
    """One line of the table of pull requests."""
    count = plan.repeats(noise)
    requests = Requests(noise, {plan.case: count}, baseline=baseline)
    rest = rates(plan, requests, rounds, seed)
    blind = rates(plan, requests._replace(told=False), rounds, seed)
    slow = rates(plan, requests._replace(effect=plan.effect), rounds, seed)
    smallest = smallest_found(plan, requests, rounds // 4, seed)
    return (
        f"| {plan.case} | {plan.metric} | {plan.minutes:g} min, {count} | {baseline} "
        f"| {100 * blind.error:.1f} % | {100 * rest.error:.1f} % | {100 * rest.passed:.0f} % "
        f"| {round(rest.regressed * rounds)} of {rounds} "
        f"| +{100 * (plan.effect - 1):.0f} %: {100 * slow.regressed:.0f} % "
        f"| {'none' if smallest is None else f'+{100 * smallest:.0f} %'} |"
    )


def portfolio(requests, rounds, seed):
    """How many whole pull requests raise an alarm, and the share of gated verdicts that pass."""
    source = random.Random(seed)
    alarms, gated = 0, Counter()
    for _ in range(rounds):
        found = requests.draw(source)
        alarms += any(one.verdict is Verdict.REGRESSED for one in found.values())
        gated.update(m.verdict for one in found.values() for m in one.metrics if m.gated)
    return alarms, gated[Verdict.PASS] / gated.total()


def table(noise, rounds=400, seed=20261122):
    """Lines of both tables."""
    yield "| case | metric | sessions | within | between |"
    yield "|---|---|---|---|---|"
    recorded = Counter(case for one in noise.sessions for case in one.cases)
    cases = {case for case, sessions in recorded.items() if sessions > 1}
    for case in sorted(cases):
        sessions = [one for one in noise.sessions if case in one.cases]
        for metric in GROWING:
            values = [one.cases[case].samples.get(metric, (None,)) for one in sessions]
            if any(None in one for one in values):
                continue
            shares = " | ".join(f"{100 * share:.1f} %" for share in spread(values))
            yield f"| {case} | {metric} | {len(values)} | {shares} |"
    yield ""
    yield (
        "| case | metric | measured, repeats | baseline | error blind | error with canaries "
        "| pass at rest | false alarms | found | finds |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    sizes = sorted({min(size, len(noise.sessions) - 1) for size in BASELINES})
    for plan in PLANS:
        if plan.case in cases:
            for size in sizes:
                yield row(noise, plan, rounds, seed, size)
    yield ""
    counts = {case: n for case, n in PORTFOLIO.items() if case in cases}
    for told, size in product((False, True), sizes):
        requests = Requests(noise, counts, told=told, baseline=size)
        alarms, passed = portfolio(requests, rounds, seed)
        yield (
            f"Portfolios {'with' if told else 'without'} canaries, baselines of {size}: "
            f"{alarms} of {rounds} raise an "
            f"alarm (below {100 * upper_bound(alarms, rounds):.1f} %), "
            f"{100 * passed:.1f} % of gated verdicts are pass."
        )


def main(command, *arguments):
    """Distil, or print the tables."""
    if command == "distil":
        sys.stdout.write(msgspec.json.encode(distil(arguments)).decode() + "\n")
        return
    for path in [Path(one) for one in arguments] or sorted(NOISE.glob("*.json")):
        noise = load(path)
        print(f"{path.stem}: {noise.machine}, Flyte {noise.flyte}, {len(noise.sessions)} sessions")
        _print(noise)
        rest = at_rest(noise)
        if 2 < len(rest.sessions) < len(noise.sessions):
            print(f"\nThe {len(rest.sessions)} sessions at rest:\n")
            _print(rest)
        if all("cpu_ns" in case.canaries for one in noise.sessions for case in one.cases.values()):
            continue
        print("\nWith the time of the cases' own containers for the CPU canary:\n")
        _print(beside_containers(noise))


def _print(noise):
    for line in table(noise):
        print(line, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
