"""An interrupt while the engine is being built: Go ends too, and nothing half-made is left."""

import signal

import pytest
from conftest_project import own_project
from project import until

from tests.engine.fake_go import FakeGo


@pytest.fixture
def go(tmp_path, monkeypatch):
    """A Go whose builds never end."""
    fake = FakeGo(tmp_path / "go")
    fake.does(hang=True)
    monkeypatch.setenv("PATH", f"{fake.folder}:/usr/bin:/bin")
    monkeypatch.setenv("FLYTEPERF_CACHE", str(tmp_path / "cache"))
    for name in ("KUBEBUILDER_ASSETS", "GOTMPDIR"):
        monkeypatch.delenv(name, raising=False)
    return fake


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_during_the_build_unwinds(tmp_path, go, number):
    folder = tmp_path / "project"
    folder.mkdir()
    with own_project(folder) as project:
        project.write(
            "test_it.py",
            """
            from flows import echo_once

            def test_echo(flyteperf):
                flyteperf(echo_once, a=3)

            def test_second(flyteperf):
                flyteperf(echo_once, a=4)
            """,
        )
        run = project.start()
        until(lambda: len(go.hanging) == 2 or run.poll() is not None)
        run.send_signal(number)
        output, _ = run.communicate(timeout=600)

    assert run.returncode != 0
    assert len(go.hanging) == 2, output
    assert "Traceback" not in output
    assert "test_second" not in output  # the run ends, not one test of it
    until(go.all_gone)
    left = sorted(path.name for path in (tmp_path / "cache" / "engine").iterdir())
    assert left == ["build-flyte.log", "build-tools.log", "build.lock"]
