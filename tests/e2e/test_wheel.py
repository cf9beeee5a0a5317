"""The wheel, installed where nothing else is: it carries all that a run needs."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
UV = os.environ.get("UV") or shutil.which("uv")
ONCE = ("--flyteperf-repeats=1", "--flyteperf-warmups=0")
SHORTLY = ("flyte", "--short", "--repeats=1", "--warmups=0")
BENCHMARK = """
    from flows import add_once

    def test_add(flyteperf):
        assert flyteperf(add_once, a=1) == 2
"""


def outside_path():
    """PATH without this environment's programs: its Go is not the new environment's."""
    own = Path(sys.executable).parent
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if Path(folder) != own)


def uv(*arguments, cwd):
    done = subprocess.run([UV, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(UV is None, reason="uv is not there to build and install with")
def test_an_empty_environment_measures_a_workflow(project, tmp_path_factory):
    place = tmp_path_factory.mktemp("wheel")
    newest = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["exclude-newer"]
    uv("build", "--quiet", "--wheel", f"--out-dir={place}", str(ROOT), cwd=place)
    (wheel,) = place.glob("*.whl")
    uv("venv", "--quiet", "env", cwd=place)
    python = place / "env/bin/python"
    uv(
        "pip",
        "install",
        "--quiet",
        f"--python={python}",
        f"--exclude-newer={newest}",
        f"{wheel}[go]",
        cwd=place,
    )
    project.write("test_it.py", BENCHMARK)
    said = ran(place, project, "python", "-m", "pytest", *ONCE)

    assert "Flyte v1.16.8" in said
    assert measured(project) == {"add"}

    said = ran(place, project, "flyteperf", "run", *SHORTLY, "--", "-k", "short_task or echo_chain")

    assert "2 passed" in said or "measurement invalid" in said, said
    assert measured(project) == {"add", "short_task", "echo_chain"}


def measured(project):
    """The cases that have recordings: a repeat on a restless machine leaves a second one."""
    return {recording.parent.name for recording in project.recordings()}


def ran(place, project, program, *arguments):
    """What a program of the new environment printed in the project's folder."""
    done = subprocess.run(
        [str(place / "env/bin" / program), *arguments],
        cwd=project.folder,
        env=os.environ | {"PATH": outside_path()},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    return done.stdout + done.stderr
