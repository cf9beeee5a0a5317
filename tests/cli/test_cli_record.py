"""`flyteperf record` and `explain` of an execution that a FlyteAdmin knows."""

import json
from pathlib import Path

import pytest

from pytest_flyteperf.cli import main
from tests.doubles.admin import FakeAdmin

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"


@pytest.fixture
def url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLYTECTL_CONFIG", str(tmp_path / "none.yaml"))
    with FakeAdmin() as admin:
        name = admin.load(RECORDINGS / "chain/0")
        yield (
            f"http://{admin.endpoint}/console/projects/flytesnacks/domains/development/"
            f"executions/{name}"
        )


def test_an_execution_is_recorded_and_then_explained(url, capsys):
    assert main(["record", url, "--json"]) == 0
    folder = json.loads(capsys.readouterr().out)["recording"]

    assert folder == f".flyteperf/recordings/{url.rpartition('/')[2]}"
    assert main(["explain", folder]) == 0
    kept = capsys.readouterr().out
    assert main(["explain", url]) == 0
    assert capsys.readouterr().out == kept
    assert "n4 (task)" in kept


def test_an_execution_that_is_not_there_is_one_line(url, capsys):
    assert main(["explain", f"{url}x"]) == 4

    *progress, error = capsys.readouterr().err.splitlines()
    assert error.endswith("no such execution; check project, domain and name")
    assert any("reading" in line for line in progress)


def test_what_is_neither_is_told_so(capsys, tmp_path):
    assert main(["explain", str(tmp_path / "none")]) == 2
    assert "neither a folder nor an execution" in capsys.readouterr().err
