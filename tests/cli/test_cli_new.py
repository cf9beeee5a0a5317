import pytest

from pytest_flyteperf.cli import main


def test_a_new_case_is_a_test_that_can_be_collected(capsys, pytester, monkeypatch):
    monkeypatch.chdir(pytester.path)

    assert main(["new", "ingestion"]) == 0
    assert "benchmarks/test_ingestion.py is written" in capsys.readouterr().out
    collected = pytester.runpytest_subprocess("--collect-only", "-q", "benchmarks")
    collected.stdout.fnmatch_lines(["benchmarks/test_ingestion.py::test_ingestion"])


@pytest.mark.parametrize("name", ["two words", "class", "1st", "../up"])
def test_a_name_that_python_has_not_is_refused(capsys, name):
    assert main(["new", name]) == 2
    assert "is no Python name" in capsys.readouterr().err


def test_nothing_is_written_over(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks/test_mine.py").write_text("mine")

    assert main(["new", "mine"]) == 2
    assert "test_mine.py: is there already" in capsys.readouterr().err
    assert (tmp_path / "benchmarks/test_mine.py").read_text() == "mine"
