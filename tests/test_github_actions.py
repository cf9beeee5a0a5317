"""The workflow files and actions: valid, few rights, and their scripts do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pytest_flyteperf.engine.golang import find_go

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
ACTIONS = sorted(GITHUB.glob("actions/*/action.yml"))
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))


def names(paths):
    return [str(path.relative_to(GITHUB)) for path in paths]


def executable(path, text):
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o700)
    return path


class TestFiles:
    def test_actionlint_finds_nothing(self):
        go = find_go("1.26")
        done = subprocess.run(
            [go.path, "run", ACTIONLINT],
            cwd=ROOT,
            env=os.environ | go.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def test_zizmor_finds_nothing(self):
        zizmor = Path(sys.executable).parent / "zizmor"
        done = subprocess.run(
            [zizmor, "--offline", "--no-progress", GITHUB],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.parametrize("path", WORKFLOWS, ids=names(WORKFLOWS))
    def test_a_workflow_starts_with_no_rights(self, path):
        assert yaml.safe_load(path.read_text())["permissions"] == {}

    @pytest.mark.parametrize("path", ACTIONS + WORKFLOWS, ids=names(ACTIONS + WORKFLOWS))
    def test_what_others_wrote_is_pinned_by_hash(self, path):
        used = re.findall(r"uses: (\S+)(.*)", path.read_text())

        assert len(used) == path.read_text().count("uses:")
        for action, comment in used:
            assert action.startswith("$/") or re.fullmatch(r"\S+@[0-9a-f]{40}", action), action
            assert action.startswith("$/") or re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action

    @pytest.mark.parametrize("path", ACTIONS, ids=names(ACTIONS))
    def test_every_input_of_an_action_is_used(self, path):
        text = path.read_text()
        unused = [key for key in yaml.safe_load(text)["inputs"] if f"inputs.{key} " not in text]

        assert unused == []


class TestMeasure:
    @pytest.fixture
    def measure(self, tmp_path):
        flyteperf = executable(
            tmp_path / "flyteperf", f'printf "%s\\n" "$@" > "{tmp_path}/said"; exit "$EXIT"'
        )
        output = tmp_path / "output"
        inputs = dict.fromkeys(
            ("BASE", "HEAD", "BASE_CONFIG", "HEAD_CONFIG", "CASES", "OPTIONS"), ""
        ) | {"SIZE": "short", "STRICT": "false", "EXIT": "0", "COMMAND": str(flyteperf)}

        def run(**given):
            done = subprocess.run(
                [GITHUB / "actions/measure/measure.sh"],
                env=os.environ | inputs | {"GITHUB_OUTPUT": str(output)} | given,
                check=False,
            )
            assert done.returncode == 0
            return (tmp_path / "said").read_text().split("\n")[:-1], output.read_text()

        return run

    def test_gates_against_baselines(self, measure):
        said, _ = measure(HEAD="../flyte", HEAD_CONFIG="a b.yaml", CASES="one.py two.py::case")

        assert " ".join(said[:2]) == "run --baseline"
        assert said[2:] == (
            ["--short", "--flyte", "../flyte", "--config", "a b.yaml", "one.py", "two.py::case"]
        )

    def test_compares_two(self, measure):
        said, _ = measure(BASE="v1.16.8", HEAD="../flyte", SIZE="default", STRICT="true")

        assert said == ["ab", "--base", "v1.16.8", "--strict", "--head", "../flyte"]

    def test_configurations_go_to_their_sides(self, measure):
        said, _ = measure(BASE="v1", BASE_CONFIG="b.yaml", HEAD_CONFIG="h.yaml", OPTIONS="-k x")

        assert said[3:] == (
            ["-k", "x", "--short", "--base-config", "b.yaml", "--head-config", "h.yaml"]
        )

    def test_a_regression_is_kept_for_the_last_step(self, measure):
        assert measure(EXIT="1")[1] == "exit-code=1\n"


class TestComment:
    @pytest.fixture
    def comment(self, tmp_path):
        programs = tmp_path / "bin"
        programs.mkdir()
        executable(
            programs / "gh",
            f'printf "%s\\n" "$*" >> "{tmp_path}/said"\n'
            'case "$1 $2" in "pr list") echo "$PULL_REQUEST";; *paginate) echo "$EARLIER";; esac',
        )
        flyteperf = executable(tmp_path / "flyteperf", "echo '<!-- flyteperf -->'; echo found")

        def run(**given):
            subprocess.run(
                [GITHUB / "actions/comment/comment.sh"],
                env=os.environ
                | {"PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
                | {"COMMAND": str(flyteperf), "RUN_ID": "7", "HEAD_SHA": "c0ffee"}
                | {"ARTIFACT": "flyteperf", "EARLIER": "", "PULL_REQUEST": "12"}
                | given,
                check=True,
            )
            return (tmp_path / "said").read_text()

        return run

    def test_is_new_the_first_time(self, comment):
        assert "--method POST repos/{owner}/{repo}/issues/12/comments" in comment()

    def test_is_edited_ever_after(self, comment):
        said = comment(EARLIER="4\n5")

        assert "--method PATCH repos/{owner}/{repo}/issues/comments/5" in said

    def test_another_comment_stays(self, comment):
        assert 'startswith("<!-- flyteperf -->")' in comment()

    def test_belongs_to_the_pull_request_of_the_measured_commit(self, comment):
        said = comment(PULL_REQUEST="")

        assert '.headRefOid == "c0ffee"' in said
        assert "comments" not in said
