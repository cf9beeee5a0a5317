"""What makes another engine of it, for a baseline, and what does not."""

import shutil
from pathlib import Path

import pytest

import pytest_flyteperf
from pytest_flyteperf.deploy.fingerprint import engine_digest, go_code, python_code
from pytest_flyteperf.engine.build import Engine

PACKAGE = Path(pytest_flyteperf.__file__).parent
KUBELET = "engine/kubelet/status.py"
STAND_IN = "engine/go/flyte/internal/events/node.go"


def engine(**changes):
    values = {
        "etcd": "/e/etcd",
        "kube_apiserver": "/e/kube-apiserver",
        "s3_gateway": "/e/versitygw",
        "propeller": "/e/propeller",
        "admin": "/e/admin",
        "full_flyte": None,
        "flyte": "v1.16.8",
        "tools_digest": "tools",
        "flyte_digest": "flyte",
        "digest": "all",
        "versions": {},
    }
    return Engine(**values | changes)


@pytest.fixture
def package(tmp_path):
    copy = tmp_path / "package"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def digest(package, **changes):
    return engine_digest(engine(**changes), package=package, modules=package / "engine" / "go")


def append(path, text):
    path.write_text(path.read_text() + text)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (KUBELET, "\nDELAY_S = 1\n"),
        ("engine/forkserver/task.py", "\nDELAY_S = 1\n"),
        ("engine/otlp.py", "\nDELAY_S = 1\n"),
        ("provision/programs.py", "\nDELAY_S = 1\n"),
        ("deploy/config.py", "\nDELAY_S = 1\n"),
        (STAND_IN, "\nvar delay = 1\n"),
        ("engine/go/flyte/cmd/propeller/main.go", "\nvar delay = 1\n"),
    ],
)
def test_code_that_serves_an_execution_makes_another_engine(package, file, text):
    before = digest(package)

    append(package / file, text)

    assert digest(package) != before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (KUBELET, "\n# A remark.\n"),
        (STAND_IN, "\n// A remark.\n"),
        ("engine/go/flyte/internal/events/node_test.go", "\nvar delay = 1\n"),
        ("engine/go/flyte/go.mod", "\nrequire example.org/newer v1.2.3\n"),
        ("gate/judge.py", "\nDELAY_S = 1\n"),
    ],
)
def test_remarks_tests_and_what_belongs_to_the_subject_make_the_same_engine(package, file, text):
    before = digest(package)

    append(package / file, text)

    assert digest(package) == before


def test_which_flyte_it_is_makes_the_same_engine_and_other_tools_another(package):
    released = digest(package)

    assert digest(package, flyte="../flyte", flyte_digest="another") == released
    assert digest(package, tools_digest="others") != released


def test_a_full_flyte_runs_no_stand_in(package):
    full = {"full_flyte": "/f/flyte", "propeller": None, "admin": None}
    before = digest(package, **full)

    append(package / STAND_IN, "\nvar delay = 1\n")

    assert digest(package, **full) == before


def test_python_code_is_what_runs():
    said = '"""What it is."""\n\n\ndef f(\n    x,  # first\n):\n    """Say."""\n    return "x"\n'

    assert python_code(said) == 'def f ( x , ) :\n\treturn "x"'
    assert python_code("def f(x):\n    return 1\n") != python_code("def f(x): ...\nreturn 1\n")


def test_go_code_keeps_directives():
    assert go_code("//go:embed x\n// About f.\n\nfunc f() {}\n//\n") == (
        "//go:embed x\nfunc f() {}"
    )
