"""Ten runs of an unchanged Flyte, five beside other work, raise no regression."""

import subprocess
import sys
from pathlib import Path

import pytest
from project import ran

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(1800)]

BENCHMARK = """
    import pytest
    from flytekit import workflow
    from flows import add_once, echo

    @workflow
    def chain(a: int) -> int:
        for _ in range(12):
            a = echo(a=a)
        return a

    @pytest.mark.flyteperf(repeats=8)
    def test_echo_chain(flyteperf):
        assert flyteperf(chain, a=3) == 3

    @pytest.mark.flyteperf(repeats=6)
    def test_add(flyteperf):
        assert flyteperf(add_once, a=3) == 4
"""


def test_ten_runs_of_an_unchanged_flyte_raise_no_regression(project):
    project.write("test_it.py", BENCHMARK)
    for update in ("all", "join"):
        code, output = project.run(f"--flyteperf-update={update}")
        assert ran(code, output), output

    script = Path(__file__).with_name("unchanged_runs.py")
    done = subprocess.run(
        [sys.executable, str(script), "--", "test_it.py"],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "\n0 regressed, " in done.stdout
