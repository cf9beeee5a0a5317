"""flytekit's own folders end with the process, or with the cluster."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from pytest_flyteperf.execute import leavings
assert leavings.leavings() == ()
import flytekit
with leavings.removed_with(sys.argv[1]):
    print(*leavings.leavings(), flush=True)
    {end}
"""


@pytest.fixture
def run(tmp_path):
    """A function that runs a process with a temporary folder of its own."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()

    def run(end):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(end=end), str(tmp_path)],
            env={"TMPDIR": str(temporary)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.split(), [str(path) for path in temporary.iterdir()]

    return run


def test_nothing_is_left_by_a_process_that_ends(run):
    made, left = run("pass")

    assert len(made) == 2
    assert left == []


def test_the_journal_names_what_a_killed_process_leaves(run, tmp_path):
    made, left = run("import os; os.kill(os.getpid(), 9)")

    assert sorted(left) == sorted(made)
    assert all(folder in (tmp_path / "journal.jsonl").read_text() for folder in made)
