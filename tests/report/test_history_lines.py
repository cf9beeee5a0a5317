from __future__ import annotations

from msgspec import structs

from pytest_flyteperf.model import Size
from pytest_flyteperf.report import history, results
from tests.gate.gate_examples import HERE, MS, RELEASE, repeats

CASE = "flyte.benchmark.chain"


def run(day, middle, digest="4f1d0a77c2b19e55", metric="handle_ns"):
    section = results.case(Size.DEFAULT, repeats(**{metric: [middle * MS] * 5}))
    subject = structs.replace(RELEASE, digest=digest)
    recorded = f"2026-11-{day:02}T08:00:00Z"
    return results.results("t", recorded, subject, HERE, {("chain", Size.DEFAULT): section})


def test_runs_are_listed_oldest_first_with_a_mark_at_the_change():
    runs = [run(3, 650, "bbbb"), *(run(day, 500) for day in (1, 2)), run(4, 655, "bbbb")]

    assert history.lines(CASE, "handle_ns", runs) == (
        "flyte.benchmark.chain, working: 4 runs, 2 levels",
        "2026-11-01 08:00  v1.16.8 (4f1d0a77)           5       500 ms  ###############",
        "2026-11-02 08:00  v1.16.8 (4f1d0a77)           5       500 ms  ###############",
        (
            "2026-11-03 08:00  v1.16.8 (bbbb)               5       650 ms  ####################"
            "  <- +30.5 %"
        ),
        "2026-11-04 08:00  v1.16.8 (bbbb)               5       655 ms  ####################",
    )


def test_a_case_that_never_ran_says_so():
    assert history.lines("flyte.benchmark.gone", "handle_ns", [run(1, 500)]) == (
        "flyte.benchmark.gone: no run has working",
    )
