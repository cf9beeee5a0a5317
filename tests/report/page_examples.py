"""Cases for pages, synthesised from recorded executions."""

from functools import cache
from pathlib import Path

from msgspec import structs

from pytest_flyteperf import gate
from pytest_flyteperf.analyze import analyze_recording, scaling
from pytest_flyteperf.analyze.lanes import Lane, Lanes, Piece, read_lanes
from pytest_flyteperf.analyze.slopes import per_thousand
from pytest_flyteperf.gate import CaseVerdict, Verdict, session
from pytest_flyteperf.model import Finding, Severity, Size
from pytest_flyteperf.report import growth
from pytest_flyteperf.report.page import CaseContent, RepeatContent
from tests.gate.gate_examples import HERE, POLICY, RELEASE, accepted

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"
DATE = "2026-11-20T08:00:00Z"
NOISE = (1.0, 1.01, 0.99, 1.02, 0.98, 1.0, 1.01, 0.99, 1.0, 1.005)


@cache
def recorded(name):
    folder = RECORDINGS / name / "0"
    return analyze_recording(folder), read_lanes(folder)


def scaled(measures, by):
    """The same repeat, every time `by` as long."""
    metrics = {
        name: round(value * by) if value and name.endswith("_ns") else value
        for name, value in measures.metrics.items()
    }
    return structs.replace(measures, metrics=metrics, ownership=longer(measures.ownership, by))


def longer(ownership, by):
    """The same owners and steps, each with `by` as much."""

    def owned(parts):
        return tuple(
            structs.replace(
                p, **{f: round(getattr(p, f) * by) for f in ("point_ns", "low_ns", "high_ns")}
            )
            for p in parts
        )

    return structs.replace(
        ownership,
        wall_ns=round(ownership.wall_ns * by),
        owners=owned(ownership.owners),
        path=tuple(structs.replace(s, owners=owned(s.owners)) for s in ownership.path),
        kinds=tuple(structs.replace(k, owners=owned(k.owners)) for k in ownership.kinds),
    )


def case(name="chain", recording="chain", *, slower=1.0, baseline=True, invalid=0):
    measures, lanes = recorded(recording)
    before = [scaled(measures, noise) for noise in NOISE]
    valid = tuple(scaled(measures, noise * slower) for noise in NOISE)
    finding = Finding(check="steal", severity=Severity.INVALID, evidence="7 % of CPU time")
    thrown = structs.replace(valid[0], findings=(finding,))
    stored = accepted([{"pods": (0,)}], case=name)
    stored = structs.replace(stored, sessions=(session(DATE, before),)) if baseline else None
    verdict = gate.judge(name, Size.DEFAULT, valid, stored, HERE, POLICY, digest="d1")
    return CaseContent(
        verdict=verdict,
        subject=structs.replace(RELEASE, digest="77aa77aa77aa77aa"),
        environment=HERE,
        repeats=tuple(
            RepeatContent(measures=one, recording=f".flyteperf/runs/r/{name}/{i}")
            for i, one in enumerate((*valid, *[thrown] * invalid))
        ),
        valid=valid,
        baseline=stored,
        cause=("crd write +310 ms, 61 % of working time's change: 42 calls, 2.1 ms -> 9.5 ms each",)
        if slower > 1
        else (),
        lanes=lanes,
        rerun=f'pytest "benchmarks/test_chain.py::test_{name}" --flyteperf-baseline',
        accept=f'pytest "benchmarks/test_chain.py::test_{name}" --flyteperf-update all',
    )


def sweep(name="echo_growth", sizes=(10, 20, 40)):
    """A case over sizes, gated by what 1,000 units more cost."""
    measures, lanes = recorded("echo_wide")
    by_size = {n: [scaled(measures, (0.2 + n / 40) * noise) for noise in NOISE] for n in sizes}
    points = tuple((n, one) for n, found in by_size.items() for one in found)
    grown = tuple(
        per_thousand(tuple(zip(sizes, row, strict=True)))
        for row in zip(*by_size.values(), strict=True)
    )
    stored = accepted([{"pods": (0,)}], case=name)
    stored = structs.replace(stored, sessions=(session(DATE, grown),))
    verdict = gate.judge(name, Size.DEFAULT, grown, stored, HERE, POLICY, digest="d1")
    return CaseContent(
        verdict=verdict,
        subject=RELEASE,
        environment=HERE,
        repeats=tuple(
            RepeatContent(measures=one, recording=f".flyteperf/runs/r/{name}-{n}/{i}")
            for i, (n, one) in enumerate(points)
        ),
        valid=grown,
        baseline=stored,
        lanes=lanes,
        points=points,
        growth=tuple(growth.lines(name, scaling(points))),
    )


def failure(name="broken"):
    verdict = CaseVerdict(
        case=name,
        size=Size.DEFAULT,
        verdict=Verdict.FAILED,
        reason="execution f3a1 FAILED: ValueError: no such bucket",
    )
    return CaseContent(verdict=verdict, subject=RELEASE, environment=HERE)


def portfolio(count=20):
    """A regression, an improvement, a failure, no baseline, and passes."""
    names = ("chain", "fan", "echo_chain", "nested_dynamic", "parallel_subs", "branch", "retry")
    special = [
        case("chain", slower=1.6, invalid=1),
        case("fan_out", "fan", slower=0.6),
        failure(),
        case("fresh", "single", baseline=False),
    ]
    others = [case(f"{n}_{i}", n) for i in range(count) for n in (names[i % len(names)],)]
    return (special + others)[:count]


def large(nodes=10_000):
    """A case whose execution has so many nodes, side by side in waves of a hundred."""
    step = 1_000_000
    lanes = tuple(
        Lane(
            execution="large",
            id=f"n{i}",
            kind="task",
            phase="SUCCEEDED",
            attempts=1,
            depth=0,
            start_ns=i // 100 * 900 * step + i % 100 * step,
            end_ns=i // 100 * 900 * step + i % 100 * step + 800 * step,
            on_path=i % 100 == 99,
            pieces=tuple(
                Piece(start, start + 200 * step, owner, detail)
                for k, (owner, detail) in enumerate(
                    (
                        ("flyte", "working"),
                        ("kubernetes", "scheduling"),
                        ("user", "container"),
                        ("flyte", "waiting: batching tick"),
                    )
                )
                for start in (i // 100 * 900 * step + i % 100 * step + k * 200 * step,)
            ),
        )
        for i in range(nodes)
    )
    wall = lanes[-1].end_ns
    path = (Piece(0, wall, "flyte", "waiting: batching tick"),)
    drawn = Lanes(
        execution="large", begun_unix_ns=0, wall_ns=wall, path=path, handles=(), lanes=lanes
    )
    return structs.replace(case("large"), lanes=drawn)
