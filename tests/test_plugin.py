import subprocess
import sys

import pytest

from pytest_flyteperf.options import OPTIONS

HEAVY = {"msgspec", "grpc", "flytekit", "kubernetes", "google.protobuf", "yaml", "psutil", "rich"}


def test_an_idle_plugin_imports_nothing_heavy():
    script = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import pytest_flyteperf.plugin\n"
        "print(' '.join(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    imported = set(done.stdout.split())
    assert "pytest_flyteperf.options" in imported
    assert not HEAVY & imported


def test_an_idle_run_imports_nothing_heavy(pytester):
    pytester.makepyfile(
        f"""
        import sys

        def test_imports():
            assert not {HEAVY!r} & set(sys.modules)
        """
    )
    outcome = pytester.runpytest_subprocess("-p", "no:hypothesispytest")

    outcome.assert_outcomes(passed=1)


def test_every_option_is_in_the_help(pytester):
    text = pytester.runpytest_subprocess("--help").stdout.str()

    assert [o.flag for o in OPTIONS if o.flag not in text] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--flyteperf-repeats=many"], "--flyteperf-repeats: 'many' is not a whole number"),
        (
            ["--flyteperf-cluster=moon"],
            (
                "--flyteperf-cluster: 'moon' is none of local, kind, existing, command:..., "
                "provisioner:..."
            ),
        ),
        (
            ["--flyteperf-short", "--flyteperf-full"],
            "--flyteperf-short and --flyteperf-full exclude each other",
        ),
    ],
)
def test_a_wrong_option_is_a_usage_error_before_anything_starts(pytester, arguments, message):
    pytester.makepyfile("def test_never(): raise AssertionError")
    outcome = pytester.runpytest_subprocess(*arguments)

    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines([f"ERROR: {message}"])


def test_baseline_is_a_bare_switch(pytester):
    pytester.makepyfile("def test_plain(): pass")
    outcome = pytester.runpytest_subprocess(
        "--flyteperf-baseline", "test_baseline_is_a_bare_switch.py"
    )

    outcome.assert_outcomes(passed=1)


def test_the_marker_is_known(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.flyteperf(repeats=3)
        def test_plain():
            pass
        """
    )
    outcome = pytester.runpytest_subprocess("--strict-markers")

    outcome.assert_outcomes(passed=1)


def test_two_flytes_in_turns_refuse_workers_before_anything_starts(pytester, monkeypatch):
    monkeypatch.setenv("FLYTEPERF_STATE", str(pytester.path / "state"))
    pytester.makepyfile("def test_it(flyteperf): ...")
    outcome = pytester.runpytest_subprocess("-n1", "--flyteperf-base=v1.16.8")

    assert outcome.ret == pytest.ExitCode.TESTS_FAILED
    assert "two Flytes take turns on one cluster; leave -n out" in outcome.stdout.str()
    assert not (pytester.path / "state").exists()


def test_a_file_that_is_no_deployment_is_a_usage_error_in_one_line(pytester):
    """It is read once the tests are known, later than options are checked."""
    pytester.makepyfile("def test_it(flyteperf): ...")
    given = pytester.makefile(".json", given='{"metrics": 3}')
    outcome = pytester.runpytest_subprocess(f"--flyteperf-deployment={given}")

    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["ERROR: *given.json: is no deployment: *"])
    outcome.stdout.no_fnmatch_line("*INTERNALERROR*")
