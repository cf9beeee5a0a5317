import json
import pkgutil
import signal
import subprocess
import sys

import pytest

from pytest_flyteperf import cli
from pytest_flyteperf.cli import main, output
from pytest_flyteperf.cli.commands import COMMANDS


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLYTEPERF_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FLYTEPERF_CACHE", str(tmp_path / "cache"))


def test_help_imports_nothing_heavy():
    script = (
        "import sys, contextlib, pytest_flyteperf.cli as cli\n"
        "with contextlib.suppress(SystemExit): cli.main(['--help'])\n"
        "print(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    loaded = set(done.stdout.splitlines()[-1].split())

    assert "pytest_flyteperf.cli" in loaded
    assert not {"msgspec", "grpc", "flytekit", "pytest", "rich"} & loaded


def test_without_a_command_it_shows_help_and_exits_with_2(capsys):
    assert main([]) == 2
    assert "flyteperf up" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda c: c.name)
def test_each_command_says_what_it_does(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command.name, "--help"])
    said = capsys.readouterr().out

    assert said.startswith(f"usage: flyteperf {command.name} [-h]")
    assert command.what[1:] in " ".join(said.split())


def test_each_module_of_the_room_is_a_command_or_serves_them():
    serving = {"__main__", "charts", "commands", "live", "output", "parser", "portfolio", "project"}
    modules = {module.name for module in pkgutil.iter_modules(cli.__path__)}

    assert modules - serving == {name.replace("-", "_") for name in COMMANDS}


@pytest.mark.usefixtures("capsys")
def test_the_callers_handler_of_sigterm_stays():
    before = signal.getsignal(signal.SIGTERM)
    main([])

    assert before is not cli._interrupt
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_misspelt_command_is_one_line_and_exit_2(capsys):
    assert main(["comapre"]) == 2
    said = capsys.readouterr().err
    assert said == "flyteperf: comapre: there is no such command; did you mean compare?\n"


def test_status_of_nothing(capsys):
    assert main(["status"]) == 0
    assert capsys.readouterr().out == "nothing is up; `flyteperf up` starts Flyte\n"


def test_status_as_json(capsys):
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_reap_of_nothing(capsys):
    assert main(["reap"]) == 0
    assert capsys.readouterr().out == "nothing was left behind\n"


def test_a_wrong_setting_is_one_line_and_exit_2(capsys, monkeypatch):
    monkeypatch.setenv("FLYTEPERF_CLUSTER", "moon")

    assert main(["up"]) == 2
    assert (
        capsys.readouterr().err
        == "flyteperf: FLYTEPERF_CLUSTER: 'moon' is none of local, kind, existing, command:..., "
        "provisioner:...\n"
    )


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (["--frob"], 2, "--frob: options follow a command"),
        (["run", "--repeats", "0"], 2, "--flyteperf-repeats: 0 is less than 1"),
        (["explain", "http://["], 2, "http://[: is no URL"),
        (["compare", "gone", "gone"], 2, "gone"),
    ],
)
def test_what_is_typed_wrong_is_one_line(typed, code, said, capsys):
    assert main(typed) == code

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"flyteperf: {said}")


def test_a_file_that_cannot_be_written_is_one_line_and_exit_4(monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device", "/mnt/report.html")

    monkeypatch.setattr("pytest_flyteperf.cli.status.run", full)

    assert main(["status"]) == 4
    assert capsys.readouterr().err == "flyteperf: /mnt/report.html: No space left on device\n"


@pytest.mark.parametrize(
    ("terminal", "environment", "painted"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(terminal, environment, painted, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)

    assert output.style().colour is painted


def test_an_unknown_portfolio_is_one_line_and_exit_2(capsys):
    assert main(["run", "moon"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("flyteperf: moon: neither a path nor a portfolio; there are flyte")


def test_a_damaged_recording_is_one_line_and_exit_5(capsys, tmp_path):
    assert main(["analyze", str(tmp_path)]) == 5
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_how_it_is_typed(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])

    said = capsys.readouterr().out
    assert f"\nExamples:\n  flyteperf {command}" in said
    handing_on = {"run", "provision", "deploy", "engine"}  # pytest's, JSON anyway, its actions'
    assert ("--json" in said) == (command not in handing_on)


def test_what_only_kind_clusters_need_is_no_trouble(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("pytest_flyteperf.doctor.LEAST_MEMORY", 1)
    monkeypatch.setattr("pytest_flyteperf.doctor.LEAST_DISK", 1)
    monkeypatch.setenv("PATH", str(tmp_path))

    code = main(["doctor"])

    said = capsys.readouterr().out
    assert "-     kind clusters: not here\n      kind: not on PATH; install it" in said
    assert "-     Chromium: not on PATH\n" in said
    assert code == (4 if "MISS" in said else 0)


def test_doctor_says_what_it_found(capsys):
    main(["doctor", "--json"])
    findings = {f["what"]: f for f in json.loads(capsys.readouterr().out)}

    assert findings["Go"]["ok"]
    assert "not built yet" in findings["engine"]["found"]
