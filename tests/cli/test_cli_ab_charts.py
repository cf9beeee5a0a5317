"""`flyteperf ab` of two charts: each measured by a run of its own, then told apart."""

from types import SimpleNamespace

import pytest

from pytest_flyteperf.cli import charts, main
from pytest_flyteperf.model import Size
from pytest_flyteperf.report import results
from tests.gate.gate_examples import HERE, MS, RELEASE, repeats

CHARTS = ("--base", "chart:flyte-binary@v1", "--head", "chart:../flyte-core")
WORKING = {"flyte-binary@v1": 400, "../flyte-core": 900}


def value(arguments, flag):
    return next(a.partition("=")[2] for a in arguments if a.startswith(f"{flag}="))


@pytest.fixture
def ran(monkeypatch, tmp_path):
    """Runs of pytest that end at once, with results as of that chart."""
    monkeypatch.chdir(tmp_path)
    found = []

    def run(argv, **_):
        found.append(list(argv))
        chart = value(argv, "--flyteperf-chart")
        samples = {"handle_ns": [WORKING[chart] * MS] * 8, "node_events": [18] * 8}
        folder = tmp_path.joinpath(value(argv, "--flyteperf-out"), "runs", "1")
        folder.mkdir(parents=True)
        case = results.case(Size.DEFAULT, repeats(**samples))
        told = results.results(
            "1.2.3", "2026-11-22T20:00:00Z", RELEASE, HERE, {("chain", Size.DEFAULT): case}
        )
        results.write(folder, "results", told)
        return SimpleNamespace(returncode=run.code)

    run.code = 0
    monkeypatch.setattr(charts.subprocess, "run", run)
    return SimpleNamespace(arguments=found, run=run)


def test_each_chart_is_measured_on_a_cluster_of_its_own_and_nothing_is_judged(ran, capsys):
    assert main(["ab", *CHARTS, "--short", "--", "-k", "chain"]) == 0

    assert [value(a, "--flyteperf-chart") for a in ran.arguments] == list(WORKING)
    for arguments in ran.arguments:
        assert "--flyteperf-cluster=kind" in arguments
        assert "--flyteperf-short" in arguments
        assert arguments[-2:] == ["-k", "chain"]
        assert not any(a.startswith("--flyteperf-base") for a in arguments)
    said = capsys.readouterr().out
    assert "working +125 %" in said


def test_a_run_that_fails_ends_it(ran):
    ran.run.code = 1

    assert main(["ab", *CHARTS]) == 1
    assert len(ran.arguments) == 1


def test_a_chart_is_not_compared_with_a_release(capsys):
    assert main(["ab", "--base", "v1.16.8", "--head", "chart:flyte-core"]) == 2
    assert "give a chart on both sides, or on neither" in capsys.readouterr().err
