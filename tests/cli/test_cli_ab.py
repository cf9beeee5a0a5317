"""`flyteperf ab`: exit codes, documents, and what it refuses."""

import pytest

from pytest_flyteperf.cli import main
from pytest_flyteperf.cli.ab import exit_code
from pytest_flyteperf.gate import CaseVerdict, Verdict
from pytest_flyteperf.model import Size


def verdict(which):
    return CaseVerdict(case="chain", size=Size.DEFAULT, verdict=which, reason="")


def code(ended, *found, strict=False, trouble=False):
    verdicts = [None if one is None else verdict(one) for one in found]
    return exit_code(ended, verdicts, strict=strict, trouble=trouble)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([Verdict.PASS, Verdict.IMPROVED], 0),
        ([Verdict.PASS, Verdict.REGRESSED], 1),
        ([Verdict.FAILED, Verdict.INVALID], 1),
        ([Verdict.INVALID, Verdict.PASS], 5),
        ([Verdict.INCONCLUSIVE, Verdict.PASS], 0),
        ([None], 1),
    ],
)
def test_the_worst_verdict_decides(found, expected):
    ended = pytest.ExitCode.TESTS_FAILED if expected else pytest.ExitCode.OK

    assert code(ended, *found) == expected


def test_undecided_fails_under_strict():
    assert code(1, Verdict.INCONCLUSIVE, strict=True) == 3
    assert code(1, Verdict.INCONCLUSIVE, Verdict.REGRESSED, strict=True) == 1


def test_trouble_that_is_no_verdict_is_infrastructure():
    assert code(1, trouble=True) == 4
    assert code(1, Verdict.PASS, trouble=True) == 4
    assert code(1, Verdict.REGRESSED, trouble=True) == 1


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (pytest.ExitCode.USAGE_ERROR, 2),
        (pytest.ExitCode.NO_TESTS_COLLECTED, 2),
        (pytest.ExitCode.INTERNAL_ERROR, 4),
        (pytest.ExitCode.INTERRUPTED, 130),
        (143, 130),
    ],
)
def test_what_ends_before_a_verdict(ended, expected):
    assert code(int(ended)) == expected


def test_the_base_must_be_named(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["ab", "--head", "v1.16.8"])
    assert "--base" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--base", "dns:///flyte.example:443"], "the endpoint of a Flyte that runs already"),
        (["--base", "localhost:30080"], "the endpoint of a Flyte that runs already"),
        (["--base", "oci://charts.example/flyte-core"], "a chart, which needs helm"),
        (["--base", "nonsense"], "is no release like v1.16.8"),
        (["--base", "./flyte"], "has a FlyteAdmin of its own, v1.16.8 a stand-in"),
        (["--base", "v1.16.8", "--repeats", "4"], "give at least 5"),
        (["--base", "v1.16.8", "--blocks", "5"], "is odd"),
        (["--base", "v1.16.8", "--base-config", "none.yaml"], "there is no such file"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_exit_2(
    tmp_path, monkeypatch, capsys, arguments, said
):
    program = tmp_path / "flyte"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)

    assert main(["ab", "--head", "v1.16.8", *arguments, "test_it.py"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
