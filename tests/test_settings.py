import ast
from pathlib import Path

import pytest

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.options import OPTIONS
from pytest_flyteperf.settings import Settings, Update, resolve

ROOT = Path("/project")


def resolved(flags=None, environ=None, ini=None):
    return resolve(flags or {}, environ or {}, (ini or {}).get, ROOT)


def test_every_option_has_its_field_and_every_field_its_option():
    assert set(Settings._fields) == {o.key for o in OPTIONS} | {"root", "typed"}


def test_defaults_gate_nothing_and_write_nothing():
    settings = resolved()

    assert settings.baseline is False
    assert settings.update is Update.NONE
    assert settings.cluster == "local"
    assert settings.size == "default"
    assert settings.baseline_dir == ROOT / "baselines"


class TestPrecedence:
    def test_a_flag_wins_over_variable_and_ini(self):
        settings = resolved({"repeats": 3}, {"FLYTEPERF_REPEATS": "5"}, {"flyteperf_repeats": "7"})

        assert settings.repeats == 3

    def test_a_variable_wins_over_ini(self):
        settings = resolved({}, {"FLYTEPERF_REPEATS": "5"}, {"flyteperf_repeats": "7"})

        assert settings.repeats == 5

    def test_ini_wins_over_the_default(self):
        assert resolved({}, {}, {"flyteperf_repeats": "7"}).repeats == 7

    def test_a_variable_turns_a_switch_off_that_ini_turned_on(self):
        settings = resolved({}, {"FLYTEPERF_BASELINE": "no"}, {"flyteperf_baseline": "true"})

        assert settings.baseline is False


@pytest.mark.parametrize(
    ("flags", "environ", "ini", "message"),
    [
        ({}, {"FLYTEPERF_REPEATS": "many"}, {}, "FLYTEPERF_REPEATS: 'many' is not a whole number"),
        ({"repeats": 0}, {}, {}, "--flyteperf-repeats: 0 is less than 1"),
        (
            {"jaeger": "host:16686"},
            {},
            {},
            "--flyteperf-jaeger: 'host:16686' is no URL; give one with http://",
        ),
        (
            {},
            {},
            {"flyteperf_cluster": "kid"},
            (
                "flyteperf_cluster: 'kid' is none of local, kind, existing, command:..., "
                "provisioner:..."
            ),
        ),
        (
            {},
            {"FLYTEPERF_STRICT": "maybe"},
            {},
            "FLYTEPERF_STRICT: 'maybe' is none of 1, true, yes, on, 0, false, no, off",
        ),
        (
            {"short": True, "full": True},
            {},
            {},
            "--flyteperf-short and --flyteperf-full exclude each other",
        ),
        (
            {"full": True, "nightly": True},
            {},
            {},
            "--flyteperf-full and --flyteperf-nightly exclude each other",
        ),
        (
            {"config": "absent.yaml"},
            {},
            {},
            "--flyteperf-config: /project/absent.yaml: there is no such file",
        ),
        ({"out": ""}, {}, {}, "--flyteperf-out: is empty; give a text"),
        (
            {"base-config": __file__},
            {},
            {},
            "--flyteperf-base-config: there is no base; give --flyteperf-base",
        ),
        (
            {"base": "v1.16.8", "baseline": True},
            {},
            {},
            (
                "--flyteperf-base: both sides are measured, no baseline is read or written; leave "
                "--flyteperf-baseline and --flyteperf-update out"
            ),
        ),
        (
            {"base": "v1.16.8", "repeats": 4},
            {},
            {},
            "--flyteperf-repeats: a block of 4 says too little of itself; give at least 5",
        ),
        (
            {"base": "v1.16.8", "blocks": 5},
            {},
            {},
            "--flyteperf-blocks: 5 is odd; blocks of a side come in twos",
        ),
        (
            {"cluster": "kind", "database": "postgres://x/y"},
            {},
            {},
            (
                "--flyteperf-database: belongs to a `flyte` program on a local cluster; "
                "name a chart's in --flyteperf-values"
            ),
        ),
        (
            {"cluster": "existing", "base": "v1.16.8"},
            {},
            {},
            (
                "--flyteperf-base: on existing Flyte is not ours to replace; both sides run on a "
                "local cluster or on kind's"
            ),
        ),
        (
            {"install": True},
            {},
            {},
            ("--flyteperf-install: is for clusters that exist; give --flyteperf-cluster existing"),
        ),
        (
            {"cluster": "existing", "endpoint": "127.0.0.1:8089"},
            {},
            {},
            "--flyteperf-cluster existing: give --flyteperf-kubeconfig, too",
        ),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(flags, environ, ini, message):
    with pytest.raises(UsageError) as refusal:
        resolved(flags, environ, ini)

    assert str(refusal.value) == message


def test_an_unknown_variable_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"FLYTEPERF_REPEAT is no setting; .*FLYTEPERF_REPEATS"):
        resolved({}, {"FLYTEPERF_REPEAT": "3"})


def test_no_other_module_reads_the_environment_for_a_setting():
    package = Path(__file__).parent.parent / "pytest_flyteperf"
    variables = {o.variable for o in OPTIONS}

    readers = {
        path.name: constant.value
        for path in package.rglob("*.py")
        if path.name != "settings.py"
        for constant in ast.walk(ast.parse(path.read_text()))
        if isinstance(constant, ast.Constant) and constant.value in variables
    }

    assert readers == {}
