import os
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]
DOCS = TOP / "docs"


def test_the_reference_is_what_the_program_reads(tmp_path):
    subprocess.run([sys.executable, DOCS / "write_reference.py", tmp_path], check=True, cwd=TOP)

    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in (DOCS / "reference").iterdir()}
    assert kept == written, "run: python docs/write_reference.py"


def test_the_tutorial_can_be_typed(tmp_path):
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS / "tutorial.md").read_text(), re.DOTALL)
    folder = Path(sys.executable).parent
    environ = os.environ | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "FLYTEPERF_STATE": str(tmp_path / "state"),
    }
    done = [
        subprocess.run(
            ["bash", "-euc", block],
            cwd=TOP,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        for block in blocks
    ]

    assert len(done) == 5
    assert [(one.returncode, one.stderr) for one in done] == [(0, "")] * 5
    said = "\n".join(one.stdout for one in done)
    assert "waiting" in said
    assert '"$defs"' in said


def test_the_documents_are_built_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "tutorial.html").is_file()
