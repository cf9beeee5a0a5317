from __future__ import annotations

import json

import msgspec
import pytest
from msgspec import structs

from pytest_flyteperf.cli import main
from pytest_flyteperf.gate import BaselineStore, CaseVerdict, Policy, Verdict
from pytest_flyteperf.model import Measures, Repeat, RunPlan, Size
from pytest_flyteperf.report import runs
from pytest_flyteperf.result import CaseResult, Measured
from tests.gate.gate_examples import HERE, MS, RELEASE, repeats


def measured(measures: Measures, index: int) -> Measured:
    return Measured(
        repeat=Repeat(
            case="chain",
            size=Size.DEFAULT,
            index=index,
            warmup=False,
            execution=measures.execution,
            recording="gone",
            phase_wait_ns=0,
            trace_wait_ns=0,
            client_ns=0,
            problem=None,
        ),
        measures=measures,
    )


def result(case="chain", day=1, verdict=Verdict.REGRESSED, middle=500):
    samples = repeats(handle_ns=[middle * MS] * 4, node_events=[9] * 4)
    return CaseResult(
        case=case,
        size=Size.DEFAULT,
        nodeid=f"test_{case}",
        plan=RunPlan(warmups=1, repeats=4, timeout_s=9, seed=1),
        policy=Policy(tolerances={"handle_ns": 0.2}),
        subject=RELEASE,
        environment=HERE,
        folder="gone",
        recorded=f"2026-11-{day:02}T08:00:00Z",
        digest="d1",
        repeats=tuple(measured(one, index) for index, one in enumerate(samples)),
        verdict=CaseVerdict(case=case, size=Size.DEFAULT, verdict=verdict, reason="so"),
    )


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(project):
    def stored(name, *results):
        for one in results:
            folder = project / ".flyteperf" / "runs" / name / one.case
            folder.mkdir(parents=True)
            (folder / "case.json").write_bytes(msgspec.json.encode(one))
        return project / ".flyteperf" / "runs" / name

    return stored


def baseline(project, case="chain"):
    return BaselineStore(project / "baselines").find(case, Size.DEFAULT, HERE)


def test_the_last_run_is_accepted_with_who_and_why(project, run, capsys):
    run("20261101-080000-1", result(middle=400))
    run("20261102-080000-1", result(day=2), result("map", day=2))

    assert main(["accept", "--by", "Ada", "--reason", "batched events"]) == 0

    found = baseline(project)
    assert (found.accepted.by, found.accepted.reason) == ("Ada", "batched events")
    assert found.recorded == "2026-11-02T08:00:00Z"
    assert found.values("handle_ns") == (500 * MS,) * 4
    assert found.tolerances["handle_ns"].share == 0.2
    assert [path.rpartition("/")[2] for path in capsys.readouterr().out.split("\n")[:2]] == [
        "chain.yaml",
        "map.yaml",
    ]


def test_named_cases_alone_are_accepted(project, run):
    run("20261102-080000-1", result(), result("map", verdict=Verdict.FAILED))

    assert main(["accept", "chain", "--reason", "so"]) == 0
    assert baseline(project) is not None
    assert baseline(project, "map") is None


def test_a_run_of_elsewhere_joins_as_a_session(project, run):
    first = run("20261102-080000-1", result())
    artifact = project / "artifact"
    run("20261103-080000-1", result(day=3, middle=520)).rename(artifact)

    assert main(["accept", "--run", str(first), "--reason", "so"]) == 0
    assert main(["accept", "--run", str(artifact), "--join", "--reason", "again"]) == 0
    assert [one.id[:10] for one in baseline(project).sessions] == ["2026-11-01", "2026-11-03"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reason", " "], "--reason: is empty; say why these figures are right"),
        (["gone", "--reason", "so"], "case 'gone' did not run; there are chain"),
        (["--reason", "so"], "chain cannot be accepted: failed: so; measure it again"),
        (["--run", "nowhere", "--reason", "so"], "nowhere: holds no case; give the folder"),
    ],
)
def test_what_cannot_be_accepted_is_one_line_and_exit_2(project, run, capsys, arguments, message):
    run("20261102-080000-1", result(verdict=Verdict.FAILED))

    assert main(["accept", *arguments]) == 2

    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert not (project / "baselines").exists()


@pytest.mark.usefixtures("project")
def test_without_a_run_nothing_is_accepted(capsys):
    assert main(["accept", "--reason", "so"]) == 2
    assert "holds no run; `flyteperf run` measures one" in capsys.readouterr().err


def test_a_result_whose_test_did_not_finish_is_refused(run, capsys):
    run("20261102-080000-1", structs.replace(result(), verdict=None))

    assert main(["accept", "--reason", "so"]) == 2
    assert "its test did not finish" in capsys.readouterr().err


def stored(project, *middles):
    for day, middle in enumerate(middles, 1):
        one = runs.CaseRun(
            case="chain",
            size=Size.DEFAULT,
            verdict=Verdict.PASS,
            samples={"handle_ns": (middle * MS,) * 4},
        )
        runs.append(
            project / ".flyteperf",
            runs.Run(
                id=str(day),
                recorded=f"2026-11-{day:02}T08:00:00Z",
                tool="0.1.0",
                commit=None,
                subject=RELEASE,
                environment=HERE,
                cases=(one,),
            ),
        )


def test_history_shows_the_series_and_its_changes(project, capsys):
    stored(project, 500, 505, 700, 702)

    assert main(["history", "chain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("4 runs, 2 levels")
    assert ["<-" in line for line in lines[1:]] == [False, False, True, False]


def test_history_lists_its_cases_and_knows_json(project, capsys):
    stored(project, 500)

    assert main(["history"]) == 0
    assert capsys.readouterr().out == "chain\n"
    assert main(["history", "chain", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["points"][0]["median"] == 500 * MS


def test_history_of_an_unknown_case_names_those_there_are(project, capsys):
    stored(project, 500)

    assert main(["history", "gone"]) == 2
    assert "no run of 'gone'; there are chain" in capsys.readouterr().err


def test_history_of_another_size_names_those_there_are(project, capsys):
    stored(project, 500)

    assert main(["history", "chain", "--short"]) == 2
    assert "no run of 'chain' in size short, but in default" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_history_without_a_run_says_what_makes_one(capsys):
    assert main(["history", "chain"]) == 2
    assert "no run of 'chain'; `flyteperf run` measures cases" in capsys.readouterr().err


def test_history_says_what_of_its_file_is_damaged(project, capsys):
    folder = project / ".flyteperf"
    folder.mkdir(exist_ok=True)
    (folder / "history.jsonl").write_text("garbage\n[]\n")

    assert main(["history"]) == 0

    said = capsys.readouterr().out.splitlines()
    assert said == [
        "no run is stored",
        f"2 damaged lines of {folder / 'history.jsonl'} are left out",
    ]
