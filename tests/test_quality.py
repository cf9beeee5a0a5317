"""The checks that keep the code in order, as tests, so that one command runs everything."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_flyteperf.engine.golang import find_go, go_directive

ROOT = Path(__file__).parent.parent
STATICCHECK = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"
GO_MODULES = sorted(p.parent for p in (ROOT / "pytest_flyteperf/engine/go").glob("*/go.mod"))


def check(*command, cwd=ROOT):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def tool(name):
    return str(Path(sys.executable).parent / name)


def test_ruff_finds_nothing():
    check(tool("ruff"), "check", ".")


def test_everything_is_formatted():
    check(tool("ruff"), "format", "--check", ".")


def test_types_are_strict():
    check(tool("mypy"))


def test_data_flows_one_way():
    check(tool("lint-imports"), "--no-cache")


@pytest.mark.parametrize("module", GO_MODULES, ids=lambda path: path.name)
def test_go_is_formatted(module):
    gofmt = shutil.which("gofmt")
    if gofmt is None:
        pytest.skip("gofmt is not on PATH")
    sources = [str(p) for p in module.rglob("*.go")]
    done = subprocess.run([gofmt, "-l", *sources], capture_output=True, text=True, check=True)

    assert done.stdout == ""


@pytest.mark.engine
class TestOurGo:
    MODULE = ROOT / "pytest_flyteperf/engine/go/flyte"

    def go(self, *arguments):
        go = find_go(go_directive(self.MODULE / "go.mod"))
        done = subprocess.run(
            [go.path, *arguments],
            cwd=self.MODULE,
            env=os.environ | go.environment | {"GOFLAGS": "-trimpath"},  # as the engine is built
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def test_vet_finds_nothing(self):
        self.go("vet", "./...")

    def test_staticcheck_finds_nothing(self):
        self.go("run", STATICCHECK, "./...")

    def test_go_tests_pass(self):
        self.go("test", "-vet=off", "./...")


def test_no_file_names_a_registry_or_a_lock():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert "uv.lock" not in listed
