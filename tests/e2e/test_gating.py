"""From measuring to a verdict, on the engine: a baseline is recorded, holds, and catches."""

from statistics import median

import pytest
import yaml
from project import measured, ran

pytestmark = pytest.mark.engine

BENCHMARK = """
    import pytest
    from flytekit import workflow
    from flows import echo

    @workflow
    def chain(a: int) -> int:
        for _ in range(12):
            a = echo(a=a)
        return a

    @pytest.mark.flyteperf(repeats=8)
    def test_echo_chain(flyteperf):
        assert flyteperf(chain, a=3) == 3
"""


@pytest.fixture
def baseline(standing_project):
    """A project whose benchmark has a baseline."""
    standing_project.write("test_it.py", BENCHMARK)
    code, output = measured(standing_project, "--flyteperf-update=new")
    assert code == 0, output
    assert "baselines: 1 written to baselines/local-stand-in-" in output
    return standing_project


def test_an_unchanged_system_is_not_regressed_and_a_changed_count_is(baseline):
    code, output = baseline.run("--flyteperf-baseline")
    assert ran(code, output), output
    assert "regressed" not in output

    (path,) = baseline.folder.glob("baselines/*/echo_chain.yaml")
    document = yaml.safe_load(path.read_text())
    (session,) = document["sizes"]["default"]["sessions"]
    fewer = [count - 4 for count in session["samples"]["crd_writes"]]
    session["samples"]["crd_writes"] = fewer
    path.write_text(yaml.safe_dump(document))
    code, output = measured(baseline, "--flyteperf-baseline")

    assert code == 1
    assert "Traceback" not in output
    assert "regressed" in output
    assert f"CRD writes {median(fewer):.0f} -> " in output


def test_without_a_baseline_it_passes_with_a_line_and_fails_under_strict(standing_project):
    standing_project.write("test_it.py", BENCHMARK)
    once = "--flyteperf-baseline", "--flyteperf-repeats=1"
    code, output = measured(standing_project, *once)
    assert code == 0, output
    assert "echo_chain: no-baseline" in output

    code, output = measured(standing_project, *once, "--flyteperf-strict")
    assert code == 1
    assert "no baseline" in output


def test_a_tolerance_that_cannot_be_decided_is_refused_and_a_renamed_baseline_told(baseline):
    code, output = baseline.run("--flyteperf-baseline", "--flyteperf-tolerance=0.001")
    assert code == 1
    assert "tolerance 0.1 % of duration cannot be decided with" in output
    assert "Traceback" not in output

    (path,) = baseline.folder.glob("baselines/*/echo_chain.yaml")
    path.write_text(path.read_text().replace("case: echo_chain", "case: old_chain"))
    path.rename(path.with_name("old_chain.yaml"))
    code, output = measured(baseline, "--flyteperf-baseline", "--flyteperf-repeats=1")
    assert code == 0, output
    assert "echo_chain: no-baseline" in output
    assert "old_chain (default) looks renamed to echo_chain" in output
