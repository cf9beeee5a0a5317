from __future__ import annotations

import pytest
from msgspec import structs

from pytest_flyteperf import gate
from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.gate import Kind, Policy, Verdict
from pytest_flyteperf.gate.compare import Change, _verdict
from pytest_flyteperf.gate.statistics import Shift
from pytest_flyteperf.gate.verdict import Provenance
from pytest_flyteperf.model import METRICS, AdminKind, Finding, Severity, Shape, Size
from tests.gate.gate_examples import HERE, MACHINE, MS, POLICY, accepted, noisy, repeats

TIGHT = [x * MS for x in (100, 101, 102, 100, 101, 102, 100, 101, 102, 101)]
LOST = [Finding(check="lost spans", severity=Severity.INVALID, evidence="17 of 18 events")]


def judged(now, before, **given):
    environment = given.pop("environment", HERE)
    policy = given.pop("policy", POLICY)
    return gate.judge("chain", Size.DEFAULT, now, before, environment, policy, **given)


def of(verdict, metric):
    return next(m for m in verdict.metrics if m.metric == metric)


def scaled(values, factor):
    return [round(v * factor) for v in values]


@pytest.mark.parametrize(
    ("sentence", "before", "now", "verdict", "reason"),
    [
        (
            "equal samples pass",
            {"handle_ns": TIGHT},
            {"handle_ns": TIGHT},
            Verdict.PASS,
            "+0.0 % [-7.8 %, +3.7 %] is within tolerance 8.5 % (resolution)",
        ),
        (
            "a fifth more is a regression",
            {"handle_ns": TIGHT},
            {"handle_ns": scaled(TIGHT, 1.2)},
            Verdict.REGRESSED,
            "+20.0 % [+10.6 %, +24.4 %] exceeds tolerance 8.5 % (resolution)",
        ),
        (
            "a fifth less is an improvement",
            {"handle_ns": TIGHT},
            {"handle_ns": scaled(TIGHT, 0.8)},
            Verdict.IMPROVED,
            "-20.0 % [-22.8 %, -13.2 %] is beyond tolerance 8.5 % (resolution)",
        ),
        (
            "growth inside the tolerance passes",
            {"handle_ns": TIGHT},
            {"handle_ns": scaled(TIGHT, 1.02)},
            Verdict.PASS,
            "+2.0 % [-6.0 %, +5.8 %] is within tolerance 8.5 % (resolution)",
        ),
        (
            "growth at the edge of the tolerance is undecided",
            {"handle_ns": TIGHT},
            {"handle_ns": scaled(TIGHT, 1.07)},
            Verdict.INCONCLUSIVE,
            "+7.0 % [-1.4 %, +11.0 %] straddles tolerance 8.5 % (resolution)",
        ),
        (
            "an exact count that holds",
            {"pods": [5] * 3},
            {"pods": [5] * 2},
            Verdict.PASS,
            "5 in every repeat",
        ),
        (
            "one repeat with one more of an exact count is a regression",
            {"node_events": [18] * 3},
            {"node_events": [18, 18, 19]},
            Verdict.REGRESSED,
            "18 -> 18..19 in 1 of 3 repeats, exact count",
        ),
        (
            "fewer of an exact count is an improvement",
            {"node_events": [18] * 3},
            {"node_events": [17] * 3},
            Verdict.IMPROVED,
            "18 -> 17 in 3 of 3 repeats, exact count",
        ),
        (
            "where pods run, CRD writes may vary",
            {"crd_writes": [12, 13, 12, 13, 12, 13, 12, 12]},
            {"crd_writes": [13, 12, 13, 13, 12, 13, 12, 12]},
            Verdict.PASS,
            "0 [-1.38, +1.08] is within tolerance 2 (floor)",
        ),
        (
            "many more CRD writes are a regression",
            {"crd_writes": [12, 13, 12, 13, 12, 13, 12, 12]},
            {"crd_writes": [31, 30, 32, 31, 31, 30, 31, 31]},
            Verdict.REGRESSED,
            "+19 [+16.8, +19.4] exceeds tolerance 2 (floor)",
        ),
        (
            "a metric that vanished is no pass",
            {"handle_ns": TIGHT, "pods": [5] * 10},
            {"pods": [5] * 10},
            Verdict.INVALID,
            "not measured in 10 of 10 repeats; the baseline has it",
        ),
        (
            "a metric without a baseline is no pass",
            {"pods": [5] * 10},
            {"handle_ns": TIGHT, "pods": [5] * 10},
            Verdict.NO_BASELINE,
            "not in the baseline",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 70 else "",
)
def test_metric_verdicts(sentence, before, now, verdict, reason):
    name = min(before.keys() | now.keys())

    result = judged(repeats(**now), accepted([before]))

    assert of(result, name).verdict is verdict, sentence
    assert of(result, name).reason == reason
    assert result.verdict is verdict
    assert of(result, name).gated


def test_absent_baseline_never_passes():
    result = judged(repeats(handle_ns=TIGHT, pods=[5] * 10), None)

    assert result.verdict is Verdict.NO_BASELINE
    assert result.reason == "no baseline; record one with --flyteperf-update new"
    assert {m.verdict for m in result.metrics} == {Verdict.NO_BASELINE}


def test_no_repeats_never_pass():
    result = judged([], accepted([{"handle_ns": TIGHT}]))

    assert result.verdict is Verdict.INVALID
    assert result.reason == "no repeat was measured"


def test_failed_execution_fails_the_case_and_keeps_the_figures():
    before = accepted([{"handle_ns": TIGHT}])

    result = judged(repeats(handle_ns=TIGHT), before, problems=["chain-3 ended as FAILED"])

    assert result.verdict is Verdict.FAILED
    assert result.reason == "chain-3 ended as FAILED"
    assert of(result, "handle_ns").now.repeats == 10


def test_few_invalid_repeats_are_left_out_and_told():
    slow = repeats(findings=LOST, handle_ns=[900 * MS] * 2)

    result = judged([*repeats(handle_ns=TIGHT), *slow], accepted([{"handle_ns": TIGHT}]))

    assert result.verdict is Verdict.PASS
    assert result.repeats == 10
    assert result.invalid == ("lost spans: 17 of 18 events",) * 2
    assert of(result, "handle_ns").now.most == 102 * MS


def test_more_than_a_fifth_of_invalid_repeats_make_the_case_invalid():
    slow = repeats(findings=LOST, handle_ns=[900 * MS] * 3)

    result = judged([*repeats(handle_ns=TIGHT), *slow], accepted([{"handle_ns": TIGHT}]))

    assert result.verdict is Verdict.INVALID
    assert result.reason == "3 of 13 repeats invalid: lost spans: 17 of 18 events"


@pytest.mark.parametrize(
    ("valid", "lost", "verdict"),
    [
        (3, 1, Verdict.PASS),
        (1, 1, Verdict.PASS),
        (3, 2, Verdict.INVALID),
        (0, 1, Verdict.INVALID),
        (8, 2, Verdict.PASS),
        (7, 2, Verdict.INVALID),
    ],
)
def test_one_invalid_repeat_of_few_is_borne(valid, lost, verdict):
    finding = Finding(check="steal", severity=Severity.INVALID, evidence="12 % of CPU time")
    samples = [*repeats(pods=[0] * valid), *repeats(findings=[finding], pods=[0] * lost)]

    assert judged(samples, accepted([{"pods": [0] * 3}])).verdict is verdict


def test_notes_do_not_make_a_repeat_invalid():
    note = Finding(check="throttling", severity=Severity.NOTE, evidence="3 waits")

    result = judged(repeats(findings=[note], handle_ns=TIGHT), accepted([{"handle_ns": TIGHT}]))

    assert result.verdict is Verdict.PASS


POD_FREE = {"pods": [0] * 5, "crd_writes": [7] * 5, "blob_reads": [40] * 5}


@pytest.mark.parametrize(("executions", "kind"), [(1, Kind.EXACT), (2, Kind.RANGED)])
def test_what_waits_for_other_executions_writes_as_often_as_it_comes(executions, kind):
    shape = Shape(
        phase="SUCCEEDED",
        executions=executions,
        nodes={},
        ends={},
        attempts=0,
        subtasks=0,
        cache={},
        pods=0,
    )
    now = [structs.replace(m, shape=shape) for m in repeats(pods=[0], crd_writes=[37])]

    metric = of(judged(now, accepted([{"pods": [0], "crd_writes": [36]}])), "crd_writes")

    assert metric.kind is kind
    assert (metric.verdict is Verdict.REGRESSED) is (kind is Kind.EXACT)


def test_without_pods_crd_writes_and_blob_operations_are_exact():
    now = {**POD_FREE, "blob_reads": [41] * 5}

    result = judged(repeats(**now), accepted([POD_FREE]))

    assert of(result, "crd_writes").kind is Kind.EXACT
    assert result.verdict is Verdict.REGRESSED
    assert result.reason == "blob reads: 40 -> 41 in 5 of 5 repeats, exact count"


def test_counts_on_which_the_baseline_disagrees_are_not_exact():
    before = {**POD_FREE, "crd_writes": [7, 7, 8, 7, 8]}

    result = judged(repeats(**POD_FREE), accepted([before]))

    assert of(result, "crd_writes").kind is Kind.RANGED


@pytest.mark.parametrize(
    ("before", "now", "verdict", "reason"),
    [
        # Recorded on the engine beside other work: 36 rounds, and 37 in one repeat of five.
        (
            [36] * 5,
            [36, 36, 36, 36, 37],
            Verdict.PASS,
            "36 in 4 of 5 repeats, 36..37 over all",
        ),
        ([36, 36, 36, 36, 37], [37] * 5, Verdict.PASS, "37 in every repeat"),
        (
            [36] * 5,
            [36, 36, 37, 37, 37],
            Verdict.REGRESSED,
            "36 -> 36..37 in 3 of 5 repeats, exact count",
        ),
        (
            [36, 36, 36, 36, 37],
            [72] * 5,
            Verdict.REGRESSED,
            "36..37 -> 72 in 5 of 5 repeats, exact count",
        ),
        ([36, 36, 36, 36, 37], [36] * 5, Verdict.PASS, "36 in every repeat"),
        ([36] * 5, [36, 36, 37, 37], Verdict.PASS, "36 in 2 of 4 repeats, 36..37 over all"),
        ([36] * 5, [35, 35, 36, 36], Verdict.PASS, "36 in 2 of 4 repeats, 35..36 over all"),
        ([36] * 5, [30] * 5, Verdict.IMPROVED, "36 -> 30 in 5 of 5 repeats, exact count"),
    ],
)
def test_an_odd_repeat_of_a_pod_free_case_is_no_regression(before, now, verdict, reason):
    baseline = accepted([{"crd_writes": before, "pods": [0] * len(before)}])

    result = judged(repeats(crd_writes=now, pods=[0] * len(now)), baseline)

    assert of(result, "crd_writes").kind is Kind.EXACT
    assert of(result, "crd_writes").verdict is verdict
    assert of(result, "crd_writes").reason == reason


def test_unknown_pods_do_not_count_as_none():
    before = {"crd_writes": [7] * 5}

    result = judged(repeats(**before), accepted([before]))

    assert of(result, "crd_writes").kind is Kind.RANGED


def test_few_repeats_make_times_advice_and_still_gate_exact_counts():
    before = {"handle_ns": TIGHT, "pods": [5] * 10}

    result = judged(repeats(handle_ns=[900 * MS] * 3, pods=[5] * 3), accepted([before]))

    assert result.verdict is Verdict.PASS
    assert not of(result, "handle_ns").gated
    assert of(result, "handle_ns").verdict is Verdict.INCONCLUSIVE
    assert of(result, "handle_ns").reason == "3 repeats beside 10 cannot decide; 7 needed"


def test_another_machine_gates_exact_counts_alone():
    elsewhere = structs.replace(HERE, machine=structs.replace(MACHINE, cpu_model="EPYC 7B13"))
    before = accepted([{"handle_ns": TIGHT, "pods": [5] * 10}], environment=elsewhere)

    slow = judged(repeats(handle_ns=scaled(TIGHT, 3), pods=[5] * 10), before)
    more = judged(repeats(handle_ns=TIGHT, pods=[6] * 10), before)

    assert slow.verdict is Verdict.INCOMPARABLE
    assert slow.reason == (
        "baseline of another environment (CPU EPYC 7B13 -> Xeon 8481C); "
        "record one with --flyteperf-update new"
    )
    assert more.verdict is Verdict.REGRESSED


def test_another_identity_gates_nothing():
    elsewhere = structs.replace(HERE, admin_kind=AdminKind.FLYTEADMIN)
    before = accepted([{"pods": [5] * 10}], environment=elsewhere)

    result = judged(repeats(pods=[6] * 10), before)

    assert result.verdict is Verdict.INCOMPARABLE


def test_a_changed_case_is_incomparable():
    result = judged(repeats(pods=[6]), accepted([{"pods": [5]}]), digest="d2")

    assert result.verdict is Verdict.INCOMPARABLE
    assert result.reason == (
        "the case itself changed since its baseline; record it with --flyteperf-update all"
    )


def test_only_the_asked_gate_counts():
    before = {"handle_ns": TIGHT, "pods": [5] * 10}
    now = repeats(handle_ns=scaled(TIGHT, 2), pods=[6] * 10)

    result = judged(now, accepted([before]), policy=Policy(gate=("crd_writes", "pods")))

    assert [m.metric for m in result.metrics if m.gated] == ["pods", "crd_writes"]
    assert result.verdict is Verdict.REGRESSED
    assert of(result, "crd_writes").reason == "no source shows it"
    assert of(result, "crd_writes").verdict is Verdict.INCONCLUSIVE


def test_metrics_that_neither_side_shows_are_named():
    result = judged(repeats(pods=[5]), accepted([{"pods": [5]}]))

    assert "handle_ns" in result.unknown
    assert "pods" not in result.unknown


def test_an_asked_tolerance_replaces_the_default():
    before = accepted([{"handle_ns": TIGHT}])
    now = repeats(handle_ns=scaled(TIGHT, 1.2))

    result = judged(now, before, policy=structs.replace(POLICY, tolerances={"handle_ns": 0.30}))

    assert result.verdict is Verdict.PASS
    assert of(result, "handle_ns").tolerance_from == "asked"


def test_a_change_below_the_floor_never_fails():
    before = {"duration_ns": [round(x * MS) for x in (4.0, 4.1, 4.2, 4.0, 4.1, 4.2, 4.1, 4.2)]}
    now = {"duration_ns": scaled(before["duration_ns"], 2)}

    result = judged(repeats(**now), accepted([before]))

    assert of(result, "duration_ns").verdict is Verdict.PASS
    assert of(result, "duration_ns").tolerance_from == "floor"


def test_zero_on_both_sides_passes_and_growth_from_zero_is_seen():
    nothing = {"pod_ns": [0] * 8}
    policy = Policy(gate=("pod_ns",))

    same = judged(repeats(**nothing), accepted([nothing]), policy=policy)
    more = judged(repeats(pod_ns=[50 * MS] * 8), accepted([nothing]), policy=policy)

    assert same.verdict is Verdict.PASS
    assert more.verdict is Verdict.REGRESSED
    assert of(more, "pod_ns").ratio is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"gate": ("speed",)},
            "gate: no metric 'speed'; there are duration_ns, ",
        ),
        (
            {"tolerances": {"handle_ns": -0.1}},
            "gate: tolerance -0.1 of handle_ns; give a share such as 0.05 for 5 %",
        ),
        ({"floors": {"handle_ns": -1}}, "gate: floor -1 of handle_ns is negative"),
        ({"misses": 1.0}, "gate: misses 1.0; give a chance below 0.5"),
        ({"budget": 0}, "gate: comparisons 100, budget 0; give at least 1"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(given, message):
    with pytest.raises(UsageError) as refused:
        Policy(**given)

    assert str(refused.value).startswith(message)


def test_noise_of_two_sessions_gives_one_interval():
    before = accepted([{"handle_ns": noisy(1, 10)}, {"handle_ns": noisy(2, 10)}])

    result = judged(repeats(handle_ns=noisy(3, 20)), before)

    assert of(result, "handle_ns").baseline.repeats == 20


def test_many_small_accepted_steps_are_seen_as_drift():
    values = noisy(1, 30, spread=0.02)
    anchor = gate.Anchor(
        recorded="2026-01-10T00:00:00Z",
        commit="abc",
        sessions=accepted([{"handle_ns": values}]).sessions,
    )
    latest = accepted([{"handle_ns": scaled(values, 1.2)}], anchor=anchor)

    still = judged(repeats(handle_ns=scaled(values, 1.21)), latest)
    back = judged(repeats(handle_ns=values), latest)

    assert still.verdict is Verdict.PASS
    assert [d.metric for d in still.drift] == ["handle_ns"]
    assert still.drift[0].ratio == pytest.approx(1.21)
    assert still.drift[0].since == "2026-01-10T00:00:00Z"
    assert still.drift[0].commit == "abc"
    assert 1.1 < still.drift[0].low < 1.21 < still.drift[0].high < 1.3
    assert back.drift == ()


def test_every_metric_is_looked_at_for_drift_and_at_the_pace_of_the_machine():
    values = noisy(1, 30, spread=0.02)
    slow, fast = {"cpu_ns": [15 * MS] * 30}, {"cpu_ns": [10 * MS] * 30}
    anchor = gate.Anchor(
        recorded="2026-01-10T00:00:00Z",
        commit=None,
        sessions=accepted([{"duration_ns": values, "handle_ns": values} | fast]).sessions,
    )
    slower = {"duration_ns": scaled(values, 1.5), "handle_ns": scaled(values, 1.5)}
    latest = {"handle_ns": slower["handle_ns"]}

    drifted = judged(repeats(**slower, canaries=fast), accepted([latest | fast], anchor=anchor))
    paced = judged(repeats(**slower, canaries=slow), accepted([latest | slow], anchor=anchor))

    assert of(paced, "handle_ns").verdict is of(drifted, "handle_ns").verdict is Verdict.PASS
    assert [d.metric for d in drifted.drift] == ["handle_ns"]
    assert paced.drift == ()


def test_of_many_differences_between_environments_three_are_told():
    elsewhere = structs.replace(
        HERE,
        distribution="kube-apiserver v1.35.0",
        blob_store="minio",
        database="postgres",
        machine=structs.replace(MACHINE, cpu_count=8, kernel="6.9.0", engine_digest="e2"),
    )
    before = accepted([{"handle_ns": TIGHT}], environment=elsewhere)

    result = judged(repeats(handle_ns=TIGHT), before)

    assert result.reason.count(" -> ") == 3


WILD = [x * MS for x in (600, 1900, 800, 1700, 700, 1500, 900, 1200, 1400, 1100)]


def test_what_the_repeats_hardly_resolve_is_advice():
    before = {"handle_ns": WILD, "pods": [5] * 10}

    result = judged(repeats(**before), accepted([before]))

    assert of(result, "handle_ns").resolution > 0.5
    assert not of(result, "handle_ns").gated
    assert of(result, "handle_ns").verdict is Verdict.PASS
    assert of(result, "handle_ns").high > 1
    assert of(result, "handle_ns").reason.endswith("(resolution), which holds little")
    assert result.verdict is Verdict.PASS


def test_what_the_repeats_hardly_resolve_still_fails_when_it_explodes():
    before = {"handle_ns": WILD, "pods": [5] * 10}

    result = judged(repeats(handle_ns=scaled(WILD, 9), pods=[5] * 10), accepted([before]))

    assert result.verdict is Verdict.REGRESSED
    assert of(result, "handle_ns").gated


def test_growth_from_nothing_is_told_in_milliseconds():
    nothing = {"user_ns": [0] * 8, "pods": [0] * 8}

    result = judged(repeats(user_ns=[50 * MS] * 8, pods=[0] * 8), accepted([nothing]))

    assert of(result, "user_ns").reason == "+50 ms [+50 ms, +50 ms] exceeds tolerance 10 ms (floor)"


def test_a_metric_that_another_environment_does_not_show_is_incomparable():
    elsewhere = structs.replace(HERE, admin_kind=AdminKind.FLYTEADMIN)
    before = accepted([{"handle_ns": TIGHT, "pods": [5] * 10}], environment=elsewhere)

    result = judged(repeats(pods=[5] * 10), before)

    assert of(result, "handle_ns").verdict is Verdict.INCOMPARABLE


def test_a_metric_known_in_some_repeats_alone_is_not_held_against_a_baseline_without_it():
    result = judged(repeats(pods=[5] * 3, rounds=[7, None, 7]), accepted([{"pods": [5] * 3}]))

    assert of(result, "rounds").verdict is Verdict.NO_BASELINE


def test_growth_of_exactly_the_tolerance_is_no_regression():
    before = {"crd_writes": [40] * 12, "pods": [1] * 12}

    result = judged(repeats(crd_writes=[44] * 12, pods=[1] * 12), accepted([before]))

    assert of(result, "crd_writes").tolerance == pytest.approx(0.1)
    assert of(result, "crd_writes").low > 1
    assert of(result, "crd_writes").verdict is Verdict.INCONCLUSIVE


def test_shrinkage_of_exactly_the_tolerance_is_no_improvement():
    before = {"crd_writes": [40] * 12, "pods": [1] * 12}

    result = judged(repeats(crd_writes=[36] * 12, pods=[1] * 12), accepted([before]))

    assert of(result, "crd_writes").verdict is Verdict.PASS


def test_a_large_shrinkage_that_may_be_chance_is_no_improvement():
    now = [x * MS for x in (20, 160, 22, 150, 24, 140, 26, 130, 25, 21)]

    result = judged(repeats(handle_ns=now), accepted([{"handle_ns": TIGHT}]))

    assert of(result, "handle_ns").ratio < 0.6
    assert of(result, "handle_ns").verdict is Verdict.INCONCLUSIVE


def test_a_large_growth_that_may_be_chance_is_no_regression():
    now = [x * MS for x in (420, 80, 400, 90, 380, 70, 440, 300, 75, 310)]

    result = judged(repeats(handle_ns=now), accepted([{"handle_ns": TIGHT}]))

    assert of(result, "handle_ns").ratio > 1.5
    assert of(result, "handle_ns").verdict is Verdict.INCONCLUSIVE


def test_a_metric_that_some_repeats_lack_is_invalid():
    result = judged(repeats(pods=[5, None, 5]), accepted([{"pods": [5] * 3}]))

    assert of(result, "pods").verdict is Verdict.INVALID
    assert of(result, "pods").reason == "not measured in 1 of 3 repeats; the baseline has it"


def test_a_verdict_carries_the_median_and_the_range_of_both_sides():
    result = judged(repeats(rounds=[7, 9, 12]), accepted([{"rounds": [4, 5, 8, 6]}]))

    rounds = of(result, "rounds")
    assert (rounds.baseline.least, rounds.baseline.median, rounds.baseline.most) == (4, 5.5, 8)
    assert (rounds.now.least, rounds.now.median, rounds.now.most) == (7, 9, 12)
    assert rounds.now.repeats == 3


STEADY = noisy(1, 30, spread=0.02)


@pytest.mark.parametrize(
    ("sentence", "anchor", "latest", "now"),
    [
        (
            "what became faster than the anchor does not drift",
            {"handle_ns": STEADY},
            {"handle_ns": scaled(STEADY, 0.8)},
            {"handle_ns": scaled(STEADY, 0.8)},
        ),
        (
            "what fails already is not told twice",
            {"handle_ns": STEADY},
            {"handle_ns": scaled(STEADY, 1.2)},
            {"handle_ns": scaled(STEADY, 2)},
        ),
        (
            "what is advice does not drift",
            {"pod_ns": STEADY},
            {"pod_ns": scaled(STEADY, 1.5)},
            {"pod_ns": scaled(STEADY, 1.5)},
        ),
        (
            "exact counts do not drift",
            {"pods": [3] * 30},
            {"pods": [5] * 30},
            {"pods": [5] * 30},
        ),
        (
            "what the anchor did not have does not drift",
            {"pods": [5] * 30},
            {"handle_ns": STEADY},
            {"handle_ns": STEADY},
        ),
    ],
)
def test_what_does_not_drift(sentence, anchor, latest, now):
    first = gate.Anchor(
        recorded="2026-01-10T00:00:00Z", commit=None, sessions=accepted([anchor]).sessions
    )

    assert judged(repeats(**now), accepted([latest], anchor=first)).drift == (), sentence


def allocating(*values, **more):
    counts = {
        name: [value] * len(values)
        for name, value in {"node_events": 18, "pods": 0, **more}.items()
    }
    return repeats(allocations=values, **counts)


USUAL = (385_000, 391_000, 388_000, 390_000, 394_000, 389_000, 392_000, 387_000, 390_500, 388_500)


def test_a_propeller_that_computes_a_tenth_more_is_found_by_what_it_allocates():
    baseline = accepted([{"allocations": USUAL, **PODLESS}])
    more = [round(1.1 * value) for value in USUAL]

    found = gate.judge("chain", Size.DEFAULT, allocating(*more), baseline, HERE)
    rest = gate.judge("chain", Size.DEFAULT, allocating(*USUAL[::-1]), baseline, HERE)

    assert found.verdict is Verdict.REGRESSED
    assert found.of(Verdict.REGRESSED)[0].metric == "allocations"
    assert rest.verdict is Verdict.PASS


PODLESS = {"node_events": [18] * 10, "pods": [0] * 10}
WASTEFUL = [2 * value for value in USUAL]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (PODLESS, allocating(*WASTEFUL)),
        ({**PODLESS, "allocations": USUAL}, repeats(**PODLESS)),
        (PODLESS, repeats(**PODLESS)),
        (
            {"allocations": USUAL, "node_events": [18] * 10, "pods": [1] * 10},
            allocating(*WASTEFUL, pods=1),
        ),
    ],
    ids=["older baseline", "metrics out of reach", "neither", "pods"],
)
def test_allocations_are_gated_only_without_pods_and_where_both_sides_tell_them(before, now):
    policy = Policy(gate=("node_events", "allocations"))

    verdict = gate.judge("chain", Size.DEFAULT, now, accepted([before]), HERE, policy)

    assert verdict.verdict is Verdict.PASS


def test_what_a_process_allocates_by_itself_is_no_change_of_a_small_case():
    small = [value // 5 for value in USUAL]
    baseline = accepted([{"allocations": small, **PODLESS}])
    longer = [value + 6_000 for value in small]

    verdict = gate.judge("chain", Size.DEFAULT, allocating(*longer), baseline, HERE)

    assert verdict.verdict is not Verdict.REGRESSED


@pytest.mark.parametrize(
    ("before", "now", "pods", "verdict", "gated"),
    [
        (0, 500_000, 0, Verdict.INCONCLUSIVE, False),
        (0, 250_000, 0, Verdict.REGRESSED, True),
        (400_000, 500_000, 0, Verdict.REGRESSED, True),
        (0, 500_000, 1, Verdict.REGRESSED, True),
    ],
    ids=["a CPU is taken", "half of one is", "it was for the baseline too", "tasks may have it"],
)
def test_times_are_advice_where_others_have_the_cpus(before, now, pods, verdict, gated):
    count = len(TIGHT)
    crowded = {"other_cpu_ppm": [now] * count}
    baseline = accepted(
        [{"handle_ns": TIGHT, "pods": [pods] * count, "other_cpu_ppm": [before] * count}]
    )
    slower = repeats(handle_ns=scaled(TIGHT, 1.5), pods=[pods] * count, canaries=crowded)

    metric = of(judged(slower, baseline), "handle_ns")

    assert (metric.verdict, metric.gated) == (verdict, gated)
    assert gated or metric.reason.startswith("others used 50 % of the CPUs, 0 % beside")


def test_times_are_no_advice_where_the_baseline_does_not_tell_what_others_had():
    count = len(TIGHT)
    before = accepted([{"handle_ns": TIGHT, "pods": [0] * count}])
    slower = repeats(
        handle_ns=scaled(TIGHT, 1.5),
        pods=[0] * count,
        canaries={"other_cpu_ppm": [900_000] * count},
    )

    assert of(judged(slower, before), "handle_ns").verdict is Verdict.REGRESSED


def test_shares_of_the_cpus_that_others_had_are_told_to_the_per_cent():
    count = len(TIGHT)
    columns = {"handle_ns": TIGHT, "pods": [0] * count, "other_cpu_ppm": [35_000] * count}
    busy = {"other_cpu_ppm": [955_000] * count}
    slower = repeats(handle_ns=scaled(TIGHT, 1.5), pods=[0] * count, canaries=busy)

    metric = of(judged(slower, accepted([columns])), "handle_ns")

    assert metric.reason.startswith("others used 96 % of the CPUs, 4 % beside the baseline; ")


def test_a_baseline_of_one_repeat_decides_no_time_and_what_to_do_is_told():
    result = judged(repeats(handle_ns=TIGHT), accepted([{"handle_ns": TIGHT[:1]}]))

    assert of(result, "handle_ns").reason == (
        "10 repeats beside 1 cannot decide; record the baseline with more"
    )


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ((0.5, 5, 6), Verdict.REGRESSED),
        ((0, 5, 6), Verdict.INCONCLUSIVE),
        ((0.5, 3, 6), Verdict.INCONCLUSIVE),
        ((0.5, 2, 3), Verdict.INCONCLUSIVE),
        ((0.5, 2, 2.9), Verdict.PASS),
        ((-6, -5, -0.5), Verdict.IMPROVED),
        ((-6, -5, 0), Verdict.PASS),
        ((-6, -2, -0.5), Verdict.PASS),
        ((-6, -5, 0.5), Verdict.PASS),
    ],
)
def test_an_interval_and_a_tolerance_of_three_give_a_verdict(ends, verdict):
    assert _verdict(Shift(*ends), Shift(*ends), tolerance=3, shrinkage=2) is verdict


@pytest.mark.parametrize(
    ("before", "now", "given", "verdict", "reason"),
    [
        ({"handle_ns": TIGHT}, {"handle_ns": TIGHT}, {"problems": ["a", "b"]}, "failed", "a"),
        ({"handle_ns": TIGHT}, {"handle_ns": TIGHT}, {}, "pass", "1 metric holds"),
        ({"pod_ns": TIGHT}, {"pod_ns": TIGHT}, {}, "inconclusive", "nothing to gate was measured"),
        (None, {"handle_ns": TIGHT}, {}, "no-baseline", "no baseline; record one with "),
        (
            {"handle_ns": TIGHT, "flyte_ns": TIGHT},
            {"handle_ns": scaled(TIGHT, 1.5), "flyte_ns": scaled(TIGHT, 1.5)},
            {},
            "regressed",
            "working: +50.0 % ",
        ),
    ],
)
def test_a_case_tells_what_it_was_held_against_and_what_it_does_not_know(
    before, now, given, verdict, reason
):
    baseline = None if before is None else accepted([before], file="baselines/chain.yaml")

    result = judged(repeats(**now), baseline, **given)

    assert (result.case, result.size, result.repeats) == ("chain", Size.DEFAULT, 10)
    assert result.verdict == verdict
    assert result.reason.startswith(reason)
    assert [m.metric for m in result.metrics] == sorted(now, key=list(METRICS).index)
    assert set(result.unknown) == METRICS.keys() - now.keys()
    if baseline is None:
        assert result.baseline is None
    else:
        assert result.baseline == Provenance(
            subject=baseline.subject,
            recorded=baseline.recorded,
            commit=baseline.commit,
            file="baselines/chain.yaml",
        )


def test_an_invalid_case_keeps_the_figures_of_the_repeats_that_are_not():
    samples = [*repeats(handle_ns=TIGHT[:2]), *repeats(LOST, handle_ns=TIGHT[:3])]

    some = judged(samples, accepted([{"handle_ns": TIGHT}]))
    none = judged(samples[2:], accepted([{"handle_ns": TIGHT}]))
    nothing = judged([], accepted([{"handle_ns": TIGHT}]))

    assert {one.verdict for one in (some, none, nothing)} == {Verdict.INVALID}
    assert of(some, "handle_ns").now.repeats == 2
    assert of(none, "handle_ns").now is None
    assert nothing.reason == "no repeat was measured"
    assert of(nothing, "handle_ns").baseline.repeats == 10
    for one in (some, none, nothing):
        assert set(one.unknown) == METRICS.keys() - {"handle_ns"}


def test_of_several_metrics_the_first_is_told_and_how_many_there_are_beside_it():
    times = ("flyte_ns", "handle_ns", "duration_ns")
    slower = repeats(**dict.fromkeys(times, scaled(TIGHT, 1.5)))

    result = judged(slower, accepted([dict.fromkeys(times, TIGHT)]))

    assert result.reason.endswith(", and 2 more")


def test_allocations_of_a_case_that_starts_pods_now_are_advice():
    before = accepted([{**PODLESS, "allocations": USUAL}])

    assert not of(judged(allocating(*USUAL, pods=1), before), "allocations").gated
    assert of(judged(allocating(*USUAL), before), "allocations").gated


def test_a_case_without_a_verdict_is_undecided():
    assert gate.undecided(None)


def test_an_improvement_mirrors_the_tolerance_by_its_reciprocal():
    """A quarter more is undone by a fifth less."""
    policy = structs.replace(POLICY, tolerances={"handle_ns": 0.25})
    before = accepted([{"handle_ns": TIGHT}])

    def shrunk(share):
        return judged(repeats(handle_ns=scaled(TIGHT, 1 - share)), before, policy=policy).verdict

    assert shrunk(0.22) is Verdict.IMPROVED
    assert shrunk(0.18) is not Verdict.IMPROVED


def test_a_time_that_vanished_is_compared_in_its_own_unit():
    result = judged(
        repeats(user_ns=[0] * 10, pods=[0] * 10),
        accepted([{"user_ns": TIGHT, "pods": [0] * 10}]),
        policy=structs.replace(POLICY, gate=("user_ns",)),
    )

    assert of(result, "user_ns").verdict is Verdict.IMPROVED
    assert of(result, "user_ns").ratio == pytest.approx(0, abs=0.01)


def test_a_stored_tolerance_holds_where_none_is_asked():
    stored = {"handle_ns": gate.Tolerance(share=0.4, source="marker")}
    before = accepted([{"handle_ns": TIGHT}], tolerances=stored)
    now = repeats(handle_ns=scaled(TIGHT, 1.3))

    metric = of(judged(now, before), "handle_ns")
    assert (metric.tolerance, metric.tolerance_from) == (pytest.approx(0.4), "marker")
    assert metric.verdict is Verdict.PASS
    asked = structs.replace(POLICY, tolerances={"handle_ns": 0.2})
    assert of(judged(now, before, policy=asked), "handle_ns").tolerance_from == "asked"


@pytest.mark.parametrize(
    ("metric", "middle", "growth", "shown"),
    [
        ("handle_ns", 200 * MS, 10 * MS, "+5.0 %"),
        ("handle_ns", 0, 3 * MS, "+3 ms"),
        ("crd_bytes", 0, 2048, "+2 KiB"),
        ("crd_bytes", 0, 0, "0"),
        ("crd_bytes", 4, 0, "+0.0 %"),
        ("crd_bytes", 4, 1, "+25.0 %"),
        ("rounds", 40, 4.5, "+4.5"),
        ("rounds", 0, 1, "+1"),
        ("rounds", 40, 0, "0"),
        ("handle_ns", 200 * MS, float("inf"), "unbounded"),
    ],
)
def test_growth_is_shown_as_a_share_and_counts_in_their_own_unit(metric, middle, growth, shown):
    assert str(change(metric, middle, growth)).startswith(f"{shown} [")


@pytest.mark.parametrize(("taken", "told"), [(0.9 * MS, False), (MS, True), (-MS, True)])
def test_pace_is_told_from_a_hundredth_on(taken, told):
    assert str(change("handle_ns", 100 * MS, 0, taken)).endswith("taken off") is told


def test_a_share_of_almost_nothing_is_one():
    assert change("crd_bytes", 1, 3).ratio(3) == 4
    assert change("crd_bytes", 0, 3).ratio(3) is None


def change(metric, middle, growth, taken=0.0):
    return Change(
        metric=METRICS[metric],
        middle=middle,
        low=growth,
        point=growth,
        high=growth,
        tolerance=0.1 * middle,
        tolerance_from="default",
        resolution=0.1,
        finds=0.2,
        verdict=Verdict.PASS,
        taken=taken,
    )
