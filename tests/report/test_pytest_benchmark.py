import subprocess
import sys

from pytest_flyteperf.model import Size
from pytest_flyteperf.report import pytest_benchmark, results
from tests.gate.gate_examples import HERE, MS, RELEASE, repeats


def test_its_own_compare_command_takes_two_runs(tmp_path):
    for name, factor in (("0001_before", 1), ("0002_now", 3)):
        measured = repeats(duration_ns=[factor * x * MS for x in (480, 482, 481, 479, 490)])
        cases = {("chain", Size.DEFAULT): results.case(Size.DEFAULT, measured)}
        document = results.results("1.2.3", "2026-11-22T20:00:00Z", RELEASE, HERE, cases)
        (tmp_path / f"{name}.json").write_text(pytest_benchmark.to_json(document))

    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest_benchmark", "compare", "--columns=median,rounds"),
            *sorted(str(path) for path in tmp_path.glob("*.json")),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stderr
    assert "0001_before) " in done.stdout
    assert "(3.00)" in done.stdout
